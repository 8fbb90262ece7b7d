//! Tests of `risk` from outside the crate.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::cast_precision_loss, reason = "small counts")]

use crate::real_data::real_data;
use backmask::arrow::array::{ArrayRef, UInt32Array};
use backmask::arrow::datatypes::DataType;
use backmask::io::table::{ColumnInterner, NULL_CODE};
use backmask::matrix::{SubjectItems, content_hashes, item_support};
use backmask::policy::{Gate, GateOn};
use backmask::risk::{AttackOptions, AttackResult, KnownItems, KnownValues, attack_seed};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

type Chunks = Vec<(Vec<u32>, Vec<u32>)>;

fn options(trials: u64) -> AttackOptions {
    AttackOptions::new(&Gate { trials, ..Gate::default() }, attack_seed(&[b"tests"]))
}

/// Ids that do not depend on codes: here the values are the numbers themselves.
fn ids(values: impl IntoIterator<Item = u32>) -> Vec<u64> {
    let values: ArrayRef = Arc::new(UInt32Array::from_iter_values(values));
    content_hashes(&[values], &[9; 32]).unwrap()
}

fn run(matrix: &SubjectItems, known: usize, options: &AttackOptions) -> AttackResult {
    let people = ids(matrix_people(matrix));
    let items = ids((0..).take(matrix.items()));
    KnownItems::new(matrix, &people, &items).unwrap().run(known, options).unwrap()
}

fn matrix_people(matrix: &SubjectItems) -> impl Iterator<Item = u32> {
    (0..).take(matrix.subjects())
}

/// HetRec Last.fm as (user, artist) codes in chunks, with the numbers of users and artists.
fn hetrec(test: &str) -> Option<(Chunks, usize, usize)> {
    let path = real_data(test, "hetrec2011-lastfm-2k/user_artists.dat")?;
    let content = std::fs::read_to_string(path).unwrap();
    let (mut users, mut artists): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    for line in content.lines().skip(1) {
        let mut fields = line.split('\t').map(|field| field.trim().parse::<u32>().unwrap());
        users.push(fields.next().unwrap());
        artists.push(fields.next().unwrap());
    }
    let [(users, user_count), (artists, artist_count)] = [users, artists].map(|values| {
        let mut interner = ColumnInterner::new("column", &DataType::UInt32).unwrap();
        let mut codes = Vec::new();
        interner.extend(&UInt32Array::from(values), &mut codes).unwrap();
        (codes, interner.len())
    });
    let chunks = users.chunks(5000).zip(artists.chunks(5000)).map(|(users, artists)| (users.to_vec(), artists.to_vec())).collect();
    Some((chunks, user_count, artist_count))
}

/// Share of people singled out by p artists, against figures measured by an independent program. Those are means of several draws; ours has 1,892 attempts, so its standard
/// error is at most 1.15 points: 2 points are exceeded by chance in at most 8 % for one figure near 50 %, which is why the seed is fixed.
#[test]
fn unicity_of_hetrec_is_the_published_one() {
    let Some((chunks, users, artists)) = hetrec("unicity_of_hetrec_is_the_published_one") else { return };
    assert_eq!((users, artists), (1892, 17632));
    let support = item_support(&chunks, users, artists, 1 << 16).unwrap();
    let raw = SubjectItems::build(&chunks, users, artists, 1 << 16).unwrap();
    assert_eq!(raw.pairs(), 92834);
    assert_eq!(raw.support(), support);
    let kept = |least: u32| raw.retain(|artist| support[artist as usize] >= least);
    let expected = [
        (1, [12.1, 46.9, 76.0, 89.1, 99.3]),
        (5, [0.0, 25.8, 62.0, 82.8, 98.8]),
        (20, [0.0, 8.6, 40.5, 67.0, 97.9]),
        (50, [0.0, 1.7, 18.9, 44.6, 92.6]),
    ];
    for (least, rates) in expected {
        let matrix = kept(least);
        let (people, items) = (ids(matrix_people(&matrix)), ids((0..).take(artists)));
        let attack = KnownItems::new(&matrix, &people, &items).unwrap();
        let mut before = 0.0;
        for (known, expected) in [1, 2, 3, 4, 8].into_iter().zip(rates) {
            // The published figures leave out people with fewer items than are known; here they are targets, of whom all items are known. Two "deciles" tell them apart.
            let enough: Vec<u8> = matrix_people(&matrix).map(|subject| u8::from(matrix.items_of(subject).len() >= known)).collect();
            let split = attack.clone().with_deciles(&enough).unwrap().run(known, &options(2000)).unwrap().deciles[1];
            assert!((split.rate * 100.0 - expected).abs() < 2.0, "support {least}, {known} known: {} instead of {expected}", split.rate);
            let result = attack.run(known, &options(2000)).unwrap();
            assert!(result.rate <= split.rate + 0.005);
            assert!(result.rate >= before && result.rate <= result.upper && result.upper <= result.gate_value + 1e-12);
            before = result.rate;
            if known == 1 {
                assert!(result.exact);
                assert!(result.deciles.iter().all(|decile| (decile.rate - decile.upper).abs() < 1e-15));
            }
        }
    }
    // The rarest tenth is far worse off than the most ordinary one.
    let result = run(&kept(20), 3, &options(2000));
    assert!(result.deciles[9].rate > result.deciles[0].rate + 0.2, "{:?}", result.deciles);
}

/// A sample of the trials agrees with attacking everybody, within its own bound.
#[test]
fn a_sample_agrees_with_attacking_everybody() {
    let Some((chunks, users, artists)) = hetrec("a_sample_agrees_with_attacking_everybody") else { return };
    let matrix = SubjectItems::build(&chunks, users, artists, 1 << 20).unwrap();
    let everybody = run(&matrix, 2, &options(20_000));
    let sample = run(&matrix, 2, &options(500));
    assert_eq!((sample.trials, everybody.trials), (500, 1892 * 11));
    assert!(sample.deciles.iter().all(|decile| decile.trials == 50));
    // Standard error of 500 attempts: 2.2 points.
    assert!((sample.rate - everybody.rate).abs() < 0.09, "{} {}", sample.rate, everybody.rate);
    assert!(sample.upper > sample.rate && sample.upper < sample.rate + 0.06);
}

fn distinct(lists: &[Vec<u32>]) -> Vec<BTreeSet<u32>> {
    lists.iter().map(|list| list.iter().copied().collect()).collect()
}

/// Everybody and every knowledge set, straight from the definition. Rows instead of people if `broken`.
fn brute_force(lists: &[Vec<u32>], known: usize, broken: bool) -> f64 {
    let sets = distinct(lists);
    let people: Vec<&BTreeSet<u32>> = sets.iter().filter(|set| !set.is_empty()).collect();
    let mut sum = 0.0;
    for own in &people {
        let items: Vec<u32> = own.iter().copied().collect();
        let knowledge: Vec<Vec<u32>> = (0_u32..1 << items.len())
            .filter(|mask| mask.count_ones() as usize == known.min(items.len()))
            .map(|mask| (0..items.len()).filter(|i| mask >> i & 1 == 1).map(|i| items[i]).collect())
            .collect();
        let hits = knowledge.iter().filter(|knowledge| {
            let matches = if broken {
                // Counts rows of the first known item.
                lists.iter().map(|list| list.iter().filter(|item| **item == knowledge[0]).count()).sum::<usize>()
            } else {
                people.iter().filter(|other| knowledge.iter().all(|item| other.contains(item))).count()
            };
            matches == 1
        });
        sum += hits.count() as f64 / knowledge.len() as f64;
    }
    if people.is_empty() { 0.0 } else { sum / people.len() as f64 }
}

fn run_units(matrix: &SubjectItems, owners: &[u32], known: usize, options: &AttackOptions) -> AttackResult {
    let units = ids(matrix_people(matrix));
    let items = ids((0..).take(matrix.items()));
    KnownItems::of_units(matrix, &units, &items, owners).unwrap().run(known, options).unwrap()
}

/// Every person, each of their units, every knowledge set: a hit if no unit of somebody else has all that is known.
fn brute_force_units(lists: &[Vec<u32>], owners: &[u32], known: usize) -> f64 {
    let sets = distinct(lists);
    let mut of_people: HashMap<u32, Vec<f64>> = HashMap::new();
    for (own, &owner) in sets.iter().zip(owners).filter(|(own, _)| !own.is_empty()) {
        let items: Vec<u32> = own.iter().copied().collect();
        let (mut hits, mut tried) = (0.0, 0.0);
        for mask in (0_u32..1 << items.len()).filter(|mask| mask.count_ones() as usize == known.min(items.len())) {
            let knowledge: Vec<u32> = (0..items.len()).filter(|i| mask >> i & 1 == 1).map(|i| items[i]).collect();
            let others = sets.iter().zip(owners).any(|(set, &other)| other != owner && knowledge.iter().all(|item| set.contains(item)));
            tried += 1.0;
            hits += if others { 0.0 } else { 1.0 };
        }
        of_people.entry(owner).or_default().push(hits / tried);
    }
    if of_people.is_empty() {
        return 0.0;
    }
    of_people.values().map(|shares| shares.iter().sum::<f64>() / shares.len() as f64).sum::<f64>() / of_people.len() as f64
}

#[test]
fn a_person_with_a_thousand_units_is_one_person() {
    // One person has a thousand sessions with an item that nobody else has; ninety-nine people have one session with the common item.
    let mut lists = vec![vec![0, 1]; 1000];
    lists.extend(vec![vec![0]; 99]);
    let owners: Vec<u32> = vec![0; 1000].into_iter().chain(1..100).collect();
    let matrix = SubjectItems::from_lists(&lists, 2).unwrap();
    let result = run_units(&matrix, &owners, 1, &options(100));
    assert_eq!((result.people, result.rate.to_bits()), (100, 0.005_f64.to_bits()), "item 1, half of what is known of one in a hundred");
    assert!((result.baseline - 0.01).abs() < 1e-15);
    assert!((run_units(&matrix, &owners, 2, &options(100)).rate - 0.01).abs() < 1e-9);
    // Broken: every session a person. The thousand hide each other, and nobody seems to be singled out.
    let broken = run(&matrix, 2, &options(5000));
    assert_eq!((broken.people, broken.rate.to_bits()), (1099, 0.0_f64.to_bits()));
}

#[test]
fn owners_that_do_not_fit_are_refused() {
    let matrix = SubjectItems::from_lists(&[vec![0], vec![0]], 1).unwrap();
    for owners in [vec![0], vec![0, 1, 1], vec![0, 2], vec![0, u32::MAX]] {
        assert!(KnownItems::of_units(&matrix, &[1, 2], &[3], &owners).is_err(), "{owners:?}");
    }
    assert!(KnownItems::of_units(&matrix, &[1], &[3], &[0, 0]).is_err());
    // Ten deciles for owners, not for units.
    let attack = KnownItems::of_units(&matrix, &[1, 2], &[3], &[0, 0]).unwrap();
    assert!(attack.clone().with_deciles(&[0, 1]).is_err() && attack.with_deciles(&[3]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn small_matrices_equal_brute_force(lists in proptest::collection::vec(proptest::collection::vec(0_u32..7, 0..7), 0..12), known in 1_usize..5) {
        let matrix = SubjectItems::from_lists(&lists, 7).unwrap();
        let result = run(&matrix, known, &options(100));
        prop_assert!(result.exact);
        prop_assert!((result.rate - brute_force(&lists, known, false)).abs() < 1e-9);
        prop_assert!((result.upper - result.rate).abs() < 1e-15);
        prop_assert_eq!(result.people, lists.iter().filter(|list| !list.is_empty()).count() as u64);
    }

    /// Units with owners equal the definition; an attack that took every unit for a person would not.
    #[test]
    fn units_with_owners_equal_brute_force(
        units in proptest::collection::vec((proptest::collection::vec(0_u32..6, 0..6), 0_u32..4), 4..12),
        known in 1_usize..5,
    ) {
        let (lists, owners): (Vec<Vec<u32>>, Vec<u32>) = units.into_iter().unzip();
        let matrix = SubjectItems::from_lists(&lists, 6).unwrap();
        let result = run_units(&matrix, &owners, known, &options(100));
        prop_assert!(result.exact);
        prop_assert!((result.rate - brute_force_units(&lists, &owners, known)).abs() < 1e-9);
        let people: BTreeSet<u32> = lists.iter().zip(&owners).filter(|(list, _)| !list.is_empty()).map(|(_, owner)| *owner).collect();
        prop_assert_eq!(result.people, people.len() as u64);
        prop_assert_eq!(result.deciles.iter().map(|decile| decile.people).sum::<u64>(), people.len() as u64);
        if let Some(sets) = result.match_sets {
            prop_assert!(sets.maximum <= people.len() as u64);
        }
    }

    /// With one unit each the attack is the one on people, figure by figure, exact or sampled.
    #[test]
    fn one_unit_each_is_the_attack_on_people(
        lists in proptest::collection::vec(proptest::collection::vec(0_u32..30, 0..20), 2..30),
        known in 1_usize..6,
        trials in 1_u64..60,
    ) {
        let matrix = SubjectItems::from_lists(&lists, 30).unwrap();
        let owners: Vec<u32> = (0..).take(lists.len()).collect();
        let (units, people) = (run_units(&matrix, &owners, known, &options(trials)), run(&matrix, known, &options(trials)));
        prop_assert_eq!((units.rate.to_bits(), units.match_sets, units.exact), (people.rate.to_bits(), people.match_sets, people.exact));
        if units.exact {
            prop_assert_eq!(units.people, people.people);
        }
    }

    /// Renumbering units, owners and items changes nothing: exact or sampled.
    #[test]
    fn results_of_units_do_not_depend_on_codes(
        units in proptest::collection::vec((proptest::collection::vec(0_u32..60, 1..30), 0_u32..9), 9..40),
        known in 1_usize..6,
        trials in 1_u64..60,
    ) {
        let (lists, owners): (Vec<Vec<u32>>, Vec<u32>) = units.into_iter().unzip();
        let matrix = SubjectItems::from_lists(&lists, 60).unwrap();
        let items = ids(0..60);
        // A unit is named by what it has.
        let name = |list: &Vec<u32>, items: &[u64], mirror: bool| {
            let own: BTreeSet<u32> = list.iter().map(|&item| if mirror { 59 - item } else { item }).collect();
            own.into_iter().fold(0_u64, |sum, item| sum.wrapping_add(items[item as usize]))
        };
        let names: Vec<u64> = lists.iter().map(|list| name(list, &items, false)).collect();
        let options = options(trials);
        let result = KnownItems::of_units(&matrix, &names, &items, &owners).unwrap().run(known, &options).unwrap();

        let mirrored: Vec<Vec<u32>> = lists.iter().rev().map(|list| list.iter().map(|item| 59 - item).collect()).collect();
        let other_owners: Vec<u32> = owners.iter().rev().map(|owner| 8 - owner).collect();
        let other_items: Vec<u64> = items.iter().rev().copied().collect();
        let other_names: Vec<u64> = mirrored.iter().map(|list| name(list, &other_items, false)).collect();
        let other = SubjectItems::from_lists(&mirrored, 60).unwrap();
        let again = KnownItems::of_units(&other, &other_names, &other_items, &other_owners).unwrap().run(known, &options).unwrap();
        prop_assert_eq!(again, result);
    }

    /// Renumbering people and items, and reordering rows, changes nothing: exact or sampled.
    #[test]
    fn results_do_not_depend_on_codes(lists in proptest::collection::vec(proptest::collection::vec(0_u32..60, 1..40), 2..40), known in 1_usize..6, trials in 1_u64..60) {
        let matrix = SubjectItems::from_lists(&lists, 60).unwrap();
        let mirrored: Vec<Vec<u32>> = lists.iter().rev().map(|list| list.iter().rev().map(|item| 59 - item).collect()).collect();
        let other = SubjectItems::from_lists(&mirrored, 60).unwrap();
        let count = u32::try_from(lists.len()).unwrap();
        let options = options(trials);
        let result = run(&matrix, known, &options);
        let (people, items) = (ids((0..count).rev()), ids((0..60).rev()));
        prop_assert_eq!(KnownItems::new(&other, &people, &items).unwrap().run(known, &options).unwrap(), result);
    }
}

#[test]
fn rows_counted_instead_of_people_are_caught() {
    // Item 0 is one person's, in two rows: that person is singled out all the same.
    let lists = vec![vec![0, 0], vec![1], vec![1]];
    let matrix = SubjectItems::from_lists(&lists, 2).unwrap();
    let rate = run(&matrix, 1, &options(100)).rate;
    assert!((rate - brute_force(&lists, 1, false)).abs() < 1e-9);
    assert!((rate - brute_force(&lists, 1, true)).abs() > 0.3);
}

#[test]
fn extremes() {
    let same = SubjectItems::from_lists(&vec![(0..30).collect::<Vec<u32>>(); 50], 30).unwrap();
    let result = run(&same, 8, &options(100));
    assert_eq!((result.successes, result.rate, result.exact), (0, 0.0, false));
    assert!(result.upper > 0.0 && result.upper < 0.04 && result.gate_value > result.upper);
    assert_eq!(result.match_sets.unwrap().minimum, 50);
    let mean = AttackOptions { on: GateOn::Mean, ..options(100) };
    assert!((run(&same, 8, &mean).gate_value - result.upper).abs() < 1e-15);

    let different: Vec<Vec<u32>> = (0..50).map(|person| vec![person]).collect();
    let result = run(&SubjectItems::from_lists(&different, 50).unwrap(), 4, &options(10));
    assert_eq!((result.rate, result.upper, result.gate_value, result.exact), (1.0, 1.0, 1.0, true));
    assert!((result.excess - 1.0).abs() < 1e-12 && (result.baseline - 0.02).abs() < 1e-15);

    let one = run(&SubjectItems::from_lists(&[vec![3, 1]], 4).unwrap(), 2, &options(10));
    assert_eq!((one.people, one.rate, one.baseline, one.excess, one.gate_value), (1, 1.0, 1.0, 0.0, 1.0));

    let nobody = run(&SubjectItems::from_lists(&[vec![], vec![]], 4).unwrap(), 2, &options(10));
    assert_eq!((nobody.people, nobody.trials, nobody.rate, nobody.gate_value, nobody.deciles.len()), (0, 0, 0.0, 0.0, 10));
    let matrix = SubjectItems::from_lists(&[vec![0]], 1).unwrap();
    assert!(KnownItems::new(&matrix, &[], &[0]).is_err());
    assert!(KnownItems::new(&matrix, &[1], &[0]).unwrap().run(0, &options(10)).is_err());
    assert!(KnownItems::new(&matrix, &[1], &[0]).unwrap().run(1, &options(0)).is_err());
    assert!(KnownItems::new(&matrix, &[1], &[0]).unwrap().with_deciles(&[10]).is_err());
}

/// Small pools are attacked several times a person, so that their tenths have bounds at all.
#[test]
fn small_pools_have_meaningful_bounds() {
    let same = SubjectItems::from_lists(&vec![(0..60).collect::<Vec<u32>>(); 100], 60).unwrap();
    let result = run(&same, 4, &options(2000));
    assert_eq!((result.trials, result.exact), (2000, false));
    assert!(result.gate_value < 0.02, "{}", result.gate_value);
}

#[test]
fn reports_have_the_contracts_names() {
    let matrix = SubjectItems::from_lists(&[vec![0, 1], vec![1]], 2).unwrap();
    let json = serde_json::to_value(run(&matrix, 1, &options(10)).with_original_rate(0.89)).unwrap();
    for name in ["name", "known", "trials", "successes", "rate", "upper", "baseline", "excess", "original_rate", "deciles", "gate_value"] {
        assert!(json.get(name).is_some(), "{name}");
    }
    assert_eq!(json["name"], "known-items");
    for name in ["rate", "upper", "baseline"] {
        assert!(json["deciles"][0].get(name).is_some(), "{name}");
    }
    let back: AttackResult = serde_json::from_value(json).unwrap();
    assert_eq!(back.original_rate, Some(0.89));
}

// Known values

type Row = (u32, [u32; 4]);
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn table(rows: &[Row], size: usize) -> Vec<(Vec<u32>, Vec<Vec<u32>>)> {
    rows.chunks(size.max(1))
        .map(|chunk| (chunk.iter().map(|row| row.0).collect(), (0..4).map(|c| chunk.iter().map(|row| row.1[c]).collect()).collect()))
        .collect()
}

/// Rates of all combinations of up to three of four columns, from the definition: mean over people of the share of their rows that only they have.
fn known_values_oracle(rows: &[Row]) -> HashMap<Vec<String>, f64> {
    let people: BTreeSet<u32> = rows.iter().map(|row| row.0).filter(|&subject| subject != NULL_CODE).collect();
    let mut rates = HashMap::new();
    for mask in (1_u32..16).filter(|mask| mask.count_ones() <= 3) {
        let columns: Vec<usize> = (0..4).filter(|c| mask >> c & 1 == 1).collect();
        let key = |row: &Row| columns.iter().map(|&c| row.1[c]).collect::<Vec<_>>();
        let mut sum = 0.0;
        for &person in &people {
            let own: Vec<&Row> = rows.iter().filter(|row| row.0 == person).collect();
            let unique = own.iter().filter(|row| {
                let owners: HashSet<u32> =
                    rows.iter().filter(|other| other.0 != NULL_CODE && key(other) == key(row)).map(|other| other.0).collect();
                owners.len() == 1
            });
            sum += unique.count() as f64 / own.len() as f64;
        }
        let names = columns.iter().map(|&c| NAMES[c].to_owned()).collect();
        rates.insert(names, if people.is_empty() { 0.0 } else { sum / people.len() as f64 });
    }
    rates
}

proptest! {
    #[test]
    fn known_values_equal_brute_force(
        rows in proptest::collection::vec((prop_oneof![9 => 0_u32..8, 1 => Just(NULL_CODE)], proptest::array::uniform4(prop_oneof![4 => 0_u32..4, 1 => Just(NULL_CODE)])), 0..40),
        size in 1_usize..50, memory in prop_oneof![Just(0_usize), Just(1 << 20)],
    ) {
        let data = table(&rows, size);
        let people = ids(0..8);
        let attack = KnownValues::new(&data, NAMES, 8, &people).unwrap().with_memory(memory);
        let result = attack.run(&options(100)).unwrap();
        let expected = known_values_oracle(&rows);
        prop_assert!(result.exact);
        prop_assert_eq!(result.combinations.len(), 14);
        prop_assert_eq!(result.combinations_possible, Some(14));
        for combination in &result.combinations {
            prop_assert!((combination.rate - expected[&combination.columns]).abs() < 1e-9, "{:?}", combination);
        }
        let worst = result.combinations.iter().map(|combination| combination.gate_value).fold(0.0, f64::max);
        prop_assert!((result.gate_value - worst).abs() < 1e-15);
        let mut reversed = rows;
        reversed.reverse();
        prop_assert_eq!(KnownValues::new(&table(&reversed, 3), NAMES, 8, &people).unwrap().run(&options(100)).unwrap(), result);
    }
}

#[test]
fn one_row_a_person_gives_the_share_of_unique_people() {
    let rows: Vec<Row> = vec![(0, [0, 0, 0, 0]), (1, [0, 0, 0, 0]), (2, [0, 1, 0, 0]), (3, [1, 1, 0, 0])];
    let result = KnownValues::new(&table(&rows, 2), NAMES, 4, &ids(0..4)).unwrap().run(&options(1)).unwrap();
    assert_eq!((result.trials, result.successes, result.exact), (4, 2, true));
    assert_eq!(result.columns, ["a", "b"]);
    // The same person twice is still one person: counting rows would find nobody unique.
    let twice: Vec<Row> = rows.iter().chain(&rows).copied().collect();
    let again = KnownValues::new(&table(&twice, 3), NAMES, 4, &ids(0..4)).unwrap().run(&options(1)).unwrap();
    assert!((again.rate - result.rate).abs() < 1e-12);
}

/// A log too long to attack everybody: the sample agrees with the truth, and does not depend on how its rows are held.
#[test]
fn long_logs_are_sampled() {
    // 3,000 people with 14 rows each. Of every third person every other row has a value that is theirs alone.
    let (people, per_person) = (3000_u32, 14_u32);
    let mut chunks = Vec::new();
    for person in 0..people {
        let values = (0..per_person).map(|row| if row % 2 == 0 && person % 3 == 0 { 1000 + person } else { row % 7 }).collect();
        chunks.push((vec![person; per_person as usize], vec![values]));
    }
    let identities = ids(0..people);
    let attack = KnownValues::new(&chunks, ["value"], people as usize, &identities).unwrap();
    let truth = attack.run(&options(1000)).unwrap();
    assert!(truth.exact && (truth.rate - 1.0 / 6.0).abs() < 1e-9);
    let attack = attack.with_exact_rows(1000);
    let result = attack.clone().run(&options(1000)).unwrap();
    assert_eq!((result.trials, result.exact), (1000, false));
    // Standard error of 1,000 attempts: 1.2 points.
    assert!((result.rate - truth.rate).abs() < 0.05 && result.upper > result.rate, "{}", result.rate);
    assert_eq!(attack.with_memory(1 << 14).run(&options(1000)).unwrap(), result);
}

#[test]
fn no_columns_and_no_rows() {
    let empty: Vec<(Vec<u32>, Vec<Vec<u32>>)> = Vec::new();
    let result = KnownValues::new(&empty, NAMES, 0, &[]).unwrap().run(&options(10)).unwrap();
    assert_eq!((result.people, result.rate, result.gate_value), (0, 0.0, 0.0));
    let rows = (&[0_u32, 1][..], &[][..]);
    let result = KnownValues::new(&rows, Vec::<String>::new(), 2, &[1, 2]).unwrap().run(&options(10)).unwrap();
    assert_eq!((result.people, result.rate, result.combinations_possible), (2, 0.0, Some(0)));
    let beyond = (&[5_u32][..], &[&[0_u32][..]][..]);
    assert!(KnownValues::new(&beyond, ["a"], 2, &[1, 2]).unwrap().run(&options(10)).is_err());
    assert!(KnownValues::new(&beyond, ["a", "b"], 2, &[1, 2]).unwrap().run(&options(10)).is_err());
    assert!(KnownValues::new(&beyond, ["a"], 2, &[1]).is_err());
    let many: Vec<String> = (0..9).map(|c| format!("c{c}")).collect();
    let columns: Vec<&[u32]> = vec![&[0, 1]; 9];
    let rows = (&[0_u32, 1][..], columns.as_slice());
    let result = KnownValues::new(&rows, many, 2, &[1, 2]).unwrap().with_triples(4).run(&options(10)).unwrap();
    assert_eq!((result.combinations.len(), result.combinations_possible), (9 + 36 + 4, Some(9 + 36 + 84)));
}
