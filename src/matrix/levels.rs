//! Item support with generalization: track, else artist, else genre, else nothing.

use super::chunks::{CodeChunks, PairChunks, VisitPairs, check_count, same_length};
use super::code_set::CodeSet;
use super::support::item_support;
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use hashbrown::HashMap;

/// Level of a row that is left out.
pub const SUPPRESSED: u8 = u8::MAX;

/// Which items may be shown at which level.
///
/// A row is shown at the first level at which its item is supported ([`SupportedItems::level_of`]); at that level its finer items are
/// blanked. Without such a level it is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedItems {
    levels: Vec<CodeSet>,
}

impl SupportedItems {
    /// Number of levels.
    #[must_use]
    pub fn levels(&self) -> usize {
        self.levels.len()
    }

    /// Items that may be shown at a level, or `None` beyond the last.
    #[must_use]
    pub fn supported(&self, level: usize) -> Option<&CodeSet> {
        self.levels.get(level)
    }

    /// Level of a row with these items (finest first), or [`SUPPRESSED`].
    #[must_use]
    pub fn level_of(&self, items: &[u32]) -> u8 {
        (0..)
            .zip(items)
            .zip(&self.levels)
            .find(|((_, item), supported)| supported.contains(**item))
            .map_or(SUPPRESSED, |((level, _), _)| level)
    }

    /// Levels of the rows of a chunk, appended to `levels`. `items` holds a column of codes for each level, finest first; further columns are ignored.
    ///
    /// # Errors
    /// There are fewer columns than levels, or they differ in length.
    pub fn assign(&self, items: &[&[u32]], levels: &mut Vec<u8>) -> Result<()> {
        let columns = finest(items, self.levels.len())?;
        let start = levels.len();
        levels.resize(start + columns.first().map_or(0, |column| column.len()), SUPPRESSED);
        for ((level, column), supported) in (0..).zip(columns).zip(&self.levels) {
            for (row, &item) in levels[start..].iter_mut().zip(*column) {
                if *row == SUPPRESSED && supported.contains(item) {
                    *row = level;
                }
            }
        }
        Ok(())
    }
}

/// Finds the level at which each row may show its item: one that at least `min_subjects` people share.
///
/// `rows` carry a column of item codes for each level, finest first (track, artist, genre); `items[l]` is the number of codes at level l. A row
/// stays at level 0 if its level-0 item has at least `min_subjects` distinct subjects. Among the rows that remain, level-1 items are counted
/// by the distinct subjects *of the remaining rows only*, and so on; rows that remain after the last level are left out. With one level this is plain
/// suppression; further columns of `rows` are then ignored.
///
/// A missing item is never supported at its own level: the row goes on to the next. Rows without a subject count for nobody.
/// Memory and passes are those of [`item_support`], for each level.
///
/// # Guarantee
/// Only the remaining rows may count at a coarser level, because only they are released as "this artist, track unknown": that statement is made of nobody else.
/// So whatever is shown at a level is shown of at least `min_subjects` people at that level.
///
/// Where several item columns are released together, what has to be shared is their *combination*: a track called "Intro" has thousands of listeners, "Intro" by one person's
/// own band has one. Then the codes of level l must number the combinations of the columns l, l + 1, …: see [`JointCodes`].
///
/// # Errors
/// `items` names no level or more than 254, a chunk has fewer columns, a code is not below its number, or the rows cannot be visited.
///
/// ```
/// use backmask::matrix::{SUPPRESSED, generalize_items};
/// // Four people: three share track 0; track 1 and track 2 are by the same artist 0; track 3 is alone.
/// let subjects = [0, 1, 2, 2, 3, 3];
/// let (tracks, artists) = ([0, 0, 0, 1, 2, 3], [9, 9, 9, 0, 0, 1]);
/// let rows = (&subjects[..], &[&tracks[..], &artists[..]][..]);
/// let supported = generalize_items(&rows, 4, &[4, 10], 2, 1 << 20)?;
/// let mut levels = Vec::new();
/// supported.assign(rows.1, &mut levels)?;
/// assert_eq!(levels, [0, 0, 0, 1, 1, SUPPRESSED]);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn generalize_items(
    rows: &(impl CodeChunks + ?Sized),
    subjects: usize,
    items: &[usize],
    min_subjects: u64,
    memory_bytes: usize,
) -> Result<SupportedItems> {
    if items.is_empty() || items.len() >= usize::from(SUPPRESSED) {
        return Err(Error::Parameter { name: "items", problem: "needs between 1 and 254 levels".to_owned() });
    }
    let mut found = SupportedItems { levels: Vec::with_capacity(items.len()) };
    for (level, &count) in items.iter().enumerate() {
        check_count("items", count)?;
        let support = item_support(&Remaining { rows, found: &found, level }, subjects, count, memory_bytes)?;
        let mut supported = CodeSet::with_capacity(count);
        for (item, &people) in (0..).zip(&support) {
            if people > 0 && u64::from(people) >= min_subjects {
                supported.insert(item);
            }
        }
        found.levels.push(supported);
    }
    Ok(found)
}

/// (subject, item at `level`) of the rows that no finer level shows.
struct Remaining<'a, R: ?Sized> {
    rows: &'a R,
    found: &'a SupportedItems,
    level: usize,
}

impl<R: CodeChunks + ?Sized> PairChunks for Remaining<'_, R> {
    fn for_each(&self, visit: VisitPairs<'_>) -> Result<()> {
        let mut remaining = Vec::new();
        self.rows.for_each(&mut |subjects, columns| {
            let columns = finest(columns, self.level + 1)?;
            let Some((items, finer)) = columns.split_last() else { return Ok(()) };
            same_length(subjects.len(), items.len())?;
            if finer.is_empty() {
                return visit(subjects, items);
            }
            remaining.clear();
            remaining.extend_from_slice(items);
            for (column, supported) in finer.iter().zip(&self.found.levels) {
                for (row, &item) in remaining.iter_mut().zip(*column) {
                    if supported.contains(item) {
                        *row = NULL_CODE;
                    }
                }
            }
            visit(subjects, &remaining)
        })
    }
}

/// The first `levels` columns, which must be there and be of one length.
fn finest<'a>(columns: &'a [&'a [u32]], levels: usize) -> Result<&'a [&'a [u32]]> {
    let columns = columns.get(..levels).ok_or_else(|| Error::Parameter {
        name: "chunk",
        problem: format!("has {} columns of items for {levels} levels", columns.len()),
    })?;
    for pair in columns.windows(2) {
        same_length(pair[0].len(), pair[1].len())?;
    }
    Ok(columns)
}

/// Numbers the combinations of item columns: what is released of a row at level l is the combination of its columns l, l + 1, …
///
/// Where a track always has the same artist this is the same as numbering tracks. Where it has not, a common track title would carry a rare artist through.
/// Codes depend on the order of the rows, like those of an interner; use one `JointCodes` for all chunks.
///
/// ```
/// use backmask::matrix::JointCodes;
/// let mut joint = JointCodes::new(2);
/// // The same title by two artists: two combinations.
/// let levels = joint.extend(&[&[0, 0, 0], &[5, 6, 5]])?;
/// assert_eq!(levels, [vec![0, 1, 0], vec![0, 1, 0]]);
/// assert_eq!(joint.counts(), [2, 2]);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct JointCodes {
    /// For each level, finest first: (code of the column, joint code of the coarser columns) → joint code.
    tables: Vec<HashMap<(u32, u32), u32>>,
}

impl JointCodes {
    /// For so many levels.
    #[must_use]
    pub fn new(levels: usize) -> Self {
        Self { tables: vec![HashMap::new(); levels] }
    }

    /// Number of combinations at every level, finest first: the `items` of [`generalize_items`].
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        self.tables.iter().map(HashMap::len).collect()
    }

    /// The combinations of a chunk's rows at every level, finest first. A combination whose own level is missing is missing.
    ///
    /// # Errors
    /// The number of columns is not that of the levels, they differ in length, or there are more than 2³² − 1 combinations.
    pub fn extend(&mut self, columns: &[&[u32]]) -> Result<Vec<Vec<u32>>> {
        if columns.len() != self.tables.len() {
            return Err(Error::Parameter { name: "chunk", problem: format!("needs {} columns of items", self.tables.len()) });
        }
        finest(columns, columns.len())?;
        let mut coarser = vec![NULL_CODE; columns.first().map_or(0, |column| column.len())];
        let mut levels = Vec::with_capacity(columns.len());
        for (column, table) in columns.iter().zip(&mut self.tables).rev() {
            let mut level = Vec::with_capacity(column.len());
            for (&item, above) in column.iter().zip(&mut coarser) {
                let next = u32::try_from(table.len()).ok().filter(|&code| code != NULL_CODE);
                // A missing item has a joint code too, so that finer levels tell what stands above it.
                let code = if let Some(&code) = table.get(&(item, *above)) {
                    code
                } else {
                    let code = next.ok_or_else(|| Error::Parameter {
                        name: "items",
                        problem: "more combinations than 32-bit codes can name".to_owned(),
                    })?;
                    table.insert((item, *above), code);
                    code
                };
                level.push(if item == NULL_CODE { NULL_CODE } else { code });
                *above = code;
            }
            levels.push(level);
        }
        levels.reverse();
        Ok(levels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    type Row = (u32, [u32; 3]);

    fn chunks(rows: &[Row], size: usize) -> Vec<(Vec<u32>, Vec<Vec<u32>>)> {
        rows.chunks(size.max(1))
            .map(|chunk| (chunk.iter().map(|row| row.0).collect(), (0..3).map(|l| chunk.iter().map(|row| row.1[l]).collect()).collect()))
            .collect()
    }

    /// Straight from the definition: settle a level, take the rows out, go on with the rest.
    fn brute_force(rows: &[Row], min: u64) -> Vec<u8> {
        let mut levels = vec![SUPPRESSED; rows.len()];
        for level in 0..3 {
            let open: Vec<usize> = (0..rows.len()).filter(|&r| levels[r] == SUPPRESSED).collect();
            for &r in &open {
                let item = rows[r].1[level];
                let people: HashSet<u32> =
                    open.iter().filter(|&&o| rows[o].1[level] == item).map(|&o| rows[o].0).filter(|&s| s != NULL_CODE).collect();
                if item != NULL_CODE && !people.is_empty() && people.len() as u64 >= min {
                    levels[r] = u8::try_from(level).unwrap();
                }
            }
        }
        levels
    }

    /// Counts coarser items over all rows: what must not be done.
    fn broken(rows: &[Row], min: u64) -> Vec<u8> {
        rows.iter()
            .map(|row| {
                (0..3_u8)
                    .find(|&level| {
                        let level = usize::from(level);
                        let people: HashSet<u32> = rows.iter().filter(|o| o.1[level] == row.1[level]).map(|o| o.0).collect();
                        people.len() as u64 >= min
                    })
                    .unwrap_or(SUPPRESSED)
            })
            .collect()
    }

    fn assigned(rows: &[Row], min: u64, size: usize, memory: usize) -> Vec<u8> {
        let data = chunks(rows, size);
        let supported = generalize_items(&data, 8, &[12, 5, 2], min, memory).unwrap();
        let mut levels = Vec::new();
        for (_, columns) in &data {
            let columns: Vec<&[u32]> = columns.iter().map(Vec::as_slice).collect();
            supported.assign(&columns, &mut levels).unwrap();
        }
        let single: Vec<u8> = rows.iter().map(|row| supported.level_of(&row.1)).collect();
        assert_eq!(levels, single);
        levels
    }

    /// People shown at a level with an item, for every (level, item) that occurs.
    fn fewest_people(rows: &[Row], levels: &[u8]) -> usize {
        let mut shown: std::collections::HashMap<(u8, u32), HashSet<u32>> = std::collections::HashMap::new();
        for (row, &level) in rows.iter().zip(levels).filter(|(_, level)| **level != SUPPRESSED) {
            shown.entry((level, row.1[usize::from(level)])).or_default().insert(row.0);
        }
        shown.values().map(HashSet::len).min().unwrap_or(usize::MAX)
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let missing = |below: u32| prop_oneof![9 => 0..below, 1 => Just(NULL_CODE)];
        proptest::collection::vec((missing(8), [missing(12), missing(5), missing(2)]), 0..80)
    }

    proptest! {
        #[test]
        fn one_pass_with_the_bitmaps_equals_brute_force(rows in rows(), min in 0_u64..5, size in 1_usize..90, memory in prop_oneof![Just(0_usize), Just(64), Just(1 << 20)]) {
            prop_assert_eq!(assigned(&rows, min, size, memory), brute_force(&rows, min));
        }

        #[test]
        fn what_is_shown_is_shown_of_enough_people(rows in rows(), min in 2_u64..5) {
            let rows: Vec<Row> = rows.into_iter().filter(|row| row.0 != NULL_CODE).collect();
            let levels = assigned(&rows, min, 7, 1 << 20);
            prop_assert!(fewest_people(&rows, &levels) as u64 >= min);
        }
    }

    #[test]
    fn counting_all_rows_at_a_coarser_level_is_caught() {
        // Artist 0 has three listeners, but only one of them would be shown with the artist alone.
        let rows = [(0, [0, 0, NULL_CODE]), (1, [0, 0, NULL_CODE]), (2, [1, 0, NULL_CODE])];
        let good = assigned(&rows, 2, 10, 1 << 20);
        assert_eq!(good, [0, 0, SUPPRESSED]);
        assert!(fewest_people(&rows, &good) >= 2);
        assert_eq!(fewest_people(&rows, &broken(&rows, 2)), 1);
    }

    #[test]
    fn a_common_title_does_not_carry_a_rare_artist_through() {
        let (subjects, titles, artists) = ([0, 1, 2], [0, 0, 0], [0, 0, 1]);
        let mut joint = JointCodes::new(2);
        let levels = joint.extend(&[&titles, &artists]).unwrap();
        let columns: Vec<&[u32]> = levels.iter().map(Vec::as_slice).collect();
        let supported = generalize_items(&(&subjects[..], columns.as_slice()), 3, &joint.counts(), 2, 1 << 20).unwrap();
        let mut assigned = Vec::new();
        supported.assign(&columns, &mut assigned).unwrap();
        assert_eq!(assigned, [0, 0, SUPPRESSED]);
        // Single columns let it through: that is what joint codes are for.
        let single = generalize_items(&(&subjects[..], &[&titles[..], &artists[..]][..]), 3, &[1, 2], 2, 1 << 20).unwrap();
        assert_eq!(single.level_of(&[0, 1]), 0);
    }

    #[test]
    fn joint_codes_tell_apart_what_stands_above_a_missing_item() {
        let mut joint = JointCodes::new(3);
        let n = NULL_CODE;
        let levels = joint.extend(&[&[0, 0, 0, n], &[n, n, 1, n], &[0, 1, 1, 1]]).unwrap();
        assert_eq!(levels[2], [0, 1, 1, 1]);
        assert_eq!(levels[1], [n, n, 2, n]);
        assert_eq!(levels[0], [0, 1, 2, n]);
        // A later chunk goes on with the same numbers.
        assert_eq!(joint.extend(&[&[0], &[1], &[1]]).unwrap(), [[2], [2], [1]]);
        assert!(joint.extend(&[&[0]]).is_err());
    }

    #[test]
    fn levels_and_columns_must_fit() {
        let rows = (&[0_u32][..], &[&[0_u32][..]][..]);
        assert!(generalize_items(&rows, 1, &[], 2, 0).is_err());
        assert!(generalize_items(&rows, 1, &[1, 1], 2, 0).is_err());
        assert!(generalize_items(&rows, 1, &[1; 255], 2, 0).is_err());
        let one = generalize_items(&rows, 1, &[1], 1, 0).unwrap();
        assert_eq!((one.levels(), one.supported(0).unwrap().len(), one.level_of(&[0]), one.level_of(&[NULL_CODE])), (1, 1, 0, SUPPRESSED));
        assert!(one.assign(&[], &mut Vec::new()).is_err());
    }
}
