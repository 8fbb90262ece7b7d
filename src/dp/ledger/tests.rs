//! The ledger against crashes, kills, failing operations and two writers, on the simulated machine; and against edits.

#![expect(clippy::float_cmp, reason = "sums of declared decimals are exact")]

use super::budget::{Budget, Rule};
use super::persisted::Ledger;
use super::simulation::{Broken, Faults, Machine};
use super::spending::Spending;
use super::storage::Storage;
use crate::dp::event::PrivacyEvent;
use crate::error::Error;
use crate::keys::Key;
use crate::units::{Delta, Epsilon, Share};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::sync::Arc;

const PATH: &str = "folder/pool.ledger";

fn budget(epsilon: f64, delta: f64) -> Budget {
    Budget::new(Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap())
}

fn pure(product: &str, epsilon: f64) -> Spending {
    let event = PrivacyEvent::Pure { epsilon, count: 1 };
    Spending::new(product, "policy", vec![event], Epsilon::new(epsilon).unwrap(), Delta::new(0.0).unwrap()).unwrap()
}

/// Creates, debits and commits; gives the products whose noise was drawn, and whether `create` returned.
fn write(storage: &Arc<dyn Storage>, writer: usize, debits: usize) -> (Vec<String>, bool) {
    let mut granted = Vec::new();
    let mut created = false;
    let mut ledger = match Ledger::create_on(Arc::clone(storage), Path::new(PATH), "pool", budget(3.0, 0.0), None) {
        Ok(ledger) => {
            created = true;
            Some(ledger)
        }
        Err(_) => Ledger::open_on(Arc::clone(storage), Path::new(PATH), None).ok(),
    };
    for number in 0..debits {
        if ledger.is_none() {
            ledger = Ledger::open_on(Arc::clone(storage), Path::new(PATH), None).ok();
        }
        let Some(ledger) = &mut ledger else { continue };
        let product = format!("{writer}-{number}");
        if let Ok(reservation) = ledger.reserve(&pure(&product, 1.0)) {
            granted.push(product);
            let _committed = ledger.commit(reservation);
        }
    }
    (granted, created)
}

/// One run of two writers; the complaint if the ledger was overspent, lost a debit or cannot be read afterwards.
fn run(seed: u64, broken: Broken) -> Result<(), String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6c65_6467_6572);
    let machine = Machine::new(seed, 2);
    machine.restart(false);
    let writers: Vec<Arc<dyn Storage>> = (0..2).map(|number| machine.writer(number) as _).collect();
    let mut made = false;
    // Half of the runs begin with a ledger, the other half race to make it.
    if rng.random_bool(0.5) {
        made = Ledger::create_on(Arc::clone(&writers[0]), Path::new(PATH), "pool", budget(3.0, 0.0), None).is_ok();
        assert!(made);
    }
    let crash_at = rng.random_bool(0.6).then(|| rng.random_range(1..90));
    let kill = rng.random_bool(0.5).then(|| (rng.random_range(1..90), rng.random_range(0..2)));
    let failing = rng.random_bool(0.3).then(|| rng.random_range(4..40));
    machine.start(Faults { broken, crash_at, kill, failing });
    let results: Vec<(Vec<String>, bool)> = std::thread::scope(|scope| {
        let threads: Vec<_> = writers
            .iter()
            .enumerate()
            .map(|(number, storage)| {
                let machine = &machine;
                scope.spawn(move || {
                    let result = write(storage, number, 3);
                    machine.leave(number);
                    result
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no writer panics")).collect()
    });
    made |= results.iter().any(|(_, created)| *created);
    let granted: Vec<String> = results.into_iter().flat_map(|(granted, _)| granted).collect();
    if granted.len() > 3 {
        return Err(format!("{} debits of 1 from a budget of 3", granted.len()));
    }
    let power_failure = rng.random_bool(0.5);
    machine.restart(power_failure);
    let storage = Arc::clone(&writers[0]);
    let mut ledger = match Ledger::open_on(storage, Path::new(PATH), None) {
        Ok(ledger) => ledger,
        // Power may fail before the ledger was made; then nothing was granted either.
        Err(Error::Ledger { problem, .. }) if problem.contains("no such file") && !made && granted.is_empty() => return Ok(()),
        Err(error) => return Err(format!("unreadable: {error}")),
    };
    let statement = ledger.statement().map_err(|error| format!("unreadable: {error}"))?;
    if statement.spent.epsilon > 3.0 {
        return Err("more is written down than there was".to_owned());
    }
    for product in &granted {
        if !statement.reservations.iter().any(|line| line.product == *product) {
            return Err("a debit was forgotten".to_owned());
        }
    }
    // It goes on: what remains can be spent, and no more.
    let mut after = 0_u32;
    while after < 5 && ledger.reserve(&pure(&format!("after-{after}"), 1.0)).is_ok() {
        after += 1;
    }
    if statement.spent.epsilon + f64::from(after) != 3.0 {
        return Err(format!("{} spent, then {after} more", statement.spent.epsilon));
    }
    Ok(())
}

/// 10,000 runs of two writers who race to make the ledger, debit it and commit, under power failures, kills and failing operations.
#[test]
fn ten_thousand_interleavings_never_overspend_and_never_lose_a_debit() {
    for seed in 0..10_000 {
        if let Err(complaint) = run(seed, Broken::Nothing) {
            panic!("seed {seed}: {complaint}");
        }
    }
}

/// The same test finds every step of the protocol that is left out.
#[test]
fn every_step_left_out_is_noticed() {
    for broken in [Broken::NoSync, Broken::NoSyncFolder, Broken::NoLock, Broken::InPlace] {
        let found = (0..1000).find_map(|seed| run(seed, broken).err());
        assert!(found.is_some(), "{broken:?} was not noticed");
    }
}

/// A quiet machine with one ledger on it.
fn quiet(budget: Budget, key: Option<&Key>) -> (Arc<dyn Storage>, Ledger) {
    let machine = Machine::new(1, 1);
    machine.restart(false);
    let storage: Arc<dyn Storage> = machine.writer(0);
    let ledger = Ledger::create_on(Arc::clone(&storage), Path::new(PATH), "pool", budget, key).unwrap();
    (storage, ledger)
}

fn open(storage: &Arc<dyn Storage>, key: Option<&Key>) -> Result<Ledger, Error> {
    Ledger::open_on(Arc::clone(storage), Path::new(PATH), key)
}

/// Puts another text in the place of the ledger.
fn exchange(storage: &Arc<dyn Storage>, text: &[u8]) {
    storage.remove(Path::new(PATH)).unwrap();
    storage.create(Path::new(PATH), text).unwrap();
}

fn refusal(result: Result<super::Reservation, Error>) -> String {
    match result {
        Err(error @ Error::Refused { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn decimals_add_up_to_the_last_place_and_refusals_say_the_sums() {
    let (_, mut ledger) = quiet(budget(0.3, 0.0), None);
    for epsilon in [0.1, 0.1, 0.05, 0.05] {
        let reservation = ledger.reserve(&pure("p", epsilon)).unwrap();
        ledger.commit(reservation).unwrap();
    }
    let refused = refusal(ledger.reserve(&pure("more", 1e-9)));
    for part in ["pool", "more", "spent ε = 0.3, δ = 0", "asked ε = 0.000000001", "remaining ε = 0, δ = 0"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert_eq!(ledger.statement().unwrap().reservations.len(), 4, "a refusal spends nothing");
}

#[test]
fn a_declaration_that_is_too_small_is_refused_before_anything_is_spent() {
    let (_, mut ledger) = quiet(budget(5.0, 1e-5), None);
    let declare = |events: Vec<PrivacyEvent>, epsilon: f64, delta: f64| {
        Spending::new("p", "policy", events, Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap()).unwrap()
    };
    let noise = |scale| PrivacyEvent::DiscreteLaplace { scale, sensitivity: 1.0, count: 1 };
    assert!(matches!(ledger.reserve(&declare(vec![noise(2.0)], 0.49, 0.0)), Err(Error::Parameter { name: "epsilon", .. })));
    drop(ledger.reserve(&declare(vec![noise(2.0)], 0.5, 0.0)).unwrap());
    drop(ledger.reserve(&declare(vec![noise(3.0), noise(3.0), noise(3.0)], 1.0, 0.0)).unwrap());
    // A δ beside events that have a ρ only adds up: 2ρ = 0.02 is δ = 1.3e-8 at ε = 1.
    let list = || vec![PrivacyEvent::Zcdp { rho: 0.01, count: 2 }, PrivacyEvent::Approximate { epsilon: 0.0, delta: 1e-7, count: 1 }];
    assert!(matches!(ledger.reserve(&declare(list(), 1.0, 1e-7)), Err(Error::Parameter { name: "epsilon", .. })));
    let (_, mut other) = quiet(budget(1.0, 1e-6), None);
    drop(other.reserve(&declare(list(), 1.0, 1e-6)).unwrap());
    let gaussian = PrivacyEvent::Gdp { mu: 0.5, count: 1 };
    // δ = 6.8e-6 at ε = 2.
    assert!(matches!(ledger.reserve(&declare(vec![gaussian.clone()], 2.0, 1e-6)), Err(Error::Parameter { name: "epsilon", .. })));
    drop(ledger.reserve(&declare(vec![gaussian], 2.0, 1e-5)).unwrap());
    let spent = ledger.statement().unwrap().spent;
    assert!(spent.epsilon == 3.5 && spent.delta == 1e-5);
}

fn gdp(mu: f64) -> Spending {
    // Declared with room, so that the rule decides.
    Spending::new("g", "policy", vec![PrivacyEvent::Gdp { mu, count: 1 }], Epsilon::new(1.0).unwrap(), Delta::new(1e-6).unwrap()).unwrap()
}

fn rule(rule: Rule) -> Budget {
    budget(2.0, 2e-6).with_rule(rule).unwrap()
}

/// μ² adds up where ε would have run out; what is not Gaussian goes to the rest.
#[test]
fn a_gaussian_budget_holds_more_gaussian_releases() {
    let count = |budget: Budget| {
        let (_, mut ledger) = quiet(budget, None);
        let granted = (0..1000).take_while(|_| ledger.reserve(&gdp(0.05)).is_ok()).count();
        (granted, ledger)
    };
    let (sums, _) = count(rule(Rule::Sums));
    assert_eq!(sums, 2);
    let (granted, mut ledger) = count(rule(Rule::Gaussian { share: Share::new(0.5).unwrap() }));
    // μ at ε = 1, δ = 1e-6 is 1 / 4.2247; and one more release finds room in the other half, at ε = 1.
    // 1 / (4.2247 · 0.05)² = 22.4.
    assert_eq!(granted, 22 + 1);
    let statement = ledger.statement().unwrap();
    assert!((statement.spent.mu.unwrap() - 0.05 * 22.0_f64.sqrt()).abs() < 1e-9 && statement.spent.epsilon == 1.0);
    assert!(refusal(ledger.reserve(&gdp(0.05))).contains("μ = "));
    // The whole, by the accountant, is within the budget.
    assert!(statement.accountant_epsilon.unwrap() <= 2.0);
    // The accountant alone has room for all of them in one.
    let (planned, _) = count(rule(Rule::Planned));
    // μ at ε = 2, δ = 2e-6 is 1 / 2.163; 1 / (2.163 · 0.05)² = 85.5.
    assert!(planned.abs_diff(85) <= 1, "{planned}");
}

/// The caps of a Gaussian budget stand for no more than the budget itself.
#[test]
fn caps_compose_to_the_budget() {
    for (epsilon, delta, share) in [(1.0, 1e-6, 1.0), (3.0, 1e-6, 0.5), (0.1, 1e-9, 0.3), (10.0, 0.1, 0.999)] {
        let part = epsilon * share;
        let mu = super::loss::largest_mu(part, delta / 2.0).unwrap();
        let spent = crate::dp::accounting::gaussian::delta(part, mu).unwrap();
        assert!(spent <= delta / 2.0 && spent > 0.499 * delta);
    }
    assert!(budget(1.0, 0.0).with_rule(Rule::Gaussian { share: Share::new(0.5).unwrap() }).is_err());
    assert!(budget(1.0, 0.1).with_rule(Rule::Gaussian { share: Share::new(0.0).unwrap() }).is_err());
}

#[test]
fn every_edit_inside_the_file_is_noticed() {
    let key = Key::from_bytes([7; 32]);
    for key in [None, Some(&key)] {
        let (storage, mut ledger) = quiet(budget(5.0, 1e-5), key);
        for epsilon in [0.5, 1.0] {
            let reservation = ledger.reserve(&pure("p", epsilon)).unwrap();
            ledger.commit(reservation).unwrap();
        }
        let good = storage.read(Path::new(PATH)).unwrap();
        assert!(open(&storage, key).is_ok());
        // Every byte, changed in two ways, and every place where the file can be cut but the ends of lines.
        for at in 0..good.len() {
            for change in [1, 0x20] {
                let mut bad = good.clone();
                bad[at] ^= change;
                exchange(&storage, &bad);
                let error = open(&storage, key).unwrap_err();
                assert!(matches!(error, Error::Ledger { .. }) && error.exit_code() == 2, "byte {at}: {error}");
            }
            if at > 0 && good[at - 1] != b'\n' {
                exchange(&storage, &good[..at]);
                assert!(open(&storage, key).is_err(), "cut at {at}");
            }
        }
        let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
        // A line removed, doubled, or exchanged with the next.
        for at in 0..lines.len() {
            let mut removed = lines.clone();
            removed.remove(at);
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at]);
            let mut swapped = lines.clone();
            swapped.swap(at, (at + 1).min(lines.len() - 1));
            for (bad, same) in [(removed, at + 1 == lines.len()), (doubled, false), (swapped, at + 1 == lines.len())] {
                exchange(&storage, &bad.concat());
                // Without its last line it is the ledger as it was: see the next test.
                assert_eq!(open(&storage, key).is_ok(), same, "line {at}");
            }
        }
        assert!(open(&storage, Some(&Key::from_bytes([8; 32]))).is_err());
        exchange(&storage, &good);
        assert_eq!(open(&storage, None).is_ok(), key.is_none());
    }
}

/// A file that is set back is valid; whoever knows its head, or has it open, is not deceived.
#[test]
fn a_ledger_that_was_set_back_is_noticed_by_its_head() {
    let (storage, mut ledger) = quiet(budget(5.0, 1e-5), None);
    drop(ledger.reserve(&pure("a", 1.0)).unwrap());
    let early = storage.read(Path::new(PATH)).unwrap();
    let early_head = ledger.statement().unwrap().head;
    let reservation = ledger.reserve(&pure("b", 1.0)).unwrap();
    let head = ledger.commit(reservation).unwrap();
    assert_eq!((early_head.entries(), head.entries()), (1, 3));
    assert!(open(&storage, None).unwrap().expect_head(early_head).unwrap().expect_head(head).is_ok());
    exchange(&storage, &early);
    assert!(open(&storage, None).is_ok() && open(&storage, None).unwrap().expect_head(early_head).is_ok());
    for error in [
        open(&storage, None).unwrap().expect_head(head.to_string().parse().unwrap()).unwrap_err(),
        ledger.statement().unwrap_err(),
        ledger.reserve(&pure("c", 1.0)).unwrap_err(),
    ] {
        assert!(error.to_string().contains("set back") && error.exit_code() == 2, "{error}");
    }
    // The same entries in another ledger of the same pool are another ledger.
    let (other, _) = quiet(budget(5.0, 1e-5), None);
    exchange(&storage, &other.read(Path::new(PATH)).unwrap());
    assert!(ledger.statement().unwrap_err().to_string().contains("exchanged"));
}

#[test]
fn a_ledger_of_another_pool_or_version_is_not_spent_from() {
    let (storage, ledger) = quiet(budget(1.0, 0.0), None);
    assert!(ledger.expect_pool("another").unwrap_err().to_string().contains("another pool"));
    assert!(open(&storage, None).unwrap().expect_pool("pool").is_ok());
    let text = String::from_utf8(storage.read(Path::new(PATH)).unwrap()).unwrap();
    for (bad, says) in [
        (text.replace("\"version\":1", "\"version\":2"), "later version"),
        (String::new(), "not a ledger"),
        ("{}\n".to_owned(), "not a ledger"),
        (text.trim_end().to_owned(), "not a ledger"),
        ("\u{0}".repeat(4096), "not a ledger"),
    ] {
        exchange(&storage, bad.as_bytes());
        let error = open(&storage, None).unwrap_err();
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    assert!(
        matches!(Ledger::create_on(storage, Path::new(PATH), "pool", budget(1.0, 0.0), None), Err(Error::Ledger { problem, .. }) if problem.contains("exists already"))
    );
}

#[test]
fn reservations_cannot_be_committed_twice_or_elsewhere() {
    let (_, mut first) = quiet(budget(1.0, 0.0), None);
    let (_, mut second) = quiet(budget(1.0, 0.0), None);
    let reservation = first.reserve(&pure("p", 0.5)).unwrap();
    drop(second.reserve(&pure("p", 0.5)).unwrap());
    assert!(second.commit(reservation).is_err());
    assert!(!first.statement().unwrap().reservations[0].committed);
    for name in ["", " ", "a\nb", &"x".repeat(201)] {
        let event = PrivacyEvent::Pure { epsilon: 1.0, count: 1 };
        let (epsilon, none) = (Epsilon::new(1.0).unwrap(), Delta::new(0.0).unwrap());
        assert!(Spending::new(name, "policy", vec![event.clone()], epsilon, none).is_err());
        assert!(Spending::new("p", name, vec![event], epsilon, none).is_err());
        assert!(Spending::new("p", "policy", vec![], epsilon, none).is_err());
    }
}

/// Ledgers are kept for years: what was written must be read by every later version.
#[test]
fn the_format_is_frozen() {
    let text = include_str!("frozen.ledger");
    let (storage, _) = quiet(budget(1.0, 0.0), None);
    exchange(&storage, text.as_bytes());
    let statement = open(&storage, None).unwrap().statement().unwrap();
    assert_eq!((statement.pool.as_str(), statement.reservations.len(), statement.head.entries()), ("listeners", 2, 3));
    assert!(statement.reservations[0].committed && !statement.reservations[1].committed);
    assert!(statement.spent.epsilon == 0.75 && statement.spent.delta == 1e-7);
}
