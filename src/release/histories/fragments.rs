//! The `fragments` product: short pieces of histories that nobody can link.

use super::losses::by_popularity;
use super::matrix::Histories;
use super::read::ReleasedColumns;
use super::write::{Place, group_ids, naming_key, shuffled, write_rows};
use super::{HistoryWorkshop, MadeHistories};
use crate::error::Result;
use crate::history::fragments::{Check, FragmentOptions, Fragments, Order, Pieces, check, check_pool, cut, cut_ordered};
use crate::history::sessions;
use crate::io::SinkFormat;
use crate::io::table::gather_values;
use crate::keys::Domain;
use crate::policy::{FragmentOrder, FragmentsProduct, Policy, ProductKind, Role, SessionCut, Support};
use crate::release::report::{ColumnReport, Guarantee, Loss, Losses, ProductReport, Unit, Verified};
use arrow::array::{Array, ArrayRef, StringArray, UInt32Array};
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Bytes for the pairs of items that are considered. A number of its own, so that the fragments do not depend on how much memory a run has.
const PAIRS: usize = 1 << 30;

/// Fragments as the file has them: offsets and item codes of the pool, and the number of each fragment when it was cut.
struct FromFile {
    offsets: Vec<usize>,
    items: Vec<u32>,
    fragments: Vec<usize>,
}

impl HistoryWorkshop<'_> {
    pub(super) fn fragments(
        &self,
        product: &FragmentsProduct,
        path: &Path,
        format: SinkFormat,
        measuring: &dyn Fn(),
    ) -> Result<MadeHistories> {
        let clock = Instant::now();
        let columns = self.columns()?;
        let forming = self.forming();
        let histories = self.histories(&columns, &forming)?;
        self.check_people(histories.people())?;
        let options = FragmentOptions::of(product)?.with_threads(self.threads).with_memory(PAIRS);
        let (matrix, people, items) = (&histories.matrix, &histories.subject_ids, &histories.item_ids);
        let positions = match (product.order, &columns.time, product.sessions) {
            (FragmentOrder::Kept, Some(time), None) => Some(self.first_times(&histories, time)?),
            _ => None,
        };
        let mut without_time = 0;
        let fragments = match (&positions, product.sessions, &columns.time) {
            (_, Some(SessionCut { gap_minutes }), Some(time)) => {
                let found = self.sessions(&histories, time, gap_minutes)?;
                without_time = found.without_time;
                let mut listeners = found.owners.clone();
                listeners.dedup();
                self.check_people(listeners.len() as u64)?;
                let order = if product.order == FragmentOrder::Kept { Order::Sequences } else { Order::Sets };
                let pieces = Pieces::new(&found.offsets, &found.items)?;
                sessions::cut(&pieces, &found.owners, people, items, order, &options, &forming)?
            }
            (Some(positions), ..) => cut_ordered(matrix, positions, people, items, &options, &forming)?,
            _ => cut(matrix, people, items, &options, &forming)?,
        };
        let naming = naming_key(&self.naming("history-naming"), contents(&fragments, &histories));
        let ids = group_ids(fragments.pieces().len(), &naming.derive(&Domain::of("history-ids")));
        let places = shuffled(fragments.pieces().iter().map(<[u32]>::len), &naming.derive(&Domain::of("history-order")));
        let fit_seconds = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        self.write_fragments(path, format, &fragments, &ids, &places, &histories)?;
        let write_seconds = clock.elapsed().as_secs_f64();
        measuring();
        let mut report = ProductReport::new(&product.name, ProductKind::Fragments);
        report.accepted_risk.clone_from(&product.accept_risk);
        report.control_people = (histories.control_people > 0).then_some(histories.control_people);
        report.columns = column_reports(self.policy, &columns.item);
        report.notes = notes(product);
        describe(product, &fragments, &histories, without_time, &mut report);
        self.recount_fragments(product, path, &fragments, &ids, &histories, positions.as_deref(), &mut report)?;
        self.attack_fragments(product, &fragments, &histories, &mut report)?;
        let counts = fragments.counts();
        Ok(MadeHistories {
            fitted: json!({ "columns": {}, "people": counts.subjects, "fragments": fragments.pieces().len(), "sizes": counts.sizes, "rounds": counts.rounds }),
            report,
            shown: json!({ "columns": {} }),
            fit_seconds,
            write_seconds,
            entry: None,
        })
    }

    fn write_fragments(
        &self,
        path: &Path,
        format: SinkFormat,
        fragments: &Fragments,
        ids: &[String],
        places: &[Place],
        histories: &Histories,
    ) -> Result<()> {
        let pieces = fragments.pieces();
        let ordered = fragments.order() == Order::Sequences;
        let mut fields = vec![("fragment_id".to_owned(), DataType::Utf8), ("item".to_owned(), histories.values.data_type().clone())];
        if ordered {
            fields.push(("position".to_owned(), DataType::UInt32));
        }
        write_rows(path, format, self.threads, fields, places, |places| {
            let items: Vec<u32> = places.iter().map(|&Place { group, place }| pieces.items_of(group as usize)[place as usize]).collect();
            let mut arrays: Vec<ArrayRef> = vec![
                Arc::new(places.iter().map(|place| Some(ids[place.group as usize].as_str())).collect::<StringArray>()),
                gather_values(&histories.values, &items)?,
            ];
            if ordered {
                arrays.push(Arc::new(places.iter().map(|place| place.place).collect::<UInt32Array>()));
            }
            Ok(arrays)
        })
    }

    /// Counts every combination again in the written file, in people, and compares the fragments with the lists of the pool.
    #[expect(clippy::too_many_arguments, reason = "the file is compared with everything that it was made from")]
    fn recount_fragments(
        &self,
        product: &FragmentsProduct,
        path: &Path,
        fragments: &Fragments,
        ids: &[String],
        histories: &Histories,
        positions: Option<&[u64]>,
        report: &mut ProductReport,
    ) -> Result<()> {
        let ordered = fragments.order() == Order::Sequences;
        let numbers: &[&str] = if ordered { &["position"] } else { &[] };
        let file = ReleasedColumns::read(path, &["fragment_id", "item"], numbers, self.threads)?;
        report.rows = file.rows as u64;
        let m = usize::try_from(product.m).unwrap_or(usize::MAX);
        let Some(found) = from_file(&file, ids, histories, ordered)? else {
            report.steward_notes.push("The file has fragments or items that were not made: nothing is promised.".to_owned());
            report.guarantees = declared_guarantees(product);
            return Ok(());
        };
        let pieces = Pieces::new(&found.offsets, &found.items)?;
        let owners: Vec<u32> = found.fragments.iter().map(|&fragment| fragments.owners()[fragment]).collect();
        let mut people = owners.clone();
        people.sort_unstable();
        people.dedup();
        report.subjects = Some(people.len() as u64);
        // Nobody has an item that is not theirs.
        let theirs = pieces
            .iter()
            .zip(&owners)
            .all(|(items, &owner)| items.iter().all(|item| histories.matrix.items_of(owner).binary_search(item).is_ok()));
        let of_people = check(&pieces, Some(&owners), fragments.order(), m, product.k)?;
        // A session may hold what another one of the same person holds.
        let alone = product.sessions.is_some() || of_people.items_in_several_fragments == Some(0);
        let checked: Check = match product.support {
            Support::Released => of_people,
            Support::Pool => check_pool(&pieces, &histories.matrix, positions, m, product.k)?,
        };
        let complete = file.is_complete(&["fragment_id", "item"]) && file.is_complete(numbers);
        let sound = theirs && complete && alone;
        if !sound {
            report.steward_notes.push("The fragments in the file are not pieces of the lists in the pool: nothing is promised.".to_owned());
        }
        report.guarantees = declared_guarantees(product)
            .into_iter()
            .map(|guarantee| {
                #[expect(clippy::cast_precision_loss, reason = "counts of people and items in a report")]
                let found = |guarantee: Guarantee, achieved: Option<u64>, holds: bool| match achieved {
                    Some(achieved) => guarantee.found(achieved as f64, holds && sound),
                    None => Guarantee { holds: sound, ..guarantee },
                };
                if guarantee.model == KM {
                    found(guarantee, checked.achieved(), checked.holds())
                } else {
                    let longest = (checked.longest > 0).then_some(checked.longest);
                    let repeats = may_repeat(product) || checked.with_repeated_items == 0;
                    found(guarantee, longest, checked.longest <= product.max_items && repeats)
                }
            })
            .collect();
        Ok(())
    }
}

/// What every fragment holds, in stable ids: its person and its items, in their order.
fn contents(fragments: &Fragments, histories: &Histories) -> impl Iterator<Item = Vec<u64>> {
    fragments.pieces().iter().zip(fragments.owners()).map(|(items, &owner)| {
        let mut items: Vec<u64> = items.iter().map(|&item| histories.item_ids[item as usize]).collect();
        if fragments.order() == Order::Sets {
            items.sort_unstable();
        }
        items.push(histories.subject_ids[owner as usize]);
        items
    })
}

/// Name of the guarantee of combinations.
pub(in crate::release) const KM: &str = "k^m-anonymity";

/// Whether an item may stand twice in a fragment: only in a session whose order is kept.
pub(in crate::release) fn may_repeat(product: &FragmentsProduct) -> bool {
    product.sessions.is_some() && product.order == FragmentOrder::Kept
}

/// What the policy promises of a product, with nothing found yet.
pub(super) fn declared_guarantees(product: &FragmentsProduct) -> Vec<Guarantee> {
    // Of sessions a person may have several with the same items, so fragments are not people.
    let verified = match (product.support, product.sessions) {
        (Support::Released, None) => Verified::Release,
        _ => Verified::ReleaseAndPool,
    };
    vec![
        Guarantee::new(KM, Unit::Subject, verified)
            .parameter("k", product.k.get())
            .parameter("m", product.m)
            .parameter("support", product.support.name()),
        Guarantee::new("fragment-size", Unit::Item, Verified::Release).parameter("max_items", product.max_items),
    ]
}

/// The fragments of the file in codes of the pool; none if it has one that was not made, or an item that the pool has not.
fn from_file(file: &ReleasedColumns, ids: &[String], histories: &Histories, ordered: bool) -> Result<Option<FromFile>> {
    let texts = histories.texts()?;
    let item_of_text: HashMap<&str, u32> = (0_u32..).zip(texts.iter()).filter_map(|(code, text)| Some((text?, code))).collect();
    let fragment_of_name: HashMap<&str, usize> = ids.iter().map(String::as_str).zip(0..).collect();
    let (names, items) = (file.texts("fragment_id")?, file.texts("item")?);
    let mut rows: Vec<(usize, u64, u32)> = Vec::with_capacity(file.rows);
    let fragments: Vec<Option<usize>> = names.values.iter().map(|name| fragment_of_name.get(name?).copied()).collect();
    let codes: Vec<Option<u32>> = items.values.iter().map(|item| item_of_text.get(item?).copied()).collect();
    let positions = if ordered { Some(file.numbers("position")?) } else { None };
    for (row, (&name, &item)) in names.codes.iter().zip(&items.codes).enumerate() {
        let fragment = fragments.get(name as usize).copied().flatten();
        let item = codes.get(item as usize).copied().flatten();
        let (Some(fragment), Some(item)) = (fragment, item) else { return Ok(None) };
        rows.push((fragment, positions.map_or(0, |positions| positions[row]), item));
    }
    rows.sort_unstable();
    let mut found = FromFile { offsets: vec![0], items: Vec::with_capacity(rows.len()), fragments: Vec::new() };
    for fragment in rows.chunk_by(|a, b| a.0 == b.0) {
        found.fragments.extend(fragment.first().map(|row| row.0));
        found.items.extend(fragment.iter().map(|row| row.2));
        found.offsets.push(found.items.len());
        // Positions are 0, 1, 2, …: a gap would tell that something was left out there.
        if ordered && !fragment.iter().map(|row| row.1).eq(0..fragment.len() as u64) {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// What the file says, for whoever reads it.
fn notes(product: &FragmentsProduct) -> Vec<String> {
    let order = match (product.order, product.sessions) {
        (FragmentOrder::Kept, None) => "in the order in which they were first listened to (“position”)",
        (FragmentOrder::Kept, Some(_)) => "of one session, as they followed each other (“position”)",
        (FragmentOrder::Shuffled, Some(_)) => "of one session, in no order",
        (FragmentOrder::Shuffled, None) => "in no order",
    };
    vec![format!(
        "Each fragment holds up to {} items of one person, {order}; which fragments belong to one person is not told. Ids are random and occur nowhere else.",
        product.max_items
    )]
}

fn column_reports(policy: &Policy, item: &str) -> Vec<ColumnReport> {
    let report = |name: &str, role: Role, became: &str| ColumnReport {
        name: name.to_owned(),
        role,
        became: became.to_owned(),
        level: None,
        highest: None,
    };
    let subject =
        policy.subject.iter().map(|subject| report(&subject.column, Role::Subject, "dropped: every fragment has an id of its own"));
    subject.chain([report(item, Role::Item, "item")]).collect()
}

/// What was left out, for the steward.
fn describe(product: &FragmentsProduct, fragments: &Fragments, histories: &Histories, without_time: u64, report: &mut ProductReport) {
    let counts = fragments.counts();
    let mut shown: Vec<(u32, u32)> = fragments
        .pieces()
        .iter()
        .zip(fragments.owners())
        .flat_map(|(items, &owner)| items.iter().map(move |&item| (owner, item)))
        .collect();
    shown.sort_unstable();
    shown.dedup();
    let mut kept = vec![0_u64; histories.matrix.items()];
    for &(_, item) in &shown {
        if let Some(kept) = kept.get_mut(item as usize) {
            *kept += 1;
        }
    }
    let bounded = (histories.all().pairs() - histories.matrix.pairs()) as u64;
    let mut reasons: Vec<(&str, u64)> = histories.left_out.clone();
    reasons.push(("pairs of a person and an item: beyond the items of one person that count", bounded));
    if product.sessions.is_some() {
        reasons.push(("rows have no time", without_time));
        reasons.push(("rows of sessions: fewer than k people have the item", counts.rows_rare_item));
        reasons.push((
            "rows of sessions: no fragment was possible",
            counts.rows.saturating_sub(counts.rows_kept).saturating_sub(counts.rows_rare_item),
        ));
    } else {
        let other = (histories.matrix.pairs() as u64).saturating_sub(shown.len() as u64).saturating_sub(counts.rows_rare_item);
        reasons.push(("pairs of a person and an item: fewer than k people have the item", counts.rows_rare_item));
        reasons.push(("pairs of a person and an item: no fragment was possible", other));
    }
    reasons.push(("people: nothing of them is left", counts.subjects_lost));
    report.losses = Some(Losses {
        reasons: reasons
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .map(|(reason, count)| Loss { reason: reason.to_owned(), count })
            .collect(),
        popularity: by_popularity(&histories.matrix, &kept),
    });
    let sizes: Vec<String> = counts
        .sizes
        .iter()
        .enumerate()
        .filter(|(_, number)| **number > 0)
        .map(|(place, number)| format!("{number} of {}", place + 1))
        .collect();
    if !sizes.is_empty() {
        report.steward_notes.push(format!("Fragments by their number of items: {}.", sizes.join(", ")));
    }
}
