//! The house: a module imports only from lower floors. See `docs/architecture.md`.
//!
//! The sources are read as tokens: comments, texts and test code do not count. `crate::x`, `crate::{x, y}` and `super::` paths that
//! climb to the crate's root are followed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Floor of every top-level module.
const FLOORS: &[(&str, u8)] = &[
    ("error", 0),
    ("units", 0),
    ("policy", 1),
    ("keys", 1),
    ("pipeline", 1),
    ("numeric", 1),
    ("io", 2),
    ("engine", 2),
    ("pseudonym", 3),
    ("transform", 3),
    ("listening", 3),
    ("anonymity", 4),
    ("matrix", 4),
    ("dp", 4),
    ("history", 5),
    ("aggregates", 5),
    ("risk", 6),
    ("utility", 6),
    ("release", 7),
];

/// Edges on one floor that are allowed.
const SAME_FLOOR: &[(&str, &str)] = &[("units", "error"), ("engine", "io")];

/// Names that the crate's root re-exports, and the module they come from.
const ROOT_NAMES: &[(&str, &str)] = &[("Error", "error"), ("Result", "error")];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
}

/// Tokens with their lines, without comments, texts and characters.
fn tokens(source: &str) -> Vec<(Token, usize)> {
    let characters: Vec<char> = source.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let (mut index, mut line) = (0, 1);
    while index < characters.len() {
        let here = at(index);
        let next = at(index + 1);
        match here {
            '\n' => (line, index) = (line + 1, index + 1),
            '/' if next == '/' => {
                while index < characters.len() && at(index) != '\n' {
                    index += 1;
                }
            }
            '/' if next == '*' => {
                let mut depth = 0;
                loop {
                    match (at(index), at(index + 1)) {
                        ('/', '*') => (depth, index) = (depth + 1, index + 2),
                        ('*', '/') => (depth, index) = (depth - 1, index + 2),
                        ('\n', _) => (line, index) = (line + 1, index + 1),
                        _ => index += 1,
                    }
                    if depth == 0 || index >= characters.len() {
                        break;
                    }
                }
            }
            'r' | 'b' | 'c' if raw_text(&characters, index).is_some() => {
                let (start, hashes) = raw_text(&characters, index).expect("just seen");
                index = start + 1;
                while index < characters.len() && !(at(index) == '"' && (1..=hashes).all(|offset| at(index + offset) == '#')) {
                    line += usize::from(at(index) == '\n');
                    index += 1;
                }
                index += hashes + 1;
            }
            '"' => {
                index += 1;
                while index < characters.len() && at(index) != '"' {
                    index += usize::from(at(index) == '\\');
                    line += usize::from(at(index) == '\n');
                    index += 1;
                }
                index += 1;
            }
            // A character; anything else that begins with an apostrophe is a lifetime.
            '\'' if next == '\\' => {
                index += 3;
                while index < characters.len() && at(index) != '\'' {
                    index += 1;
                }
                index += 1;
            }
            '\'' if at(index + 2) == '\'' => index += 3,
            _ if here.is_alphabetic() || here == '_' => {
                let start = index;
                while at(index).is_alphanumeric() || at(index) == '_' {
                    index += 1;
                }
                found.push((Token::Word(characters[start..index].iter().collect()), line));
            }
            _ => {
                if !here.is_whitespace() {
                    found.push((Token::Sign(here), line));
                }
                index += 1;
            }
        }
    }
    found
}

/// Index of the quotation mark and number of hashes, if a raw text begins here.
fn raw_text(characters: &[char], index: usize) -> Option<(usize, usize)> {
    let mut index = index;
    let before = index.checked_sub(1).and_then(|before| characters.get(before));
    if before.is_some_and(|before| before.is_alphanumeric() || *before == '_') {
        return None;
    }
    if matches!(characters.get(index), Some('b' | 'c')) {
        index += 1;
    }
    if characters.get(index) != Some(&'r') {
        return None;
    }
    let hashes = characters[index + 1..].iter().take_while(|character| **character == '#').count();
    (characters.get(index + 1 + hashes) == Some(&'"')).then_some((index + 1 + hashes, hashes))
}

fn word(tokens: &[(Token, usize)], index: usize) -> Option<&str> {
    match tokens.get(index) {
        Some((Token::Word(word), _)) => Some(word),
        _ => None,
    }
}

fn signs(tokens: &[(Token, usize)], index: usize, signs: &str) -> bool {
    signs.chars().enumerate().all(|(offset, sign)| matches!(tokens.get(index + offset), Some((Token::Sign(found), _)) if *found == sign))
}

/// Index after the item that begins at `index`: after its `;` or its closing brace.
fn after_item(tokens: &[(Token, usize)], mut index: usize) -> usize {
    let mut depth = 0usize;
    while let Some((token, _)) = tokens.get(index) {
        index += 1;
        match token {
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign('}') if depth <= 1 => return index,
            Token::Sign('}' | ')' | ']') => depth = depth.saturating_sub(1),
            Token::Sign(';') if depth == 0 => return index,
            _ => {}
        }
    }
    index
}

/// Tokens without items under `#[cfg(test)]`; and the names of modules that such an item declares in a file of its own.
fn without_tests(tokens: &[(Token, usize)]) -> (Vec<(Token, usize)>, BTreeSet<String>) {
    let (mut kept, mut files) = (Vec::new(), BTreeSet::new());
    let mut index = 0;
    while index < tokens.len() {
        let gate = signs(tokens, index, "#[") && word(tokens, index + 2) == Some("cfg") && signs(tokens, index + 3, "(");
        if gate && word(tokens, index + 4) == Some("test") && signs(tokens, index + 5, ")]") {
            let mut item = index + 7;
            while signs(tokens, item, "#[") {
                while !signs(tokens, item, "]") && item < tokens.len() {
                    item += 1;
                }
                item += 1;
            }
            if word(tokens, item) == Some("mod") && signs(tokens, item + 2, ";") {
                files.extend(word(tokens, item + 1).map(str::to_owned));
            }
            index = after_item(tokens, item);
        } else {
            kept.push(tokens[index].clone());
            index += 1;
        }
    }
    (kept, files)
}

/// Names that stand first in the paths of a group `{ a::b, c, d }` whose opening brace is at `index`.
fn group(tokens: &[(Token, usize)], index: usize) -> Vec<(String, usize)> {
    let (mut depth, mut first, mut found) = (0usize, true, Vec::new());
    for (token, line) in &tokens[index..] {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            Token::Sign(',') if depth == 1 => first = true,
            Token::Word(word) if depth == 1 && first => {
                first = false;
                found.push((word.clone(), *line));
            }
            Token::Sign('*') if depth == 1 && first => found.push(("*".to_owned(), *line)),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Names in the crate's root that a file refers to, with lines. `depth` is the number of modules around its items (1 for `src/io/mod.rs`).
fn references(tokens: &[(Token, usize)], depth: usize) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let mut end = index;
        match word(tokens, index) {
            Some("crate") if word(tokens, index + 1) == Some("as") => found.push(("*".to_owned(), tokens[index].1)),
            Some("crate") => end = index + 1,
            Some("super") => {
                let mut climbed = 1;
                end = index + 1;
                while signs(tokens, end, "::") && word(tokens, end + 2) == Some("super") {
                    (climbed, end) = (climbed + 1, end + 3);
                }
                if signs(tokens, end, "::{") && group(tokens, end + 2).iter().any(|(name, _)| name == "super") {
                    found.push(("super inside braces".to_owned(), tokens[end].1));
                }
                if climbed < depth {
                    index = end;
                    continue;
                }
            }
            _ => {}
        }
        if end > index && signs(tokens, end, "::") {
            if signs(tokens, end + 2, "{") {
                found.extend(group(tokens, end + 2));
            } else if let Some(name) = word(tokens, end + 2) {
                found.push((name.to_owned(), tokens[end + 2].1));
            } else {
                found.push(("*".to_owned(), tokens[end].1));
            }
        }
        index = end.max(index + 1);
    }
    found
}

/// The modules around the items of `path` (relative to `src`): `["io", "table"]` for both `io/table.rs` and `io/table/mod.rs`.
fn module_of(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// What is wrong with a set of files (path below `src`, text).
fn violations(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut exempt: Vec<Vec<String>> = Vec::new();
    let mut read = Vec::new();
    for (path, source) in files {
        let module = module_of(path);
        let (kept, tests) = without_tests(&tokens(source));
        exempt.extend(tests.into_iter().map(|name| module.iter().cloned().chain([name]).collect()));
        read.push((path, module, kept));
    }
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, module, kept) in read {
        let Some(from) = module.first() else { continue };
        if exempt.iter().any(|test| module.starts_with(test)) {
            continue;
        }
        let Some(from_floor) = floor(from) else {
            wrong.push(format!("src/{path}:1: module {from} has no floor"));
            continue;
        };
        for (name, line) in references(&kept, module.len()) {
            let to = ROOT_NAMES.iter().find(|(root, _)| *root == name).map_or(name.as_str(), |(_, module)| module);
            if to == from {
                continue;
            }
            match floor(to) {
                None => {
                    wrong.push(format!("src/{path}:{line}: {from} refers to `{to}` in the crate's root, which is no module with a floor"));
                }
                Some(to_floor) => {
                    edges.entry(from.clone()).or_default().insert(to.to_owned());
                    if to_floor >= from_floor && !SAME_FLOOR.contains(&(from.as_str(), to)) {
                        wrong.push(format!("src/{path}:{line}: {from} (floor {from_floor}) imports {to} (floor {to_floor})"));
                    }
                }
            }
        }
    }
    wrong.extend(circle(&edges).map(|circle| format!("src: a circle of imports: {}", circle.join(" -> "))));
    wrong
}

/// A circle in the graph, if there is one.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(at: &str, edges: &BTreeMap<String, BTreeSet<String>>, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        if let Some(start) = path.iter().position(|name| name == at) {
            path.drain(..start);
            path.push(at.to_owned());
            return true;
        }
        if !done.contains(at) {
            path.push(at.to_owned());
            if edges.get(at).into_iter().flatten().any(|next| walk(next, edges, path, done)) {
                return true;
            }
            path.pop();
            done.insert(at.to_owned());
        }
        false
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|start| {
        let mut path = Vec::new();
        walk(start, edges, &mut path, &mut done).then_some(path)
    })
}

fn read(folder: &Path, prefix: &str, into: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), into);
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "rs") {
            into.insert(name, std::fs::read_to_string(entry.path()).expect("a readable file"));
        }
    }
}

#[test]
fn modules_import_only_from_lower_floors() {
    let mut files = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let wrong = violations(&files);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_module_of_the_crate_has_a_floor() {
    let root = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("the crate's root");
    let tokens = tokens(&root);
    // A module with its body in lib.rs (the prelude) is part of the roof, not a room.
    let is_file = |i: &usize| word(&tokens, *i) == Some("mod") && matches!(tokens.get(i + 2), Some((Token::Sign(';'), _)));
    let declared: Vec<_> = (0..tokens.len()).filter(is_file).filter_map(|i| word(&tokens, i + 1)).collect();
    assert!(declared.len() > 10);
    for module in declared {
        assert!(floor(module).is_some(), "src/lib.rs: module {module} has no floor");
    }
}

/// The violations of one file.
fn of(path: &str, source: &str) -> Vec<String> {
    violations(&BTreeMap::from([(path.to_owned(), source.to_owned())]))
}

#[test]
fn planted_violations_are_found() {
    for (path, source) in [
        ("io/mod.rs", "use crate::release::report::Report;"),
        ("io/mod.rs", "use crate::{error::Error, risk::unicity};"),
        ("io/mod.rs", "use crate::{\n    error::{Error, Result},\n    anonymity,\n};"),
        ("io/mod.rs", "fn f() -> crate::matrix::Support { todo!() }"),
        ("io/mod.rs", "pub(crate) use crate::engine::run;"),
        ("io/table/mod.rs", "use super::super::release::Report;"),
        ("io/source.rs", "use super::super::{release::Report};"),
        ("io/mod.rs", "use super::release::Report;"),
        ("io/mod.rs", "macro_rules! m { () => { $crate::release::x() } }"),
        ("io/mod.rs", "use crate::*;"),
        ("io/mod.rs", "use crate::{*, error::Error};"),
        ("io/mod.rs", "use crate as root;"),
        ("io/a/b.rs", "use super::{super::super::release::Report};"),
        ("io/mod.rs", "const A: char = '\"'; use crate::release::x; const B: char = '\"';"),
        ("io/mod.rs", "const A: &str = \"\\\"\"; use crate::release::x;"),
        ("io/mod.rs", "fn f<'a>(x: &'a str) { crate::release::f(x) }"),
        ("io/mod.rs", "#[cfg(test)] mod tests { fn f() { if x { } } } use crate::release::x;"),
        ("io/mod.rs", "#[cfg(test)]\n#[path = \"x.rs\"]\nmod sample;\nuse crate::release::x;"),
        ("io/mod.rs", "use crate::unheard_of::x;"),
        ("attic/mod.rs", "pub fn f() {}"),
        ("error.rs", "use crate::units::K;"),
        ("pseudonym/mod.rs", "use crate::transform::Kernel;"),
    ] {
        assert_eq!(of(path, source).len(), 1, "{path}: {source}: {:?}", of(path, source));
    }
    assert_eq!(of("io/mod.rs", "\n\nuse crate::release::x;"), ["src/io/mod.rs:3: io (floor 2) imports release (floor 7)"]);
}

#[test]
fn what_is_allowed_is_not_reported() {
    for (path, source) in [
        ("io/mod.rs", "use crate::policy::Format; use crate::Result; use crate::error::Error; use crate::io::table;"),
        ("engine/mod.rs", "use crate::io::Source;"),
        ("units.rs", "use crate::error::Error;"),
        ("release/report/types.rs", "use super::number; use super::super::gate; use crate::risk::Attack;"),
        (
            "io/mod.rs",
            "// use crate::release::x;\n/* use crate::release::y; /* nested */ use crate::risk::z; */\n/// crate::release::Report\nfn f() {}",
        ),
        (
            "io/mod.rs",
            "const A: &str = \"crate::release::x\"; const B: &str = r#\"use \"crate::release::x\"#; const C: &[u8] = b\"crate::risk::x\";",
        ),
        ("io/mod.rs", "#[cfg(test)]\nmod tests { use crate::release::x; mod deep { use crate::risk::x; } }"),
        ("io/mod.rs", "#[cfg(test)] use crate::release::x;"),
        ("lib.rs", "pub use release::Report;"),
    ] {
        assert_eq!(of(path, source), Vec::<String>::new(), "{path}: {source}");
    }
}

#[test]
fn files_of_test_modules_are_exempt_and_others_are_not() {
    let files = |declaration: &str| {
        violations(&BTreeMap::from([
            ("io/mod.rs".to_owned(), declaration.to_owned()),
            ("io/sample.rs".to_owned(), "use crate::release::x;".to_owned()),
        ]))
    };
    assert!(files("#[cfg(test)] mod sample;").is_empty());
    assert_eq!(files("mod sample;").len(), 1);
}

#[test]
fn circles_are_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            map.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        circle(&map)
    };
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("a", "c")]), None);
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("c", "b")]).map(|path| path.join(" ")), Some("b c b".to_owned()));
    let files = BTreeMap::from([
        ("io/mod.rs".to_owned(), "use crate::engine::x;".to_owned()),
        ("engine/mod.rs".to_owned(), "use crate::io::x;".to_owned()),
    ]);
    let wrong = violations(&files);
    assert!(
        wrong.iter().any(|line| line.contains("circle")) && wrong.iter().any(|line| line.contains("io (floor 2) imports engine")),
        "{wrong:?}"
    );
}
