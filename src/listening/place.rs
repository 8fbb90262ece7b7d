//! Where a file was found, and whom an export therefore belongs to.
//!
//! Exports of one person carry no usable name, or a name that must not be used: the account's. So the subject is named by what the person handed in: the
//! archive or the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{MAIN_SEPARATOR, Path};

/// A step on the way from an input path to a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Folder(String),
    Archive(String),
}

/// Where a file was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Name of the input path without extension, and of the folder it lies in.
    root: String,
    parent: String,
    /// What the input path is.
    kind: Root,
    /// Folders and archives below the input path.
    steps: Vec<Step>,
    /// Name of the file itself.
    pub(super) file: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Folder,
    Archive,
    File,
}

impl Place {
    /// The place of the content called `name` that was found through `path`.
    pub(super) fn new(path: &Path, name: &str) -> Self {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let last = |path: Option<&Path>| path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (base, parent) = (last(Some(&real)), last(real.parent()));
        let rest = name.strip_prefix(&path.display().to_string()).unwrap_or(name);
        let kind = match rest.chars().next() {
            _ if real.is_dir() => Root::Folder,
            Some(mark) if mark == '/' || mark == MAIN_SEPARATOR => Root::Folder,
            Some('!') if !is_gz(&base) => Root::Archive,
            _ => Root::File,
        };
        let root = if kind == Root::Folder { base.clone() } else { stem(&base).to_owned() };
        let mut steps = Vec::new();
        let mut file = base;
        if kind != Root::File {
            let mut parts: Vec<&str> = rest.split(['/', MAIN_SEPARATOR]).flat_map(split_archive).filter(|part| !part.is_empty()).collect();
            parts.pop().unwrap_or_default().clone_into(&mut file);
            steps = parts
                .into_iter()
                .filter(|part| !is_gz(part))
                .map(|part| if is_zip(part) { Step::Archive(stem(part).to_owned()) } else { Step::Folder(part.to_owned()) })
                .collect();
        } else if let Some(inner) = rest.strip_prefix('!') {
            inner.clone_into(&mut file);
        }
        Self { root, parent, kind, steps, file }
    }

    /// Whether the file was named itself, and not found in a folder or an archive.
    pub(super) fn is_named(&self) -> bool {
        self.kind == Root::File
    }

    /// Names of the folders that the file lies in, the nearest last, below the nearest archive.
    pub(super) fn folders(&self) -> Vec<&str> {
        self.within().iter().filter_map(|step| if let Step::Folder(name) = step { Some(name.as_str()) } else { None }).collect()
    }

    /// The steps below the nearest archive, or below the input path.
    fn within(&self) -> &[Step] {
        let start = self.steps.iter().rposition(|step| matches!(step, Step::Archive(_))).map_or(0, |at| at + 1);
        self.steps.get(start..).unwrap_or_default()
    }

    /// The nearest archive or else the input path: what one person handed in, unless there are several folders in it.
    pub(super) fn container(&self) -> Vec<Step> {
        let length = self.steps.len() - self.within().len();
        let mut container = vec![Step::Folder(self.parent.clone()), Step::Folder(self.root.clone())];
        container.extend(self.steps.iter().take(length).cloned());
        container
    }

    /// The first folder in the container that is not part of the layout of an export.
    fn top_folder(&self) -> Option<&str> {
        match self.within().first() {
            Some(Step::Folder(name)) if !is_layout(name) => Some(name),
            _ => None,
        }
    }

    /// Name of the container.
    fn container_name(&self, plain_is_ambiguous: bool) -> String {
        let mut archives = self.steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Archive(_)));
        match archives.next_back() {
            Some((at, Step::Archive(name))) => {
                if !is_plain(name) {
                    return name.clone();
                }
                // The name that every download has says nothing; the folder of a person that it lies in does. Without one, every archive is a person.
                let folder = self.steps.iter().take(at).rev().find_map(named);
                match folder {
                    Some(folder) => folder.to_owned(),
                    None if self.kind == Root::Folder => format!("{}/{name}", self.root),
                    None => self.root.clone(),
                }
            }
            _ if self.kind == Root::Archive && is_plain(&self.root) => {
                if plain_is_ambiguous {
                    self.parent.clone()
                } else {
                    PLAIN.to_owned()
                }
            }
            _ => self.root.clone(),
        }
    }
}

fn named(step: &Step) -> Option<&str> {
    let (Step::Folder(name) | Step::Archive(name)) = step;
    (!is_plain(name) && !is_layout(name)).then_some(name)
}

/// Who each file of per-person exports belongs to, in the order of `places`. `standard` says whether the file has a name that every export gives it.
///
/// - In an archive: the archive's name; the name of the folder in it where several top-level folders hold histories.
/// - In a folder that was named: that folder's name; the name of the top-level folder below it where several hold histories (or archives lie beside it).
/// - A file that was named itself: its own name without extension; the name of the folder it lies in where the file's name is a standard one.
///
/// `my_spotify_data.zip`, the name of every download, is replaced by the name of the folder below the named one that it lies in, where there is one: several packages of one person belong
/// into such a folder. Directly in the folder that was named, every archive is a person. Equal names are one subject.
pub(super) fn subjects(places: &[(&Place, bool)]) -> Vec<String> {
    let mut tops: BTreeMap<Vec<Step>, BTreeSet<&str>> = BTreeMap::new();
    let mut beside: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut plain: BTreeSet<&str> = BTreeSet::new();
    for (place, _) in places {
        tops.entry(place.container()).or_default().extend(place.top_folder());
        if place.kind == Root::Folder && place.steps.iter().any(|step| matches!(step, Step::Archive(_))) {
            beside.insert((&place.parent, &place.root));
        }
        if place.kind == Root::Archive && is_plain(&place.root) {
            plain.insert(&place.parent);
        }
    }
    places
        .iter()
        .map(|(place, standard)| {
            if place.kind == Root::File {
                return if *standard { place.parent.clone() } else { stem(&place.file).to_owned() };
            }
            let several = tops.get(&place.container()).is_some_and(|tops| tops.len() > 1);
            let loose = place.steps.len() == place.within().len() && beside.contains(&(place.parent.as_str(), place.root.as_str()));
            match place.top_folder() {
                Some(top) if several || loose => top.to_owned(),
                _ => place.container_name(plain.len() > 1),
            }
        })
        .collect()
}

const PLAIN: &str = "my_spotify_data";

/// Whether this is the name that every download of an export has, or a numbered copy of it.
fn is_plain(name: &str) -> bool {
    name.strip_prefix(PLAIN).is_some_and(|rest| {
        let number = rest.trim().trim_start_matches('(').trim_end_matches(')');
        rest.is_empty() || (rest.trim_start().starts_with('(') && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Whether a folder of this name is part of the layout of an export.
fn is_layout(name: &str) -> bool {
    const NAMES: [&str; 5] =
        ["mydata", "spotify account data", "spotify extended streaming history", "spotify technical log information", "listens"];
    is_plain(name) || NAMES.contains(&name.to_lowercase().as_str())
}

fn is_zip(name: &str) -> bool {
    name.len() > 4 && name.to_ascii_lowercase().ends_with(".zip")
}

fn is_gz(name: &str) -> bool {
    name.len() > 3 && name.to_ascii_lowercase().ends_with(".gz")
}

/// `a.zip!b` as `a.zip` and `b`. An exclamation mark elsewhere is part of a name.
fn split_archive(part: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, _) in part.match_indices('!') {
        let piece = part.get(start..at).unwrap_or_default();
        if piece.is_empty() || is_zip(piece) || is_gz(piece) {
            pieces.push(piece);
            start = at + 1;
        }
    }
    pieces.push(part.get(start..).unwrap_or_default());
    pieces
}

/// A name without its last extension.
pub(super) fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(kind: Root, root: &str, steps: &[&str]) -> Place {
        let steps =
            steps.iter().map(|step| if is_zip(step) { Step::Archive(stem(step).into()) } else { Step::Folder((*step).into()) }).collect();
        Place { root: root.into(), parent: "parent".into(), kind, steps, file: "StreamingHistory0.json".into() }
    }

    fn names(places: &[Place]) -> Vec<String> {
        subjects(&places.iter().map(|place| (place, true)).collect::<Vec<_>>())
    }

    #[test]
    fn a_zip_is_a_person() {
        assert_eq!(
            names(&[place(Root::Archive, "p1", &["MyData"]), place(Root::Archive, "p1", &["Spotify Extended Streaming History"])]),
            ["p1", "p1"]
        );
        assert_eq!(names(&[place(Root::Folder, "pool", &["p1.zip"]), place(Root::Folder, "pool", &["p2.zip", "MyData"])]), ["p1", "p2"]);
        assert_eq!(
            names(&[place(Root::Folder, "pool", &["2023", "p1.zip"]), place(Root::Folder, "pool", &["2023", "p2.zip"])]),
            ["p1", "p2"]
        );
    }

    #[test]
    fn several_folders_are_several_people() {
        assert_eq!(names(&[place(Root::Archive, "pool", &["ann", "MyData"]), place(Root::Archive, "pool", &["bob"])]), ["ann", "bob"]);
        assert_eq!(names(&[place(Root::Folder, "pool", &["ann", "MyData"]), place(Root::Folder, "pool", &["bob"])]), ["ann", "bob"]);
        assert_eq!(names(&[place(Root::Folder, "ann", &["more"]), place(Root::Folder, "ann", &[])]), ["ann", "ann"]);
        assert_eq!(names(&[place(Root::Folder, "pool", &["ann"]), place(Root::Folder, "pool", &["bob.zip"])]), ["ann", "bob"]);
    }

    #[test]
    fn the_name_of_every_download_is_no_name() {
        assert_eq!(
            names(&[
                place(Root::Folder, "pool", &["ann", "my_spotify_data.zip"]),
                place(Root::Folder, "pool", &["ann", "my_spotify_data (1).zip"])
            ]),
            ["ann", "ann"]
        );
        assert_eq!(names(&[place(Root::Archive, "my_spotify_data", &[])]), ["my_spotify_data"]);
        let mut other = place(Root::Archive, "my_spotify_data", &[]);
        other.parent = "bob".into();
        assert_eq!(names(&[place(Root::Archive, "my_spotify_data", &[]), other]), ["parent", "bob"]);
        assert!(is_plain("my_spotify_data (12)") && !is_plain("my_spotify_data_7") && !is_plain("my_spotify_database"));
    }

    #[test]
    fn names_are_taken_apart_at_archives_only() {
        let found = Place::new(Path::new("/nowhere/pool"), "/nowhere/pool/Wham!/x.zip!a/b!c.json");
        assert_eq!(found.file, "b!c.json");
        assert_eq!(found.steps, [Step::Folder("Wham!".into()), Step::Archive("x".into()), Step::Folder("a".into())]);
        assert_eq!(split_archive("x.zip!b!c.json"), ["x.zip", "b!c.json"]);
        assert_eq!(split_archive("Wham!"), ["Wham!"]);
        assert_eq!(split_archive("!a.zip!b"), ["", "a.zip", "b"]);
    }
}
