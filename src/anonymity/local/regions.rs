//! A recoding that outlives the data it was made of.

use super::cell::Cell;
use super::dimension::{Dimension, DimensionKind, Key, keys_of};
use super::recoding::LocalRecoding;
use crate::error::{Error, Result};
use crate::io::table::{ColumnInterner, NULL_CODE};
use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// The classes of a recoding as regions of values, with their labels: it can be written to a file (with serde) and new rows can be placed in it.
///
/// A new row falls into the first class all of whose labels say that they may have its values: an interval from the lowest to the highest value of the class, a
/// set of values, or the values below a node that the fitted data had. A row that no class covers is *outside*: labels are never widened for it. For classes of
/// strict Mondrian without hierarchies there is at most one such class; other regions may overlap.
///
/// # Guarantee
/// Labels of placed rows are true. Nothing is said about how many new rows or people share a class: count the new table before it is released, and do not add new
/// rows to a release that is out – models such as t-closeness may fail on both together, and whoever knows the old rows learns of the new ones.
///
/// # Security
/// Bounds, sets and the values below nodes are data. Keep the file with the steward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RegionsForm", into = "RegionsForm")]
pub struct Regions {
    form: RegionsForm,
    /// Boxes around runs of classes: that of run r is around those of 2r and 2r + 1; classes begin in the middle.
    boxes: Vec<Box<[Side]>>,
    leaves: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionsForm {
    columns: Vec<RegionColumn>,
    classes: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionColumn {
    column: String,
    kind: DimensionKind,
    /// Dates and times of another unit are other numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_type: Option<String>,
    /// Values by their rank; of an ordered column only those at which a region begins or ends.
    values: Vec<Key>,
    labels: Vec<Option<String>>,
    /// One a class: the label, and the values that it stands for.
    regions: Vec<(u32, Region)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Region {
    /// Only missing values.
    Missing,
    /// From one value to another; the flag says whether missing values are covered too.
    Range(u32, u32, bool),
    /// Values one by one.
    Set(Vec<u32>, bool),
}

/// What a run of classes may cover in one column: places of values, doubled, so that there is room between them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Side {
    low: u64,
    high: u64,
    missing: bool,
}

const NOTHING: Side = Side { low: u64::MAX, high: 0, missing: false };

/// Place of a value of a new row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Missing,
    /// No region has it.
    Unknown,
    At(u64),
}

impl Region {
    fn side(&self) -> Side {
        match self {
            Self::Missing => Side { missing: true, ..NOTHING },
            Self::Range(low, high, missing) => Side { low: 2 * u64::from(*low), high: 2 * u64::from(*high), missing: *missing },
            Self::Set(set, missing) => match (set.first(), set.last()) {
                (Some(&low), Some(&high)) => Side { low: 2 * u64::from(low), high: 2 * u64::from(high), missing: *missing },
                _ => Side { missing: *missing, ..NOTHING },
            },
        }
    }

    fn covers(&self, place: Place) -> bool {
        match (self, place) {
            (Self::Set(set, _), Place::At(at)) => at % 2 == 0 && u32::try_from(at / 2).is_ok_and(|value| set.binary_search(&value).is_ok()),
            _ => self.side().may_cover(place),
        }
    }

    fn fits(&self, values: usize) -> bool {
        match self {
            Self::Missing => true,
            Self::Range(low, high, _) => low <= high && (*high as usize) < values,
            Self::Set(set, _) => set.is_sorted_by(|one, two| one < two) && set.last().is_none_or(|&last| (last as usize) < values),
        }
    }
}

impl Side {
    fn may_cover(self, place: Place) -> bool {
        match place {
            Place::Missing => self.missing,
            Place::Unknown => false,
            Place::At(at) => self.low <= at && at <= self.high,
        }
    }

    fn around(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high), missing: self.missing || other.missing }
    }
}

impl TryFrom<RegionsForm> for Regions {
    type Error = String;

    fn try_from(form: RegionsForm) -> Result<Self, String> {
        for column in &form.columns {
            let sorted = column.kind != DimensionKind::Ordered
                || column.values.is_sorted_by(|one, two| one.compare(two).is_some_and(std::cmp::Ordering::is_lt));
            let fits = |(label, region): &(u32, Region)| (*label as usize) < column.labels.len() && region.fits(column.values.len());
            if !sorted || column.regions.len() != form.classes as usize || !column.regions.iter().all(fits) {
                return Err(format!("the regions of column {} do not fit each other", column.column));
            }
        }
        let leaves = (form.classes as usize).next_power_of_two();
        let empty: Box<[Side]> = vec![NOTHING; form.columns.len()].into();
        let mut boxes = vec![empty; 2 * leaves];
        for class in 0..form.classes as usize {
            boxes[leaves + class] = form.columns.iter().map(|column| column.regions[class].1.side()).collect();
        }
        for run in (1..leaves).rev() {
            boxes[run] = boxes[2 * run].iter().zip(&boxes[2 * run + 1]).map(|(one, two)| one.around(*two)).collect();
        }
        Ok(Self { form, boxes, leaves })
    }
}

impl From<Regions> for RegionsForm {
    fn from(regions: Regions) -> Self {
        regions.form
    }
}

impl LocalRecoding {
    /// The classes as regions, to be kept and to place new rows in.
    ///
    /// # Errors
    /// The labels of a column are means, medians or modes: they do not say which values they stand for.
    pub fn regions(&self) -> Result<Regions> {
        let columns =
            self.dimensions.iter().enumerate().map(|(column, dimension)| self.region_column(column, dimension)).collect::<Result<_>>()?;
        let classes = u32::try_from(self.len()).map_err(|_| Error::Parameter { name: "classes", problem: "are too many".to_owned() })?;
        RegionsForm { columns, classes }.try_into().map_err(|problem| Error::Parameter { name: "regions", problem })
    }

    fn region_column(&self, column: usize, dimension: &Dimension) -> Result<RegionColumn> {
        let labels = &self.labels[column];
        let (true, Some(texts)) = (labels.of_cells, labels.distinct.as_string_opt::<i32>()) else {
            return Err(Error::column(
                dimension.column(),
                "is released as means, medians or modes, which do not say what other values they stand for",
                "take the representative \"interval\" if new rows are to be placed",
            ));
        };
        let mut regions: Vec<Region> = self.cells[column].iter().map(|cell| region(cell, dimension)).collect();
        let mut values = dimension.keys();
        if dimension.kind() == DimensionKind::Ordered {
            // Only bounds are kept.
            let mut bounds: Vec<u32> = regions
                .iter()
                .flat_map(|region| if let Region::Range(low, high, _) = region { vec![*low, *high] } else { Vec::new() })
                .collect();
            bounds.sort_unstable();
            bounds.dedup();
            let place = |rank: u32| u32::try_from(bounds.partition_point(|&bound| bound < rank)).unwrap_or(u32::MAX);
            for region in &mut regions {
                if let Region::Range(low, high, _) = region {
                    (*low, *high) = (place(*low), place(*high));
                }
            }
            values = bounds.iter().map(|&rank| values[rank as usize].clone()).collect();
        }
        Ok(RegionColumn {
            column: dimension.column().to_owned(),
            kind: dimension.kind(),
            data_type: dimension
                .values()
                .map(|(values, _)| values.data_type())
                .filter(|data_type| data_type.is_temporal())
                .map(DataType::to_string),
            values,
            labels: texts.iter().map(|label| label.map(str::to_owned)).collect(),
            regions: labels.keys.iter().copied().zip(regions).collect(),
        })
    }
}

fn region(cell: &Cell, dimension: &Dimension) -> Region {
    let is_missing = |rank: u32| dimension.missing() == Some(rank);
    match cell {
        Cell::Missing => Region::Missing,
        Cell::Set(set) => {
            let values = set.iter().copied().filter(|&rank| !is_missing(rank)).collect();
            Region::Set(values, set.last().copied().is_some_and(is_missing))
        }
        Cell::Range { low, high, missing } if dimension.kind() == DimensionKind::Tree => {
            let (low, high) = dimension.node_range(dimension.common_level(*low, *high), *low);
            Region::Range(low, high, *missing)
        }
        Cell::Range { low, high, missing } => Region::Range(*low, *high, *missing),
        Cell::Node { level, rank } => {
            let (low, high) = dimension.node_range(*level, *rank);
            Region::Range(low, high, dimension.missing().is_some_and(|missing| cell.covers(dimension, missing)))
        }
    }
}

impl Regions {
    /// Names of the columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.form.columns.iter().map(|column| column.column.as_str())
    }

    /// Class of every row, `None` for rows outside; one array a column, in the order of [`Regions::columns`].
    ///
    /// # Errors
    /// Arrays are not one a column, have different lengths, or a type that the column did not have.
    pub fn place(&self, columns: &[ArrayRef]) -> Result<Vec<Option<u32>>> {
        let length = columns.first().map_or(0, Array::len);
        if columns.len() != self.form.columns.len() || columns.iter().any(|column| column.len() != length) {
            return Err(Error::Parameter {
                name: "columns",
                problem: "must be one for each column of the regions, equally long".to_owned(),
            });
        }
        let places: Vec<Vec<Place>> =
            self.form.columns.iter().zip(columns).map(|(column, array)| column.places(array)).collect::<Result<_>>()?;
        let mut row = vec![Place::Unknown; columns.len()];
        Ok((0..length)
            .map(|number| {
                row.iter_mut().zip(&places).for_each(|(place, column)| *place = column[number]);
                self.find(&row)
            })
            .collect())
    }

    /// Labels of one column for rows whose classes are given; missing for rows outside.
    ///
    /// # Errors
    /// There is no such column or class.
    pub fn labels(&self, column: usize, classes: &[Option<u32>]) -> Result<ArrayRef> {
        let column =
            self.form.columns.get(column).ok_or(Error::Parameter { name: "column", problem: "must be one of the regions".to_owned() })?;
        if classes.iter().flatten().any(|&class| class >= self.form.classes) {
            return Err(Error::Parameter { name: "classes", problem: "must be those of these regions".to_owned() });
        }
        let labels = StringArray::from(column.labels.clone());
        let keys: UInt32Array = classes.iter().map(|class| class.map(|class| column.regions[class as usize].0)).collect();
        take(&labels, &keys, None).map_err(|e| Error::arrow("gathering labels", &e))
    }

    /// The first class that covers a row.
    fn find(&self, row: &[Place]) -> Option<u32> {
        if self.form.classes == 0 {
            return None;
        }
        let mut runs = vec![1_usize];
        while let Some(run) = runs.pop() {
            if !self.boxes[run].iter().zip(row).all(|(side, &place)| side.may_cover(place)) {
                continue;
            }
            if run < self.leaves {
                runs.push(2 * run + 1);
                runs.push(2 * run);
                continue;
            }
            let class = run - self.leaves;
            if class < self.form.classes as usize
                && self.form.columns.iter().zip(row).all(|(column, &place)| column.regions[class].1.covers(place))
            {
                return u32::try_from(class).ok();
            }
        }
        None
    }
}

impl RegionColumn {
    fn places(&self, array: &ArrayRef) -> Result<Vec<Place>> {
        let other =
            || Error::column(&self.column, "has another type than when the recoding was made", "convert it to the type that it had");
        let mut interner = ColumnInterner::new(&self.column, array.data_type())?;
        let mut codes = Vec::with_capacity(array.len());
        interner.extend(array.as_ref(), &mut codes)?;
        let values = interner.values()?;
        if self.data_type.as_ref().is_some_and(|data_type| *data_type != values.data_type().to_string()) {
            return Err(other());
        }
        let keys = keys_of(&self.column, &values, self.kind)?;
        let known: HashMap<&Key, usize> =
            if self.kind == DimensionKind::Ordered { HashMap::new() } else { self.values.iter().zip(0..).collect() };
        let place = |key: &Key| {
            if self.kind != DimensionKind::Ordered {
                return Ok(known.get(key).map_or(Place::Unknown, |&at| Place::At(2 * at as u64)));
            }
            if self.values.first().is_some_and(|value| value.compare(key).is_none()) {
                return Err(other());
            }
            let at = self.values.partition_point(|value| value.compare(key).is_some_and(std::cmp::Ordering::is_lt));
            let exact = self.values.get(at).is_some_and(|value| value.compare(key) == Some(std::cmp::Ordering::Equal));
            // Between the values before and after it, or outside all of them.
            Ok(match (exact, at) {
                (true, _) => Place::At(2 * at as u64),
                (false, 0) => Place::Unknown,
                (false, _) => Place::At(2 * at as u64 - 1),
            })
        };
        let of_values: Vec<Place> = keys.iter().map(place).collect::<Result<_>>()?;
        Ok(codes.into_iter().map(|code| if code == NULL_CODE { Place::Missing } else { of_values[code as usize] }).collect())
    }
}
