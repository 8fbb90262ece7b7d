//! Cohorts and fragments: an adversary reads the files, counts again, and compares with the pool.

use super::bytes::{contains, decoded};
use super::support::{
    Draws, Row, Run, Written, batch, figures, files, guarantee, key, maybe_texts, policy, texts, times, write_csv, write_parquet,
};
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use backmask::Error;
use backmask::io::SinkFormat;
use backmask::keys::Key;
use backmask::policy::Policy;
use backmask::release::report::Verified;
use backmask::release::{Anonymizer, Outcome, assess, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A records product beside them, so that ids and tokens could be compared.
pub(super) const POLICY: &str = "
    version = 1
    name = 'histories'
    purpose = 'tests'
    [subject]
    column = 'subject_id'
    [events.columns]
    track_id = { role = 'item' }
    track_name = { role = 'item', treatment = 'drop' }
    artist_name = { role = 'other', treatment = 'drop' }
    started_at = { role = 'time', treatment = 'drop' }
    [profiles.columns]
    country = { role = 'quasi-identifier' }
    [[products]]
    name = 'tastes'
    kind = 'cohorts'
    k = 12
    min_members = 3
    max_share = 0.7
    items = { canonical = 'name' }
    attributes = ['country']
    [[products]]
    name = 'pieces'
    kind = 'fragments'
    k = 12
    max_items = 4
    items = { canonical = 'name' }
    [[products]]
    name = 'counted'
    kind = 'fragments'
    k = 12
    max_items = 4
    max_items_per_subject = 6
    support = 'pool'
    [[products]]
    name = 'sequences'
    kind = 'fragments'
    k = 12
    max_items = 3
    order = 'kept'
    items = { canonical = 'name' }
    [[products]]
    name = 'sittings'
    kind = 'fragments'
    k = 12
    max_items = 3
    order = 'kept'
    sessions = { gap_minutes = 25 }
    items = { canonical = 'name' }
    [[products]]
    name = 'log'
    kind = 'records'
    item_support = { min_subjects = 12, otherwise = 'suppress' }
    accept_risk = 'enclave'
    [gate]
    trials = 100
    known_items = [1, 2]
";

const PRODUCTS: [&str; 5] = ["tastes", "pieces", "counted", "sequences", "sittings"];
const PEOPLE: usize = 160;

/// The people: four tastes of ten recordings, heard in the order of their numbers, some of another taste, and one recording that nobody else has. Recording 0 of each taste has two codes.
pub(super) fn pool() -> (RecordBatch, RecordBatch) {
    let mut draws = Draws(5);
    let (mut people, mut names): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut codes, mut at): (Vec<Option<String>>, Vec<Option<i64>>) = (Vec::new(), Vec::new());
    for person in 0..PEOPLE {
        let mut heard: Vec<usize> = (0..10).filter(|_| draws.below(10) < 7).map(|item| person % 4 * 10 + item).collect();
        heard.extend((0..3).map(|_| draws.below(40)));
        for (place, item) in heard.into_iter().enumerate() {
            // Two codes of one recording, whose name is written in two ways.
            let other = item % 10 == 0 && draws.below(3) == 0;
            for again in 0..=draws.below(2) {
                people.push(format!("person-{person}"));
                codes.push(Some(if other { format!("uri:{item}:reissue") } else { format!("uri:{item}") }));
                names.push(if other { format!("SONG Nº {item}") } else { format!("Song nº {item}") });
                at.push(Some(i64::try_from(place * 10 + again).expect("small") * 60_000));
            }
        }
        people.push(format!("person-{person}"));
        codes.push(Some(format!("uri:only-{person}")));
        names.push(format!("Solitude {person}"));
        at.push(None);
        if person % 5 == 0 {
            people.push(format!("person-{person}"));
            codes.push(if person % 2 == 0 { None } else { Some(String::new()) });
            names.push("A song without a code".to_owned());
            at.push(None);
        }
    }
    let artists = vec!["Somebody"; people.len()];
    let events = batch([
        ("subject_id", texts(people.iter().map(String::as_str))),
        ("track_id", maybe_texts(codes.iter().map(Option::as_deref))),
        ("track_name", texts(names.iter().map(String::as_str))),
        ("artist_name", texts(artists)),
        ("started_at", times(at)),
    ]);
    let ids: Vec<String> = (0..PEOPLE).map(|person| format!("person-{person}")).collect();
    let profiles = batch([
        ("subject_id", texts(ids.iter().map(String::as_str))),
        ("country", texts((0..PEOPLE).map(|person| ["DE", "FR", "IT"][person % 4 % 3]))),
    ]);
    (events, profiles)
}

fn publish(run: &Run, policy: Policy, pool: &(RecordBatch, RecordBatch), format: SinkFormat) -> Result<Outcome, Error> {
    write_parquet(&run.path("events.parquet"), &pool.0);
    write_parquet(&run.path("profiles.parquet"), &pool.1);
    let made = Anonymizer::new(policy).input([run.path("events.parquet")]).profiles([run.path("profiles.parquet")]);
    made.output(run.out()).key(key()).threads(2).format(format).run()
}

pub(super) fn published(format: SinkFormat) -> (Run, Outcome) {
    let run = Run::new();
    let outcome = publish(&run, policy(POLICY), &pool(), format).unwrap_or_else(|error| panic!("{error}"));
    (run, outcome)
}

fn text(row: &Row, at: usize) -> String {
    row[at].clone().expect("no field is empty")
}

/// What everybody listens to, by the name of the recording: the people of each item, from the raw table.
fn listeners(events: &RecordBatch) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in super::support::rows_of(events) {
        if row[1].as_ref().is_some_and(|code| !code.is_empty()) {
            let recording = text(&row, 2).to_lowercase();
            found.entry(recording).or_default().insert(text(&row, 0));
        }
    }
    found
}

/// `uri:3:reissue` and `uri:3` are song nº 3.
fn recording(item: &str) -> String {
    let number = item.trim_start_matches("uri:").trim_end_matches(":reissue");
    format!("song nº {number}")
}

fn fragments(written: &Written) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    let (id, item) = (written.index("fragment_id"), written.index("item"));
    let position = written.columns.iter().position(|column| column == "position");
    for row in &written.rows {
        let place = position.map_or(0, |position| text(row, position).parse().expect("a number"));
        found.entry(text(row, id)).or_default().push((place, text(row, item)));
    }
    let mut all = BTreeMap::new();
    for (id, mut items) in found {
        items.sort();
        all.insert(id, items.into_iter().map(|(_, item)| item).collect());
    }
    all
}

#[test]
fn cohorts_hide_everybody_among_k() {
    for format in [SinkFormat::Parquet, SinkFormat::IpcFile, SinkFormat::Csv] {
        let (_run, outcome) = published(format);
        let written = Written::of(&outcome, "tastes");
        assert_eq!(written.columns, ["cohort_id", "size", "item", "members", "country", "country_members"]);
        let listeners = listeners(&pool().0);
        let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
        let mut cells = BTreeSet::new();
        let mut attributes: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
        for row in &written.rows {
            let (size, members): (u64, u64) = (text(row, 1).parse().expect("a number"), text(row, 3).parse().expect("a number"));
            assert!(size >= 12 && (3..=size * 7 / 10).contains(&members), "{row:?}");
            assert_eq!(*sizes.entry(text(row, 0)).or_insert(size), size);
            assert!(cells.insert((text(row, 0), text(row, 2))), "an item twice");
            assert!(listeners[&recording(&text(row, 2))].len() as u64 >= members);
            let attribute = (row[4].clone(), row[5].clone());
            assert_eq!(*attributes.entry(text(row, 0)).or_insert(attribute.clone()), attribute);
            if let Some(members) = &row[5] {
                let members: u64 = members.parse().expect("a number");
                assert!((3..=size * 7 / 10).contains(&members));
            }
        }
        assert!(attributes.values().any(|(value, _)| value.is_some()));
        let product = outcome.product("tastes").expect("the product");
        assert_eq!(product.subjects, Some(sizes.values().sum()));
        assert_eq!(sizes.values().sum::<u64>(), PEOPLE as u64, "every cohort shows something here");
        let found = |model: &str| guarantee(product, model).achieved.expect("counted");
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let smallest = *sizes.values().min().expect("cohorts") as f64;
        assert!((found("cohort-size") - smallest).abs() < 1e-9);
        assert!(found("cell-support") >= 3.0 && found("share-cap") <= 0.7);
        assert!(product.guarantees.iter().all(|guarantee| guarantee.holds && guarantee.verified == Verified::Release));
    }
}

/// Everybody is of one country: to show it for a cohort says it of every member.
#[test]
fn a_sensitive_attribute_is_shown_of_diverse_cohorts_only() {
    let (events, profiles) = pool();
    let ids = arrow::array::Array::slice(profiles.column(0).as_ref(), 0, profiles.num_rows());
    let alike = batch([("subject_id", ids), ("country", texts(vec!["DE"; profiles.num_rows()]))]);
    let shown = |role: &str, more: &str, profiles: &RecordBatch| {
        let text = POLICY
            .replace("country = { role = 'quasi-identifier' }", &format!("country = {{ role = '{role}' }}"))
            .replace("attributes = ['country']", &format!("attributes = ['country']\n{more}"));
        let run = Run::new();
        let outcome = publish(&run, policy(&text), &(events.clone(), profiles.clone()), SinkFormat::Parquet).expect("published");
        Written::of(&outcome, "tastes").rows.iter().filter(|row| row[4].is_some()).count()
    };
    assert!(shown("quasi-identifier", "", &alike) > 0);
    assert_eq!(shown("sensitive", "", &alike), 0);
    let mixed = batch([
        ("subject_id", arrow::array::Array::slice(profiles.column(0).as_ref(), 0, profiles.num_rows())),
        ("country", texts((0..PEOPLE).map(|person| ["DE", "FR"][person / 4 % 2]))),
    ]);
    let default = shown("sensitive", "", &mixed);
    assert!(default > 0);
    assert_eq!(shown("sensitive", "sensitive = { l = 2 }", &mixed), default);
    // There are no three countries; and nothing is exactly as in the pool.
    assert_eq!(shown("sensitive", "sensitive = { l = 3 }", &mixed), 0);
    assert!(shown("sensitive", "sensitive = { l = 2, t = 0.0 }", &mixed) < default);
}

#[test]
fn every_combination_in_a_fragment_belongs_to_k_people() {
    for format in [SinkFormat::Parquet, SinkFormat::IpcFile, SinkFormat::Csv] {
        let (_run, outcome) = published(format);
        let listeners = listeners(&pool().0);
        for (name, most) in [("pieces", 4), ("sequences", 3)] {
            let written = Written::of(&outcome, name);
            let fragments = fragments(&written);
            assert!(fragments.values().all(|items| items.len() <= most));
            let mut combinations: BTreeMap<Vec<&String>, u64> = BTreeMap::new();
            for items in fragments.values() {
                assert_eq!(items.iter().collect::<BTreeSet<_>>().len(), items.len(), "an item twice");
                for (place, first) in items.iter().enumerate() {
                    *combinations.entry(vec![first]).or_default() += 1;
                    for second in &items[place + 1..] {
                        *combinations.entry(vec![first, second]).or_default() += 1;
                    }
                }
            }
            let rarest = combinations.values().min().copied().expect("fragments");
            assert!(rarest >= 12, "{name}: {rarest}");
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let rarest = rarest as f64;
            let product = outcome.product(name).expect("the product");
            assert_eq!(guarantee(product, "k^m-anonymity").achieved, Some(rarest));
            // Recordings are counted by name: every fragment with one belongs to another person who has it.
            for (items, &shown) in combinations.iter().filter(|(items, _)| items.len() == 1) {
                assert!(listeners[&recording(items[0])].len() as u64 >= shown, "{items:?}");
            }
            assert!(product.guarantees.iter().all(|guarantee| guarantee.holds && guarantee.verified == Verified::Release));
        }
        // Counted in the pool.
        let product = outcome.product("counted").expect("the product");
        let promise = guarantee(product, "k^m-anonymity");
        assert!(promise.holds && promise.verified == Verified::ReleaseAndPool && promise.achieved >= Some(12.0));
        let recipient = outcome.report.for_recipient();
        let product = recipient.products.iter().find(|product| product.name == "counted").expect("the product");
        assert_eq!((guarantee(product, "k^m-anonymity").achieved, guarantee(product, "k^m-anonymity").stated_as_bound), (Some(12.0), true));
        assert!(recipient.statements.iter().any(|sentence| sentence.contains("on average over the guesses")), "{:?}", recipient.statements);
        assert!(recipient.products.iter().all(|product| product.losses.is_none()), "the losses are the steward's");
    }
}

/// A person has bought every recording of the pool; the order of the pieces is that of listening.
#[test]
fn sequences_follow_the_order_of_listening() {
    let (_run, outcome) = published(SinkFormat::Parquet);
    // People hear the recordings of their taste in the order of their numbers, so pairs of one taste stand in that order far more often than not.
    let (mut rising, mut all) = (0, 0);
    for items in fragments(&Written::of(&outcome, "sequences")).values() {
        let numbers: Vec<u64> = items.iter().map(|item| item.split(':').nth(1).expect("a number").parse().expect("a number")).collect();
        for pair in numbers.windows(2).filter(|pair| pair[0] / 10 == pair[1] / 10) {
            rising += u64::from(pair[0] < pair[1]);
            all += 1;
        }
    }
    assert!(rising * 10 >= all * 9, "{rising} of {all}");
}

/// Sessions of the raw table, by the number of the recording: what a piece of one must be a part of.
/// Many items of a person have the same day, or no time at all: they are cut and counted in one order.
#[test]
fn items_of_one_time_are_counted_in_the_order_in_which_they_are_released() {
    let (events, profiles) = pool();
    let days: Vec<Option<i64>> =
        (0..events.num_rows()).map(|row| (row % 3 > 0).then_some(i64::try_from(row % 2).expect("small"))).collect();
    let mut columns = events.columns().to_vec();
    columns[4] = times(days);
    let events = RecordBatch::try_new(events.schema(), columns).expect("one table");
    for support in ["pool", "released"] {
        for m in [2, 3] {
            let text = POLICY.replace("name = 'counted'", &format!("name = 'counted'\n    order = 'kept'\n    m = {m}"));
            let text = text.replace("support = 'pool'", &format!("support = '{support}'\n    accept_risk = 'tests'"));
            let run = Run::new();
            let outcome = publish(&run, policy(&text), &(events.clone(), profiles.clone()), SinkFormat::Parquet);
            let outcome = outcome.unwrap_or_else(|error| panic!("{support}, m = {m}: {error}"));
            let product = outcome.product("counted").expect("the product");
            assert!(guarantee(product, "k^m-anonymity").holds && product.rows > 0, "{support}, m = {m}");
        }
    }
}

#[test]
fn sittings_are_pieces_of_sessions_that_k_people_share() {
    let (_run, outcome) = published(SinkFormat::Parquet);
    let mut plays: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in super::support::rows_of(&pool().0) {
        if let (Some(code), Some(at)) = (&row[1], &row[4]) {
            plays.entry(text(&row, 0)).or_default().push((at.clone(), recording(code)));
        }
    }
    let product = outcome.product("sittings").expect("the product");
    let promise = guarantee(product, "k^m-anonymity");
    assert!(promise.holds && promise.verified == Verified::ReleaseAndPool);
    // Every pair that follows each other in a piece follows each other, perhaps with others between, in the plays of k people at least.
    let mut pairs: BTreeSet<(String, String)> = BTreeSet::new();
    let pieces = fragments(&Written::of(&outcome, "sittings"));
    assert!(pieces.values().any(|items| items.len() == 3), "nothing is cut together");
    for items in pieces.values() {
        assert!(items.len() <= 3);
        for (place, first) in items.iter().enumerate() {
            pairs.extend(items[place + 1..].iter().map(|second| (recording(first), recording(second))));
        }
    }
    for (first, second) in &pairs {
        let have = plays
            .values()
            .filter(|plays| plays.iter().any(|one| one.1 == *first && plays.iter().any(|other| other.1 == *second && one.0 <= other.0)));
        let have = have.count();
        assert!(have >= 12, "{first}, {second}: {have}");
    }
}

#[test]
fn what_was_lost_is_told_to_the_steward() {
    let (_run, outcome) = published(SinkFormat::Parquet);
    for name in PRODUCTS {
        let losses = outcome.product(name).expect("the product").losses.clone().expect("losses");
        let of = |words: &str| losses.reasons.iter().find(|loss| loss.reason.contains(words)).map(|loss| loss.count);
        assert_eq!(of("name no item"), Some(PEOPLE as u64 / 5), "{name}: {:?}", losses.reasons);
        assert_eq!(of("the same"), (name != "counted").then_some(4), "{name}");
        let pairs: u64 = losses.popularity.iter().map(|tenth| tenth.rows).sum();
        let kept: u64 = losses.popularity.iter().map(|tenth| tenth.kept).sum();
        let rarest = losses.popularity[0];
        assert!(kept > 0 && kept < pairs && rarest.kept < rarest.rows, "{name}: nobody else has the rarest");
        if name != "tastes" && name != "sittings" {
            assert_eq!(outcome.product(name).expect("the product").rows, kept, "{name}");
        }
    }
    // Six items of a person at most.
    let counted = outcome.product("counted").expect("the product");
    assert!(counted.rows <= 6 * PEOPLE as u64);
}

#[test]
fn ids_are_new_everywhere() {
    let (_run, outcome) = published(SinkFormat::Parquet);
    let mut seen = BTreeSet::new();
    for (name, column) in [
        ("tastes", "cohort_id"),
        ("pieces", "fragment_id"),
        ("counted", "fragment_id"),
        ("sequences", "fragment_id"),
        ("sittings", "fragment_id"),
        ("log", "token"),
    ] {
        let ids: BTreeSet<Option<String>> = Written::of(&outcome, name).column(column).into_iter().collect();
        assert!(ids.iter().flatten().all(|id| id.len() == 32), "{name}");
        let before = seen.len();
        let more = ids.len();
        seen.extend(ids);
        assert_eq!(seen.len(), before + more, "{name} shares an id");
    }
}

/// One person listens to one thing more, and the same key releases both pools: nothing tells which cohort or fragment of one release is which of the other.
#[test]
fn two_releases_with_one_key_have_no_id_and_no_order_in_common() {
    let (events, profiles) = pool();
    let (_run, before) = published(SinkFormat::Parquet);
    // Recording 39 is of another taste than that of the first person.
    let more = batch([
        ("subject_id", texts(["person-0"])),
        ("track_id", maybe_texts([Some("uri:39")])),
        ("track_name", texts(["Song nº 39"])),
        ("artist_name", texts(["Somebody"])),
        ("started_at", times([Some(7_000_000)])),
    ]);
    let run = Run::new();
    let grown = concat_batches(&events.schema(), [&events, &more]).expect("one table");
    let after = publish(&run, policy(POLICY), &(grown, profiles), SinkFormat::Parquet).expect("published");
    for name in PRODUCTS {
        let column = if name == "tastes" { "cohort_id" } else { "fragment_id" };
        let ids = |outcome: &Outcome| Written::of(outcome, name).column(column).into_iter().collect::<BTreeSet<_>>();
        let (one, two) = (ids(&before), ids(&after));
        if Written::of(&before, name).sorted() != Written::of(&after, name).sorted() {
            assert_eq!(one.intersection(&two).count(), 0, "{name}");
        }
    }
    let items = |outcome: &Outcome| Written::of(outcome, "pieces").column("item");
    let (one, two) = (items(&before), items(&after));
    let same = one.iter().zip(&two).filter(|(one, two)| one == two).count();
    // 40 items are about equally frequent: a fortieth of the rows agree by chance.
    assert!(same * 10 < one.len(), "{same} of {} rows stand where they stood", one.len());
}

/// Tastes and countries go together here, so whole cohorts have one country.
#[test]
fn a_sensitive_attribute_is_never_that_of_a_whole_cohort() {
    let run = |role: &str| {
        let text = POLICY
            .replace("max_share = 0.7", "")
            .replace("country = { role = 'quasi-identifier' }", &format!("country = {{ role = '{role}' }}"));
        let run = Run::new();
        let outcome = publish(&run, policy(&text), &pool(), SinkFormat::Parquet).unwrap_or_else(|error| panic!("{error}"));
        let written = Written::of(&outcome, "tastes");
        let (size, members) = (written.index("size"), written.index("country_members"));
        let of_all = written.rows.iter().filter(|row| row[size] == row[members]).count();
        (of_all, verify(&outcome.release, &[], None).expect("a release").holds)
    };
    assert!(run("quasi-identifier").0 > 0, "the pool shows it");
    assert_eq!(run("sensitive"), (0, true));
}

#[test]
fn nothing_removed_is_left_in_the_bytes() {
    for format in [SinkFormat::Parquet, SinkFormat::IpcFile, SinkFormat::Csv] {
        let (_run, outcome) = published(format);
        for file in files(&outcome.release) {
            let bytes = decoded(&file);
            for marker in ["only-", "Solitude", "person-", "ong nº", "ONG Nº", "Somebody", "without a code"] {
                assert!(!contains(&bytes, marker.as_bytes()), "{marker} in {}", file.display());
            }
            let of_names = !file.to_string_lossy().contains("counted") && !file.to_string_lossy().contains("log");
            if of_names && file.extension().is_some_and(|extension| extension != "html" && extension != "json") {
                // A reissue is counted with the recording that more people have.
                assert!(!contains(&bytes, b"reissue"), "{}", file.display());
            }
        }
    }
}

#[test]
fn batches_threads_and_memory_change_no_byte() {
    let pool = pool();
    let whole = |threads: usize, rows: usize, memory: usize| {
        let run = Run::new();
        write_parquet(&run.path("events.parquet"), &pool.0);
        write_parquet(&run.path("profiles.parquet"), &pool.1);
        let made = Anonymizer::new(policy(POLICY)).input([run.path("events.parquet")]).profiles([run.path("profiles.parquet")]);
        let outcome = made.output(run.out()).key(key()).threads(threads).batch_rows(rows).memory(memory).run().expect("published");
        let bytes: Vec<Vec<u8>> =
            PRODUCTS.iter().map(|name| std::fs::read(outcome.release.join(format!("{name}.parquet"))).expect("bytes")).collect();
        let figures: Vec<_> = outcome.report.products.iter().map(|product| figures(product.attacks.as_ref())).collect();
        (bytes, figures)
    };
    let expected = whole(1, 8192, 1 << 30);
    for (threads, rows, memory) in [(2, 7, 1 << 30), (3, 100, 1 << 14)] {
        assert!(whole(threads, rows, memory) == expected, "{threads} threads, batches of {rows}, {memory} bytes");
    }
}

#[test]
fn order_and_split_of_the_input_change_no_row() {
    let (events, profiles) = pool();
    let (_run, expected) = published(SinkFormat::Parquet);
    let mut order: Vec<u32> = (0..u32::try_from(events.num_rows()).expect("small")).collect();
    Draws(3).shuffle(&mut order);
    let shuffled = take_record_batch(&events, &UInt32Array::from(order)).expect("shuffled");
    let run = Run::new();
    let half = shuffled.num_rows() / 2;
    write_parquet(&run.path("one.parquet"), &shuffled.slice(0, half));
    write_parquet(&run.path("two.parquet"), &shuffled.slice(half, shuffled.num_rows() - half));
    write_parquet(&run.path("profiles.parquet"), &profiles);
    let made =
        Anonymizer::new(policy(POLICY)).input([run.path("one.parquet"), run.path("two.parquet")]).profiles([run.path("profiles.parquet")]);
    let outcome = made.output(run.out()).key(key()).run().expect("published");
    for name in PRODUCTS {
        assert_eq!(Written::of(&outcome, name).sorted(), Written::of(&expected, name).sorted(), "{name}");
    }
    // Another key gives others, so the comparison can fail.
    let run = Run::new();
    write_parquet(&run.path("events.parquet"), &events);
    write_parquet(&run.path("profiles.parquet"), &profiles);
    let made = Anonymizer::new(policy(POLICY)).input([run.path("events.parquet")]).profiles([run.path("profiles.parquet")]);
    let other = made.output(run.out()).key(Key::from_bytes([1; 32])).run().expect("published");
    for name in PRODUCTS {
        assert_ne!(Written::of(&other, name).sorted(), Written::of(&expected, name).sorted(), "{name}");
    }
}

#[test]
fn the_control_group_is_in_no_product() {
    let (mut events, profiles) = pool();
    // Everybody has one recording more.
    let everybody = batch([
        ("subject_id", std::sync::Arc::clone(profiles.column(0))),
        ("track_id", texts(vec!["uri:99"; PEOPLE])),
        ("track_name", texts(vec!["Song nº 99"; PEOPLE])),
        ("artist_name", texts(vec!["Somebody"; PEOPLE])),
        ("started_at", times(vec![None; PEOPLE])),
    ]);
    events = arrow::compute::concat_batches(&events.schema(), [&events, &everybody]).expect("joined");
    let run = Run::new();
    let text_of = POLICY.replace("[gate]", "[gate]\n    max_risk = 1.0\n    control = 0.2").replace("max_share = 0.7", "max_share = 1.0");
    let outcome = publish(&run, policy(&text_of), &(events, profiles), SinkFormat::Parquet).expect("published");
    let product = outcome.product("tastes").expect("the product");
    let control = product.control_people.expect("some people are set aside");
    assert!((15..=60).contains(&control), "{control} of {PEOPLE}");
    let cohorts = Written::of(&outcome, "tastes");
    let members: u64 =
        cohorts.rows.iter().filter(|row| row[2].as_deref() == Some("uri:99")).map(|row| text(row, 3).parse::<u64>().expect("n")).sum();
    assert_eq!(members + control, PEOPLE as u64);
    for name in ["pieces", "sequences"] {
        let rows = Written::of(&outcome, name).rows.iter().filter(|row| row[1].as_deref() == Some("uri:99")).count() as u64;
        assert_eq!(rows + control, PEOPLE as u64, "{name}");
    }
    assert!(outcome.report.for_recipient().products.iter().all(|product| product.control_people.is_none()));
}

#[test]
fn fewer_people_than_k_are_refused() {
    for kind in ["kind = 'cohorts'", "kind = 'fragments'\nmax_items = 3"] {
        let text = format!(
            "version = 1\nname = 'few'\nsubject = {{ column = 'who' }}\n[columns]\nsong = {{ role = 'item' }}\n[[products]]\nname = 'p'\n{kind}\nk = 12"
        );
        let people: Vec<String> = (0..11).map(|person| format!("p{person}")).collect();
        let events = batch([("who", texts(people.iter().map(String::as_str))), ("song", texts(vec!["a"; 11]))]);
        let (run, outcome) = super::support::run(&text, &events);
        let error = outcome.expect_err("eleven people");
        assert_eq!(error.exit_code(), 3, "{error}");
        assert!(matches!(&error, Error::NoSolution { .. }) && error.to_string().contains("11 people"), "{error}");
        assert!(!run.out().join("release").exists() && run.out().join("refusals.jsonl").exists());
        // One more is enough.
        let people: Vec<String> = (0..12).map(|person| format!("p{person}")).collect();
        let events = batch([("who", texts(people.iter().map(String::as_str))), ("song", texts(vec!["a"; 12]))]);
        let (_run, outcome) = super::support::run(&text, &events);
        assert_eq!(outcome.expect("published").product("p").expect("the product").subjects, Some(12));
    }
}

#[test]
fn one_person_with_very_many_items_is_released_like_others() {
    let (events, profiles) = pool();
    let many: Vec<String> = (0..5000).map(|item| format!("uri:{item}")).collect();
    let names: Vec<String> = (0..5000).map(|item| format!("Song nº {item}")).collect();
    let collector = batch([
        ("subject_id", texts(vec!["person-0"; 5000])),
        ("track_id", texts(many.iter().map(String::as_str))),
        ("track_name", texts(names.iter().map(String::as_str))),
        ("artist_name", texts(vec!["Somebody"; 5000])),
        ("started_at", times(vec![Some(0); 5000])),
    ]);
    let events = arrow::compute::concat_batches(&events.schema(), [&events, &collector]).expect("joined");
    let run = Run::new();
    let outcome = publish(&run, policy(POLICY), &(events, profiles), SinkFormat::Csv).expect("published");
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
    for name in PRODUCTS {
        let items: BTreeSet<_> = Written::of(&outcome, name).column("item").into_iter().collect();
        assert!(items.len() <= 44, "{name}: items of one person are not shown");
    }
}

#[test]
fn a_mapping_file_says_what_is_the_same() {
    let run = Run::new();
    let rows: Vec<String> = (0..4).map(|taste| format!("uri:{0}:reissue;uri:{0}", taste * 10)).collect();
    let mapping = run.path("recordings.csv");
    std::fs::write(&mapping, rows.join("\n")).expect("written");
    let file = format!("items = {{ canonical = {{ file = '{}' }} }}", mapping.display());
    let outcome =
        publish(&run, policy(&POLICY.replace("items = { canonical = 'name' }", &file)), &pool(), SinkFormat::Parquet).expect("published");
    let (_other, by_name) = published(SinkFormat::Parquet);
    let items = |outcome: &Outcome| -> BTreeSet<_> { Written::of(outcome, "pieces").column("item").into_iter().collect() };
    assert!(items(&outcome).iter().flatten().all(|item| !item.contains("reissue")));
    assert_eq!(items(&outcome), items(&by_name), "the names say the same");
    let published = std::fs::read_to_string(outcome.release.join("policy.toml")).expect("a policy");
    assert!(published.contains("file = \"recordings.csv\"") && !published.contains(&*run.folder.path().to_string_lossy()), "{published}");
    // Without the file nothing is read.
    std::fs::remove_file(&mapping).expect("removed");
    let error = publish(&Run::new(), policy(&POLICY.replace("items = { canonical = 'name' }", &file)), &pool(), SinkFormat::Parquet);
    assert_eq!(error.expect_err("no file").exit_code(), 2);
}

#[test]
fn text_and_parquet_inputs_give_the_same_products() {
    let (events, profiles) = pool();
    let (_run, expected) = published(SinkFormat::Csv);
    let run = Run::new();
    write_csv(&run.path("events.csv"), &events);
    write_csv(&run.path("profiles.csv"), &profiles);
    let made = Anonymizer::new(policy(POLICY)).input([run.path("events.csv")]).profiles([run.path("profiles.csv")]);
    let outcome = made.output(run.out()).key(key()).format(SinkFormat::Csv).run().expect("published");
    for name in PRODUCTS {
        let read = |outcome: &Outcome| std::fs::read(outcome.release.join(format!("{name}.csv"))).expect("bytes");
        assert!(read(&outcome) == read(&expected), "{name}");
    }
}

#[test]
fn numbers_can_be_items_and_people() {
    let people = 60;
    let who: Vec<i64> = (0..people).flat_map(|person| vec![person + 1000; 3]).collect();
    let songs: Vec<i64> = (0..people).flat_map(|person| [person % 3, 3 + person % 2, 7]).collect();
    let events = batch([("who", super::support::numbers(who)), ("song", super::support::numbers(songs))]);
    for format in [SinkFormat::Parquet, SinkFormat::Csv] {
        let text = "version = 1\nname = 'n'\nsubject = { column = 'who' }\n[columns]\nsong = { role = 'item' }
            [[products]]\nname = 'tastes'\nkind = 'cohorts'\nk = 12
            [[products]]\nname = 'pieces'\nkind = 'fragments'\nk = 12\nmax_items = 3\n[gate]\nmax_risk = 1.0\ntrials = 50";
        let run = Run::new();
        write_parquet(&run.path("e.parquet"), &events);
        let outcome = Anonymizer::new(policy(text)).input([run.path("e.parquet")]).output(run.out()).key(key()).format(format).run();
        let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
        assert!(outcome.report.products.iter().all(|product| product.guarantees.iter().all(|guarantee| guarantee.holds)));
        assert!(verify(&outcome.release, &[], None).expect("a release").holds);
    }
}

#[test]
fn originals_and_key_show_that_the_numbers_are_people() {
    let (run, outcome) = published(SinkFormat::Parquet);
    let originals = [run.path("events.parquet"), run.path("profiles.parquet")];
    let found = verify(&outcome.release, &originals, Some(&key())).expect("a release");
    let open: Vec<_> = found.checks.iter().filter(|check| check.holds != Some(true)).collect();
    assert!(open.is_empty(), "{open:?}");
    let alone = verify(&outcome.release, &[], None).expect("a release");
    assert!(alone.holds);
    let open =
        |product: &str| alone.checks.iter().filter(|check| check.product.as_deref() == Some(product) && check.holds.is_none()).count();
    assert_eq!((open("tastes"), open("pieces"), open("counted"), open("sittings")), (1, 2, 3, 3));
}

#[test]
fn irreversible_ids_cannot_be_made_again_with_the_key() {
    let run = Run::new();
    let irreversible = POLICY.replace("column = 'subject_id'", "column = 'subject_id'\n    pseudonym = { irreversible = true }");
    let outcome = publish(&run, policy(&irreversible), &pool(), SinkFormat::Parquet).expect("published");
    let (_other, reversible) = published(SinkFormat::Parquet);
    let again = Run::new();
    let same = publish(&again, policy(&irreversible), &pool(), SinkFormat::Parquet).expect("published");
    for (name, column) in [("tastes", "cohort_id"), ("pieces", "fragment_id")] {
        let ids = |outcome: &Outcome| -> BTreeSet<_> { Written::of(outcome, name).column(column).into_iter().collect() };
        assert!(ids(&outcome).is_disjoint(&ids(&reversible)) && ids(&outcome).is_disjoint(&ids(&same)), "{name}");
    }
    let originals = [run.path("events.parquet"), run.path("profiles.parquet")];
    let found = verify(&outcome.release, &originals, Some(&key())).expect("a release");
    assert!(found.holds);
    let made =
        found.checks.iter().filter(|check| check.statement == "the file can be made again" && check.product.as_deref() == Some("pieces"));
    assert!(made.clone().count() == 1 && made.clone().all(|check| check.holds.is_none() && check.found.contains("irreversible ids")));
}

#[test]
fn raw_histories_are_assessed_as_they_are() {
    let run = Run::new();
    let (events, profiles) = pool();
    write_parquet(&run.path("events.parquet"), &events);
    write_parquet(&run.path("profiles.parquet"), &profiles);
    let report = assess(&policy(POLICY), &[run.path("events.parquet")], &[run.path("profiles.parquet")], 1 << 30).expect("assessed");
    let product = report.products.iter().find(|product| product.name == "pieces").expect("the product");
    assert_eq!(product.subjects, Some(PEOPLE as u64));
    let at = |known: u64| product.unicity.iter().find(|point| point.known == known).and_then(|point| point.after).expect("measured");
    // Each person has one recording that nobody else has, among about ten.
    assert!(at(1) > 0.05 && at(2) > at(1), "{:?}", product.unicity);
    assert!(!report.gate.passed && product.guarantees.is_empty());
    assert!(!Path::new(&run.out()).exists());
}
