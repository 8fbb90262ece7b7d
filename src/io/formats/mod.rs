//! Sources, one for each file format.

mod csv;
mod guard;
mod ipc;
mod json;
mod objects;
mod parquet;
mod positioned;
mod records;
mod sniff;
mod text;
mod values;
mod window;

pub use csv::{CsvOptions, CsvSource};
pub(super) use guard::guarded;
pub use ipc::IpcSource;
pub use json::JsonSource;
pub use parquet::ParquetSource;
pub use text::Encoding;
