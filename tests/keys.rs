//! Tests of `keys` from outside the crate.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod audit;
mod hygiene;
mod ring;

use backmask::Error;
use backmask::keys::{Key, KeyOrigin};
use std::path::{Path, PathBuf};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.key");
    (folder, path)
}

/// Writes a key file that only its owner can read.
fn write(path: &Path, content: &[u8]) {
    std::fs::write(path, content).unwrap();
    #[cfg(unix)]
    set_mode(path, 0o600);
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The message for a key file that is refused. It must say what to do and hold nothing of the secret.
fn refusal(path: &Path, secret: &str) -> String {
    let error = Key::from_file(path).unwrap_err();
    assert!(matches!(error, Error::Key { .. }), "{error}");
    assert_eq!(error.exit_code(), 2);
    for text in [error.to_string(), format!("{error:?}")] {
        for at in 0..=secret.len().saturating_sub(8) {
            assert!(secret.is_empty() || !text.contains(&secret[at..at + 8]), "the message quotes the key");
        }
    }
    error.to_string()
}

fn secret_of(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("key: ")).unwrap().to_owned()
}

#[test]
fn a_key_file_is_read_back() {
    let (_folder, path) = folder();
    let key = Key::create_file(&path).unwrap();
    let again = Key::from_file(&path).unwrap();
    assert_eq!(key.origin(), again.origin());
    let KeyOrigin::File { id } = key.origin() else { panic!("the origin is wrong") };
    assert!(id.len() == 16 && id.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f')));
    let text = std::fs::read_to_string(&path).unwrap();
    let secret = secret_of(&text);
    assert_eq!(secret.len(), 64);
    assert!(text.contains(&format!("id: {id}\n")) && text.starts_with("backmask key file, version 1\n"));
    assert!(!format!("{key:?}{again:?}").contains(&secret));
    let created = text.lines().find_map(|line| line.strip_prefix("created: ")).unwrap();
    let age = chrono::Utc::now() - chrono::DateTime::parse_from_rfc3339(created).unwrap().to_utc();
    assert!((-5..600).contains(&age.num_seconds()), "{created}");
}

#[test]
fn two_key_files_differ_in_id_and_key() {
    let (folder, path) = folder();
    let other = folder.path().join("other.key");
    let ids = [Key::create_file(&path).unwrap().origin().clone(), Key::create_file(&other).unwrap().origin().clone()];
    assert_ne!(ids[0], ids[1]);
    assert_ne!(secret_of(&std::fs::read_to_string(path).unwrap()), secret_of(&std::fs::read_to_string(other).unwrap()));
}

#[test]
fn a_key_file_is_never_overwritten() {
    let (folder, path) = folder();
    write(&path, b"something dear");
    let error = Key::create_file(&path).unwrap_err();
    assert!(matches!(error, Error::Key { .. }) && error.to_string().contains("never overwritten"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"something dear");
    let error = Key::create_file(folder.path().join("none/pool.key")).unwrap_err();
    assert_eq!(error.exit_code(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_is_not_written_through() {
    let (folder, path) = folder();
    let target = folder.path().join("target");
    std::os::unix::fs::symlink(&target, &path).unwrap();
    assert!(Key::create_file(&path).is_err());
    assert!(!target.exists());
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_have_rights() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder();
    Key::create_file(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = secret_of(&std::fs::read_to_string(&path).unwrap());
    for mode in [0o640, 0o604, 0o660, 0o606, 0o610, 0o601, 0o644, 0o666, 0o777, 0o420] {
        set_mode(&path, mode);
        let message = refusal(&path, &secret);
        assert!(message.contains("chmod 600") && message.contains(&format!("{mode:03o}")), "{message}");
    }
    for mode in [0o600, 0o400, 0o700] {
        set_mode(&path, mode);
        Key::from_file(&path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_other_things_refused() {
    let (folder, path) = folder();
    let key = Key::create_file(&path).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(Key::from_file(&link).unwrap().origin(), key.origin());
    set_mode(&path, 0o644);
    assert!(refusal(&link, "").contains("chmod 600"), "the rights of the file count, not those of the link");
    assert!(refusal(folder.path(), "").contains("not a file"));
    assert!(refusal(Path::new("/dev/zero"), "").contains("not a file"));
    assert!(refusal(&folder.path().join("none"), "").contains("keygen"));
}

#[test]
fn a_damaged_file_is_refused_without_quoting_it() {
    let (folder, path) = folder();
    Key::create_file(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let secret = secret_of(&text);
    let copy = folder.path().join("copy.key");
    let shorter = text.replace(&secret, &secret[2..]);
    for (content, words) in [
        (text.replace("version 1", "version 2"), "version"),
        (text.replace("backmask", "frontmask"), "not a key file"),
        (String::new(), "not a key file"),
        (text[..text.len() / 2].to_owned(), "restore it"),
        (text.lines().take(4).collect::<Vec<_>>().join("\n"), "lines are missing"),
        (format!("{text}\n{secret}\n"), "added"),
        (shorter, "checksum"),
        (text.replace("key: ", "key:  "), "checksum"),
        ("x".repeat(1 << 20), "too long"),
    ] {
        write(&copy, content.as_bytes());
        let message = refusal(&copy, &secret);
        assert!(message.contains(words), "{words:?} is missing in: {message}");
    }
    // Every byte counts.
    for place in 0..text.len() - 1 {
        let mut bytes = text.clone().into_bytes();
        bytes[place] ^= 0x80;
        write(&copy, &bytes);
        refusal(&copy, &secret);
        bytes[place] ^= 0x81;
        write(&copy, &bytes);
        refusal(&copy, &secret);
    }
    write(&copy, text.as_bytes());
    Key::from_file(&copy).unwrap();
}
