//! Users of other applications: where they are read from, and what is made of their columns.
//!
//! A [`Source`] is a file of JSON Lines, a file of comma-separated values, or a table of another application's database.
//! It is read twice, first to see that it can be read to its end and how long it is, and then in batches, so that nothing
//! is imported from a source that breaks off, and no more than a batch of it is in memory. What a single row has wrong is
//! told of that row.

mod cells;
mod columns;
mod csv;
mod json_lines;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use self::columns::{Field, Layout, Mapping};
use self::{cells::Cell, csv::CsvReader, json_lines::JsonLinesReader};
use crate::{
    auth::ForeignRow,
    printable::OneLine,
    store::{ForeignError, ForeignRows, ForeignTable, ForeignValue, Location},
};

/// The longest row. A user has a few hundred bytes.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// The most columns: the keys of all lines, where these are JSON.
const MAX_COLUMNS: usize = 500;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values under a header (RFC 4180).
    Csv,
}

impl Format {
    /// The format that a file's name tells.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// A source cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is no file that can be read twice.
    #[error("{} is not a file; write what it gives to one first", path.display())]
    NotAFile {
        /// What is no file.
        path: PathBuf,
    },
    /// A row goes on and on.
    #[error("row {row} is longer than 1 MiB; is a quote left open?")]
    TooLong {
        /// Where it begins.
        row: u64,
    },
    /// It is one JSON array rather than lines.
    #[error("this is a JSON array; write an object a line, as `jq -c '.[]'` does")]
    JsonArray,
    /// There are no names of columns.
    #[error("the first line must name the columns")]
    NoHeader,
    /// The names of columns are no text, or far too many.
    #[error("the names of the columns cannot be read: {reason}")]
    BadColumns {
        /// Why not.
        reason: &'static str,
    },
    /// What every user must have is in no column.
    #[error("no column for {}; {}", field.name(), columns_in_words(columns, *field))]
    NoColumn {
        /// What is missing.
        field: Field,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// A column was asked for that there is not.
    #[error("there is no column {name}; there are {}", OneLine(columns.join(", ")))]
    UnknownColumn {
        /// The name that was asked for.
        name: String,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// The other application's table.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
}

fn columns_in_words(columns: &[String], field: Field) -> String {
    if columns.is_empty() {
        return "there are no columns at all".to_owned();
    }
    if let [only] = columns
        && let Some(separator) = only.chars().find(|character| [';', '\t'].contains(character))
    {
        return format!("the names in the first line are separated by {separator:?}, and must be by commas");
    }
    let otherwise = match field {
        Field::HashedPassword => ", or bring users over who have none with --without-passwords",
        _ => "",
    };
    format!(
        "name it with --map {}=COLUMN{otherwise}; there are {}",
        field.name(),
        OneLine(columns.join(", "))
    )
}

/// Where users are read from, ready to be read.
#[derive(Debug)]
pub struct Source {
    reader: Reader,
    columns: Vec<String>,
    layout: Layout,
    rows: u64,
}

#[derive(Debug)]
enum Reader {
    JsonLines(JsonLinesReader),
    Csv(CsvReader),
    Table(TableReader),
}

#[derive(Debug)]
struct TableReader {
    rows: ForeignRows,
    /// Which of the columns are in them: what is not asked for need not be readable.
    wanted: Vec<usize>,
    read: u64,
}

/// What a row says in each column, or why it cannot be read.
type Cells = Result<Vec<Cell>, String>;

impl Source {
    /// A file, read once to its end.
    pub fn of_file(path: &Path, format: Format, mapping: &Mapping) -> Result<Self, SourceError> {
        let file_error = |source| SourceError::File {
            path: path.to_owned(),
            source,
        };
        if !path.metadata().map_err(file_error)?.is_file() {
            return Err(SourceError::NotAFile { path: path.to_owned() });
        }
        let (reader, columns, rows) = match format {
            Format::JsonLines => {
                let (columns, rows) = JsonLinesReader::open(path)?.survey()?;
                (Reader::JsonLines(JsonLinesReader::open(path)?), columns, rows)
            }
            Format::Csv => {
                let mut reader = CsvReader::open(path)?;
                let columns = reader.columns()?;
                let rows = reader.count()?;
                (Reader::Csv(CsvReader::open(path)?), columns, rows)
            }
        };
        Ok(Self {
            layout: Layout::new(&columns, mapping)?,
            reader,
            columns,
            rows,
        })
    }

    /// The table `name` of another application's database.
    pub async fn of_table(location: &Location, name: &str, mapping: &Mapping) -> Result<Self, SourceError> {
        let mut table = ForeignTable::open(location, name).await?;
        let columns: Vec<String> = table.columns().map(str::to_owned).collect();
        let layout = Layout::new(&columns, mapping)?;
        let rows = table.count().await?;
        let wanted = layout.columns();
        Ok(Self {
            reader: Reader::Table(TableReader {
                rows: table.read(&wanted, layout.column_of(Field::Id)),
                wanted,
                read: 0,
            }),
            columns,
            layout,
            rows,
        })
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Which column holds what, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        self.layout.describe(&self.columns)
    }

    /// The next rows, at most so many; none at the end.
    pub async fn next_batch(&mut self, size: usize) -> Result<Vec<ForeignRow>, SourceError> {
        let mut batch = Vec::with_capacity(size);
        while batch.len() < size {
            let Some((number, cells)) = self.reader.next(&self.columns).await? else {
                break;
            };
            let user = cells.and_then(|cells| self.layout.user(&cells));
            batch.push(ForeignRow { number, user });
        }
        Ok(batch)
    }
}

impl Reader {
    async fn next(&mut self, columns: &[String]) -> Result<Option<(u64, Cells)>, SourceError> {
        match self {
            Self::JsonLines(reader) => reader.next(columns),
            Self::Csv(reader) => reader.next(),
            Self::Table(reader) => reader.next(columns).await,
        }
    }
}

impl TableReader {
    async fn next(&mut self, columns: &[String]) -> Result<Option<(u64, Cells)>, SourceError> {
        let Some(values) = self.rows.next().await? else {
            return Ok(None);
        };
        self.read += 1;
        Ok(Some((self.read, self.cells(values, columns))))
    }

    fn cells(&self, values: Vec<ForeignValue>, columns: &[String]) -> Cells {
        let mut cells = vec![Cell::Missing; columns.len()];
        for (value, index) in values.into_iter().zip(&self.wanted) {
            cells[*index] = table_cell(value, &columns[*index])?;
        }
        Ok(cells)
    }
}

fn table_cell(value: ForeignValue, column: &str) -> Result<Cell, String> {
    match value {
        ForeignValue::Null => Ok(Cell::Empty),
        ForeignValue::TooLong => Err(format!("{column} is longer than 64 KiB")),
        ForeignValue::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Cell::of(text)),
            Err(_) => Err(format!("{column} is not text in UTF-8")),
        },
    }
}
