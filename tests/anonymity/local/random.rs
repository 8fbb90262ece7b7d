//! Small random tables against brute force.

use super::{Asked, Table, WAYS, Way, lenient, on};
use backmask::anonymity::classes::ClassView;
use backmask::anonymity::local::{Found, LocalRecoding, Representative};
use backmask::anonymity::models::{KAnonymity, Linkability, Models, PrivacyModel};
use backmask::units::K;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn tables() -> impl Strategy<Value = Table> {
    let place = prop::sample::select(vec![None, Some("AA"), Some("AB"), Some("B"), Some("BA"), Some("C")]);
    let plan = prop::sample::select(vec![None, Some("free"), Some("family"), Some("student"), Some("solo")]);
    let row = (prop::option::weighted(0.9, 0..12_i32), place, plan, 0..3_u32, 0..9_u32, any::<u64>());
    (prop::collection::vec(row, 0..40), any::<bool>()).prop_map(|(rows, people)| Table {
        ages: rows.iter().map(|row| row.0).collect(),
        places: rows.iter().map(|row| row.1.map(str::to_owned)).collect(),
        plans: rows.iter().map(|row| row.2.map(str::to_owned)).collect(),
        moods: rows.iter().map(|row| row.3).collect(),
        people: if people { rows.iter().map(|row| row.4).collect() } else { Vec::new() },
        keys: rows.iter().map(|row| row.5).collect(),
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let linkability = prop::sample::select(vec![Linkability::Linked, Linkability::Unlinked]);
    (2..5_u64, linkability, prop::option::of(1..3_u64)).prop_map(|(k, linkability, diversity)| Asked { k, linkability, diversity })
}

/// Median cuts of one class by age that the models would allow: a cut between two ages that is as near to the middle of the rows as any.
fn median_cut(table: &Table, rows: &[usize], asked: Asked) -> bool {
    if rows.iter().any(|&row| table.ages[row].is_none()) {
        let (missing, others): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&row| table.ages[row].is_none());
        return !others.is_empty() && table.holds(&missing, asked) && table.holds(&others, asked);
    }
    let mut ages: Vec<i32> = rows.iter().map(|&row| table.ages[row].unwrap()).collect();
    ages.sort_unstable();
    let highest = ages.last().copied();
    let below = |age: i32| ages.iter().filter(|&&other| other <= age).count();
    let nearest = ages.iter().copied().filter(|&age| Some(age) != highest).min_by_key(|&age| ((2 * below(age)).abs_diff(rows.len()), age));
    nearest.is_some_and(|cut| {
        let (low, high): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&row| table.ages[row].unwrap() <= cut);
        table.holds(&low, asked) && table.holds(&high, asked)
    })
}

fn members(classes: &[u32]) -> BTreeMap<u32, Vec<usize>> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, &class) in classes.iter().enumerate().filter(|&(_, &class)| class != LocalRecoding::SUPPRESSED) {
        members.entry(class).or_default().push(row);
    }
    members
}

fn check(table: &Table, way: Way, asked: Asked) -> Result<(), TestCaseError> {
    let (found, classes) = table.recode(way, asked.k, &asked.models(), lenient(1));
    let all: Vec<usize> = (0..table.len()).collect();
    // Where somebody has several values, the model counts fewer of them than this file does.
    let stricter = asked.diversity.is_some() && !table.people.is_empty();
    let recoding = match found {
        Found::Recoding(recoding) => recoding,
        Found::Nothing(shortfall) => {
            let error = shortfall.into_error("people").to_string();
            prop_assert!(
                error.contains("people") && (error.contains("k-anonymity") || error.contains("diversity") || error.contains("micro")),
                "{error}"
            );
            let people: std::collections::BTreeSet<u32> = all.iter().map(|&row| table.owner(row)).collect();
            prop_assert!(stricter || !table.holds(&all, asked) || (people.len() as u64) < asked.k);
            return Ok(());
        }
    };
    let released = Table::released(&recoding, &classes);
    let truthful = !matches!(way, Way::Groups(Representative::Median | Representative::Mode));
    prop_assert_eq!(table.complaint(&released, asked, truthful), None);
    // What the recoding says of itself.
    let members = members(&classes);
    prop_assert_eq!(members.len(), recoding.len());
    for (&class, rows) in &members {
        let statistics = recoding.statistics()[class as usize];
        let people: std::collections::BTreeSet<u32> = rows.iter().map(|&row| table.owner(row)).collect();
        prop_assert_eq!((statistics.rows, statistics.subjects), (rows.len() as u64, people.len() as u64));
    }
    let labels: std::collections::BTreeSet<_> = released.iter().flatten().collect();
    prop_assert_eq!(labels.len(), recoding.len(), "labels tell classes apart");
    let suppressed = released.iter().filter(|labels| labels.is_none()).count() as u64;
    prop_assert_eq!((recoding.suppressed_rows(), recoding.rows()), (suppressed, table.len() as u64));
    prop_assert!((0.0..=1.0).contains(&recoding.certainty_penalty()));
    // The multisets, counted from rows.
    let mut of_people: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    classes
        .iter()
        .enumerate()
        .filter(|&(_, &class)| class != LocalRecoding::SUPPRESSED)
        .for_each(|(row, &class)| of_people.entry(table.owner(row)).or_default().push(class));
    let mut shared: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
    for mut visited in of_people.into_values() {
        visited.sort_unstable();
        *shared.entry(visited).or_default() += 1;
    }
    prop_assert_eq!(recoding.multisets().smallest, shared.values().copied().min());
    prop_assert_eq!((recoding.multisets().distinct, recoding.multisets().subjects), (shared.len() as u64, shared.values().sum::<u64>()));
    match way {
        Way::Strict => {
            prop_assert_eq!(suppressed, 0);
            for rows in members.values() {
                prop_assert!(stricter || !median_cut(table, rows, asked), "{:?} can be cut", rows);
            }
            let mut of_values = BTreeMap::new();
            for row in all {
                let class = *of_values.entry((table.ages[row], &table.places[row], &table.plans[row])).or_insert(classes[row]);
                prop_assert_eq!(class, classes[row], "equal rows stay together");
            }
        }
        Way::Groups(_) => {
            let mut of_people = BTreeMap::new();
            for row in all {
                prop_assert_eq!(*of_people.entry(table.owner(row)).or_insert(classes[row]), classes[row], "rows of a person stay together");
            }
        }
        Way::Rounds => {
            prop_assert_eq!(recoding.rounds().iter().map(|round| round.rows).sum::<u64>(), table.len() as u64 - suppressed);
            // What is left cannot even be one class of its own.
            let left: Vec<usize> = all.into_iter().filter(|&row| released[row].is_none()).collect();
            let as_star = released.iter().flatten().any(|labels| labels.iter().all(|label| label.as_deref() == Some("*")));
            prop_assert!(stricter || left.is_empty() || as_star || !table.holds(&left, asked));
        }
        Way::Relaxed => {}
    }
    Ok(())
}

/// Labels of every row in the order of `order`.
fn labels(table: &Table, way: Way, asked: Asked) -> Option<super::Released> {
    let (found, classes) = table.recode(way, asked.k, &asked.models(), lenient(1));
    let Found::Recoding(recoding) = found else { return None };
    Some(Table::released(&recoding, &classes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_release_keeps_what_is_asked(table in tables(), asked in asked()) {
        for way in WAYS {
            check(&table, way, asked)?;
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(table in tables(), asked in asked(), seed in any::<u64>()) {
        let mut table = table;
        // Different keys, or the order of rows is all that tells them apart.
        table.keys = (0..table.len() as u64).map(|row| (row ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let mut order: Vec<usize> = (0..table.len()).collect();
        order.sort_by_key(|&row| (row as u64 ^ (seed >> 7)).wrapping_mul(0xd1b5_4a32_d192_ed03));
        let permuted = table.permuted(&order);
        for way in WAYS {
            let (one, other) = (labels(&table, way, asked), labels(&permuted, way, asked));
            prop_assert_eq!(one.map(|one| order.iter().map(|&row| one[row].clone()).collect::<Vec<_>>()), other, "{:?}", way);
        }
    }
}

/// Counts rows where people should be counted.
#[derive(Debug)]
struct RowsForPeople(u64);

impl PrivacyModel for RowsForPeople {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        class.statistics.rows >= self.0
    }
}

/// Six people in the middle of an alphabet of ages, with two rows each.
fn pairs() -> Table {
    let people: Vec<u32> = (0..12).map(|row| row / 2).collect();
    Table {
        ages: people.iter().map(|&person| Some(i32::try_from(person).unwrap())).collect(),
        places: vec![Some("AA".to_owned()); 12],
        plans: vec![None; 12],
        moods: vec![0; 12],
        keys: (0..12).collect(),
        people,
    }
}

#[test]
fn counting_rows_instead_of_people_is_caught() {
    let (table, asked) = (pairs(), Asked { k: 4, linkability: Linkability::Linked, diversity: None });
    for way in [Way::Strict, Way::Relaxed] {
        let (found, classes) = table.recode(way, 4, &Models::new().and(RowsForPeople(4)), on(1));
        let Found::Recoding(recoding) = found else { panic!("twelve rows are enough") };
        assert!(table.complaint(&Table::released(&recoding, &classes), asked, true).is_some(), "{way:?}");
        let (found, classes) = table.recode(way, 4, &asked.models(), on(1));
        let Found::Recoding(recoding) = found else { panic!("six people are enough") };
        assert_eq!(table.complaint(&Table::released(&recoding, &classes), asked, true), None);
    }
}

#[test]
fn a_split_that_leaves_one_too_few_is_caught() {
    let table = Table { people: Vec::new(), ages: (0..7).flat_map(|age| [Some(age / 2); 2]).take(12).collect(), ..pairs() };
    let asked = Asked { k: 4, linkability: Linkability::Unlinked, diversity: None };
    let broken = Models::new().and(KAnonymity { k: K::new(3).unwrap(), linkability: Linkability::Unlinked });
    let (found, classes) = table.recode(Way::Relaxed, 4, &broken, on(1));
    let Found::Recoding(recoding) = found else { panic!("twelve people are enough") };
    assert!(table.complaint(&Table::released(&recoding, &classes), asked, true).is_some());
}
