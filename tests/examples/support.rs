//! Running the example binaries, and the small pool that most tests use.

use serde_json::Value;
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;
use tempfile::TempDir;

/// A word in every value of the test pool; it must appear in no message.
pub(crate) const SECRET: &str = "sesame";

/// `target/<profile>`.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test binary");
    test.parent().and_then(Path::parent).expect("target/<profile>/deps/integration-…").to_owned()
}

/// The binary of an example. `cargo test` builds the examples only when no target is named, so they are built here if they are absent or older than
/// what they were made from: no test may pass on a binary of yesterday.
pub(crate) fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let folder = target().join("examples");
    BUILT.get_or_init(|| {
        let names = [
            "account",
            "anonymize",
            "assess",
            "calibrate",
            "evaluate",
            "import",
            "keygen",
            "ledger",
            "noise",
            "pseudonymize",
            "simulate",
            "verify",
        ];
        if names.iter().all(|name| is_fresh(&folder, name)) {
            return;
        }
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--examples"]);
        if target().file_name() == Some(OsStr::new("release")) {
            build.arg("--release");
        }
        let status = build.env("CARGO_TARGET_DIR", target().parent().expect("the target folder")).status().expect("cargo runs");
        assert!(status.success(), "the examples cannot be built: cargo build --examples");
    });
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is absent: cargo build --examples", path.display());
    path
}

/// Whether a binary is newer than every file that cargo lists as its source.
fn is_fresh(folder: &Path, name: &str) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    let Some(built) = changed(&folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))) else { return false };
    let Ok(sources) = fs::read_to_string(folder.join(format!("{name}.d"))) else { return false };
    let sources = sources.split_once(": ").map_or("", |(_, sources)| sources).replace("\\ ", "\0");
    let newest: Option<Option<SystemTime>> = sources.split_whitespace().map(|path| changed(Path::new(&path.replace('\0', " ")))).max();
    matches!(newest, Some(Some(newest)) if newest <= built)
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not one JSON value: {error}: {self:?}"));
        assert!(value.is_object(), "{self:?}");
        value
    }

    /// Every one of `words` stands in the message, and no value of the pool.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "no \"{word}\" in: {}", self.stderr);
        }
        for text in [&self.stderr, &self.stdout] {
            assert!(!text.to_lowercase().contains(SECRET), "a value of the pool is in a message: {text}");
            assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{text}");
        }
    }
}

/// A folder with a pool of 400 people, a policy that releases it, and an output folder that does not exist yet.
pub(crate) struct Scratch {
    folder: TempDir,
}

/// Two columns that others may know, and k = 12.
pub(crate) const POLICY: &str = r#"
version = 1
name = "small"
[subject]
column = "subject_id"
[columns.birth_year]
role = "quasi-identifier"
hierarchy = { intervals = [5, 10, 20] }
[columns.city]
role = "quasi-identifier"
[[products]]
name = "people"
kind = "records"
columns = ["birth_year", "city"]
models = [{ name = "k-anonymity", k = 12 }]
suppression_limit = 0.1
"#;

/// The same with tokens, so that the recipient can count people.
pub(crate) fn policy_with_tokens() -> String {
    POLICY.replace(r#"columns = ["birth_year", "city"]"#, r#"columns = ["subject_id", "birth_year", "city"]"#)
}

/// Rows of the pool with their header: everybody once, 60 years of birth, two cities. Raw, seven people look alike at most.
pub(crate) fn people(count: u32) -> String {
    let mut text = "subject_id,birth_year,city\n".to_owned();
    for person in 0..count {
        let city = if person % 2 == 0 { "Sesame Aachen" } else { "Sesame Bergen" };
        writeln!(text, "sesame-{person},{},{city}", 1940 + (person * 7) % 60).expect("text");
    }
    text
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let scratch = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        scratch.write("policy.toml", POLICY);
        scratch.write("people.csv", people(400));
        scratch
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }

    pub(crate) fn command(&self, example: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary(example));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs an example in the folder.
    pub(crate) fn run(&self, example: &str, arguments: &[&str]) -> Ran {
        Ran::new(&self.command(example, arguments).output().expect("the example runs"))
    }

    /// `anonymize --policy policy.toml --input people.csv --output out`, and more arguments.
    pub(crate) fn anonymize(&self, more: &[&str]) -> Ran {
        self.run("anonymize", &[&["--policy", "policy.toml", "--input", "people.csv", "--output", "out"], more].concat())
    }

    /// Releases the pool and expects it to be published.
    #[track_caller]
    pub(crate) fn release(&self, more: &[&str]) -> Ran {
        let ran = self.anonymize(more).ends(0);
        assert_complete(&self.path("out"));
        ran
    }

    pub(crate) fn verify(&self, more: &[&str]) -> Ran {
        self.run("verify", &[&["--release", "out/release"], more].concat())
    }

    /// Nothing was published into `out`, and nothing is left of the attempt.
    #[track_caller]
    pub(crate) fn nothing_published(&self) {
        assert_nothing_published(&self.path("out"));
    }
}

/// All files below a folder, hidden ones too, by path relative to it, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).expect("below").to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// No release, no steward's folder, no product, no temporary file: at most what a refusal leaves.
#[track_caller]
pub(crate) fn assert_nothing_published(output: &Path) {
    let allowed = ["refusals.jsonl", "refused/report.html", "refused/report.json"];
    let found: Vec<_> = files(output).into_iter().filter(|file| !allowed.contains(&file.as_str())).collect();
    assert!(found.is_empty(), "left behind: {found:?}");
    for folder in fs::read_dir(output).into_iter().flatten() {
        let name = folder.expect("an entry").file_name();
        assert!(name == "refusals.jsonl" || name == "refused", "left behind: {}", name.display());
    }
}

/// Both folders are there with everything that belongs into them, and nothing else.
#[track_caller]
pub(crate) fn assert_complete(output: &Path) {
    let found = files(output);
    for file in [
        "release/policy.toml",
        "release/report.html",
        "release/report.json",
        "release/transformation.json",
        "steward/report.html",
        "steward/report.json",
        "steward/transformation.json",
    ] {
        assert!(found.iter().any(|name| name == file), "{file} is missing: {found:?}");
    }
    let report = read_json(&output.join("release/report.json"));
    for product in report["products"].as_array().expect("products") {
        let file = format!("release/{}", product["file"].as_str().expect("a file"));
        assert!(found.contains(&file), "{file} is missing: {found:?}");
    }
    assert!(!found.iter().any(|name| name.contains(".staging-") || name.contains(".partial-")), "temporary files: {found:?}");
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).expect("JSON")
}
