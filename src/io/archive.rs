//! Files, folders and archives as lists of [`Content`].
//!
//! An archive comes from a stranger. Nothing is unpacked to disk under a name, and no size in a header is believed: what is read is counted, and reading
//! stops at the limits below. The limits are far above any real export.

use super::content::{Content, PlainFile};
use crate::error::{Error, Result};
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use zip::{CompressionMethod, ZipArchive};

/// Members of an archive at most.
pub const MAX_MEMBERS: usize = 100_000;
/// Bytes that all members of an archive may unpack to together: 64 GiB.
pub const MAX_UNPACKED: u64 = 64 << 30;
/// Bytes that an archive inside an archive may have: 8 GiB.
pub const MAX_NESTED: u64 = 8 << 30;
/// How many times its packed size a member may unpack to. Deflate cannot pack real text by more than about 100.
pub const MAX_RATIO: u64 = 1000;

/// Unpacked bytes for which the ratio is not looked at.
const RATIO_FREE: u64 = 1 << 20;
/// Folders inside each other at most.
const MAX_DEPTH: usize = 64;

/// Everything under `path` that may hold data: a file is itself, a zip its members (named `a.zip!member`), a `.gz` file what it holds, a folder all files below
/// it and the members of all zips below it, sorted by name.
///
/// Zips inside a zip are opened too, one level deep (exports of some services nest them). PDFs, images, `__MACOSX` and names that begin with a dot are passed over inside folders and
/// archives. Members are not unpacked to disk and can be read again; only a nested zip is kept in a nameless temporary file while its members are in use.
///
/// # Errors
/// The path is not readable, or neither a file nor a folder; an archive is damaged, encrypted or packed with a method other than deflate; it breaks a limit of this module; a member's
/// name leads out of the archive (`..`, an absolute path, a backslash, a NUL) or the member is a symbolic link; a folder is reached twice through links.
///
/// # Security
/// [`MAX_UNPACKED`] and [`MAX_RATIO`] are enforced on the bytes as they are read, [`MAX_MEMBERS`] before anything is read. Members that overlap in the file are refused.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("b.csv"), "x\n1\n")?;
/// std::fs::write(folder.path().join("a.csv"), "x\n2\n")?;
/// std::fs::write(folder.path().join("ReadMeFirst.pdf"), "")?;
/// let found = backmask::io::contents(folder.path())?;
/// assert_eq!(found.len(), 2);
/// assert!(found[0].name().ends_with("a.csv"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn contents(path: &Path) -> Result<Vec<Arc<dyn Content>>> {
    let kind = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    let mut found = Vec::new();
    if kind.is_dir() {
        let mut visited = BTreeSet::new();
        walk(path, 0, &mut visited, &mut found)?;
    } else if !kind.is_file() {
        // What is read for recognizing it would be missing from the data.
        return Err(Error::data(
            path.display().to_string(),
            None,
            "is a pipe or a device, which can be read only once",
            "write it to a file and give that",
        ));
    } else {
        file(path, &mut found)?;
    }
    Ok(found)
}

/// An error while reading `name`. One that this crate raised inside a reader comes out as it was.
pub(crate) fn read_failed(name: &str, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof) => {
            Error::data(name, None, "the packed data is damaged", "copy or download the file again")
        }
        Err(error) => Error::io(name, io::Error::from(error.kind())),
    }
}

fn walk(folder: &Path, depth: usize, visited: &mut BTreeSet<PathBuf>, found: &mut Vec<Arc<dyn Content>>) -> Result<()> {
    let real = folder.canonicalize().map_err(|e| Error::io(folder, e))?;
    if depth > MAX_DEPTH || !visited.insert(real) {
        return Err(Error::data(
            folder.display().to_string(),
            None,
            "the folder is reached twice through symbolic links, or lies too deep",
            "remove the link and name the folders one by one",
        ));
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|e| Error::io(folder, e))?;
    entries.sort();
    for path in entries {
        if path.file_name().is_none_or(|name| is_passed_over(&name.to_string_lossy())) {
            continue;
        }
        let kind = std::fs::metadata(&path).map_err(|e| Error::io(&path, e))?;
        if kind.is_dir() {
            walk(&path, depth + 1, visited, found)?;
        } else if kind.is_file() {
            file(&path, found)?;
        }
    }
    Ok(())
}

fn file(path: &Path, found: &mut Vec<Arc<dyn Content>>) -> Result<()> {
    let name = path.display().to_string();
    if has_extension(&name, "zip") || begins_like_zip(path)? {
        let length = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
        let archive =
            Archive { name, base: Base::Path(path.to_owned()), budget: Arc::new(Budget { packed: length, total: AtomicU64::new(0) }) };
        return archive.members(true, found);
    }
    found.push(unpacked(Arc::new(PlainFile::new(path))));
    Ok(())
}

fn begins_like_zip(path: &Path) -> Result<bool> {
    let mut magic = [0; 4];
    let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
    match file.read_exact(&mut magic) {
        Ok(()) => Ok(&magic == b"PK\x03\x04" || &magic == b"PK\x05\x06"),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(Error::io(path, e)),
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, found)| found.eq_ignore_ascii_case(extension))
}

/// Whether a file or folder of this name never holds data.
fn is_passed_over(name: &str) -> bool {
    const EXTENSIONS: [&str; 11] = ["pdf", "png", "jpg", "jpeg", "gif", "webp", "svg", "ico", "heic", "bmp", "tiff"];
    name.starts_with('.') || name == "__MACOSX" || EXTENSIONS.iter().any(|extension| has_extension(name, extension))
}

/// What unpacks itself when it is read: the content of a `.gz` file in place of the file.
fn unpacked(content: Arc<dyn Content>) -> Arc<dyn Content> {
    let last = content.name().rsplit(['/', '\\', '!']).next().unwrap_or_default().to_owned();
    match last.rsplit_once('.') {
        Some((stem, extension)) if extension.eq_ignore_ascii_case("gz") => {
            let name = format!("{}!{stem}", content.name());
            Arc::new(Gz { content, name })
        }
        _ => content,
    }
}

/// Where the bytes of an archive are.
#[derive(Debug, Clone)]
enum Base {
    /// A file with a name.
    Path(PathBuf),
    /// A nameless temporary file that holds a nested archive.
    Spill(Arc<Mutex<File>>),
}

impl Base {
    fn open(&self) -> Result<Window> {
        Ok(match self {
            Self::Path(path) => Window::Own(File::open(path).map_err(|e| Error::io(path, e))?),
            Self::Spill(file) => Window::Shared { file: Arc::clone(file), position: 0 },
        })
    }
}

/// A reader with its own position.
enum Window {
    Own(File),
    Shared { file: Arc<Mutex<File>>, position: u64 },
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Own(file) => file.read(buffer),
            Self::Shared { file, position } => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(*position))?;
                let read = file.read(buffer)?;
                *position += read as u64;
                Ok(read)
            }
        }
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Own(file) => file.seek(to),
            Self::Shared { file, position } => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                if let SeekFrom::Current(_) = to {
                    file.seek(SeekFrom::Start(*position))?;
                }
                *position = file.seek(to)?;
                Ok(*position)
            }
        }
    }
}

/// What an archive and everything inside it has unpacked to. A member that is read again is not counted again.
#[derive(Debug)]
struct Budget {
    packed: u64,
    total: AtomicU64,
}

impl Budget {
    fn spend(&self, bytes: u64) -> bool {
        let total = self.total.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        total <= MAX_UNPACKED && (total <= RATIO_FREE || total / MAX_RATIO <= self.packed)
    }
}

struct Archive {
    name: String,
    base: Base,
    budget: Arc<Budget>,
}

impl Archive {
    fn fault(&self, problem: impl Into<String>, remedy: &str) -> Error {
        Error::data(self.name.clone(), None, problem, remedy)
    }

    /// Lists the members; those of zips among them only if `nest`.
    fn members(&self, nest: bool, found: &mut Vec<Arc<dyn Content>>) -> Result<()> {
        const AGAIN: &str = "copy or download the archive again";
        const REMEDY: &str = "do not trust this archive; ask its sender how it was made";
        let damaged = |_| self.fault("not a readable zip archive", AGAIN);
        let mut archive = ZipArchive::new(BufReader::new(self.base.open()?)).map_err(damaged)?;
        if archive.len() > MAX_MEMBERS {
            return Err(self.fault(format!("has more than {MAX_MEMBERS} members"), REMEDY));
        }
        if archive.has_duplicate_names() {
            return Err(self.fault("has two members of one name", REMEDY));
        }
        let mut spans = Vec::with_capacity(archive.len());
        let mut members = Vec::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(damaged)?;
            let path = entry.name().map_err(damaged)?.into_owned();
            check_name(&path).map_err(|problem| self.fault(problem, REMEDY))?;
            let start = entry.data_start().ok_or_else(|| self.fault("not a readable zip archive", AGAIN))?;
            let length = entry.compressed_size();
            let end = start.checked_add(length).ok_or_else(|| self.fault("not a readable zip archive", AGAIN))?;
            spans.push((start, end));
            if entry.is_dir() || path.split('/').any(is_passed_over) {
                continue;
            }
            if entry.is_symlink() {
                return Err(self.fault("a member is a symbolic link", REMEDY));
            }
            if entry.encrypted() {
                return Err(self.fault("a member is encrypted", "unpack the archive with its password and give the folder"));
            }
            let method = match entry.compression() {
                CompressionMethod::Stored => Packing::Stored,
                CompressionMethod::Deflated => Packing::Deflated,
                _ => {
                    return Err(self.fault("a member is packed with another method than deflate", "unpack the archive and give the folder"));
                }
            };
            members.push(Arc::new(Member {
                name: format!("{}!{path}", self.name),
                base: self.base.clone(),
                start,
                length,
                unpacked: entry.size(),
                checksum: entry.crc32(),
                packing: method,
                most: Arc::default(),
                budget: Arc::clone(&self.budget),
            }));
        }
        spans.retain(|(start, end)| start < end);
        spans.sort_unstable();
        if spans.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if end > start)) {
            return Err(self.fault("members overlap", REMEDY));
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        for member in members {
            if !has_extension(&member.name, "zip") {
                found.push(unpacked(member));
            } else if nest {
                let spill = spill(member.as_ref())?;
                let inner = Self { name: member.name.clone(), base: Base::Spill(spill), budget: Arc::clone(&self.budget) };
                inner.members(false, found)?;
            } else {
                return Err(self.fault("archives are nested more than one level deep", "unpack the outer archive and give the folder"));
            }
        }
        Ok(())
    }
}

/// What is wrong with the name of a member, if anything. The name itself is not part of the message: it is under the control of a stranger.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.contains('\0') {
        return Err("the name of a member holds a NUL character");
    }
    if name.contains('\\') {
        return Err("the name of a member holds a backslash");
    }
    if name.starts_with('/') || name.as_bytes().get(1) == Some(&b':') {
        return Err("the name of a member is an absolute path");
    }
    if name.split('/').any(|part| part == "..") {
        return Err("the name of a member leads out of the archive");
    }
    Ok(())
}

/// Unpacks a nested archive into a file without a name, which is gone when its last reader is.
fn spill(member: &Member) -> Result<Arc<Mutex<File>>> {
    let mut file = tempfile::tempfile().map_err(|e| Error::io(std::env::temp_dir(), e))?;
    let mut reader = member.open()?.take(MAX_NESTED + 1);
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0_u64;
    loop {
        let read = reader.read(&mut buffer).map_err(|e| read_failed(&member.name, e))?;
        if read == 0 {
            break;
        }
        total += read as u64;
        if total > MAX_NESTED {
            return Err(Error::data(
                member.name.clone(),
                None,
                "the archive inside the archive is too large",
                "unpack the outer archive and give the folder",
            ));
        }
        file.write_all(buffer.get(..read).unwrap_or_default()).map_err(|e| Error::io(std::env::temp_dir(), e))?;
    }
    Ok(Arc::new(Mutex::new(file)))
}

#[derive(Debug, Clone, Copy)]
enum Packing {
    Stored,
    Deflated,
}

/// One member of an archive.
#[derive(Debug)]
struct Member {
    name: String,
    base: Base,
    start: u64,
    length: u64,
    unpacked: u64,
    checksum: u32,
    packing: Packing,
    /// The most bytes that any reader of this member has given.
    most: Arc<AtomicU64>,
    budget: Arc<Budget>,
}

impl Content for Member {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Read + Send>> {
        let mut window = self.base.open()?;
        window.seek(SeekFrom::Start(self.start)).map_err(|e| read_failed(&self.name, e))?;
        let packed = BufReader::with_capacity(64 << 10, window.take(self.length));
        let inner: Box<dyn Read + Send> = match self.packing {
            Packing::Stored => Box::new(packed),
            Packing::Deflated => Box::new(DeflateDecoder::new(packed)),
        };
        Ok(Box::new(MemberReader {
            inner,
            checksum: flate2::Crc::new(),
            count: 0,
            name: self.name.clone(),
            length: self.length,
            unpacked: self.unpacked,
            expected: self.checksum,
            most: Arc::clone(&self.most),
            budget: Arc::clone(&self.budget),
        }))
    }
}

struct MemberReader {
    inner: Box<dyn Read + Send>,
    checksum: flate2::Crc,
    count: u64,
    name: String,
    length: u64,
    unpacked: u64,
    expected: u32,
    most: Arc<AtomicU64>,
    budget: Arc<Budget>,
}

impl Read for MemberReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        if read == 0 {
            if self.checksum.sum() != self.expected || self.count != self.unpacked {
                return Err(io::Error::other(Error::data(
                    self.name.clone(),
                    None,
                    "the member is damaged: its checksum or size is wrong",
                    "copy or download the archive again",
                )));
            }
            return Ok(0);
        }
        self.checksum.update(buffer.get(..read).unwrap_or_default());
        self.count += read as u64;
        let before = self.most.fetch_max(self.count, Ordering::Relaxed);
        let within = self.budget.spend(self.count.saturating_sub(before));
        if !within || too_dense(self.count, self.length) || self.count > self.unpacked {
            return Err(io::Error::other(bomb(&self.name)));
        }
        Ok(read)
    }
}

fn too_dense(unpacked: u64, packed: u64) -> bool {
    unpacked > RATIO_FREE && unpacked / MAX_RATIO > packed
}

fn bomb(name: &str) -> Error {
    Error::data(
        name,
        None,
        format!(
            "unpacks to far more than it says or than data can (limits: {MAX_RATIO} times its size, {} GiB in all)",
            MAX_UNPACKED >> 30
        ),
        "do not trust this file; ask its sender how it was made",
    )
}

/// The content of a `.gz` file.
#[derive(Debug)]
struct Gz {
    content: Arc<dyn Content>,
    name: String,
}

impl Content for Gz {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Read + Send>> {
        let packed = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: self.content.open()?, count: Arc::clone(&packed) };
        Ok(Box::new(GzReader { inner: MultiGzDecoder::new(counted), packed, count: 0, name: self.name.clone() }))
    }
}

struct Counted {
    inner: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

struct GzReader {
    inner: MultiGzDecoder<Counted>,
    packed: Arc<AtomicU64>,
    count: u64,
    name: String,
}

impl Read for GzReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        if self.count > MAX_UNPACKED || too_dense(self.count, self.packed.load(Ordering::Relaxed)) {
            return Err(io::Error::other(bomb(&self.name)));
        }
        Ok(read)
    }
}
