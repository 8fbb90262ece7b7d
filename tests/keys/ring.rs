//! Key rings: life of a key, damage, concurrent and interrupted updates.

use super::{folder, set_mode, write};
use backmask::Error;
use backmask::keys::{self, Key, KeyRing, KeyState, Readiness};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// The message of a mistake. It must say what to do and hold nothing of `secrets`.
#[track_caller]
fn message<T>(outcome: Result<T, Error>, secrets: &[String]) -> String {
    let Err(error) = outcome else { panic!("it was taken") };
    assert!(matches!(error, Error::Key { .. }), "{error}");
    assert_eq!(error.exit_code(), 2);
    for text in [error.to_string(), format!("{error:?}")] {
        for secret in secrets {
            for at in 0..=secret.len() - 8 {
                assert!(!text.contains(&secret[at..at + 8]), "the message quotes a key");
            }
        }
    }
    error.to_string()
}

/// Hexadecimal digits of the keys in a ring.
fn secrets(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().filter_map(|line| line.strip_prefix("key: ")).map(str::to_owned).collect()
}

fn ids(ring: &KeyRing) -> Vec<String> {
    ring.entries().map(|entry| entry.id.clone()).collect()
}

/// Names of all files in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Whether any file of the folder holds a part of the secret, as digits or as bytes.
fn holds(folder: &Path, secret: &str) -> bool {
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).unwrap()).collect();
    names(folder).iter().any(|name| {
        let content = fs::read(folder.join(name)).unwrap();
        let has = |part: &[u8]| content.windows(part.len()).any(|window| window == part);
        secret.as_bytes().windows(16).any(has) || bytes.windows(8).any(has)
    })
}

#[test]
fn a_key_lives_and_ends() {
    let (folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    let [first] = ids(&ring).try_into().unwrap();
    let value = ring.active().unwrap().check_value();
    assert_eq!(ring.readiness(), Readiness::Ready { active: first.clone() });

    let second = ring.rotate().unwrap();
    assert_eq!(ring.active().unwrap().origin().id(), Some(second.as_str()));
    assert_ne!(ring.active().unwrap().check_value(), value);
    assert_eq!(ring.key(&first).unwrap().check_value(), value, "a retired key still makes its tokens");
    let states = |ring: &KeyRing| ring.entries().map(|entry| entry.state).collect::<Vec<_>>();
    assert_eq!(states(&ring), [KeyState::Retired, KeyState::Active]);
    assert_eq!(states(&KeyRing::from_file(&path).unwrap()), states(&ring), "the file has it too");

    let all = secrets(&path);
    assert!(holds(folder.path(), &all[0]) && holds(folder.path(), &all[1]));
    assert_eq!(ring.erase(&first).unwrap(), Readiness::Ready { active: second.clone() });
    assert!(!holds(folder.path(), &all[0]), "the erased secret is still there");
    assert!(holds(folder.path(), &all[1]));
    for ring in [&ring, &KeyRing::from_file(&path).unwrap()] {
        let refused = message(ring.key(&first), &all);
        assert!(refused.contains(&format!("{first} was erased on 20")) && refused.contains("reversed"), "{refused}");
        assert_eq!(ring.keys().len(), 1);
    }

    assert_eq!(ring.retire(&second).unwrap(), Readiness::NeedsRotation);
    let refused = message(ring.active(), &all);
    assert!(refused.contains("no active key") && refused.contains("--rotate"), "{refused}");
    assert!(ring.key(&second).is_ok());
    assert_eq!(ring.erase(&second).unwrap(), Readiness::NeedsRotation);
    assert!(!holds(folder.path(), &all[1]) && secrets(&path).is_empty() && ring.keys().is_empty());
    let third = ring.rotate().unwrap();
    assert_eq!(states(&ring), [KeyState::Erased, KeyState::Erased, KeyState::Active]);
    assert_eq!(ids(&ring), [first, second, third]);
    for entry in ring.entries() {
        for date in [Some(&entry.created), entry.retired.as_ref(), entry.erased.as_ref()].into_iter().flatten() {
            chrono::DateTime::parse_from_rfc3339(date).unwrap();
        }
    }
    assert!(ring.entries().all(|entry| entry.erased.is_some() == (entry.state == KeyState::Erased)));
}

#[test]
fn the_active_key_can_be_erased_at_once() {
    let (folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    let [secret] = secrets(&path).try_into().unwrap();
    assert_eq!(ring.erase(&ids(&ring)[0]).unwrap(), Readiness::NeedsRotation);
    assert!(!holds(folder.path(), &secret));
    assert!(keys::open(&path).unwrap().active().is_err());
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let (_folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    let first = ids(&ring)[0].clone();
    ring.rotate().unwrap();
    let (before, all) = (fs::read(&path).unwrap(), secrets(&path));
    assert!(message(ring.retire(&first), &all).contains("is retired already"));
    for id in ["0000000000000000", "", "ann@example.org", &all[0], &first.to_uppercase()] {
        for refused in [message(ring.retire(id), &all), message(ring.erase(id), &all), message(ring.key(id), &all)] {
            assert!(refused.contains("no key with") && refused.contains("--list"), "{refused}");
            assert!(!refused.contains("example"), "{refused}");
        }
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    let _ready = ring.erase(&first).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(message(ring.erase(&first), &all).contains("is erased already"));
    assert!(message(ring.retire(&first), &all).contains("is erased already"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    let (_folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    ring.rotate().unwrap();
    let text = format!("{ring:?}{ring:#?}{:?}{:?}", keys::open(&path).unwrap(), ring.keys());
    assert!(ids(&ring).iter().all(|id| text.contains(id)));
    for secret in secrets(&path) {
        let bytes: Vec<String> = (0..32).map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).unwrap().to_string()).collect();
        assert!(!secret.as_bytes().windows(8).any(|part| text.contains(std::str::from_utf8(part).unwrap())));
        assert!(!text.contains(&bytes[..3].join(", ")) && !text.contains(&bytes[..3].join(",\n")));
    }
}

#[test]
fn a_ring_is_never_overwritten_by_a_new_one() {
    let (folder, path) = folder();
    write(&path, b"something dear");
    assert!(message(KeyRing::create(&path), &[]).contains("never overwritten"));
    assert_eq!(fs::read(&path).unwrap(), b"something dear");
    assert_eq!(KeyRing::create(folder.path().join("none/ring")).unwrap_err().exit_code(), 1);
    assert!(KeyRing::create("/").is_err());
    // Of several that begin at once, one makes it.
    let path = folder.path().join("ring");
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| KeyRing::create(&path).is_ok())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|made| *made).count()
    });
    assert_eq!(made, 1);
    assert_eq!(KeyRing::from_file(&path).unwrap().entries().len(), 1);
}

#[test]
fn a_damaged_ring_is_refused_without_quoting_it() {
    let (folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    ring.rotate().unwrap();
    let text = fs::read(&path).unwrap();
    let all = secrets(&path);
    let copy = folder.path().join("copy");
    let refused = |content: &[u8]| {
        write(&copy, content);
        for refused in [message(KeyRing::from_file(&copy), &all), message(keys::open(&copy).map(|_| ()), &all)] {
            assert!(refused.contains("restore") || refused.contains("give a file") || refused.contains("release of backmask"), "{refused}");
        }
    };
    for length in 0..text.len() - 1 {
        refused(&text[..length]);
    }
    for place in 0..text.len() {
        let mut changed = text.clone();
        changed[place] ^= 1 << (place % 8);
        refused(&changed);
    }
    refused(b"backmask key ring, version 99\n");
    write(&copy, &text);
    KeyRing::from_file(&copy).unwrap();
    // An editor may change the line ends; the next update writes them as they were.
    write(&copy, String::from_utf8(text).unwrap().replace('\n', "\r\n").as_bytes());
    let mut edited = KeyRing::from_file(&copy).unwrap();
    edited.rotate().unwrap();
    assert!(!fs::read_to_string(&copy).unwrap().contains('\r'));
    assert_eq!(edited.entries().len(), 3);
    write(&copy, &vec![b'x'; 17 << 20]);
    assert!(message(KeyRing::from_file(&copy), &[]).contains("too long"));
}

#[test]
fn a_damaged_ring_is_not_changed() {
    let (_folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    let id = ids(&ring)[0].clone();
    let mut text = fs::read(&path).unwrap();
    text[40] ^= 1;
    write(&path, &text);
    assert!(ring.rotate().is_err() && ring.erase(&id).is_err());
    assert_eq!(fs::read(&path).unwrap(), text);
}

#[test]
fn another_ring_under_the_same_name_is_not_changed() {
    let (folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    let other = folder.path().join("other");
    KeyRing::create(&other).unwrap();
    fs::rename(&other, &path).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(message(ring.rotate(), &secrets(&path)).contains("another ring"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn files_and_rings_are_told_apart() {
    let (folder, path) = folder();
    let single = folder.path().join("single");
    let key = Key::create_file(&single).unwrap();
    let ring = KeyRing::create(&path).unwrap();
    assert!(message(KeyRing::from_file(&single), &[]).contains("single key"));
    assert!(message(Key::from_file(&path), &secrets(&path)).contains("key ring"));

    let opened = keys::open(&single).unwrap();
    let id = key.origin().id().unwrap();
    assert!(opened.ring().is_none() && opened.keys().len() == 1);
    assert_eq!(opened.active().unwrap().check_value(), key.check_value());
    assert_eq!(opened.key(id).unwrap().check_value(), key.check_value());
    let other = &ids(&ring)[0];
    let refused = message(opened.key(other), &secrets(&single));
    assert!(refused.contains("another pool") && refused.contains(id) && refused.contains(other), "{refused}");
    assert!(!message(opened.key("ann@example.org"), &[]).contains("example"));

    let opened = keys::open(&path).unwrap();
    assert!(opened.ring().is_some());
    assert_eq!(opened.active().unwrap().check_value(), ring.active().unwrap().check_value());
    assert!(message(opened.key(id), &secrets(&path)).contains("no key with"));
    assert!(message(keys::open(folder.path().join("none")).map(|_| ()), &[]).contains("keygen"));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_have_rights() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    let own = path.file_name().unwrap().to_str().unwrap();
    assert!(names(folder.path()).iter().all(|name| mode(name) == 0o600), "{:?}", names(folder.path()));
    let all = secrets(&path);
    for rights in [0o640, 0o604, 0o660, 0o610, 0o601, 0o666, 0o777] {
        set_mode(&path, rights);
        let before = fs::read(&path).unwrap();
        for refused in
            [message(KeyRing::from_file(&path), &all), message(keys::open(&path).map(|_| ()), &all), message(ring.rotate(), &all)]
        {
            assert!(refused.contains("chmod 600") && refused.contains(&format!("{rights:03o}")), "{refused}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    set_mode(&path, 0o400);
    ring.rotate().unwrap();
    assert_eq!(mode(own), 0o600);
}

#[cfg(unix)]
#[test]
fn links_lead_to_the_ring_and_other_things_are_refused() {
    let (folder, path) = folder();
    KeyRing::create(&path).unwrap();
    let [secret] = secrets(&path).try_into().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut ring = KeyRing::from_file(&link).unwrap();
    let id = ids(&ring)[0].clone();
    ring.rotate().unwrap();
    let _ready = ring.erase(&id).unwrap();
    assert!(link.is_symlink() && !holds(folder.path(), &secret), "the file behind the link is the ring");
    assert_eq!(names(elsewhere.path()), ["link"]);

    let second = folder.path().join("second");
    fs::hard_link(&path, &second).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(message(ring.rotate(), &[]).contains("second name"));
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::remove_file(&second).unwrap();
    ring.rotate().unwrap();

    std::os::unix::fs::symlink(folder.path().join("nowhere"), &second).unwrap();
    assert!(message(KeyRing::create(&second), &[]).contains("exists already"));
    assert!(!folder.path().join("nowhere").exists());
    for other in [folder.path(), Path::new("/dev/zero")] {
        assert!(message(KeyRing::from_file(other), &[]).contains("not a file"));
        assert!(message(keys::open(other).map(|_| ()), &[]).contains("not a file"));
    }
    let pipe = folder.path().join("pipe");
    if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        assert!(message(KeyRing::from_file(&pipe), &[]).contains("not a file"));
    }
}

#[test]
fn concurrent_rotations_lose_no_key() {
    let (_folder, path) = folder();
    KeyRing::create(&path).unwrap();
    let made: Vec<String> = std::thread::scope(|scope| {
        let rotate = || {
            let mut ring = KeyRing::from_file(&path).unwrap();
            (0..5).map(|_| ring.rotate().unwrap()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(rotate)).collect();
        // Readers see a whole ring at any time.
        for _ in 0..200 {
            KeyRing::from_file(&path).unwrap().active().unwrap();
        }
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let ring = KeyRing::from_file(&path).unwrap();
    let found: HashSet<_> = ids(&ring).into_iter().collect();
    assert_eq!((found.len(), ring.keys().len()), (31, 31));
    assert!(made.iter().all(|id| found.contains(id)));
    assert_eq!(ring.entries().filter(|entry| entry.state == KeyState::Active).count(), 1);
}

/// An erasure overwrites the former file, which a reader may have open.
#[test]
fn readers_are_not_disturbed_by_erasures() {
    let (_folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    std::thread::scope(|scope| {
        let eraser = scope.spawn(|| {
            for _ in 0..40 {
                let Readiness::Ready { active } = ring.readiness() else { panic!("no active key") };
                ring.rotate().unwrap();
                let _ready = ring.erase(&active).unwrap();
            }
        });
        while !eraser.is_finished() {
            keys::open(&path).unwrap().active().unwrap();
        }
        eraser.join().unwrap();
    });
}

/// What the test of concurrent rotations must catch: rotations that do not read the ring anew lose keys, and are refused here.
#[test]
fn a_ring_that_was_read_before_knows_what_others_did() {
    let (_folder, path) = folder();
    let mut first = KeyRing::create(&path).unwrap();
    let mut second = KeyRing::from_file(&path).unwrap();
    let (old, made) = (ids(&first)[0].clone(), first.rotate().unwrap());
    assert_eq!(second.entries().len(), 1);
    second.rotate().unwrap();
    assert_eq!(second.entries().len(), 3);
    assert!(second.key(&made).is_ok());
    let _ready = first.erase(&old).unwrap();
    assert_eq!(first.entries().len(), 3);
    assert!(second.key(&old).is_ok(), "it was read before the erasure");
    second.rotate().unwrap();
    assert!(second.key(&old).is_err(), "an update brings no erased key back");
    assert!(KeyRing::from_file(&path).unwrap().key(&old).is_err());
}

#[test]
fn what_an_interrupted_update_left_is_wiped_by_the_next() {
    let (folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    let first = ids(&ring)[0].clone();
    let [secret] = secrets(&path).try_into().unwrap();
    // The process was killed between writing and renaming: the new ring, or a part of it, lies beside the former one.
    let left = folder.path().join(format!(".{}.new", path.file_name().unwrap().to_str().unwrap()));
    for length in [0, 100, fs::metadata(&path).unwrap().len()] {
        let content = fs::read(&path).unwrap();
        write(&left, &content[..usize::try_from(length).unwrap()]);
        let mut opened = KeyRing::from_file(&path).unwrap();
        assert_eq!(opened.readiness(), ring.readiness());
        opened.rotate().unwrap();
        assert!(!left.exists());
        ring = opened;
    }
    write(&left, &fs::read(&path).unwrap());
    let _ready = ring.erase(&first).unwrap();
    assert!(!holds(folder.path(), &secret), "the interrupted update kept the erased secret");
    // Something else that has the name is no reason to lose the ring.
    #[cfg(unix)]
    {
        let dear = folder.path().join("dear");
        fs::write(&dear, "dear").unwrap();
        std::os::unix::fs::symlink(&dear, &left).unwrap();
        ring.rotate().unwrap();
        assert!(!left.is_symlink() && fs::read(&dear).unwrap() == b"dear");
    }
    fs::create_dir(&left).unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(ring.rotate().unwrap_err().exit_code(), 1);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_keeps_the_ring() {
    let (folder, path) = folder();
    let mut ring = KeyRing::create(&path).unwrap();
    let before = fs::read(&path).unwrap();
    set_mode(folder.path(), 0o500);
    // The superuser may write all the same.
    let refused = fs::write(folder.path().join("probe"), "").is_err();
    let outcome = ring.rotate();
    set_mode(folder.path(), 0o700);
    if refused {
        assert_eq!(outcome.unwrap_err().exit_code(), 1);
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(ring.entries().len(), 1, "the ring in memory is that of the file");
    }
    assert!(!names(folder.path()).iter().any(|name| name.contains(".new")));
}
