//! Archives that nobody should trust.

use super::{write, zip_of};
use backmask::Error;
use backmask::io::contents;
use std::io::{Read, Write};
use zip::write::SimpleFileOptions;

fn names(path: &std::path::Path) -> Vec<String> {
    contents(path).unwrap().iter().map(|content| content.name().strip_prefix(&path.display().to_string()).unwrap().to_owned()).collect()
}

fn error(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "x.zip", bytes);
    let error = contents(&path).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    error.to_string()
}

#[test]
fn members_come_in_order_and_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = zip_of(&[("deep.json", b"[3]")]);
    let bytes = zip_of(&[
        ("b/z.json", b"[1]"),
        ("a.json", b"[2]"),
        ("b/inner.zip", &inner),
        ("a.pdf", b"no"),
        ("__MACOSX/a.json", b"no"),
        ("b/.hidden", b"no"),
        ("c.PNG", b"no"),
    ]);
    write(folder.path(), "pool/two.zip", bytes);
    write(folder.path(), "pool/one.csv", "x");
    write(folder.path(), "pool/sub/three.csv", "x");
    write(folder.path(), "pool/.DS_Store", "x");
    let path = folder.path().join("pool");
    assert_eq!(names(&path), ["/one.csv", "/sub/three.csv", "/two.zip!a.json", "/two.zip!b/inner.zip!deep.json", "/two.zip!b/z.json"]);
    let contents = contents(&path).unwrap();
    for expected in ["[2]", "[3]", "[1]"].into_iter().cycle().take(6).zip([2, 3, 4].into_iter().cycle()).map(|(text, at)| (at, text)) {
        let mut text = String::new();
        contents[expected.0].open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, expected.1);
    }
    // Two readers of one nested archive do not disturb each other.
    let (mut a, mut b) = (contents[3].open().unwrap(), contents[3].open().unwrap());
    let (mut one, mut two) = ([0; 1], String::new());
    a.read_exact(&mut one).unwrap();
    b.read_to_string(&mut two).unwrap();
    let mut rest = String::new();
    a.read_to_string(&mut rest).unwrap();
    assert_eq!((two.as_str(), rest.as_str()), ("[3]", "3]"));
}

#[test]
fn names_that_lead_out_are_refused_without_being_repeated() {
    for name in ["../evil.json", "a/../../evil.json", "/etc/evil.json", "a\\..\\evil.json", "C:evil.json", "a/../evil.json"] {
        let message = error(&raw_zip(name.as_bytes(), 0, 0, b"[]", 2));
        assert!(message.contains("member") && !message.contains("evil"), "{message}");
    }
    assert!(error(&raw_zip(b"evil\0.json", 0, 0, b"[]", 2)).contains("NUL"));
}

#[test]
fn encrypted_linked_and_strangely_packed_members_are_refused() {
    assert!(error(&raw_zip(b"a.json", 1, 0, b"[]", 2)).contains("encrypted"));
    assert!(error(&raw_zip(b"a.json", 0, 12, b"[]", 2)).contains("another method"));
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.add_symlink("a.json", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    assert!(error(&writer.finish().unwrap().into_inner()).contains("symbolic link"));
    assert!(error(b"PK\x03\x04 not really").contains("not a readable zip"));
    let innermost = zip_of(&[("a.json", b"[]")]);
    let inner = zip_of(&[("b.zip", &innermost)]);
    assert!(error(&zip_of(&[("c.zip", &inner)])).contains("more than one level"));
}

#[test]
fn bombs_stop_at_the_limit() {
    // Five million zeros pack about a thousandfold; a header that lies about the size changes nothing.
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![0; 8 << 20];
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("a.json", SimpleFileOptions::default().compression_level(Some(9))).unwrap();
    writer.write_all(&zeros).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert!(zeros.len() / bytes.len() > 900);
    let mut lying = bytes.clone();
    // Uncompressed size, in the central directory: behind the signature at 24.
    let central = lying.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    lying[central + 24..central + 28].copy_from_slice(&100_u32.to_le_bytes());
    let path = write(folder.path(), "lying.zip", &lying);
    let mut sink = Vec::new();
    let failure = contents(&path).unwrap()[0].open().unwrap().read_to_end(&mut sink).unwrap_err();
    let failure = failure.downcast::<Error>().unwrap();
    assert!(failure.to_string().contains("unpacks to far more"), "{failure}");
    assert!(sink.len() < 200 << 10, "reading stopped at the size in the header");
}

#[test]
fn a_flat_bomb_stops_at_the_ratio() {
    // Deflate itself cannot exceed 1032:1, so a stream of zeros just passes the limit of 1000.
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 64 << 20]).unwrap();
    let bytes = encoder.finish().unwrap();
    assert!((64 << 20) / bytes.len() > 1000);
    let path = write(folder.path(), "a.csv.gz", &bytes);
    let content = &contents(&path).unwrap()[0];
    assert!(content.name().ends_with("a.csv.gz!a.csv"));
    let failure = std::io::copy(&mut content.open().unwrap(), &mut std::io::sink()).unwrap_err();
    assert!(failure.downcast::<Error>().unwrap().to_string().contains("unpacks to far more"));
}

#[test]
fn a_gz_file_is_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"user\tplays\n").unwrap();
    let path = write(folder.path(), "a.tsv.gz", encoder.finish().unwrap());
    let mut text = String::new();
    contents(&path).unwrap()[0].open().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "user\tplays\n");
}

#[test]
fn overlapping_members_are_refused() {
    // Two entries of the directory that name the same bytes.
    let bytes = zip_of(&[("a.json", b"[1]"), ("b.json", b"[1]")]);
    let mut same = bytes.clone();
    let central: Vec<usize> = (0..same.len() - 4).filter(|&at| &same[at..at + 4] == b"PK\x01\x02").collect();
    same[central[1] + 42..central[1] + 46].copy_from_slice(&0_u32.to_le_bytes());
    assert!(error(&same).contains("overlap") || error(&same).contains("not a readable zip"));
}

#[test]
fn damage_is_found_by_the_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = raw_zip(b"a.json", 0, 0, b"[1,2]", 5);
    let at = bytes.windows(5).position(|w| w == b"[1,2]").unwrap();
    bytes[at + 1] = b'7';
    let path = write(folder.path(), "x.zip", &bytes);
    let failure = contents(&path).unwrap()[0].open().unwrap().read_to_end(&mut Vec::new()).unwrap_err();
    assert!(failure.downcast::<Error>().unwrap().to_string().contains("checksum"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_links_to_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "pool/a.csv", "x");
    std::os::unix::fs::symlink(folder.path().join("pool"), folder.path().join("pool/again")).unwrap();
    assert!(contents(&folder.path().join("pool")).unwrap_err().to_string().contains("twice"));
    assert!(contents(&folder.path().join("absent")).is_err());
}

/// A zip with one stored member, made by hand, so that every field can be wrong.
fn raw_zip(name: &[u8], flags: u16, method: u16, content: &[u8], size: u32) -> Vec<u8> {
    let mut checksum = flate2::Crc::new();
    checksum.update(content);
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let mut common = Vec::new();
    common.extend(20_u16.to_le_bytes());
    common.extend(flags.to_le_bytes());
    common.extend(method.to_le_bytes());
    common.extend([0, 0, 0x21, 0]);
    common.extend(checksum.sum().to_le_bytes());
    common.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    common.extend(size.to_le_bytes());
    common.extend(length);
    common.extend([0, 0]);
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend(&common);
    bytes.extend(name);
    bytes.extend(content);
    let directory = bytes.len();
    bytes.extend(b"PK\x01\x02");
    bytes.extend(20_u16.to_le_bytes());
    bytes.extend(&common);
    bytes.extend([0; 14]);
    bytes.extend(name);
    let length = bytes.len() - directory;
    bytes.extend(b"PK\x05\x06");
    bytes.extend([0, 0, 0, 0, 1, 0, 1, 0]);
    bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
    bytes.extend(u32::try_from(directory).unwrap().to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}
