//! Comma-separated values.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::{Cells, MAX_COLUMNS, MAX_ROW_BYTES, SourceError, cells::Cell};

#[derive(Debug)]
pub(super) struct CsvReader {
    path: PathBuf,
    reader: Reader<Metered>,
    record: ByteRecord,
    /// How many rows were read, the header included: a spreadsheet's number of the last.
    rows: u64,
}

/// A file of which only so much is read for one record: with a quote left open a record ends where the file does.
#[derive(Debug)]
struct Metered {
    file: File,
    left: u64,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}

impl CsvReader {
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(|source| SourceError::File {
            path: path.to_owned(),
            source,
        })?;
        let metered = Metered {
            file,
            left: MAX_ROW_BYTES,
        };
        Ok(Self {
            path: path.to_owned(),
            reader: ReaderBuilder::new().from_reader(metered),
            record: ByteRecord::new(),
            rows: 1,
        })
    }

    /// The names in the header.
    pub(super) fn columns(&mut self) -> Result<Vec<String>, SourceError> {
        let header = match self.reader.byte_headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(self.fatal(error, 1)),
        };
        if header.iter().all(<[u8]>::is_empty) {
            return Err(SourceError::NoHeader);
        }
        if header.len() > MAX_COLUMNS {
            let reason = "there are more than 500";
            return Err(SourceError::BadColumns { reason });
        }
        let mut columns: Vec<String> = Vec::new();
        for name in &header {
            let name = str::from_utf8(name).map_err(|_| SourceError::BadColumns {
                reason: "they are not text in UTF-8",
            })?;
            // One of two would be read, and nobody could say which.
            if columns.iter().any(|other| other == name.trim()) {
                let reason = "two have the same name";
                return Err(SourceError::BadColumns { reason });
            }
            columns.push(name.trim().to_owned());
        }
        Ok(columns)
    }

    /// How many rows follow.
    pub(super) fn count(&mut self) -> Result<u64, SourceError> {
        let mut rows = 0;
        while self.next()?.is_some() {
            rows += 1;
        }
        Ok(rows)
    }

    /// The next row, by the number that a spreadsheet gives it.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Cells)>, SourceError> {
        self.reader.get_mut().left = MAX_ROW_BYTES;
        let cells = match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => return Ok(None),
            Ok(true) => cells(&self.record),
            Err(error) => match error.kind() {
                ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    let (cells, columns) = (counted(*len, "cell"), counted(*expected_len, "column"));
                    Err(format!("it has {cells} under {columns}"))
                }
                _ => return Err(self.fatal(error, self.rows + 1)),
            },
        };
        self.rows += 1;
        Ok(Some((self.rows, cells)))
    }

    fn fatal(&self, error: csv::Error, row: u64) -> SourceError {
        let source = match error.into_kind() {
            ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => return SourceError::TooLong { row },
            ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        };
        SourceError::File {
            path: self.path.clone(),
            source,
        }
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn cells(record: &ByteRecord) -> Cells {
    let text = |bytes: &[u8]| match str::from_utf8(bytes) {
        Ok(text) => Ok(Cell::of(text.to_owned())),
        Err(_) => Err("it is not text in UTF-8".to_owned()),
    };
    record.iter().map(text).collect()
}
