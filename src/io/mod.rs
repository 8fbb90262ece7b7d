//! Tables in files: sources that can be read again, sinks that leave nothing half-written.
//!
//! A [`Source`] is a table in one file (or one member of an archive) that gives a fresh stream of record batches as often as it is opened.
//! [`read`] joins many sources into one stream, in order, worked on by several threads.

mod archive;
mod content;
mod digest;
mod formats;
mod open;
mod read;
mod rebuild;
mod sink;
mod source;
mod staging;
pub mod table;

pub(crate) use archive::read_failed;
pub use archive::{MAX_MEMBERS, MAX_NESTED, MAX_RATIO, MAX_UNPACKED, contents};
pub use content::{Content, PlainFile};
pub use digest::sha256_file;
pub use formats::{CsvOptions, CsvSource, Encoding, IpcSource, JsonSource, ParquetSource};
pub use open::{open_table, recognize};
pub use read::{Tagged, TaggedStream, read, read_tagged};
pub use rebuild::{KEPT_METADATA, rebuild};
pub use sink::{Compression, Sink, SinkFormat, SinkOptions, Written, create_sink, write_all};
pub(crate) use source::project;
pub use source::{BatchStream, LeftOut, MemorySource, ReadOptions, Source};
pub use staging::Staging;
