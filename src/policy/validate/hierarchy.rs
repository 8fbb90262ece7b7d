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
        if matches!(column.treatment, Some(Treatment::Buckets(_)))
            && matches!(spec, HierarchySpec::Intervals { .. } | HierarchySpec::Dates(_))
        {
            return Err(Error::policy(
                key,
                "the treatment turns the values into labels, which have no numeric levels",
                "drop either of the two",
            ));
        }
    }
    check_levels(key, column)
}

fn check_spec(key: &str, spec: &HierarchySpec) -> Result<()> {
    match spec {
        HierarchySpec::Intervals { widths, origin } => check_intervals(key, widths, *origin),
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
        // The remainder of two floats is exact, so levels that pass are nested exactly.
        if wide <= narrow || wide % narrow != 0.0 {
            return Err(Error::policy(
                format!("{key}.intervals[{}]", index + 1),
                format!("the width {wide} is not a larger multiple of the width {narrow} before it, so the levels are not nested"),
                "make each width a multiple of the one before (whole numbers are exact, decimal fractions such as 0.1 are not)",
            ));
        }
    }
    Ok(())
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
        Some(HierarchySpec::Intervals { widths, .. }) => widths.len() + 1,
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
