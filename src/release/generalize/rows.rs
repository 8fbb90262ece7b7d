//! The rows of a product as the search sees them: distinct tuples with their people and sensitive values.

use super::population::Population;
use super::quasi::QuasiIdentifier;
use super::sensitive::Sensitive;
use crate::anonymity::classes::{TupleBuilder, Tuples};
use crate::anonymity::search::Transformation;
use crate::error::Result;
use crate::io::table::NULL_CODE;
use crate::release::columns::{OUTLIER, is_released};
use crate::release::records::Workshop;
use crate::release::rows::RowVisitor;
use std::collections::HashSet;

/// How many people have each value of a column, in the rows that may be released.
pub(super) fn people_of_values(
    workshop: &Workshop<'_>,
    index: usize,
    recoded: &[u32],
    values: usize,
    marks: &[Vec<u8>],
) -> Result<Vec<u64>> {
    let mut people = vec![0_u64; values];
    let mut seen = HashSet::new();
    let has_subjects = workshop.pool.subject.is_some();
    workshop.rows(marks).visit(&[index], &mut |chunk, subjects, codes| {
        for ((&code, &subject), &mark) in codes[0].iter().zip(subjects).zip(&marks[chunk]) {
            let value = recoded.get(code as usize).copied().unwrap_or(NULL_CODE);
            if let Some(count) = people.get_mut(value as usize)
                && is_released(mark)
                && (!has_subjects || seen.insert((value, subject)))
            {
                *count += 1;
            }
        }
        Ok(())
    })?;
    Ok(people)
}

/// Rows that may be released and have no value after the treatment.
pub(super) fn missing_rows(workshop: &Workshop<'_>, index: usize, recoded: &[u32], marks: &[Vec<u8>]) -> Result<u64> {
    let mut missing = 0;
    workshop.rows(marks).visit(&[index], &mut |chunk, _, codes| {
        let released = codes[0].iter().zip(&marks[chunk]).filter(|&(_, &mark)| is_released(mark));
        missing += released.filter(|&(&code, _)| recoded.get(code as usize).is_none_or(|&code| code == NULL_CODE)).count() as u64;
        Ok(())
    })?;
    Ok(missing)
}

/// Calls `visit` with the number, the subject codes and the recoded quasi-identifiers of every chunk.
pub(super) fn visit(workshop: &Workshop<'_>, quasi: &[QuasiIdentifier], marks: &[Vec<u8>], visit: RowVisitor<'_>) -> Result<()> {
    let columns: Vec<usize> = quasi.iter().map(|q| q.index).collect();
    workshop.rows(marks).visit(&columns, &mut |chunk, subjects, codes| {
        let mut codes = codes.to_vec();
        for (q, codes) in quasi.iter().zip(&mut codes) {
            q.recode(codes);
        }
        visit(chunk, subjects, &codes)
    })
}

/// Distinct tuples of the released rows, with the values of sensitive columns, and with the population if there is one.
pub(super) fn collect(
    workshop: &Workshop<'_>,
    quasi: &[QuasiIdentifier],
    sensitive: &[Sensitive],
    population: Option<&Population>,
    marks: &[Vec<u8>],
) -> Result<Tuples> {
    let mut builder = TupleBuilder::with_sensitive(quasi.len(), sensitive.len());
    let has_subjects = workshop.pool.subject.is_some();
    let columns: Vec<usize> = quasi.iter().map(|q| q.index).chain(sensitive.iter().map(|s| s.index)).collect();
    workshop.rows(marks).visit(&columns, &mut |chunk, subjects, codes| {
        let mut codes = codes.to_vec();
        let (of_quasi, of_sensitive) = codes.split_at_mut(quasi.len());
        quasi.iter().zip(of_quasi).for_each(|(q, codes)| q.recode(codes));
        sensitive.iter().zip(of_sensitive).for_each(|(s, codes)| s.recode(codes));
        let marks = &marks[chunk];
        let mut owners = subjects.to_vec();
        if !marks.iter().all(|&mark| is_released(mark)) {
            for column in codes.iter_mut().chain([&mut owners]) {
                let mut marks = marks.iter();
                column.retain(|_| marks.next().is_some_and(|&mark| is_released(mark)));
            }
        }
        let columns: Vec<&[u32]> = codes.iter().map(Vec::as_slice).collect();
        let (of_quasi, of_sensitive) = columns.split_at(quasi.len());
        builder.extend_with(of_quasi, of_sensitive, has_subjects.then_some(owners.as_slice()))
    })?;
    if let Some(population) = population {
        let names: Vec<&str> = quasi.iter().map(|q| q.name.as_str()).collect();
        population.visit(&names, &mut |mut codes| {
            quasi.iter().zip(&mut codes).for_each(|(q, codes)| q.recode_population(codes));
            let columns: Vec<&[u32]> = codes.iter().map(Vec::as_slice).collect();
            builder.extend_population(&columns)
        })?;
    }
    builder.finish()
}

/// Marks the rows of suppressed tuples.
pub(super) fn mark_suppressed(
    workshop: &Workshop<'_>,
    quasi: &[QuasiIdentifier],
    tuples: &Tuples,
    transformation: &Transformation,
    marks: &mut [Vec<u8>],
) -> Result<()> {
    if transformation.suppressed_tuples.is_empty() {
        return Ok(());
    }
    let before = marks.to_vec();
    let mut tuple = Vec::with_capacity(quasi.len());
    visit(workshop, quasi, &before, &mut |chunk, _, codes| {
        for (row, mark) in marks[chunk].iter_mut().enumerate() {
            if is_released(*mark) {
                tuple.clear();
                tuple.extend(codes.iter().map(|codes| codes[row]));
                if tuples.find(&tuple).is_none_or(|index| transformation.is_suppressed(index)) {
                    *mark = OUTLIER;
                }
            }
        }
        Ok(())
    })
}
