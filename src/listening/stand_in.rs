//! Plain tables until `io::open_table` is here.

use crate::error::{Error, Result};
use crate::io::{BatchStream, Content, ReadOptions, Source};
use crate::policy::Format;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::sync::Arc;

pub(super) fn open_table(
    content: Arc<dyn Content>,
    format: Option<Format>,
    delimiter: Option<char>,
    header: Option<bool>,
) -> Result<Arc<dyn Source>> {
    let parquet = format == Some(Format::Parquet) || content.name().ends_with(".parquet");
    if parquet {
        let schema = Arc::clone(builder(content.as_ref())?.schema());
        return Ok(Arc::new(Plain { content, schema, csv: None }));
    }
    let delimiter = delimiter.map_or(if content.name().ends_with(".tsv") { b'\t' } else { b',' }, |c| u8::try_from(c).unwrap_or(b','));
    let header = header.unwrap_or(true);
    let (schema, _) = arrow::csv::reader::Format::default()
        .with_header(header)
        .with_delimiter(delimiter)
        .infer_schema(content.open()?, None)
        .map_err(|e| Error::arrow("csv", &e))?;
    Ok(Arc::new(Plain { content, schema: Arc::new(schema), csv: Some((delimiter, header)) }))
}

fn builder(content: &dyn Content) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let Some(path) = content.path() else { return Err(Error::data(content.name(), None, "needs random access", "unpack it")) };
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|_| Error::data(content.name(), None, "not a Parquet file", "check it"))
}

#[derive(Debug)]
struct Plain {
    content: Arc<dyn Content>,
    schema: SchemaRef,
    csv: Option<(u8, bool)>,
}

impl Source for Plain {
    fn name(&self) -> &str {
        self.content.name()
    }
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn open_split(&self, _split: usize, options: &ReadOptions) -> Result<BatchStream> {
        let wanted = crate::io::project(&self.schema, options.columns.as_deref())?;
        let schema = Arc::new(self.schema.project(&wanted).map_err(|e| Error::arrow("projecting", &e))?);
        if let Some((delimiter, header)) = self.csv {
            let reader = arrow::csv::ReaderBuilder::new(Arc::clone(&self.schema))
                .with_header(header)
                .with_delimiter(delimiter)
                .with_batch_size(options.batch_rows)
                .with_projection(wanted)
                .build(self.content.open()?)
                .map_err(|e| Error::arrow("csv", &e))?;
            return Ok(BatchStream::new(schema, reader.map(|batch| batch.map_err(|e| Error::arrow("csv", &e)))));
        }
        let builder = builder(self.content.as_ref())?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let reader = builder
            .with_projection(mask)
            .with_batch_size(options.batch_rows)
            .build()
            .map_err(|_| Error::data(self.content.name(), None, "not a Parquet file", "check it"))?;
        Ok(BatchStream::new(schema, reader.map(|batch| batch.map_err(|e| Error::arrow("parquet", &e)))))
    }
}
