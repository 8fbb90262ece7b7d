//! The same release whatever the batches, threads and memory; the same rows whatever the order and split of the input.

use super::support::{Draws, Row, Run, Written, batch, files, key, policy, texts, times, write_csv, write_ipc, write_parquet};
use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use backmask::keys::Key;
use backmask::release::{Anonymizer, Outcome};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

const POLICY: &str = "
    version = 1
    name = 'everything'
    [subject]
    column = 'subject_id'
    [columns]
    track_id = { role = 'item', generalize_to = 'artist_id' }
    artist_id = { role = 'item' }
    device = { role = 'identifier', treatment = { pseudonym = { } } }
    plays = { role = 'measure', treatment = { round = 5 } }
    score = { role = 'measure', treatment = { buckets = [0.25, 0.5] } }
    volume = { role = 'measure' }
    [events.columns]
    country = { role = 'quasi-identifier' }
    started_at = { role = 'time', treatment = { shift = { days = 20 } } }
    ended_at = { role = 'time', treatment = 'relative' }
    [profiles.columns]
    age = { role = 'quasi-identifier', hierarchy = { intervals = [10, 20] } }
    region = { role = 'quasi-identifier' }
    [[products]]
    name = 'coarse'
    kind = 'records'
    item_support = { min_subjects = 6, otherwise = 'generalize' }
    max_events_per_subject = 9
    models = [{ name = 'k-anonymity', k = 4 }]
    suppression_limit = 0.9
    accept_risk = 'enclave'
    [[products]]
    name = 'fine'
    kind = 'records'
    columns = ['track_id', 'volume', 'started_at']
    item_support = { min_subjects = 6, otherwise = 'suppress' }
    max_events_per_subject = 5
    accept_risk = 'enclave'
    [[products]]
    name = 'ordered'
    kind = 'records'
    columns = ['subject_id', 'artist_id', 'ended_at', 'device']
    order = 'subject-time'
    accept_risk = 'enclave'
    [[products]]
    name = 'people'
    kind = 'records'
    source = 'profiles'
    models = [{ name = 'k-anonymity', k = 4 }]
    suppression_limit = 0.5
    accept_risk = 'enclave'
    [gate]
    control = 0.15
    trials = 50
    known_items = [1, 3]
";

const PRODUCTS: [&str; 4] = ["coarse", "fine", "ordered", "people"];

fn pool() -> (RecordBatch, RecordBatch) {
    let mut draws = Draws(11);
    let rows = 900;
    let people: Vec<String> = (0..rows).map(|_| format!("p{}", draws.below(70))).collect();
    let tracks: Vec<usize> = (0..rows).map(|_| draws.below(20) * draws.below(12)).collect();
    let names: Vec<Option<String>> = tracks.iter().map(|t| (t % 31 != 7).then(|| format!("t{t}"))).collect();
    let artists: Vec<Option<String>> = tracks.iter().map(|t| (t % 13 != 5).then(|| format!("a{}", t % 6))).collect();
    let option = |values: &[Option<String>]| super::support::maybe_texts(values.iter().map(Option::as_deref));
    let plays: ArrayRef =
        Arc::new((0..rows).map(|_| (draws.below(9) > 0).then(|| i64::try_from(draws.below(40)).expect("small"))).collect::<Int64Array>());
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let score: ArrayRef =
        Arc::new((0..rows).map(|_| (draws.below(7) > 0).then(|| draws.below(100) as f64 / 100.0)).collect::<Float64Array>());
    let volume: ArrayRef = Arc::new((0..rows).map(|_| Some(i32::try_from(draws.below(3)).expect("small"))).collect::<Int32Array>());
    let mut time = || {
        times(
            (0..rows)
                .map(|_| (draws.below(20) > 0).then(|| i64::try_from(draws.below(4_000_000)).expect("small") * 60_000 - 86_400_000_000)),
        )
    };
    let (started, ended) = (time(), time());
    let events = batch([
        ("subject_id", texts(people.iter().map(String::as_str))),
        ("track_id", option(&names)),
        ("artist_id", option(&artists)),
        ("device", texts(people.iter().map(|p| if p.len() > 2 { "phone" } else { "radio" }))),
        ("plays", plays),
        ("score", score),
        ("volume", volume),
        ("country", texts(tracks.iter().map(|t| ["DE", "FR", "IT", "PL"][t % 4]))),
        ("started_at", started),
        ("ended_at", ended),
    ]);
    let ages: ArrayRef = Arc::new(
        (0..70).map(|_| (draws.below(10) > 0).then(|| i32::try_from(20 + draws.below(50)).expect("small"))).collect::<Int32Array>(),
    );
    let profiles = batch([
        ("subject_id", texts((0..70).map(|p| format!("p{p}")).collect::<Vec<_>>().iter().map(String::as_str))),
        ("age", ages),
        ("region", texts((0..70).map(|_| ["north", "south"][draws.below(2)]))),
    ]);
    (events, profiles)
}

struct Setting {
    threads: usize,
    batch_rows: usize,
    memory: usize,
}

impl Default for Setting {
    fn default() -> Self {
        Self { threads: 2, batch_rows: 8192, memory: 1 << 30 }
    }
}

fn publish(run: &Run, events: Vec<PathBuf>, profiles: Vec<PathBuf>, setting: &Setting) -> Outcome {
    let Setting { threads, batch_rows, memory } = *setting;
    Anonymizer::new(policy(POLICY))
        .input(events)
        .profiles(profiles)
        .output(run.out())
        .key(key())
        .threads(threads)
        .batch_rows(batch_rows)
        .memory(memory)
        .run()
        .expect("published")
}

fn whole(setting: &Setting) -> Outcome2 {
    let run = Run::new();
    let (events, profiles) = pool();
    let (one, two) = (run.path("events.parquet"), run.path("profiles.parquet"));
    write_parquet(&one, &events);
    write_parquet(&two, &profiles);
    let outcome = publish(&run, vec![one], vec![two], setting);
    Outcome2 { _run: run, outcome }
}

/// An outcome that keeps its folder.
struct Outcome2 {
    _run: Run,
    outcome: Outcome,
}

impl Outcome2 {
    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.outcome.release)
            .iter()
            .filter(|file| {
                file.extension().is_some_and(|e| e == "parquet") || file.ends_with("policy.toml") || file.ends_with("transformation.json")
            })
            .map(|file| (file.file_name().expect("a name").to_string_lossy().into_owned(), std::fs::read(file).expect("bytes")))
            .collect()
    }

    fn rows(&self) -> Vec<Vec<Row>> {
        PRODUCTS.iter().map(|product| Written::of(&self.outcome, product).sorted()).collect()
    }

    fn figures(&self) -> Vec<Vec<String>> {
        self.outcome.report.products.iter().map(|product| super::support::figures(product.attacks.as_ref())).collect()
    }
}

#[test]
fn batches_threads_and_memory_change_no_byte() {
    let expected = whole(&Setting { threads: 1, ..Setting::default() });
    for product in PRODUCTS {
        assert!(Written::of(&expected.outcome, product).rows.len() >= 20, "{product} is too small to tell");
    }
    let report = expected.outcome.product("coarse").expect("the product");
    assert!(report.steward_notes.iter().any(|note| note.contains("cap")), "{:?}", report.steward_notes);
    assert!(report.steward_notes.iter().any(|note| note.contains("generalized")), "{:?}", report.steward_notes);
    assert!(report.control_people.is_some());
    let bytes = expected.bytes();
    for (threads, batch_rows, memory) in [(1, 1, 1 << 30), (2, 7, 1 << 30), (4, 8192, 1 << 30), (1, 8192, 1), (4, 7, 1), (2, 100, 20_000)] {
        let other = whole(&Setting { threads, batch_rows, memory });
        assert!(other.bytes() == bytes, "{threads} threads, batches of {batch_rows}, {memory} bytes");
        assert_eq!(other.figures(), expected.figures());
    }
    // Another key changes the bytes, so the comparison can fail.
    let run = Run::new();
    let (events, profiles) = pool();
    write_parquet(&run.path("e.parquet"), &events);
    write_parquet(&run.path("p.parquet"), &profiles);
    let outcome = Anonymizer::new(policy(POLICY)).input([run.path("e.parquet")]).profiles([run.path("p.parquet")]).output(run.out());
    let outcome = outcome.key(Key::from_bytes([1; 32])).run().expect("published");
    assert_ne!(Outcome2 { _run: run, outcome }.rows(), expected.rows());
}

#[test]
fn order_and_split_of_the_input_change_no_row() {
    let expected = whole(&Setting::default()).rows();
    let (events, profiles) = pool();
    for (seed, pieces, extension) in [(1, 1, "parquet"), (2, 10, "parquet"), (3, 10, "arrow")] {
        let mut draws = Draws(seed);
        let mut shuffled = |batch: &RecordBatch| {
            let mut order: Vec<u32> = (0..u32::try_from(batch.num_rows()).expect("small")).collect();
            draws.shuffle(&mut order);
            take_record_batch(batch, &UInt32Array::from(order)).expect("shuffled")
        };
        let run = Run::new();
        let mut split = |name: &str, batch: &RecordBatch| -> Vec<PathBuf> {
            let batch = shuffled(batch);
            let size = batch.num_rows().div_ceil(pieces);
            (0..pieces)
                .map(|piece| {
                    let path = run.path(&format!("{name}{piece}.{extension}"));
                    let start = (piece * size).min(batch.num_rows());
                    let part = batch.slice(start, size.min(batch.num_rows() - start));
                    if extension == "arrow" {
                        write_ipc(&path, &part);
                    } else {
                        write_parquet(&path, &part);
                    }
                    path
                })
                .collect()
        };
        let (one, two) = (split("events", &events), split("profiles", &profiles));
        let outcome = publish(&run, one, two, &Setting { threads: 1, batch_rows: 64, ..Setting::default() });
        let rows = Outcome2 { _run: run, outcome }.rows();
        for ((product, found), expected) in PRODUCTS.iter().zip(&rows).zip(&expected) {
            assert_eq!(found.len(), expected.len(), "{product} in {pieces} files");
            assert!(found == expected, "{product} in {pieces} files");
        }
    }
}

#[test]
fn the_order_of_rows_says_nothing_about_the_order_of_the_input() {
    // Items are numbered as they come; after the shuffle the numbers of neighbours are unrelated.
    let count = 4000_i64;
    let events = batch([
        ("subject_id", texts((0..count).map(|i| format!("p{i}")).collect::<Vec<_>>().iter().map(String::as_str))),
        ("number", super::support::numbers(0..count)),
    ]);
    let text = "
        version = 1
        name = 'numbers'
        subject = { column = 'subject_id' }
        columns = { number = { role = 'measure' } }
        gate = { attacks = [] }
        [[products]]
        name = 'log'
        kind = 'records'
    ";
    let (_run, outcome) = super::support::run(text, &events);
    let written = Written::of(&outcome.expect("published"), "log");
    let shown: Vec<i64> = written.column("number").iter().map(|n| n.as_deref().expect("a number").parse().expect("a number")).collect();
    let ascents = shown.windows(2).filter(|pair| pair[0] < pair[1]).count();
    // n/2 with variance n/12; six standard deviations are a false alarm below 1 in 10⁸. Input order would give 3,999.
    assert!((1890..=2110).contains(&ascents), "{ascents}");
    let in_place = shown.iter().zip(0..).filter(|&(&n, i)| n == i).count();
    assert!(in_place < 12, "{in_place} rows in their place: Poisson(1), false alarm below 1 in 10⁸");
}

#[test]
fn rows_that_differ_only_in_dropped_columns_or_signs_of_zero_do_not_depend_on_order() {
    // A cap must choose among rows by content alone; what is not released must not break ties by position.
    let text = "
        version = 1
        name = 'zeros'
        subject = { column = 'subject_id' }
        columns = { x = { role = 'measure' }, y = { role = 'other', treatment = 'drop' } }
        gate = { attacks = [] }
        [[products]]
        name = 'log'
        kind = 'records'
        max_events_per_subject = CAP
    ";
    let values = [0.0, -0.0, 1.0, -0.0, 0.0, f64::NAN, -f64::NAN, 2.0];
    let of = |cap: usize, order: &[usize]| {
        let x: ArrayRef = Arc::new(Float64Array::from_iter_values(order.iter().map(|&i| values[i])));
        let events = batch([
            ("subject_id", texts(order.iter().map(|_| "ann"))),
            ("x", x),
            ("y", super::support::numbers(order.iter().map(|&i| i64::try_from(i).expect("small")))),
        ]);
        let (_run, outcome) = super::support::run(&text.replace("CAP", &cap.to_string()), &events);
        let (schema, batches) = super::support::batches(&outcome.expect("published").release.join("log.parquet"));
        assert_eq!(schema.fields().len(), 2);
        let mut bits: Vec<u64> = batches
            .iter()
            .flat_map(|b| {
                arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(b.column(1))
                    .values()
                    .iter()
                    .map(|v| v.to_bits())
                    .collect::<Vec<_>>()
            })
            .collect();
        bits.sort_unstable();
        bits
    };
    let mut draws = Draws(5);
    for cap in 1..8 {
        let expected = of(cap, &[0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(expected.len(), cap);
        for _ in 0..4 {
            let mut order: Vec<usize> = (0..8).collect();
            draws.shuffle(&mut order);
            assert_eq!(of(cap, &order), expected, "cap {cap}, {order:?}");
        }
    }
}

#[test]
fn the_format_of_the_input_changes_no_text() {
    let (_, profiles) = pool();
    let text = "
        version = 1
        name = 'profiles'
        [input]
        format = 'FORMAT'
        [subject]
        column = 'subject_id'
        [columns]
        age = { role = 'quasi-identifier', hierarchy = { intervals = [10, 20] } }
        region = { role = 'quasi-identifier' }
        [[products]]
        name = 'people'
        kind = 'records'
        models = [{ name = 'k-anonymity', k = 4 }]
        suppression_limit = 0.5
        accept_risk = 'enclave'
    ";
    let mut seen = Vec::new();
    for (format, extension) in [("parquet", "parquet"), ("ipc", "arrow"), ("csv", "csv")] {
        let run = Run::new();
        let path = run.path(&format!("people.{extension}"));
        match format {
            "parquet" => write_parquet(&path, &profiles),
            "ipc" => write_ipc(&path, &profiles),
            _ => write_csv(&path, &profiles),
        }
        let outcome =
            Anonymizer::new(policy(&text.replace("FORMAT", format))).input([path]).output(run.out()).key(key()).run().expect("published");
        seen.push(Written::of(&outcome, "people").sorted());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[test]
fn a_pool_of_many_chunks_is_one_pool() {
    // More rows than a chunk and a bin hold, more texts than are numbered: in one file and in three, backwards, with and without room.
    let rows = 290_000_usize;
    let users: Vec<String> = (0..rows).map(|i| format!("u{}", (i * i) % 3001)).collect();
    let notes: Vec<String> = (0..rows).map(|i| format!("note {i}")).collect();
    let events = batch([
        ("user", texts(users.iter().map(String::as_str))),
        ("item", super::support::numbers((0..rows).map(|i| i64::try_from((i * 7) % 977).expect("small")))),
        ("note", texts(notes.iter().map(String::as_str))),
    ]);
    let text = "
        version = 1
        name = 'many'
        subject = { column = 'user' }
        columns = { item = { role = 'item' }, note = { role = 'other' } }
        gate = { attacks = [], control = 0.1 }
        [[products]]
        name = 'log'
        kind = 'records'
        item_support = { min_subjects = 20, otherwise = 'suppress' }
        max_events_per_subject = 150
    ";
    let run = |paths: Vec<PathBuf>, out: PathBuf, threads: usize, batch_rows: usize, memory: usize| {
        let made = Anonymizer::new(policy(text)).input(paths).output(out).key(key());
        let outcome = made.threads(threads).batch_rows(batch_rows).memory(memory).run().expect("published");
        std::fs::read(outcome.release.join("log.parquet")).expect("bytes")
    };
    let folder = Run::new();
    let whole = folder.path("whole.parquet");
    write_parquet(&whole, &events);
    let expected = run(vec![whole.clone()], folder.path("a"), 1, 8192, 1 << 30);
    assert!(run(vec![whole], folder.path("b"), 3, 777, 1 << 18) == expected, "batches, threads or memory changed the file");
    let parts: Vec<PathBuf> = (0..3)
        .map(|part| {
            let path = folder.path(&format!("part{part}.parquet"));
            let order = (0..u32::try_from(rows).expect("small")).rev().filter(|row| row % 3 == part).collect::<Vec<_>>();
            write_parquet(&path, &take_record_batch(&events, &UInt32Array::from(order)).expect("a part"));
            path
        })
        .collect();
    let _ = run(parts, folder.path("c"), 2, 5000, 1 << 30);
    // A sum of hashes of rows does not depend on their order.
    let sum = |name: &str| {
        let (mut rows, mut sum) = (0, 0_u64);
        for batch in super::support::batches(&folder.path(name).join("release/log.parquet")).1 {
            let (token, item, note) =
                (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>(), batch.column(2).as_string::<i32>());
            rows += batch.num_rows();
            for row in 0..batch.num_rows() {
                let mut hasher = blake3::Hasher::new();
                hasher.update(token.value(row).as_bytes()).update(&item.value(row).to_le_bytes()).update(note.value(row).as_bytes());
                sum = sum.wrapping_add(u64::from_le_bytes(hasher.finalize().as_bytes()[..8].try_into().expect("eight bytes")));
            }
        }
        (rows, sum)
    };
    let (one, other) = (sum("a"), sum("c"));
    assert!(one.0 > 200_000 && one.0 < rows, "{} rows", one.0);
    assert_eq!(one, other, "the split of the input changed the rows");
}
