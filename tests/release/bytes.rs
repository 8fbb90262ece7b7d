//! Bytes are data: nothing that was removed may be left anywhere in what is handed over.

use super::support::{Run, batches, extension, files, key, policy, write_csv, write_ipc};
use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use backmask::io::SinkFormat;
use backmask::release::{Anonymizer, Outcome};
use parquet::arrow::ArrowWriter;
use parquet::file::reader::{FileReader, SerializedFileReader};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn contains(bytes: &[u8], marker: &[u8]) -> bool {
    !marker.is_empty() && bytes.windows(marker.len()).any(|window| window == marker)
}

/// The bytes of a file, and behind them what is in its compressed pages and buffers.
pub(super) fn decoded(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).expect("a readable file");
    match path.extension().and_then(|e| e.to_str()) {
        Some("parquet") => {
            let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("a Parquet file");
            for group in 0..reader.num_row_groups() {
                let group = reader.get_row_group(group).expect("a row group");
                for column in 0..group.num_columns() {
                    let mut pages = group.get_column_page_reader(column).expect("pages");
                    while let Some(page) = pages.get_next_page().expect("a page") {
                        bytes.extend_from_slice(page.buffer());
                    }
                }
            }
            for batch in batches(path).1 {
                buffers(&batch, &mut bytes);
            }
        }
        Some("arrow") => batches(path).1.iter().for_each(|batch| buffers(batch, &mut bytes)),
        _ => {}
    }
    bytes
}

/// All buffers as they are, whether a row refers to them or not.
fn buffers(batch: &RecordBatch, bytes: &mut Vec<u8>) {
    let mut data = vec![StructArray::from(batch.clone()).to_data()];
    while let Some(next) = data.pop() {
        next.buffers().iter().for_each(|buffer| bytes.extend_from_slice(buffer.as_slice()));
        data.extend(next.child_data().iter().cloned());
    }
}

const POLICY: &str = "
    version = 1
    name = 'markers'
    [input]
    HEADER
    [subject]
    column = 'subject_id'
    [columns]
    email = { role = 'identifier' }
    phone = { role = 'identifier', treatment = { pseudonym = { } } }
    secret = { role = 'other', treatment = 'drop' }
    track = { role = 'item', generalize_to = 'artist' }
    artist = { role = 'item' }
    place = { role = 'quasi-identifier', hierarchy = { file = 'FILE' } }
    mood = { role = 'other' }
    [[products]]
    name = 'log'
    kind = 'records'
    item_support = { min_subjects = 3, otherwise = 'generalize' }
    max_events_per_subject = 6
    models = [{ name = 'k-anonymity', k = 3 }]
    suppression_limit = 1.0
    search = 'fixed'
    levels = { place = 1 }
    accept_risk = 'enclave'
    [gate]
    control = 0.1
    trials = 50
";

/// A pool in which everything that may not be released is marked: people, mail, telephones, secrets, rare tracks and artists, rare places, unused values of dictionaries.
struct Marked {
    batch: RecordBatch,
    /// Values that no product may show.
    forbidden: Vec<String>,
    hierarchy: String,
}

fn marked() -> Marked {
    let (mut people, mut emails, mut phones, mut secrets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut tracks, mut artists, mut places, mut moods) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut row = |person: usize, track: String, artist: String, place: &str, mood: String| {
        people.push(format!("SUBJECTMARK{person:04}"));
        emails.push(format!("MAILMARK{person:04}@example.org"));
        phones.push(format!("PHONEMARK{person:04}"));
        secrets.push(format!("SECRETMARK{:06}", secrets.len()));
        tracks.push(track);
        artists.push(artist);
        places.push(place.to_owned());
        moods.push(mood);
    };
    for person in 0..40 {
        for event in 0..4 {
            row(person, format!("open track {event}"), format!("open artist {event}"), ["Kiel", "Bonn"][person % 2], "calm".to_owned());
        }
        // A rare track of a known artist is generalized, a rare track of a rare artist suppressed.
        row(person, format!("TRACKMARK{person:04}"), "open artist 0".to_owned(), "Kiel", "calm".to_owned());
        row(
            person,
            format!("TRACKMARK{:04}", 1000 + person),
            format!("ARTISTMARK{person:04}"),
            "Bonn",
            format!("MOODSUPPRESSED{person:04}"),
        );
    }
    // Outliers: two people in a region of their own.
    for person in [0, 1] {
        row(person, "open track 0".to_owned(), "open artist 0".to_owned(), "PLACEMARKlonely", format!("MOODOUTLIER{person:04}"));
    }
    // A person beyond the cap, one of whose twenty marked rows at most six remain.
    for event in 0..20 {
        row(39, "open track 1".to_owned(), "open artist 1".to_owned(), "Kiel", format!("MOODCAPPED{event:04}"));
    }
    let text = |values: &[String]| -> ArrayRef { Arc::new(StringArray::from_iter_values(values)) };
    // Dictionaries hold values that no row uses.
    let keys = Int32Array::from_iter_values(moods.iter().enumerate().map(|(i, _)| i32::try_from(i).expect("small")));
    let values = StringArray::from_iter_values(moods.iter().cloned().chain((0..50).map(|i| format!("UNUSEDMARK{i:04}"))));
    let moods: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(values)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("subject_id", text(&people)),
        ("email", text(&emails)),
        ("phone", text(&phones)),
        ("secret", text(&secrets)),
        ("track", text(&tracks)),
        ("artist", text(&artists)),
        ("place", text(&places)),
        ("mood", moods),
    ];
    let metadata = |marker: &str| HashMap::from([("origin".to_owned(), marker.to_owned())]);
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true).with_metadata(metadata("FIELDMARKmetadata")))
        .collect();
    let schema = Schema::new_with_metadata(fields, metadata("SCHEMAMARKmetadata"));
    let batch = RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|c| c.1).collect()).expect("a batch");
    let mut forbidden: Vec<String> = ["SUBJECTMARK", "MAILMARK", "PHONEMARK", "SECRETMARK", "TRACKMARK", "ARTISTMARK", "PLACEMARK"]
        .into_iter()
        .chain(["UNUSEDMARK", "FIELDMARK", "SCHEMAMARK", "MOODSUPPRESSED", "MOODOUTLIER", "LEAFMARK", "PATHMARK"])
        .map(str::to_owned)
        .collect();
    forbidden.push("Kiel".to_owned());
    forbidden.push("Bonn".to_owned());
    let hierarchy = "Kiel;coast\nBonn;inland\nPLACEMARKlonely;elsewhere\nLEAFMARKunused;LEAFMARKregion\n".to_owned();
    Marked { batch, forbidden, hierarchy }
}

fn publish(run: &Run, pool: &Marked, input: &str, format: SinkFormat) -> (Outcome, PathBuf) {
    let folder = run.path("PATHMARKfolder");
    std::fs::create_dir_all(&folder).expect("a folder");
    let hierarchy = folder.join("PATHMARKhierarchy.csv");
    std::fs::write(&hierarchy, &pool.hierarchy).expect("a hierarchy");
    let path = folder.join(format!("PATHMARKinput.{input}"));
    match input {
        "csv" => write_csv(&path, &pool.batch),
        "arrow" => write_ipc(&path, &pool.batch),
        _ => {
            let mut writer = ArrowWriter::try_new(File::create(&path).expect("a file"), pool.batch.schema(), None).expect("a writer");
            writer.write(&pool.batch).expect("written");
            writer.append_key_value_metadata(parquet::file::metadata::KeyValue::new("note".to_owned(), "SCHEMAMARKkey".to_owned()));
            writer.close().expect("closed");
        }
    }
    let text = POLICY
        .replace("FILE", &hierarchy.display().to_string())
        .replace("HEADER", &format!("format = '{}'", if input == "arrow" { "ipc" } else { input }));
    let outcome = Anonymizer::new(policy(&text)).input([&path]).output(run.out()).key(key()).format(format).run().expect("published");
    (outcome, path)
}

/// Files that show a marker.
fn leaks(folder: &Path, markers: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in files(folder) {
        let bytes = decoded(&file);
        for marker in markers {
            if contains(&bytes, marker.as_bytes()) {
                found.push((file.file_name().expect("a name").to_string_lossy().into_owned(), marker.clone()));
            }
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[test]
fn no_marker_is_left_in_any_file() {
    let pool = marked();
    for (input, format) in [
        ("parquet", SinkFormat::Parquet),
        ("arrow", SinkFormat::IpcFile),
        ("csv", SinkFormat::Csv),
        ("parquet", SinkFormat::Csv),
        ("arrow", SinkFormat::Parquet),
    ] {
        let run = Run::new();
        let (outcome, path) = publish(&run, &pool, input, format);
        let product = outcome.product("log").expect("the product");
        assert!(product.rows > 100, "{} rows", product.rows);
        let mut markers = pool.forbidden.clone();
        // The name of the hierarchy's file is part of the policy; the folders above it are not.
        markers.retain(|marker| marker != "PATHMARK");
        markers.extend([run.folder.path().display().to_string(), "PATHMARKfolder".to_owned(), "PATHMARKinput".to_owned()]);
        let bytes = std::fs::read(&path).expect("the input");
        markers.extend([hex(&Sha256::digest(&bytes)), blake3::hash(&bytes).to_hex().to_string()]);
        for person in [0, 7, 39] {
            let id = format!("SUBJECTMARK{person:04}");
            markers.extend([hex(&Sha256::digest(&id)), blake3::hash(id.as_bytes()).to_hex().to_string()]);
            markers.push(hex(&Sha256::digest(&id))[..32].to_owned());
        }
        assert_eq!(leaks(&outcome.release, &markers), [], "{input} to {}", extension(format));
        // At most six rows of a person, so at most six of the twenty marks.
        let written = super::support::Written::of(&outcome, "log");
        let capped = written.column("mood").into_iter().flatten().filter(|mood| mood.starts_with("MOODCAPPED")).count();
        let everything: Vec<u8> = files(&outcome.release).iter().flat_map(|file| decoded(file)).collect();
        let anywhere = (0..20).filter(|event| contains(&everything, format!("MOODCAPPED{event:04}").as_bytes())).count();
        assert!(capped <= 6 && anywhere == capped, "{capped} of them are released, {anywhere} are in the files");
        // The steward keeps what was fitted, so the same scan finds the marks there.
        assert!(!leaks(&outcome.steward, &["LEAFMARK".to_owned(), "PATHMARKinput".to_owned()]).is_empty());
    }
}

#[test]
fn a_broken_writer_is_caught() {
    // The rows that a release keeps, written as a slice of the pool's own arrays: no row shows the marks, the bytes do.
    let pool = marked();
    let folder = super::support::folder();
    let keep = pool.batch.slice(0, 4).project(&[7]).expect("a column");
    write_ipc(&folder.path().join("sliced.arrow"), &keep);
    let mut writer =
        ArrowWriter::try_new(File::create(folder.path().join("sliced.parquet")).expect("a file"), keep.schema(), None).expect("a writer");
    writer.write(&keep).expect("written");
    writer.close().expect("closed");
    let found = leaks(folder.path(), &["UNUSEDMARK".to_owned(), "SCHEMAMARK".to_owned(), "FIELDMARK".to_owned()]);
    assert!(found.contains(&("sliced.arrow".to_owned(), "UNUSEDMARK".to_owned())), "{found:?}");
    assert!(found.contains(&("sliced.arrow".to_owned(), "SCHEMAMARK".to_owned())), "{found:?}");
    // Nulls that hide values leave the values in place.
    let names = StringArray::new(
        arrow::buffer::OffsetBuffer::from_lengths([10]),
        arrow::buffer::Buffer::from(b"HIDDENMARK".to_vec()),
        Some(arrow::buffer::NullBuffer::from(vec![false])),
    );
    let hidden = RecordBatch::try_from_iter([("a", Arc::new(names) as ArrayRef)]).expect("a batch");
    assert_eq!(hidden.schema().field(0).data_type(), &DataType::Utf8);
    write_ipc(&folder.path().join("hidden.arrow"), &hidden);
    assert!(!leaks(folder.path(), &["HIDDENMARK".to_owned()]).is_empty());
}
