//! Which session a row belongs to.

use crate::error::{Error, Result};
use crate::pipeline::{Fit, UNNAMED, column_index, name_column, unpack};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch, TimestampNanosecondArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt32Type,
};
use std::sync::Arc;

const UTC: &str = "UTC";

/// Finds the sessions of subjects: runs of events in which each follows the one before by no more than a gap. An event after a *longer* gap starts a new session.
///
/// Subjects are 32-bit codes, which all observers of one pass must share. Events at the same instant are in the same session. A row without a subject belongs to no session. A row with a
/// subject and without a time is refused: whatever session it were put in, the choice could join or part tokens without a reason.
///
/// Memory: 20 bytes a session and some of the newest rows; events inside a session are forgotten.
///
/// ```
/// use backmask::arrow::array::{TimestampSecondArray, UInt32Array};
/// use backmask::{pipeline::Fit, pseudonym::SessionFit};
///
/// let subjects = UInt32Array::from(vec![0, 0, 1, 0]);
/// let times = TimestampSecondArray::from(vec![600, 0, 700, 1_201]);
/// let mut fit = SessionFit::new("subject", "started_at", 10)?;
/// fit.observe_arrays(&subjects, &times)?;
/// let sessions = fit.finish()?;
/// assert_eq!(sessions.len(), 3);
/// // Ten minutes are no longer than ten minutes; ten minutes and a second are.
/// let starts = sessions.starts(&subjects, &times)?;
/// assert_eq!(starts.values(), &[0, 0, 700_000_000_000, 1_201_000_000_000]);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Clone)]
pub struct SessionFit {
    subject: String,
    time: String,
    gap_minutes: u32,
    /// Stretches of events without a longer gap inside; some of the newest may touch.
    stretches: Vec<Stretch>,
    /// How many there were when all that touch were last joined.
    joined: usize,
}

/// A subject's events from a first to a last instant, in nanoseconds since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    subject: u32,
    first: i64,
    last: i64,
}

impl std::fmt::Debug for SessionFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionFit")
            .field("subject", &self.subject)
            .field("time", &self.time)
            .field("gap_minutes", &self.gap_minutes)
            .finish_non_exhaustive()
    }
}

impl SessionFit {
    /// Sessions of the codes in the column `subject` by the times in the column `time`, parted by gaps longer than `gap_minutes`.
    ///
    /// # Errors
    /// The gap is 0.
    pub fn new(subject: impl Into<String>, time: impl Into<String>, gap_minutes: u32) -> Result<Self> {
        if gap_minutes == 0 {
            return Err(Error::Parameter { name: "session_gap", problem: "must be at least one minute".to_owned() });
        }
        Ok(Self { subject: subject.into(), time: time.into(), gap_minutes, stretches: Vec::new(), joined: 0 })
    }

    /// Takes events into account: a subject and a time (date or timestamp of any unit and zone) each.
    ///
    /// # Errors
    /// The arrays differ in length, the times are none, a subject's time is missing, or a time lies outside of the years 1678 to 2261.
    pub fn observe_arrays(&mut self, subjects: &UInt32Array, times: &dyn Array) -> Result<()> {
        let times = instants(subjects, times).map_err(|e| name_column(e, &self.time))?;
        for (row, (&subject, &time)) in subjects.values().iter().zip(&times).enumerate() {
            if subjects.is_null(row) {
                continue;
            }
            // Tables sorted by person and time add few stretches.
            match self.stretches.last_mut() {
                Some(last) if last.subject == subject && (last.first..=last.last).contains(&time) => {}
                Some(last) if last.subject == subject && time > last.last && !is_longer(last.last, time, self.gap_minutes) => {
                    last.last = time;
                }
                _ => self.stretches.push(Stretch { subject, first: time, last: time }),
            }
        }
        self.tidy();
        Ok(())
    }

    /// Joins what touches whenever there is much that may.
    fn tidy(&mut self) {
        if self.stretches.len() >= 2 * self.joined + (1 << 16) {
            self.join();
        }
    }

    fn join(&mut self) {
        self.stretches.sort_unstable();
        let gap = self.gap_minutes;
        self.stretches.dedup_by(|next, kept| {
            let same = next.subject == kept.subject && !is_longer(kept.last, next.first, gap);
            if same {
                kept.last = kept.last.max(next.last);
            }
            same
        });
        self.joined = self.stretches.len();
    }
}

/// Whether the time from `from` to `to` is longer than the gap.
fn is_longer(from: i64, to: i64, minutes: u32) -> bool {
    i128::from(to) - i128::from(from) > i128::from(minutes) * 60_000_000_000
}

/// Times, each with the nanoseconds of their unit.
fn scaled<T: ArrowPrimitiveType<Native: Into<i64>>>(times: &dyn Array, nanoseconds: i64) -> impl Iterator<Item = (i64, i64)> {
    times.as_primitive::<T>().values().iter().map(move |value| ((*value).into(), nanoseconds))
}

/// The times in nanoseconds; of no meaning in rows without a subject.
fn instants(subjects: &UInt32Array, times: &dyn Array) -> Result<Vec<i64>> {
    if subjects.len() != times.len() {
        return Err(Error::column(UNNAMED, "has not as many rows as there are subjects", "give both columns of one batch"));
    }
    if times.as_any_dictionary_opt().is_some() {
        return instants(subjects, unpack(times)?.as_ref());
    }
    let missing = || (0..times.len()).filter(|&row| times.is_null(row) && subjects.is_valid(row));
    if let Some(first) = missing().next() {
        return Err(Error::rows(
            UNNAMED,
            missing().count() as u64,
            "holds no time, so it is not known which session the event belongs to",
            "leave these rows out, or choose another scope of pseudonyms",
        )
        .first_at(first));
    }
    let scale = |wanted: &NullBuffer, values: &mut dyn Iterator<Item = (i64, i64)>| {
        let (mut result, mut outside, mut first) = (Vec::with_capacity(times.len()), 0, 0);
        for (row, (value, nanoseconds)) in values.enumerate() {
            let instant = value.checked_mul(nanoseconds);
            if instant.is_none() && wanted.is_valid(row) {
                first = if outside == 0 { row } else { first };
                outside += 1;
            }
            result.push(instant.unwrap_or_default());
        }
        if outside > 0 {
            let problem = "holds a time outside of the years 1678 to 2261, in which sessions are counted";
            return Err(Error::rows(UNNAMED, outside, problem, "mend the times, or leave these rows out").first_at(first));
        }
        Ok(result)
    };
    let wanted = subjects.nulls().cloned().unwrap_or_else(|| NullBuffer::new_valid(subjects.len()));
    match times.data_type() {
        DataType::Date32 => scale(&wanted, &mut scaled::<Date32Type>(times, 86_400_000_000_000)),
        DataType::Date64 => scale(&wanted, &mut scaled::<Date64Type>(times, 1_000_000)),
        DataType::Timestamp(TimeUnit::Second, _) => scale(&wanted, &mut scaled::<TimestampSecondType>(times, 1_000_000_000)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => scale(&wanted, &mut scaled::<TimestampMillisecondType>(times, 1_000_000)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => scale(&wanted, &mut scaled::<TimestampMicrosecondType>(times, 1_000)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => scale(&wanted, &mut scaled::<TimestampNanosecondType>(times, 1)),
        _ => Err(Error::column(UNNAMED, "does not hold times and has no sessions", "cast the column to a timestamp or a date")),
    }
}

impl Fit for SessionFit {
    type Output = Sessions;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema_ref();
        let (subject, time) = (column_index(schema, &self.subject)?, column_index(schema, &self.time)?);
        let subjects = batch.column(subject).as_primitive_opt::<UInt32Type>().ok_or_else(|| {
            Error::column(&self.subject, "does not hold 32-bit codes of subjects", "number the subjects before sessions are looked for")
        })?;
        self.observe_arrays(subjects, batch.column(time).as_ref())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if (&self.subject, &self.time, self.gap_minutes) != (&other.subject, &other.time, other.gap_minutes) {
            return Err(Error::Parameter {
                name: "sessions",
                problem: "accumulators with different parameters cannot be merged".to_owned(),
            });
        }
        self.stretches.extend(other.stretches);
        self.tidy();
        Ok(())
    }

    /// Subject, first and last instant of stretches of events.
    fn state(&self) -> Result<Vec<ArrayRef>> {
        let instants = |of: fn(&Stretch) -> i64| {
            Arc::new(TimestampNanosecondArray::from_iter_values(self.stretches.iter().map(of)).with_timezone(UTC)) as ArrayRef
        };
        let subjects = UInt32Array::from_iter_values(self.stretches.iter().map(|stretch| stretch.subject));
        Ok(vec![Arc::new(subjects), instants(|stretch| stretch.first), instants(|stretch| stretch.last)])
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let not_a_state =
            || Error::Parameter { name: "state", problem: "is not that of sessions: needs subjects, first and last instants".to_owned() };
        let [subjects, first, last] = state else { return Err(not_a_state()) };
        let subjects = subjects.as_primitive_opt::<UInt32Type>().ok_or_else(not_a_state)?;
        let first = first.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(not_a_state)?;
        let last = last.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(not_a_state)?;
        let whole = subjects.len() == first.len() && first.len() == last.len();
        if !whole || subjects.null_count() + first.null_count() + last.null_count() > 0 {
            return Err(not_a_state());
        }
        for ((&subject, &first), &last) in subjects.values().iter().zip(first.values()).zip(last.values()) {
            if first > last {
                return Err(not_a_state());
            }
            self.stretches.push(Stretch { subject, first, last });
        }
        self.tidy();
        Ok(())
    }

    fn finish(mut self) -> Result<Sessions> {
        self.join();
        self.stretches.shrink_to_fit();
        let mut subjects: Vec<u32> = Vec::new();
        let mut offsets = Vec::new();
        for (place, stretch) in self.stretches.iter().enumerate() {
            if subjects.last() != Some(&stretch.subject) {
                subjects.push(stretch.subject);
                offsets.push(place);
            }
        }
        offsets.push(self.stretches.len());
        Ok(Sessions { time: self.time, all: self.stretches, subjects, offsets })
    }
}

/// The sessions of all subjects; made by [`SessionFit`].
#[derive(Clone)]
pub struct Sessions {
    time: String,
    /// By subject, then by time.
    all: Vec<Stretch>,
    /// Subjects that have sessions, and where these begin; one more offset for the end.
    subjects: Vec<u32>,
    offsets: Vec<usize>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("time", &self.time).field("sessions", &self.len()).finish_non_exhaustive()
    }
}

impl Sessions {
    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether no event was observed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The session of an event.
    fn find(&self, subject: u32, time: i64) -> Option<&Stretch> {
        // Codes without holes are their own places.
        let place = match self.subjects.get(subject as usize) {
            Some(there) if *there == subject => subject as usize,
            _ => self.subjects.binary_search(&subject).ok()?,
        };
        let own = self.all.get(*self.offsets.get(place)?..*self.offsets.get(place + 1)?)?;
        let session = own.get(own.partition_point(|session| session.first <= time).checked_sub(1)?)?;
        (time <= session.last).then_some(session)
    }

    /// The instant at which the session of each event started, in UTC. Subject and start together name a session. Missing where the subject is.
    ///
    /// # Errors
    /// As for [`SessionFit::observe_arrays`], or an event lies in no session that was observed.
    pub fn starts(&self, subjects: &UInt32Array, times: &dyn Array) -> Result<TimestampNanosecondArray> {
        let times = instants(subjects, times).map_err(|e| name_column(e, &self.time))?;
        let mut starts = Vec::with_capacity(times.len());
        let mut latest: Option<&Stretch> = None;
        let (mut unknown, mut first) = (0_u64, 0);
        for (row, (&subject, &time)) in subjects.values().iter().zip(&times).enumerate() {
            if subjects.is_null(row) {
                starts.push(0);
                continue;
            }
            if !latest.is_some_and(|session| session.subject == subject && (session.first..=session.last).contains(&time)) {
                latest = self.find(subject, time);
            }
            if latest.is_none() {
                first = if unknown == 0 { row } else { first };
                unknown += 1;
            }
            starts.push(latest.map_or(0, |session| session.first));
        }
        if unknown > 0 {
            let problem = "holds events that were not observed when sessions were looked for";
            return Err(Error::rows(&self.time, unknown, problem, "look for sessions in the rows that are released").first_at(first));
        }
        Ok(TimestampNanosecondArray::new(starts.into(), subjects.nulls().cloned()).with_timezone(UTC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, TimestampMillisecondArray, TimestampSecondArray};
    use proptest::prelude::*;

    type Events = Vec<(Option<u32>, i64)>;

    /// Straight from the definition, in n²: walk back from each event while some event of the subject precedes by no more than the gap.
    fn by_walking(events: &[(Option<u32>, i64)], parts: impl Fn(i64) -> bool, by_subject: bool) -> Vec<Option<i64>> {
        events
            .iter()
            .map(|&(subject, time)| {
                subject?;
                let own: Vec<i64> = events
                    .iter()
                    .filter(|(other, _)| other.is_some() && (!by_subject || *other == subject))
                    .map(|(_, time)| *time)
                    .collect();
                let mut start = time;
                while let Some(before) = own.iter().copied().filter(|other| *other < start).max() {
                    if parts(start - before) {
                        break;
                    }
                    start = before;
                }
                Some(start)
            })
            .collect()
    }

    fn arrays(events: &[(Option<u32>, i64)]) -> (UInt32Array, TimestampSecondArray) {
        (events.iter().map(|(subject, _)| *subject).collect(), events.iter().map(|(_, time)| Some(*time)).collect())
    }

    fn fit(events: &[(Option<u32>, i64)]) -> SessionFit {
        let mut fit = SessionFit::new("s", "t", 2).unwrap();
        let (subjects, times) = arrays(events);
        fit.observe_arrays(&subjects, &times).unwrap();
        fit
    }

    fn starts(sessions: &Sessions, events: &[(Option<u32>, i64)]) -> Vec<Option<i64>> {
        let (subjects, times) = arrays(events);
        sessions.starts(&subjects, &times).unwrap().iter().map(|start| start.map(|start| start / 1_000_000_000)).collect()
    }

    fn events() -> impl Strategy<Value = Events> {
        let subject = prop::option::weighted(0.95, prop::sample::select(vec![0, 1, 2, 7, u32::MAX]));
        // Times at and beside multiples of the gap of 120 seconds.
        let time = (-6_i64..6, -1_i64..2).prop_map(|(gaps, beside)| gaps * 120 + beside);
        prop::collection::vec((subject, time), 0..40)
    }

    proptest! {
        #[test]
        fn sessions_agree_with_walking_back(events in events(), cut in 0_usize..40, other_cut in 0_usize..40) {
            let expected = by_walking(&events, |gap| gap > 120, true);
            let whole = fit(&events).finish().unwrap();
            prop_assert_eq!(starts(&whole, &events), &expected[..]);
            let mut sessions: Vec<_> = events.iter().zip(&expected).filter_map(|((subject, _), start)| Some(((*subject)?, *start))).collect();
            sessions.sort_unstable();
            sessions.dedup();
            prop_assert_eq!(whole.len(), sessions.len());
            // Batches, merges, states and orders.
            let (one, rest) = events.split_at(cut.min(events.len()));
            let (two, three) = rest.split_at(other_cut.min(rest.len()));
            let mut merged = fit(three);
            merged.merge(fit(one)).unwrap();
            merged.merge_state(&fit(two).state().unwrap()).unwrap();
            prop_assert_eq!(starts(&merged.finish().unwrap(), &events), &expected[..]);
            let reversed: Events = events.iter().rev().copied().collect();
            prop_assert_eq!(starts(&fit(&reversed).finish().unwrap(), &events), &expected[..]);
            let mut joined = fit(one);
            joined.join();
            let (subjects, times) = arrays(rest);
            joined.observe_arrays(&subjects, &times).unwrap();
            prop_assert_eq!(starts(&joined.finish().unwrap(), &events), expected);
        }
    }

    #[test]
    fn broken_definitions_are_told_apart() {
        let events = [(Some(0), 0), (Some(0), 120), (Some(0), 241), (Some(1), 242), (Some(1), 100)];
        let own = starts(&fit(&events).finish().unwrap(), &events);
        assert_eq!(own, [Some(0), Some(0), Some(241), Some(242), Some(100)]);
        assert_eq!(own, by_walking(&events, |gap| gap > 120, true));
        assert_ne!(own, by_walking(&events, |gap| gap >= 120, true));
        assert_ne!(own, by_walking(&events, |gap| gap > 120, false));
    }

    #[test]
    fn units_agree_and_long_gaps_do_not_overflow() {
        let subjects = UInt32Array::from(vec![3, 3]);
        let mut fit = SessionFit::new("s", "t", u32::MAX).unwrap();
        let times = TimestampNanosecondArray::from(vec![i64::MIN, i64::MAX]);
        fit.observe_arrays(&subjects, &times).unwrap();
        assert_eq!(fit.finish().unwrap().len(), 1);
        let mut fit = SessionFit::new("s", "t", 1440).unwrap();
        fit.observe_arrays(&subjects, &Date32Array::from(vec![-1, 0])).unwrap();
        let sessions = fit.finish().unwrap();
        let times = TimestampMillisecondArray::from(vec![-86_400_000, -1]).with_timezone("Asia/Tokyo");
        assert_eq!(sessions.starts(&subjects, &times).unwrap().values(), &[-86_400_000_000_000; 2]);
    }

    #[test]
    fn many_stretches_are_joined_on_the_way() {
        let events: Events = (0..150_000).map(|i| (Some(i % 1_000), i64::from((i * 7_919) % 150_000))).collect();
        let mut whole = SessionFit::new("s", "t", 1).unwrap();
        for batch in events.chunks(10_000) {
            let (subjects, times) = arrays(batch);
            whole.observe_arrays(&subjects, &times).unwrap();
        }
        assert!(whole.joined > 0);
        let subjects: Events = events.iter().filter(|(subject, _)| *subject == Some(77)).copied().collect();
        assert_eq!(starts(&whole.finish().unwrap(), &subjects), by_walking(&subjects, |gap| gap > 60, true));
    }

    #[test]
    fn what_has_no_session_is_refused_with_a_count() {
        let subjects = UInt32Array::from(vec![Some(0), Some(0), None]);
        let mut fit = SessionFit::new("s", "t", 5).unwrap();
        let message = fit.observe_arrays(&subjects, &TimestampSecondArray::from(vec![None, Some(1), None])).unwrap_err().to_string();
        assert!(message.contains("column t (1 row: row 1)"), "{message}");
        let message = fit.observe_arrays(&subjects, &TimestampSecondArray::from(vec![i64::MAX, 1, i64::MAX])).unwrap_err().to_string();
        assert!(message.contains("column t (1 row: row 1)"), "{message}");
        assert!(fit.observe_arrays(&subjects, &UInt32Array::from(vec![1, 2, 3])).is_err());
        assert!(fit.observe_arrays(&subjects, &TimestampSecondArray::from(vec![1])).is_err());
        fit.observe_arrays(&subjects, &TimestampSecondArray::from(vec![Some(1), Some(1), None])).unwrap();
        assert!(fit.clone().merge(SessionFit::new("s", "t", 6).unwrap()).is_err());
        let sessions = fit.finish().unwrap();
        let starts = sessions.starts(&subjects, &TimestampSecondArray::from(vec![Some(1), Some(1), None])).unwrap();
        assert_eq!((starts.value(0), starts.null_count()), (1_000_000_000, 1));
        let message = sessions.starts(&subjects, &TimestampSecondArray::from(vec![1, 2, 0])).unwrap_err().to_string();
        assert!(message.contains("column t (1 row: row 2)"), "{message}");
        assert!(SessionFit::new("s", "t", 0).is_err());
    }

    #[test]
    fn states_of_other_kinds_are_refused() {
        let state = fit(&[(Some(0), 5)]).state().unwrap();
        let empty = || SessionFit::new("s", "t", 2).unwrap();
        assert!(empty().merge_state(&state[..2]).is_err());
        assert!(empty().merge_state(&[Arc::clone(&state[1]), Arc::clone(&state[0]), Arc::clone(&state[2])]).is_err());
        let early: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1]).with_timezone(UTC));
        assert!(empty().merge_state(&[Arc::clone(&state[0]), Arc::clone(&state[1]), early]).is_err(), "an end before its start");
    }
}
