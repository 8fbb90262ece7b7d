//! Hierarchies and limits of levels.

use super::header::check_delimiter;
use crate::error::{Error, Result};
use crate::policy::{Column, HierarchySpec, Role, Treatment};

pub(super) fn check(key: &str, column: &Column) -> Result<()> {
    if let Some(spec) = &column.hierarchy {
        let key = format!("{key}.hierarchy");
        if !matches!(column.role, Role::QuasiIdentifier | Role::Sensitive) {
            return Err(Error::policy(
                key,
                format!("a column of role {} is not generalized", column.role),
                "give it role = \"quasi-identifier\", or remove the hierarchy",
            ));
        }
        check_spec(&key, spec)?;
        if matches!(spec, HierarchySpec::Priority(_)) && column.role != Role::QuasiIdentifier {
            return Err(Error::policy(
                format!("{key}.priority"),
                "only quasi-identifiers are fitted on how many people have their values",
                "use a hierarchy of another kind for distances, for example a file",
            ));
        }
        if matches!(column.treatment, Some(Treatment::Buckets(_)))
            && matches!(spec, HierarchySpec::Intervals { .. } | HierarchySpec::BoundedIntervals { .. } | HierarchySpec::Dates(_))
        {
            return Err(Error::policy(
                key,
                "the treatment turns the values into labels, which have no numeric levels",
                "drop either of the two",
            ));
        }
    }
    if !column.missing.is_own_leaf() && column.role != Role::QuasiIdentifier {
        return Err(Error::policy(
            format!("{key}.missing"),
            format!("missing values of a column of role {} are kept as they are", column.role),
            "give it role = \"quasi-identifier\", or remove the key",
        ));
    }
    check_levels(key, column)
}

fn check_spec(key: &str, spec: &HierarchySpec) -> Result<()> {
    match spec {
        HierarchySpec::Intervals { widths, origin } => check_intervals(key, widths, *origin),
        HierarchySpec::BoundedIntervals { widths, origin, bottom, top } => {
            check_intervals(key, widths, *origin)?;
            for (name, bound) in [("bottom", bottom), ("top", top)] {
                if bound.is_some_and(|bound| !bound.is_finite()) {
                    return Err(Error::policy(format!("{key}.{name}"), "it is not a finite number", "give a number"));
                }
            }
            match (bottom, top) {
                (Some(bottom), Some(top)) if bottom >= top => {
                    Err(Error::policy(format!("{key}.bottom"), "it is not below top", "make bottom smaller than top"))
                }
                _ => Ok(()),
            }
        }
        HierarchySpec::Ordered { values, sizes } => check_ordered(key, values, sizes),
        HierarchySpec::Priority(people) => {
            let key = format!("{key}.priority");
            if people.is_empty() {
                return Err(Error::policy(key, "the list is empty", "give numbers of people that grow, for example [10, 100]"));
            }
            if people[0] < 2 || people.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(Error::policy(
                    key,
                    "numbers of people must be 2 at least and grow from level to level",
                    "for example [10, 100]: a value of fewer than 10 people becomes \"other\" at level 1",
                ));
            }
            Ok(())
        }
        HierarchySpec::Mask(_) => Ok(()),
        HierarchySpec::Dates(units) => {
            let key = format!("{key}.dates");
            if units.is_empty() {
                return Err(Error::policy(key, "the list is empty", "name at least one unit, for example [\"month\", \"year\"]"));
            }
            for pair in units.windows(2) {
                let [finer, coarser] = pair else { continue };
                if finer >= coarser {
                    return Err(Error::policy(
                        key,
                        format!("{} stands before {}", finer.name(), coarser.name()),
                        "order the units from finest to coarsest, each once: day, week, month, quarter, year, decade",
                    ));
                }
                if !finer.lies_within(*coarser) {
                    return Err(Error::policy(
                        key,
                        format!("a {} may lie in two units of size {}, so the levels are not nested", finer.name(), coarser.name()),
                        "leave out one of the two",
                    ));
                }
            }
            Ok(())
        }
        HierarchySpec::File { path, delimiter } => {
            if path.is_empty() {
                return Err(Error::policy(format!("{key}.file"), "the name is empty", "name a CSV file with one row a leaf"));
            }
            check_delimiter(&format!("{key}.delimiter"), *delimiter)
        }
    }
}

fn check_ordered(key: &str, values: &[String], sizes: &[usize]) -> Result<()> {
    if values.is_empty() {
        return Err(Error::policy(format!("{key}.ordered"), "the list is empty", "give all values in their order"));
    }
    let mut sorted: Vec<&String> = values.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::policy(format!("{key}.ordered"), "a value stands twice", "give every value once"));
    }
    let nested = sizes.windows(2).all(|pair| pair[0] < pair[1] && pair[1] % pair[0] == 0);
    if !nested || sizes.first().is_none_or(|&first| first < 2) {
        return Err(Error::policy(
            format!("{key}.sizes"),
            "sizes of groups must be 2 at least, and each a larger multiple of the one before",
            "for example [2, 4]",
        ));
    }
    Ok(())
}

fn check_intervals(key: &str, widths: &[f64], origin: f64) -> Result<()> {
    if !origin.is_finite() {
        return Err(Error::policy(format!("{key}.origin"), "it is not a finite number", "give a number"));
    }
    if widths.is_empty() {
        return Err(Error::policy(format!("{key}.intervals"), "the list is empty", "give at least one width, for example [5, 10, 20]"));
    }
    for (index, width) in widths.iter().enumerate() {
        if !(width.is_finite() && *width > 0.0) {
            return Err(Error::policy(format!("{key}.intervals[{index}]"), "a width must be a positive, finite number", "correct it"));
        }
    }
    for (index, pair) in widths.windows(2).enumerate() {
        let [narrow, wide] = pair else { continue };
        if !is_larger_multiple(*wide, *narrow) {
            return Err(Error::policy(
                format!("{key}.intervals[{}]", index + 1),
                format!("the width {wide} is not a larger multiple of the width {narrow} before it, so the levels are not nested"),
                "make each width a multiple of the one before, for example [5, 10, 20]",
            ));
        }
    }
    Ok(())
}

/// Whether `wide` is 2, 3, … times `narrow`. Both are taken as the decimals that are written in the policy: 0.3 is 3 times 0.1, although the
/// floats nearest to them are not.
fn is_larger_multiple(wide: f64, narrow: f64) -> bool {
    let multiple = || {
        let (wide, wide_decimals) = decimal(wide)?;
        let (narrow, narrow_decimals) = decimal(narrow)?;
        let decimals = wide_decimals.max(narrow_decimals);
        let scaled = |digits: i128, own: u32| digits.checked_mul(10_i128.checked_pow(decimals - own)?);
        let (wide, narrow) = (scaled(wide, wide_decimals)?, scaled(narrow, narrow_decimals)?);
        Some(wide > narrow && wide.checked_rem(narrow)? == 0)
    };
    multiple().unwrap_or(false)
}

/// The digits of a finite number as an integer, and how many of them are decimals. `None` if they do not fit.
fn decimal(number: f64) -> Option<(i128, u32)> {
    // The shortest text that stands for this number, never with an exponent.
    let text = number.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    Some((format!("{whole}{decimals}").parse().ok()?, u32::try_from(decimals.len()).ok()?))
}

fn check_levels(key: &str, column: &Column) -> Result<()> {
    let Some(limits) = column.levels else { return Ok(()) };
    let key = format!("{key}.levels");
    if column.role != Role::QuasiIdentifier {
        return Err(Error::policy(
            key,
            format!("no levels are searched for a column of role {}", column.role),
            "give it role = \"quasi-identifier\", or remove the limits",
        ));
    }
    if let (Some(min), Some(max)) = (limits.min, limits.max)
        && min > max
    {
        return Err(Error::policy(key, format!("min {min} is above max {max}"), "make min at most max"));
    }
    for (name, limit) in [("min", limits.min), ("max", limits.max)] {
        if let Some(limit) = limit {
            check_level(&format!("{key}.{name}"), column, limit)?;
        }
    }
    Ok(())
}

/// A level must be one that the hierarchy can have.
pub(super) fn check_level(key: &str, column: &Column, level: usize) -> Result<()> {
    // Masks and files get their levels from values; for the others `*` comes after the given levels.
    let last = match &column.hierarchy {
        None => 1,
        Some(HierarchySpec::Intervals { widths, .. } | HierarchySpec::BoundedIntervals { widths, .. }) => widths.len() + 1,
        Some(HierarchySpec::Ordered { sizes, .. }) => sizes.len() + 1,
        Some(HierarchySpec::Priority(people)) => people.len() + 1,
        Some(HierarchySpec::Dates(units)) => units.len() + 1,
        Some(HierarchySpec::Mask(_) | HierarchySpec::File { .. }) => return Ok(()),
    };
    if level > last {
        return Err(Error::policy(
            key,
            format!("level {level} does not exist, the last is {last} (\"*\")"),
            format!("give a level from 0 to {last}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn multiples_are_those_of_the_written_decimals() {
        for (wide, narrow) in [(10.0, 5.0), (0.3, 0.1), (0.7, 0.1), (1.0, 0.001), (1e15, 1e-9), (2.5, 0.5), (1e-300, 1e-301)] {
            assert!(is_larger_multiple(wide, narrow), "{wide} and {narrow}");
        }
        for (wide, narrow) in [(5.0, 5.0), (5.0, 10.0), (12.0, 5.0), (0.35, 0.1), (1.0, 0.3)] {
            assert!(!is_larger_multiple(wide, narrow), "{wide} and {narrow}");
        }
        // What needs more than 128 bits is refused rather than guessed.
        assert!(!is_larger_multiple(1e300, 1e299) && !is_larger_multiple(1e20, 1e-20));
    }

    proptest! {
        #[test]
        fn agrees_with_whole_numbers(narrow in 1_u32..2000, wide in 1_u32..20_000, decimals in 0..6_i32) {
            let number = |digits: u32| format!("{digits}e-{decimals}").parse::<f64>().unwrap();
            prop_assert_eq!(is_larger_multiple(number(wide), number(narrow)), wide > narrow && wide % narrow == 0);
        }
    }
}
