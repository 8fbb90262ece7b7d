//! The documents: links lead somewhere, every dependency is explained, what is said to exist exists.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents() -> Vec<PathBuf> {
    let mut found: Vec<_> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].iter().map(|name| root().join(name)).collect();
    for entry in std::fs::read_dir(root().join("docs")).expect("the folder of documents") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    assert!(found.len() > 8);
    found
}

/// Targets of the Markdown links of a text.
fn links(text: &str) -> Vec<&str> {
    text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split_once(')').map(|(target, _)| target)).collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    for document in documents() {
        let text = read(&document);
        for link in links(&text).into_iter().filter(|link| !link.starts_with("http")) {
            let (file, place) = link.split_once('#').map_or((link, None), |(file, place)| (file, Some(place)));
            let target = if file.is_empty() { document.clone() } else { document.parent().expect("a folder").join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", document.display());
            if let Some(place) = place {
                let headings: Vec<_> =
                    read(&target).lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect();
                assert!(headings.iter().any(|heading| heading == place), "{}: {link}: no such heading", document.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked} links");
}

#[test]
fn every_dependency_is_explained_and_none_is_invented() {
    let manifest = read(&root().join("Cargo.toml"));
    let mut section = "";
    let mut declared = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if let ("[dependencies]" | "[dev-dependencies]", Some((name, _))) = (section, line.split_once(" =")) {
            declared.push(name.trim().to_owned());
        }
    }
    assert!(declared.len() > 15);
    let document = read(&root().join("docs/dependencies.md"));
    let explained: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split(','))
        .map(|name| name.trim().trim_matches('`'))
        .collect();
    for name in &declared {
        assert!(explained.contains(&name.as_str()), "docs/dependencies.md does not say why {name} is there");
    }
    for name in explained {
        assert!(declared.iter().any(|declared| declared == name), "docs/dependencies.md explains {name}, which is no dependency");
    }
}

#[test]
fn documents_and_policies_name_no_place_on_a_machine() {
    let policies = std::fs::read_dir(root().join("examples/policies")).expect("policies").map(|entry| entry.expect("an entry").path());
    for file in documents().into_iter().chain(policies.filter(|path| path.is_file())) {
        let text = read(&file);
        for place in ["/home/", "/root/", "/work/", "C:\\"] {
            assert!(!text.contains(place), "{} names {place}", file.display());
        }
    }
}

#[test]
fn both_licences_are_there() {
    let manifest = read(&root().join("Cargo.toml"));
    assert!(manifest.contains("license = \"MIT OR Apache-2.0\""));
    assert!(read(&root().join("LICENSE-MIT")).contains("Permission is hereby granted, free of charge"));
    assert!(read(&root().join("LICENSE-APACHE")).contains("END OF TERMS AND CONDITIONS"));
}

#[test]
fn the_guide_quotes_the_demonstration_policy() {
    let clean = |line: &str| line.split(" #").next().unwrap_or_default().trim().to_owned();
    let policy: Vec<String> = read(&root().join("src/release/demo.toml")).lines().map(clean).collect();
    let guide = read(&root().join("docs/guide.md"));
    let mut quoted = 0;
    for block in guide.split("```toml").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines().map(clean).filter(|line| !line.is_empty()) {
            assert!(policy.contains(&line), "docs/guide.md quotes a line that is not in src/release/demo.toml: {line}");
            quoted += 1;
        }
    }
    assert!(quoted > 20, "{quoted} lines");
}
