//! Empty, tiny, extreme and odd pools: an answer or an error, never a panic and never half a release.

use super::support::{Run, Written, batch, guarantee, key, maybe_texts, numbers, policy, run, texts, times, write_csv, write_parquet};
use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, DurationSecondArray, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, Int32Type, TimeUnit};
use backmask::io::SinkFormat;
use backmask::release::report::Unit;
use backmask::release::{Anonymizer, Outcome, assess, verify};
use backmask::{Error, io};
use std::path::Path;
use std::sync::Arc;

const FULL: &str = "
    version = 1
    name = 'full'
    subject = { column = 'user' }
    [columns]
    track = { role = 'item', generalize_to = 'artist' }
    artist = { role = 'item' }
    place = { role = 'quasi-identifier' }
    age = { role = 'quasi-identifier', hierarchy = { intervals = [5] } }
    at = { role = 'time', treatment = { truncate = 'day' } }
    first = { role = 'time', treatment = 'relative' }
    moved = { role = 'time', treatment = { shift = { days = 9 } } }
    plays = { role = 'measure' }
    [[products]]
    name = 'log'
    kind = 'records'
    item_support = { min_subjects = 2, otherwise = 'generalize' }
    max_events_per_subject = 3
    models = [{ name = 'k-anonymity', k = 2 }]
    suppression_limit = 1.0
    accept_risk = 'a test'
    [[products]]
    name = 'ordered'
    kind = 'records'
    columns = ['user', 'at', 'plays']
    order = 'subject-time'
    accept_risk = 'a test'
    [[products]]
    name = 'loose'
    kind = 'records'
    columns = ['artist', 'plays', 'first', 'moved']
    accept_risk = 'a test'
    [gate]
    control = 0.1
    trials = 20
";

fn full(rows: usize) -> RecordBatch {
    let count = i64::try_from(rows).expect("small");
    let names = |letter: &str, n: usize| (0..rows).map(|i| format!("{letter}{}", i % n)).collect::<Vec<_>>();
    let text = |letter: &str, n: usize| texts(names(letter, n).iter().map(String::as_str));
    let time = || times((0..count).map(|i| Some(i * 3_600_000 - 7_200_000)));
    batch([
        ("user", text("u", 7)),
        ("track", text("t", 5)),
        ("artist", text("a", 2)),
        ("place", text("p", 3)),
        ("age", numbers((0..count).map(|i| 20 + i % 9))),
        ("at", time()),
        ("first", time()),
        ("moved", time()),
        ("plays", numbers(0..count)),
    ])
}

/// The table with one column replaced.
fn with(table: &RecordBatch, name: &str, array: &ArrayRef) -> RecordBatch {
    let schema = table.schema();
    let columns = schema.fields().iter().zip(table.columns()).map(|(field, column)| {
        let array = if field.name() == name { Arc::clone(array) } else { Arc::clone(column) };
        (field.name().clone(), array, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).expect("a batch")
}

fn sound(outcome: &Outcome) {
    let verification = verify(&outcome.release, &[], None).expect("a release");
    let wrong: Vec<_> = verification.checks.iter().filter(|check| check.holds == Some(false)).collect();
    assert!(verification.holds, "{wrong:?}");
}

/// Publishes soundly, or fails with nothing published and no value in the message.
fn answers(run: &Run, outcome: Result<Outcome, Error>, secret: &str) -> Option<Outcome> {
    match outcome {
        Ok(outcome) => {
            sound(&outcome);
            Some(outcome)
        }
        Err(error) => {
            assert!(!run.out().join("release").exists(), "{error}");
            assert!(!error.to_string().contains(secret), "{error}");
            None
        }
    }
}

#[test]
fn few_rows_are_released_or_suppressed() {
    for rows in [0, 1, 2, 8] {
        for format in [SinkFormat::Parquet, SinkFormat::IpcFile, SinkFormat::Csv, SinkFormat::JsonLines] {
            let run = Run::new();
            write_parquet(&run.path("events.parquet"), &full(rows));
            let made = Anonymizer::new(policy(FULL)).input([run.path("events.parquet")]).output(run.out()).key(key()).format(format);
            let outcome = made.run().unwrap_or_else(|error| panic!("{rows} rows, {format:?}: {error}"));
            sound(&outcome);
            let ordered = outcome.product("ordered").expect("the product");
            assert!(ordered.rows <= rows as u64 && (rows < 8 || ordered.rows > 0), "{rows}: {}", ordered.rows);
            if rows == 0 {
                let claim = guarantee(outcome.product("log").expect("the product"), "k-anonymity");
                assert_eq!((claim.achieved, claim.holds), (None, true), "nothing was found in no rows");
            }
        }
    }
}

#[test]
fn a_text_file_with_a_header_only_is_an_empty_pool() {
    let run = Run::new();
    write_csv(&run.path("events.csv"), &full(0));
    let text = FULL.replace("['artist', 'plays', 'first', 'moved']", "['artist', 'plays']");
    let outcome = Anonymizer::new(policy(&text)).input([run.path("events.csv")]).output(run.out()).key(key()).run();
    if let Some(outcome) = answers(&run, outcome, "u0") {
        assert_eq!(outcome.product("log").expect("the product").rows, 0);
    }
}

#[test]
fn one_person_is_never_released_under_k() {
    let table = with(&full(60), "user", &texts(std::iter::repeat_n("only", 60)));
    let text = FULL.replace("control = 0.1", "control = 0.0");
    let (_run, outcome) = run(&text, &table);
    let outcome = outcome.expect("published");
    sound(&outcome);
    let product = outcome.product("log").expect("the product");
    assert_eq!((product.rows, product.subjects), (0, Some(0)), "sixty rows of one person");
    let half = text
        .replace("suppression_limit = 1.0", "suppression_limit = 0.5")
        .replace("item_support = { min_subjects = 2, otherwise = 'generalize' }", "");
    let (refused, outcome) = run(&half, &table);
    let error = outcome.expect_err("no transformation makes two people of one");
    assert_eq!(error.exit_code(), 3);
    assert!(!refused.out().join("release").exists());
}

#[test]
fn all_equal_and_all_distinct_rows() {
    let rows = 40;
    let same = |value: &'static str| texts(std::iter::repeat_n(value, rows));
    let users: Vec<String> = (0..rows).map(|i| format!("u{i}")).collect();
    let user = || texts(users.iter().map(String::as_str));
    let text = "
        version = 1
        name = 'places'
        subject = { column = 'user' }
        columns = { place = { role = 'quasi-identifier' } }
        [[products]]
        name = 'log'
        kind = 'records'
        models = [{ name = 'k-anonymity', k = 20 }]
    ";
    let (_one, outcome) = run(text, &batch([("user", user()), ("place", same("p"))]));
    let outcome = outcome.expect("published");
    sound(&outcome);
    let claim = guarantee(outcome.product("log").expect("the product"), "k-anonymity");
    assert_eq!((claim.unit, claim.achieved), (Unit::Subject, Some(40.0)));
    let (_two, outcome) = run(text, &batch([("user", user()), ("place", user())]));
    let outcome = outcome.expect("published as *");
    sound(&outcome);
    assert!(Written::of(&outcome, "log").column("place").iter().all(|place| place.as_deref() == Some("*")));
}

#[test]
fn columns_without_any_value() {
    let table = full(40);
    for name in ["track", "artist", "place", "age", "at", "first", "moved", "plays", "user"] {
        let data_type = table.column_by_name(name).expect("a column").data_type().clone();
        let mut empty: Vec<ArrayRef> = vec![new_null_array(&data_type, 40)];
        if data_type == DataType::Utf8 {
            // A dictionary without values, and one whose only value no row uses.
            empty.push(new_null_array(&DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), 40));
            let keys = arrow::array::Int32Array::from(vec![None; 40]);
            empty.push(Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(vec!["UNUSED"])))));
            empty.push(Arc::new(NullArray::new(40)));
        }
        for array in empty {
            let kind = array.data_type().clone();
            let (run, outcome) = run(FULL, &with(&table, name, &array));
            let found = answers(&run, outcome, "u3").map(|outcome| outcome.product("log").expect("the product").rows);
            if name == "user" {
                assert!(found.is_none_or(|rows| rows == 0), "rows of nobody");
            } else if kind != DataType::Null {
                assert!(found.is_some_and(|rows| rows > 0 || name == "artist"), "{name} of {kind}: {found:?}");
            }
        }
    }
}

fn measured(treatment: &str) -> String {
    format!(
        "
        version = 1
        name = 'measures'
        subject = {{ column = 'user' }}
        columns = {{ x = {{ role = 'measure', treatment = {treatment} }} }}
        [[products]]
        name = 'log'
        kind = 'records'
        accept_risk = 'a test'
    "
    )
}

#[test]
fn extreme_numbers() {
    let arrays: [ArrayRef; 8] = [
        Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), Some(0), None])),
        Arc::new(UInt64Array::from(vec![Some(1 << 63), Some(u64::MAX), Some(0), None])),
        Arc::new(Int8Array::from(vec![Some(i8::MIN), Some(i8::MAX), Some(0), None])),
        Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(f64::INFINITY), Some(-0.0), None])),
        Arc::new(Float64Array::from(vec![Some(f64::MAX), Some(f64::MIN), Some(f64::MIN_POSITIVE), None])),
        Arc::new(Float32Array::from(vec![Some(f32::NAN), Some(f32::NEG_INFINITY), Some(1e-30), None])),
        Arc::new(
            Decimal128Array::from(vec![Some(i128::MAX / 4), Some(-1), Some(0), None]).with_precision_and_scale(38, 3).expect("a decimal"),
        ),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None])),
    ];
    for array in arrays {
        for treatment in ["'keep'", "{ clamp = [-5, 5] }", "{ round = 1000 }", "{ round = 0.5 }", "{ buckets = [-1, 0, 9e18] }"] {
            let table = batch([("user", texts(["a", "b", "c", "d"])), ("x", Arc::clone(&array))]);
            let (run, outcome) = run(&measured(treatment), &table);
            let outcome = answers(&run, outcome, "9223372036854775807");
            if treatment == "'keep'" && !matches!(array.data_type(), DataType::Decimal128(_, _)) {
                let mut expected: Vec<_> = super::support::rows_of(&table.project(&[1]).expect("a column"));
                expected.sort();
                if array.data_type() == &DataType::Float64 || array.data_type() == &DataType::Float32 {
                    for row in &mut expected {
                        row[0] = row[0].take().map(|text| if text == "-0.0" { "0.0".to_owned() } else { text });
                    }
                    expected.sort();
                }
                let written = Written::of(&outcome.expect("any number may be kept"), "log");
                let mut shown: Vec<_> = written.column("x").into_iter().map(|x| vec![x]).collect();
                shown.sort();
                assert_eq!(shown, expected);
            }
        }
    }
}

#[test]
fn extreme_values_as_quasi_identifiers_and_items() {
    let big: ArrayRef = Arc::new(UInt64Array::from(vec![Some(1 << 63), Some(u64::MAX), Some(1 << 63), None, Some(u64::MAX), Some(7)]));
    let odd: ArrayRef = Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(-f64::NAN), Some(0.0), Some(-0.0), None, None]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\xff\x00"), Some(b""), Some(b"\xff\x00"), Some(b""), None, None]));
    let fixed: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter((0..6_u8).map(|i| [i % 2, 0])).expect("an array"));
    let views: ArrayRef = Arc::new(StringViewArray::from(vec![
        "a long text that is not kept inline",
        "b",
        "a long text that is not kept inline",
        "b",
        "",
        "",
    ]));
    let large: ArrayRef = Arc::new(LargeStringArray::from(vec!["x", "x", "x", "y", "y", "y"]));
    for array in [big, odd, bytes, fixed, views, large] {
        for (role, extra) in [
            ("quasi-identifier", "models = [{ name = 'k-anonymity', k = 2 }]"),
            ("item", "item_support = { min_subjects = 2, otherwise = 'suppress' }"),
        ] {
            let text = format!(
                "
                version = 1
                name = 'odd'
                subject = {{ column = 'user' }}
                columns = {{ x = {{ role = '{role}' }} }}
                [[products]]
                name = 'log'
                kind = 'records'
                suppression_limit = 1.0
                accept_risk = 'a test'
                {extra}
            "
            );
            let table = batch([("user", texts(["a", "b", "c", "d", "e", "f"])), ("x", Arc::clone(&array))]);
            let (run, outcome) = run(&text, &table);
            let outcome = outcome.unwrap_or_else(|error| panic!("{role} of {}: {error}", array.data_type()));
            sound(&outcome);
            let (_, batches) = super::support::batches(&outcome.release.join("log.parquet"));
            assert!(batches.iter().map(RecordBatch::num_rows).sum::<usize>() >= 2, "{role} of {}", array.data_type());
            drop(run);
        }
    }
}

#[test]
fn times_before_1970_and_at_the_end_of_the_calendar() {
    let day = 86_400_000_000_000_i64;
    let arrays: [ArrayRef; 4] = [
        times([Some(-1), Some(-86_400_001), Some(-2_208_988_800_000), None]),
        Arc::new(Date32Array::from(vec![Some(-1), Some(-25_567), Some(0), None])),
        Arc::new(TimestampSecondArray::from(vec![Some(i64::MIN), Some(i64::MAX), Some(-1), None])),
        Arc::new(TimestampNanosecondArray::from(vec![Some(i64::MIN), Some(i64::MAX), Some(-day), None])),
    ];
    for array in arrays {
        for treatment in [
            "'keep'",
            "'relative'",
            "{ shift = { days = 30 } }",
            "{ truncate = 'month' }",
            "{ truncate = 'week' }",
            "{ truncate = 'hour' }",
        ] {
            let text = measured(treatment).replace("'measure'", "'time'");
            for format in [SinkFormat::Parquet, SinkFormat::Csv] {
                let run = Run::new();
                let table = batch([("user", texts(["a", "a", "a", "a"])), ("x", Arc::clone(&array))]);
                super::support::write_ipc(&run.path("events.arrow"), &table);
                let made = Anonymizer::new(policy(&text)).input([run.path("events.arrow")]).output(run.out()).key(key()).format(format);
                answers(&run, made.run(), "9223372036854775807");
            }
        }
    }
    let text = measured("{ truncate = 'month' }").replace("'measure'", "'time'");
    let (_run, outcome) = run(&text, &batch([("user", texts(["a"])), ("x", Arc::new(Date32Array::from(vec![-1])) as ArrayRef)]));
    assert_eq!(Written::of(&outcome.expect("published"), "log").column("x"), [Some("1969-12-01".to_owned())]);
}

const ODD: [&str; 12] = ["", " ", "\u{0}", "a\nb", "a\r\nb", "\"quoted\", text", "\\ud800", "🎧🎶", "\u{feff}bom", "*", "null", "e\u{301}"];

#[test]
fn odd_texts_come_back_as_they_were() {
    let text = "
        version = 1
        name = 'texts'
        subject = { column = 'user' }
        columns = { x = { role = 'other' }, place = { role = 'quasi-identifier' } }
        [[products]]
        name = 'log'
        kind = 'records'
        models = [{ name = 'k-anonymity', k = 2 }]
        suppression_limit = 1.0
        accept_risk = 'a test'
    ";
    let users: Vec<&str> = ODD.iter().chain(&ODD).copied().collect();
    let places: Vec<&str> = ODD.iter().flat_map(|odd| [*odd, *odd]).collect();
    for format in [SinkFormat::Parquet, SinkFormat::IpcFile, SinkFormat::Csv, SinkFormat::JsonLines] {
        let run = Run::new();
        let table =
            batch([("user", texts(users.iter().copied())), ("x", texts(users.iter().copied())), ("place", texts(places.iter().copied()))]);
        write_parquet(&run.path("events.parquet"), &table);
        let made = Anonymizer::new(policy(text)).input([run.path("events.parquet")]).output(run.out()).key(key()).format(format);
        let outcome = made.run().expect("published");
        sound(&outcome);
        assert_eq!(outcome.product("log").expect("the product").rows, 24, "{format:?}");
        if matches!(format, SinkFormat::Parquet | SinkFormat::IpcFile) {
            let written = Written::of(&outcome, "log");
            let mut shown: Vec<String> = written.column("x").into_iter().flatten().collect();
            let mut expected = users.clone();
            shown.sort();
            expected.sort_unstable();
            assert_eq!(shown, expected);
            // Twelve people, also the one whose name is the empty text.
            assert_eq!(written.column("token").into_iter().flatten().collect::<std::collections::BTreeSet<_>>().len(), 12);
        }
    }
}

#[test]
fn a_single_column_of_missing_and_empty_texts_keeps_its_rows_in_every_format() {
    let text = "
        version = 1
        name = 'single'
        subject = { column = 'user', pseudonym = { scope = 'none' } }
        columns = { x = { role = 'other' } }
        gate = { attacks = [] }
        [[products]]
        name = 'log'
        kind = 'records'
    ";
    let table = batch([("user", texts(["a", "b", "c", "d"])), ("x", maybe_texts([None, Some(""), Some("y"), None]))]);
    for format in [SinkFormat::Parquet, SinkFormat::Csv, SinkFormat::JsonLines, SinkFormat::JsonArray, SinkFormat::IpcStream] {
        let run = Run::new();
        write_parquet(&run.path("events.parquet"), &table);
        let made = Anonymizer::new(policy(text)).input([run.path("events.parquet")]).output(run.out()).key(key()).format(format);
        let outcome = made.run().expect("published");
        sound(&outcome);
        assert_eq!(outcome.product("log").expect("the product").rows, 4);
    }
}

#[test]
fn names_of_columns_that_are_taken() {
    let with_subject = measured("'keep'").replace(" x = ", " token = ");
    let (run, outcome) = self::run(&with_subject, &batch([("user", texts(["a"])), ("token", numbers([1]))]));
    assert!(matches!(outcome, Err(Error::Column { .. } | Error::Policy { .. })));
    assert!(!run.out().join("release").exists());
    // Without a person there are no tokens, and the name is free.
    let plain = with_subject.replace("subject = { column = 'user' }", "").replace("columns = {", "columns = { user = { role = 'other' },");
    let (_run, outcome) = self::run(&plain, &batch([("user", texts(["a", "a"])), ("token", numbers([1, 1]))]));
    let outcome = outcome.expect("published");
    sound(&outcome);
    assert_eq!(outcome.product("log").expect("the product").subjects, Some(2), "every row is a different person");
    // A name that no text table can have is not mistaken for the owners of rows.
    let text = measured("'keep'")
        .replace("columns = { x", "columns = { \"\\u0000owner\" = { role = 'other' }, x")
        .replace("'user' }", "'user', pseudonym = { scope = 'none' } }");
    let table =
        RecordBatch::try_from_iter([("user", texts(["a", "a", "a"])), ("\u{0}owner", texts(["1", "2", "3"])), ("x", numbers([1, 1, 1]))]);
    let (run, outcome) = self::run(&text, &table.expect("a batch"));
    assert!(answers(&run, outcome, "never").is_none(), "a column that would be taken for the owners of rows");
}

#[test]
fn policies_for_other_tables_and_products_without_columns() {
    for (from, to) in [
        ("columns = { x", "columns = { y = { role = 'other' }, x"),
        (" x = ", " z = "),
        ("column = 'user'", "column = 'nobody'"),
        ("kind = 'records'", "kind = 'records'\ncolumns = []"),
        ("kind = 'records'", "kind = 'records'\ncolumns = ['y']"),
        ("kind = 'records'", "kind = 'records'\nsource = 'profiles'"),
    ] {
        let text = measured("'keep'").replace(from, to);
        let run = Run::new();
        write_parquet(&run.path("events.parquet"), &batch([("user", texts(["a"])), ("x", numbers([1]))]));
        let outcome = backmask::policy::Policy::from_toml(&text)
            .and_then(|policy| Anonymizer::new(policy).input([run.path("events.parquet")]).output(run.out()).key(key()).run());
        let error = outcome.expect_err(to);
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(!run.out().exists() || !run.out().join("release").exists());
    }
    // Tokens alone are a product: how many rows each person has.
    let (_run, outcome) = run(
        &measured("'keep'").replace("kind = 'records'", "kind = 'records'\ncolumns = ['user']"),
        &batch([("user", texts(["a", "a", "b"])), ("x", numbers([1, 2, 3]))]),
    );
    let outcome = outcome.expect("published");
    sound(&outcome);
    assert_eq!(Written::of(&outcome, "log").columns, ["token"]);
}

#[test]
fn types_that_cannot_be_compared_are_errors() {
    let nested: ArrayRef = Arc::new(StructArray::from(full(4).project(&[0]).expect("a column")));
    let list = arrow::array::ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>((0..4).map(|i| Some(vec![Some(i)])));
    let arrays: [ArrayRef; 4] =
        [nested, Arc::new(list), Arc::new(DurationSecondArray::from(vec![1, 2, 3, 4])), Arc::new(NullArray::new(4))];
    for array in arrays {
        for treatment in ["'keep'", "'drop'"] {
            let run = Run::new();
            let table = batch([("user", texts(["a", "b", "c", "d"])), ("x", Arc::clone(&array)), ("y", numbers([1, 2, 3, 4]))]);
            super::support::write_ipc(&run.path("events.arrow"), &table);
            let text = measured(treatment).replace("columns = { x", "columns = { y = { role = 'other' }, x");
            let made = Anonymizer::new(policy(&text)).input([run.path("events.arrow")]).output(run.out()).key(key());
            let outcome = answers(&run, made.run(), "never");
            assert!(treatment == "'keep'" || outcome.is_some(), "what is dropped need not be compared: {}", array.data_type());
        }
    }
    assert!(matches!(times([None]).data_type(), DataType::Timestamp(TimeUnit::Millisecond, Some(_))));
}

#[test]
fn rows_in_the_order_of_people_and_time() {
    let mut draws = super::support::Draws(3);
    let rows = 200;
    let users: Vec<String> = (0..rows).map(|_| format!("u{}", draws.below(9))).collect();
    let at: Vec<Option<i64>> = (0..rows)
        .map(|_| (draws.below(9) > 0).then(|| i64::try_from(draws.below(1000)).expect("small") * 86_400_000 - 40_000_000_000))
        .collect();
    // A second time comes first in the alphabet and is dropped; it may not order the rows.
    let first: Vec<Option<i64>> = (0..200).rev().map(|day| Some(day * 86_400_000)).collect();
    let text = "
        version = 1
        name = 'ordered'
        subject = { column = 'user' }
        columns = { at = { role = 'time' }, after = { role = 'time', treatment = 'drop' } }
        [[products]]
        name = 'log'
        kind = 'records'
        order = 'subject-time'
        accept_risk = 'a test'
    ";
    let table = batch([("user", texts(users.iter().map(String::as_str))), ("after", times(first)), ("at", times(at))]);
    let (_run, outcome) = run(text, &table);
    let outcome = outcome.expect("published");
    sound(&outcome);
    let written = Written::of(&outcome, "log");
    assert_eq!(written.columns, ["token", "at"]);
    // Missing times come first; RFC 3339 texts of one length are ordered like times.
    assert!(written.rows.windows(2).all(|pair| pair[0] <= pair[1]), "rows are not in order");
    assert_eq!(written.rows.len(), rows);
}

#[test]
fn a_huge_class_of_one_person_is_suppressed_and_the_others_stay() {
    let mut users = vec!["whale"; 5000];
    let mut places = vec!["sea"; 5000];
    for user in ["a", "b", "c", "d"] {
        users.extend([user; 2]);
        places.extend(["land", "shore"]);
    }
    let text = "
        version = 1
        name = 'whale'
        subject = { column = 'user' }
        columns = { place = { role = 'quasi-identifier', levels = { max = 0 } } }
        gate = { max_risk = 0.5 }
        [[products]]
        name = 'log'
        kind = 'records'
        models = [{ name = 'k-anonymity', k = 4 }]
        suppression_limit = 1.0
    ";
    let (_run, outcome) = run(text, &batch([("user", texts(users)), ("place", texts(places))]));
    let outcome = outcome.expect("published");
    sound(&outcome);
    let product = outcome.product("log").expect("the product");
    assert_eq!((product.rows, product.subjects, product.k()), (8, Some(4), Some(4)));
}

#[test]
fn products_of_both_tables_carry_different_tokens() {
    let run = Run::new();
    let text = "
        version = 1
        name = 'both'
        subject = { column = 'user' }
        events.columns.x = { role = 'other' }
        profiles.columns.y = { role = 'other' }
        [[products]]
        name = 'events'
        kind = 'records'
        accept_risk = 'a test'
        [[products]]
        name = 'people'
        kind = 'records'
        source = 'profiles'
        accept_risk = 'a test'
    ";
    let events = batch([("user", texts(["a", "b", "b"])), ("x", numbers([1, 2, 3]))]);
    let profiles = batch([("user", texts(["a", "b"])), ("y", numbers([1, 2]))]);
    let outcome = run.both(text, &events, &profiles).expect("published");
    sound(&outcome);
    let tokens =
        |product: &str| Written::of(&outcome, product).column("token").into_iter().flatten().collect::<std::collections::BTreeSet<_>>();
    assert_eq!((tokens("events").len(), tokens("people").len()), (2, 2));
    assert!(tokens("events").is_disjoint(&tokens("people")), "the two products can be joined");
    // Tokens of one scope for both would join them: refused.
    let joined = text.replace("subject = { column = 'user' }", "subject = { column = 'user', pseudonym = { scope = 'release' } }");
    assert!(backmask::policy::Policy::from_toml(&joined).is_err(), "two products that can be joined must be gated as one");
}

#[test]
fn an_output_folder_is_used_once() {
    let run = Run::new();
    let table = batch([("user", texts(["a", "b"])), ("x", numbers([1, 1]))]);
    let outcome = run.events(&measured("'keep'"), &table).expect("published");
    let before = std::fs::read(outcome.release.join("report.json")).expect("a report");
    let error = run.events(&measured("'keep'"), &table).expect_err("a second run would replace what was handed over");
    assert_eq!(error.exit_code(), 2);
    assert_eq!(std::fs::read(outcome.release.join("report.json")).expect("a report"), before);
}

#[test]
fn damaged_and_missing_inputs_leave_nothing() {
    let run = Run::new();
    let path = run.path("events.parquet");
    write_parquet(&path, &full(40));
    let whole = std::fs::read(&path).expect("bytes");
    for length in [0, 3, 10, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).expect("written");
        let error = Anonymizer::new(policy(FULL)).input([&path]).output(run.out()).run().expect_err("a cut file");
        assert!(error.exit_code() <= 2, "{error}");
        assert!(!run.out().exists(), "{error}");
    }
    assert!(Anonymizer::new(policy(FULL)).input([Path::new("/nowhere/at/all")]).output(run.out()).run().is_err());
    assert!(Anonymizer::new(policy(FULL)).output(run.out()).run().is_err(), "no input");
    assert!(Anonymizer::new(policy(FULL)).input([&path]).run().is_err(), "no output");
    assert!(!run.out().exists());
}

#[test]
fn assessing_odd_pools_changes_nothing() {
    let run = Run::new();
    for rows in [0, 1, 40] {
        let path = run.path(&format!("{rows}.parquet"));
        write_parquet(&path, &full(rows));
        let report =
            assess(&policy(FULL), std::slice::from_ref(&path), &[], 1 << 24).unwrap_or_else(|error| panic!("{rows} rows: {error}"));
        assert_eq!(report.products.len(), 3);
        let assessed = Anonymizer::new(policy(FULL)).input([&path]).assess().expect("assessed");
        assert_eq!(assessed.products.len(), 3);
    }
    assert_eq!(super::support::files(run.folder.path()).len(), 3, "assessing writes nothing");
    assert_eq!(io::SinkFormat::Parquet, SinkFormat::Parquet);
}

#[test]
fn times_move_with_the_person_and_begin_with_the_first_released_event() {
    let day = 86_400_000_i64;
    let users: Vec<String> = (0..120).map(|i| format!("u{}", i % 8)).collect();
    let raw: Vec<i64> = (0..120_i64).map(|i| (i * 7919) % 400 * day / 3 - 50 * day).collect();
    let text = "
        version = 1
        name = 'moved'
        subject = { column = 'user' }
        [columns]
        number = { role = 'other' }
        moved = { role = 'time', treatment = { shift = { days = 30 } } }
        since = { role = 'time', treatment = 'relative' }
        [[products]]
        name = 'one'
        kind = 'records'
        max_events_per_subject = 9
        accept_risk = 'a test'
        [[products]]
        name = 'two'
        kind = 'records'
        columns = ['number', 'moved']
        accept_risk = 'a test'
    ";
    let time = || times(raw.iter().map(|&t| Some(t)));
    let (_run, outcome) = run(
        text,
        &batch([("user", texts(users.iter().map(String::as_str))), ("number", numbers(0..120)), ("moved", time()), ("since", time())]),
    );
    let outcome = outcome.expect("published");
    sound(&outcome);
    let mut days = Vec::new();
    for product in ["one", "two"] {
        let (_, batches) = super::support::batches(&outcome.release.join(format!("{product}.parquet")));
        let mut by_person: std::collections::BTreeMap<usize, Vec<(i64, Option<i64>)>> = std::collections::BTreeMap::new();
        for batch in &batches {
            let ints = |name: &str| {
                batch.column_by_name(name).map(|c| {
                    let c = arrow::compute::cast(c, &DataType::Int64).expect("numbers");
                    arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&c).values().to_vec()
                })
            };
            let (row, moved, since) = (ints("number").expect("numbers"), ints("moved").expect("times"), ints("since"));
            for (i, &number) in row.iter().enumerate() {
                let number = usize::try_from(number).expect("a row");
                by_person.entry(number % 8).or_default().push((moved[i] - raw[number], since.as_ref().map(|s| raw[number] - s[i])));
            }
        }
        assert_eq!(by_person.len(), 8);
        let mut of_product = Vec::new();
        for rows in by_person.values() {
            assert!(rows.iter().all(|row| *row == rows[0]), "one shift and one beginning a person");
            assert!(rows[0].0 % day == 0 && rows[0].0.abs() <= 30 * day);
            of_product.push(rows[0].0);
        }
        assert!(of_product.iter().any(|shift| *shift != of_product[0]), "everybody is moved alike");
        days.push(of_product);
    }
    assert_ne!(days[0], days[1], "the same shift in two products joins them");
    // Nobody's relative time is negative, and everybody's first released event is at 0.
    let written = Written::of(&outcome, "one");
    let mut first: std::collections::BTreeMap<String, i64> = std::collections::BTreeMap::new();
    for row in &written.rows {
        let since: i64 = row[written.index("since")].as_deref().expect("a time").parse().expect("a number");
        let earliest = first.entry(row[0].clone().expect("a token")).or_insert(since);
        *earliest = since.min(*earliest);
    }
    assert!(first.len() == 8 && first.values().all(|&since| since == 0));
}
