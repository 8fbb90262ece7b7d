//! Tokens of different scopes cannot be joined: an attacker who holds two columns of tokens and nothing else does no better than guessing.

use super::support::{Run, Written, batch, key, numbers, policy, times, write_parquet};
use arrow::array::RecordBatch;
use backmask::release::{Anonymizer, Outcome};
use std::collections::BTreeMap;

const PEOPLE: i64 = 120;
const DAY: i64 = 86_400_000;

/// All rows say the same. Only the test reads `truth`; the times are two for everybody.
fn pool() -> RecordBatch {
    let people = || (0..PEOPLE).chain(0..PEOPLE);
    batch([
        ("user", numbers(people().map(|person| 10_000_019 + person * 7_919))),
        ("started_at", times((0..2).flat_map(|month| std::iter::repeat_n(Some(month * 40 * DAY), 120)))),
        ("truth", numbers(people())),
        ("month", numbers((0..2).flat_map(|month| std::iter::repeat_n(month, 120)))),
    ])
}

/// A policy whose products all show the same; times are dropped.
fn text(pseudonym: &str, recipient: &str, products: &[&str]) -> String {
    let mut text = format!(
        "
        version = 1
        name = 'linkage'
        recipient = '{recipient}'
        subject = {{ column = 'user', pseudonym = {{ {pseudonym} }} }}
        gate = {{ attacks = [] }}
        [columns]
        started_at = {{ role = 'time', treatment = 'drop' }}
        truth = {{ role = 'other' }}
        month = {{ role = 'other' }}
        "
    );
    for product in products {
        text.push_str("[[products]]\nkind = 'records'\nname = '");
        text.push_str(product);
        text.push_str("'\n");
    }
    text
}

fn publish(text: &str) -> (Run, Outcome) {
    let run = Run::new();
    let path = run.path("pool.parquet");
    write_parquet(&path, &pool());
    let outcome = Anonymizer::new(policy(text)).input([path]).output(run.out()).key(key()).threads(1).run();
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}\n{text}"));
    (run, outcome)
}

/// The token of every person in the rows of a month.
fn column(outcome: &Outcome, product: &str, month: &str) -> Vec<String> {
    let written = Written::of(outcome, product);
    let mut tokens = BTreeMap::new();
    for ((token, truth), shown) in written.column("token").into_iter().zip(written.column("truth")).zip(written.column("month")) {
        if shown.as_deref() == Some(month) {
            tokens.insert(truth.expect("a number").parse::<usize>().expect("a number"), token.expect("a token"));
        }
    }
    tokens.into_values().collect()
}

/// What an attacker may try: for each token of the first column a place in the second.
type Guess = fn(&str, &[String], &[String]) -> Option<usize>;

fn equal(token: &str, _: &[String], others: &[String]) -> Option<usize> {
    others.iter().position(|other| other == token)
}

fn common_prefix(token: &str, _: &[String], others: &[String]) -> Option<usize> {
    let length = |other: &String| other.bytes().zip(token.bytes()).take_while(|(a, b)| a == b).count();
    (0..others.len()).max_by_key(|&place| (length(&others[place]), &others[place]))
}

fn nearest_in_bits(token: &str, _: &[String], others: &[String]) -> Option<usize> {
    let distance = |other: &String| {
        let same: u32 = other.bytes().zip(token.bytes()).map(|(a, b)| (a ^ b).count_ones()).sum();
        same + 8 * u32::try_from(other.len().abs_diff(token.len())).expect("short")
    };
    (0..others.len()).min_by_key(|&place| (distance(&others[place]), &others[place]))
}

/// As numbers if they are numbers, else as text.
fn same_rank(token: &str, own: &[String], others: &[String]) -> Option<usize> {
    let key = |token: &str| (token.parse::<i128>().unwrap_or(i128::MAX), token.to_owned());
    let rank = own.iter().filter(|other| key(other) < key(token)).count();
    let mut order: Vec<usize> = (0..others.len()).collect();
    order.sort_by_key(|&place| key(&others[place]));
    order.get(rank).copied()
}

/// For dense numbers the place in the file of numbers itself; for other integers the nearest one.
fn nearest_number(token: &str, _: &[String], others: &[String]) -> Option<usize> {
    let number = token.parse::<i128>().ok()?;
    let distance = |other: &String| other.parse::<i128>().map_or(u128::MAX, |other| other.abs_diff(number));
    (0..others.len()).min_by_key(|&place| (distance(&others[place]), &others[place]))
}

const GUESSES: [(&str, Guess); 5] = [
    ("equality", equal),
    ("common prefix", common_prefix),
    ("Hamming distance", nearest_in_bits),
    ("rank", same_rank),
    ("nearest number", nearest_number),
];

/// How many people each strategy finds.
fn found(first: &[String], second: &[String]) -> Vec<(&'static str, usize)> {
    assert_eq!((first.len(), second.len()), (120, 120));
    let of = |guess: Guess| (0..first.len()).filter(|&person| guess(&first[person], first, second) == Some(person)).count();
    GUESSES.iter().map(|(name, guess)| (*name, of(*guess))).collect()
}

/// Guessing finds each of the n people with probability 1/n. The number found has mean at most 1 and, for a random matching, a law close to Poisson(1): more than 9 in one comparison
/// by chance has probability 1.1 × 10⁻⁷, in the 140 comparisons of this file 1.6 × 10⁻⁵. Keys are fixed, so the test does not change from run to run.
fn check_chance(what: &str, first: &[String], second: &[String]) {
    for (guess, count) in found(first, second) {
        assert!(count <= 9, "{what}: {guess} finds {count} of {PEOPLE}");
    }
}

const METHODS: [&str; 8] = [
    "method = 'blake3'",
    "method = 'blake3', format = 'base32'",
    "method = 'hmac-sha256'",
    "method = 'aes-siv'",
    "method = 'aes-block'",
    "method = 'ff1'",
    "method = 'dense'",
    "method = 'dense', format = 'int64'",
];

#[test]
fn two_recipients_cannot_join_their_tokens() {
    for method in METHODS {
        let mut scopes = vec!["product", "release"];
        if !method.contains("dense") {
            scopes.push("recipient");
        }
        for scope in scopes {
            let pseudonym = format!("{method}, scope = '{scope}'");
            let of = |recipient: &str| column(&publish(&text(&pseudonym, recipient, &["log"])).1, "log", "0");
            let (first, second) = (of("Example AI Inc."), of("Sample AI Ltd."));
            check_chance(&pseudonym, &first, &second);
            // Broken: one key for both, as two releases under one name to one recipient have. Everybody is found.
            let broken = of("Example AI Inc.");
            assert_eq!(found(&first, &broken)[0], ("equality", 120), "{pseudonym}");
            assert_eq!(found(&first, &broken)[3], ("rank", 120), "{pseudonym}");
        }
    }
}

#[test]
fn two_products_cannot_be_joined_by_their_tokens() {
    for method in METHODS {
        let (_run, outcome) = publish(&text(method, "", &["log", "again"]));
        let (first, second) = (column(&outcome, "log", "0"), column(&outcome, "again", "0"));
        check_chance(method, &first, &second);
        // Broken: both columns are of one product. The other month of it has the same tokens.
        assert_eq!(found(&first, &column(&outcome, "log", "1"))[0], ("equality", 120), "{method}");
    }
}

#[test]
fn two_periods_and_two_sessions_cannot_be_joined_by_their_tokens() {
    for method in METHODS.into_iter().filter(|method| !method.contains("ff1") && !method.contains("dense")) {
        let mut scopes = vec!["scope = 'period', period = 'month'", "scope = 'period', period = { days = 30 }"];
        if !method.contains("aes") {
            scopes.push("scope = 'session', session_gap = 60");
        }
        for scope in scopes {
            let pseudonym = format!("{method}, {scope}");
            let (_run, outcome) = publish(&text(&pseudonym, "", &["log"]));
            let (first, second) = (column(&outcome, "log", "0"), column(&outcome, "log", "1"));
            check_chance(&pseudonym, &first, &second);
        }
        // Broken: a period so long that both months lie in it.
        let (_run, outcome) = publish(&text(&format!("{method}, scope = 'period', period = {{ days = 1000 }}"), "", &["log"]));
        assert_eq!(found(&column(&outcome, "log", "0"), &column(&outcome, "log", "1"))[0], ("equality", 120), "{method}");
    }
}

#[test]
fn the_attacker_finds_tokens_that_keep_something() {
    // Tokens that keep the order, the beginning or most bits of the values are found by the strategies above.
    let names: Vec<String> = (0..120).map(|person| format!("{:08}", person * 7_919 + 13)).collect();
    let ordered: Vec<String> = (0..120).map(|person| format!("{}", 1_000_000 + person * 31)).collect();
    assert_eq!(found(&names, &ordered)[3], ("rank", 120));
    let salted: Vec<String> = names.iter().map(|name| format!("{name}-salt")).collect();
    assert_eq!(found(&names, &salted)[1], ("common prefix", 120));
    let flipped: Vec<String> = names.iter().map(|name| format!("1{}", &name[1..])).collect();
    assert!(found(&names, &flipped)[2].1 > 100);
    let shifted: Vec<String> = names.iter().map(|name| (name.parse::<i64>().expect("a number") + 17).to_string()).collect();
    assert_eq!(found(&names, &shifted)[4], ("nearest number", 120));
}
