//! The record of reversals.

use super::{folder, set_mode};
use backmask::Error;
use backmask::keys::{AuditEntry, AuditLog, Domain, Key, KeyOrigin, KeyProvider, KeyRing};
use std::fs;
use std::path::Path;

fn entry(reason: &str) -> AuditEntry {
    AuditEntry {
        reason: reason.to_owned(),
        columns: vec!["subject_id".to_owned(), "naïve \"name\"\n".to_owned()],
        input: "a b.csv".to_owned(),
        rows: 3,
    }
}

/// A log with five lines of one key.
fn log(path: &Path, key: &Key) -> (AuditLog, Vec<String>) {
    let log = AuditLog::open(path).unwrap();
    for number in 1..=5 {
        assert_eq!(log.append(key, &entry(&format!("request {number}"))).unwrap(), number);
    }
    (log, fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect())
}

/// The line that is broken.
#[track_caller]
fn broken(log: &AuditLog, keys: &[&dyn KeyProvider]) -> u64 {
    let error = log.verify(keys).unwrap_err();
    let Error::Data { record: Some(record), .. } = error else { panic!("{error}") };
    assert!(!error.to_string().contains("request") && !error.to_string().contains("subject_id"), "{error}");
    record
}

#[test]
fn a_line_says_who_what_why_and_when() {
    let (_folder, path) = folder();
    let key = Key::from_provider([1; 32], "kms 7");
    let (log, lines) = log(&path, &key);
    assert_eq!(lines.len(), 5);
    let line: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!((&line["version"], &line["number"], &line["rows"]), (&1.into(), &2.into(), &3.into()));
    assert_eq!((&line["reason"], &line["input"], &line["key_id"]), (&"request 2".into(), &"a b.csv".into(), &"kms 7".into()));
    assert_eq!(line["columns"], serde_json::json!(entry("").columns));
    let age = chrono::Utc::now() - chrono::DateTime::parse_from_rfc3339(line["time"].as_str().unwrap()).unwrap().to_utc();
    assert!((-5..600).contains(&age.num_seconds()));
    let check = log.verify(&[&key]).unwrap();
    assert_eq!((check.lines, check.unsealed), (5, 0));
    assert_eq!(check.last, blake3::hash(lines[4].as_bytes()).to_hex().to_string());
    // The chain and the seal, computed a second time.
    assert_eq!(line["previous"], blake3::hash(lines[0].as_bytes()).to_hex().to_string());
    let (body, _) = lines[1].split_once(",\"seal\"").unwrap();
    let subkey = key_bytes_of(&[1; 32], "audit log");
    assert_eq!(line["seal"], blake3::keyed_hash(&subkey, body.as_bytes()).to_hex().to_string());
}

/// HKDF of a domain with only a purpose, through HMAC.
fn key_bytes_of(master: &[u8; 32], purpose: &str) -> [u8; 32] {
    use hmac::{Hmac, KeyInit, Mac};
    let hmac =
        |key: &[u8], message: &[u8]| Hmac::<sha2::Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes();
    hmac(&hmac(&[0; 32], master), &[Domain::of(purpose).encode(), vec![1]].concat()).into()
}

#[test]
fn an_empty_log_is_whole() {
    let (_folder, path) = folder();
    let log = AuditLog::open(&path).unwrap();
    assert_eq!(log.verify(&[]).unwrap().lines, 0);
    AuditLog::open(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn every_changed_byte_is_noticed() {
    let (_folder, path) = folder();
    let key = Key::from_bytes([1; 32]);
    let (log, lines) = log(&path, &key);
    let text = lines.concat().into_bytes();
    let first = u64::try_from(lines[0].len()).unwrap();
    for place in 0..text.len() {
        let mut changed = text.clone();
        changed[place] ^= 1 << (place % 8);
        fs::write(&path, &changed).unwrap();
        let record = broken(&log, &[&key]);
        if u64::try_from(place).unwrap() < first {
            assert_eq!(record, 1, "byte {place}");
        }
    }
    fs::write(&path, &text).unwrap();
    log.verify(&[&key]).unwrap();
}

#[test]
fn removed_swapped_and_inserted_lines_are_noticed() {
    let (_folder, path) = folder();
    let key = Key::from_bytes([1; 32]);
    let (log, lines) = log(&path, &key);
    let places = |places: &[usize]| fs::write(&path, places.iter().map(|place| lines[*place].as_str()).collect::<String>()).unwrap();
    for (order, expected) in
        [(&[1, 2, 3, 4][..], 1), (&[0, 2, 3, 4], 2), (&[0, 1, 2, 4], 4), (&[0, 2, 1, 3, 4], 2), (&[0, 0, 1, 2, 3, 4], 2)]
    {
        places(order);
        assert_eq!(broken(&log, &[&key]), expected, "{order:?}");
        assert_eq!(broken(&log, &[]), expected, "without the key: {order:?}");
    }
    // Documented: what is cut off at the end is told only by the count.
    places(&[0, 1, 2]);
    assert_eq!(log.verify(&[&key]).unwrap().lines, 3);
    // Half a line is not.
    let text = lines.concat().into_bytes();
    for cut in 1..lines[4].len() {
        fs::write(&path, &text[..text.len() - cut]).unwrap();
        assert_eq!(broken(&log, &[&key]), 5);
        let error = log.append(&key, &entry("more")).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), text[..text.len() - cut], "nothing is added to half a line");
    }
}

/// Lines of two logs of the same key, number and seal in order, cannot be exchanged; and without the key a change is noticed by the next line.
#[test]
fn every_line_follows_the_one_before() {
    let (folder, path) = folder();
    let key = Key::from_bytes([1; 32]);
    let (log, lines) = log(&path, &key);
    let other = AuditLog::open(folder.path().join("third")).unwrap();
    other.append(&key, &entry("another")).unwrap();
    other.append(&key, &entry("request 2")).unwrap();
    let third = fs::read_to_string(folder.path().join("third")).unwrap();
    let second = third.split_inclusive('\n').nth(1).unwrap();
    for (text, expected) in [
        (lines[0].clone() + second, 2),
        (third.split_inclusive('\n').next().unwrap().to_owned() + &lines[1..].concat(), 2),
        (lines[..2].concat() + &lines[2].replace("request 3", "request 9") + &lines[3..].concat(), 4),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(broken(&log, &[]), expected);
    }
    fs::write(&path, lines[0].clone() + second).unwrap();
    assert_eq!(broken(&log, &[&key]), 2, "its seal and its number are right");
}

#[test]
fn a_reversal_waits_until_the_log_is_free() {
    let (_folder, path) = folder();
    let key = Key::from_bytes([1; 32]);
    let log = AuditLog::open(&path).unwrap();
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.append(&key, &entry("x")).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert_eq!(fs::read(&path).unwrap(), b"");
        held.unlock().unwrap();
        assert_eq!(waiting.join().unwrap(), 1);
    });
}

/// Somebody without the key changes a line and computes all hashes anew.
fn rewrite(lines: &[String], change: impl Fn(usize, &str) -> String, seal: impl Fn(&str) -> Option<String>) -> String {
    let mut previous: Option<String> = None;
    let mut text = String::new();
    for (place, line) in lines.iter().enumerate() {
        let mut line = change(place, line);
        if let Some(hash) = previous {
            let at = line.find("\"previous\":\"").unwrap() + 12;
            line.replace_range(at..at + 64, &hash);
        }
        let (body, _) = line.split_once(",\"seal\"").unwrap();
        if let Some(seal) = seal(body) {
            line = format!("{body},\"seal\":\"{seal}\"}}\n");
        }
        previous = Some(blake3::hash(line.as_bytes()).to_hex().to_string());
        text += &line;
    }
    text
}

#[test]
fn a_log_that_was_written_anew_without_the_key_is_noticed() {
    let (_folder, path) = folder();
    let key = Key::from_provider([1; 32], "own");
    let (log, lines) = log(&path, &key);
    let change = |place: usize, line: &str| if place == 2 { line.replace("request 3", "request 9") } else { line.to_owned() };
    fs::write(&path, rewrite(&lines, change, |_| None)).unwrap();
    assert_eq!(log.verify(&[]).unwrap().lines, 5, "hashes alone can be computed by anybody");
    assert_eq!(broken(&log, &[&key]), 3);
    // Sealed with a key of the same name.
    let other = key_bytes_of(&[2; 32], "audit log");
    fs::write(&path, rewrite(&lines, change, |body| Some(blake3::keyed_hash(&other, body.as_bytes()).to_hex().to_string()))).unwrap();
    assert_eq!(broken(&log, &[&key]), 1);
    // Said to be another key's: then it counts as unsealed.
    let renamed = |place: usize, line: &str| change(place, line).replace("\"own\"", "\"foreign\"");
    fs::write(&path, rewrite(&lines, renamed, |_| None)).unwrap();
    assert_eq!(log.verify(&[&key]).unwrap().unsealed, 5);
    // Documented: with the key, all of it can be written anew.
    let own = key_bytes_of(&[1; 32], "audit log");
    fs::write(&path, rewrite(&lines, change, |body| Some(blake3::keyed_hash(&own, body.as_bytes()).to_hex().to_string()))).unwrap();
    assert_eq!(log.verify(&[&key]).unwrap().unsealed, 0);
}

#[test]
fn lines_of_an_erased_key_are_held_by_later_ones() {
    let (folder, path) = folder();
    let mut ring = KeyRing::create(folder.path().join("ring")).unwrap();
    let log = AuditLog::open(&path).unwrap();
    let first = ring.active().unwrap();
    log.append(&first, &entry("first")).unwrap();
    ring.rotate().unwrap();
    log.append(&ring.active().unwrap(), &entry("second")).unwrap();
    let keys = |ring: &KeyRing| {
        let keys: Vec<&dyn KeyProvider> = ring.keys().into_iter().map(|key| key as _).collect();
        log.verify(&keys).map(|check| (check.lines, check.unsealed))
    };
    assert_eq!(keys(&ring).unwrap(), (2, 0));
    let _ready = ring.erase(first.origin().id().unwrap()).unwrap();
    assert_eq!(keys(&ring).unwrap(), (2, 1));
    let lines: Vec<String> = fs::read_to_string(&path).unwrap().split_inclusive('\n').map(str::to_owned).collect();
    fs::write(&path, rewrite(&lines, |_, line| line.replace("\"first\"", "\"other\""), |_| None)).unwrap();
    assert!(keys(&ring).is_err());
}

#[test]
fn keys_without_an_id_are_tried_each() {
    let (_folder, path) = folder();
    let (one, two) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]));
    let log = AuditLog::open(&path).unwrap();
    log.append(&one, &entry("x")).unwrap();
    log.append(&two, &entry("y")).unwrap();
    assert_eq!(log.verify(&[&one, &two]).unwrap().unsealed, 0);
    assert_eq!(broken(&log, &[&one]), 2);
}

#[test]
fn a_reversal_without_a_reason_is_not_recorded() {
    let (_folder, path) = folder();
    let log = AuditLog::open(&path).unwrap();
    let key = Key::from_bytes([1; 32]);
    for reason in ["", "  ", "two\nlines", "\u{1b}[1m", &"x".repeat(1001)] {
        let error = log.append(&key, &entry(reason)).unwrap_err();
        assert!(matches!(error, Error::Parameter { name: "reason", .. }), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    let too_much = AuditEntry { columns: vec!["c".repeat(1 << 20)], ..entry("x") };
    assert!(matches!(log.append(&key, &too_much).unwrap_err(), Error::Parameter { name: "columns", .. }));
    assert_eq!(fs::read(&path).unwrap(), b"");
    // The longest line that is written is read again.
    log.append(&key, &AuditEntry { columns: vec!["c".repeat((1 << 20) - 1000)], ..entry("x") }).unwrap();
    log.append(&key, &entry("y")).unwrap();
    assert_eq!(log.verify(&[&key]).unwrap().lines, 2);
}

/// A service that gives no keys.
#[derive(Debug)]
struct Silent;

impl KeyProvider for Silent {
    fn origin(&self) -> KeyOrigin {
        KeyOrigin::Provider { id: "silent".to_owned() }
    }

    fn derive(&self, _domain: &Domain<'_>) -> backmask::Result<Key> {
        Err(Error::Key { problem: "no answer".to_owned(), remedy: "try again".to_owned() })
    }
}

#[test]
fn without_a_key_nothing_is_recorded() {
    let (_folder, path) = folder();
    let log = AuditLog::open(&path).unwrap();
    assert!(log.append(&Silent, &entry("x")).is_err());
    assert!(Silent.check_value().is_err());
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn concurrent_reversals_come_one_after_the_other() {
    let (_folder, path) = folder();
    let key = Key::from_bytes([1; 32]);
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let append = || {
            let log = AuditLog::open(&path).unwrap();
            (0..10).map(|_| log.append(&key, &entry("x")).unwrap()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(append)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=60).collect::<Vec<_>>());
    assert_eq!(AuditLog::open(&path).unwrap().verify(&[&key]).unwrap().lines, 60);
}

#[cfg(unix)]
#[test]
fn a_log_is_private_and_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    let key = Key::from_bytes([1; 32]);
    let (log, _) = log(&path, &key);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o620, 0o602, 0o666] {
        set_mode(&path, mode);
        assert!(AuditLog::open(&path).unwrap_err().to_string().contains("chmod go-w"));
        assert!(log.append(&key, &entry("x")).is_err() && log.verify(&[]).is_err());
    }
    set_mode(&path, 0o644);
    log.verify(&[&key]).unwrap();
    assert!(AuditLog::open(folder.path()).unwrap_err().to_string().contains("not a file"));
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
    assert!(AuditLog::open(&link).is_err() && !folder.path().join("nowhere").exists());
    assert_eq!(AuditLog::open(folder.path().join("none/log")).unwrap_err().exit_code(), 1);
    if Path::new("/dev/full").exists() {
        assert!(AuditLog::open("/dev/full").is_err());
    }
    // Moved away: the next line begins a new one only if somebody makes it.
    fs::rename(&path, folder.path().join("old")).unwrap();
    assert!(log.append(&key, &entry("x")).is_err());
    AuditLog::open(&path).unwrap();
    assert_eq!(log.append(&key, &entry("x")).unwrap(), 1);
}
