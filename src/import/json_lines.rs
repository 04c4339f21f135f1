//! JSON Lines: an object a line.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{Cells, MAX_COLUMNS, MAX_ROW_BYTES, SourceError, cells::Cell};

#[derive(Debug)]
pub(super) struct JsonLinesReader {
    path: PathBuf,
    reader: BufReader<File>,
    line: u64,
    text: Vec<u8>,
}

type Object = Result<Map<String, Value>, String>;

impl JsonLinesReader {
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(|source| SourceError::File {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::new(file),
            line: 0,
            text: Vec::new(),
        })
    }

    /// Reads to the end: the keys of all objects, in the order in which they first occur, and how many rows there are.
    pub(super) fn survey(mut self) -> Result<(Vec<String>, u64), SourceError> {
        let (mut columns, mut known) = (Vec::new(), HashSet::new());
        let mut rows = 0;
        while let Some((_, object)) = self.next_object()? {
            rows += 1;
            for key in object.iter().flat_map(Map::keys) {
                if !known.contains(key) {
                    known.insert(key.clone());
                    columns.push(key.clone());
                }
            }
            if columns.len() > MAX_COLUMNS {
                let reason = "there are more than 500";
                return Err(SourceError::BadColumns { reason });
            }
        }
        Ok((columns, rows))
    }

    /// The next row, by the number of its line. Blank lines are none.
    pub(super) fn next(&mut self, columns: &[String]) -> Result<Option<(u64, Cells)>, SourceError> {
        let row = self.next_object()?;
        Ok(row.map(|(line, object)| (line, object.map(|object| cells(object, columns)))))
    }

    fn next_object(&mut self) -> Result<Option<(u64, Object)>, SourceError> {
        loop {
            if !self.next_line()? {
                return Ok(None);
            }
            let mut text = self.text.as_slice();
            if self.line == 1 {
                text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            }
            let text = text.trim_ascii();
            if self.line == 1 && text.starts_with(b"[") {
                return Err(SourceError::JsonArray);
            }
            if !text.is_empty() {
                return Ok(Some((self.line, object(text))));
            }
        }
    }

    fn next_line(&mut self) -> Result<bool, SourceError> {
        self.line += 1;
        self.text.clear();
        let limit = MAX_ROW_BYTES + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.text);
        let read = read.map_err(|source: io::Error| SourceError::File {
            path: self.path.clone(),
            source,
        })?;
        if read as u64 == limit {
            return Err(SourceError::TooLong { row: self.line });
        }
        Ok(read > 0)
    }
}

/// What serde says of a value that it did not expect quotes that, and it may be a password.
fn object(text: &[u8]) -> Object {
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("it is no JSON object".to_owned()),
        Err(error) => Err(format!("it is not JSON from column {} on", error.column())),
    }
}

fn cells(mut object: Map<String, Value>, columns: &[String]) -> Vec<Cell> {
    let cells = columns
        .iter()
        .map(|column| object.remove(column).map_or(Cell::Missing, cell));
    cells.collect()
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Empty,
        Value::String(text) => Cell::of(text),
        // Numbers and truth values as they are; lists as the notation that `Cell::names` reads.
        other => Cell::Text(other.to_string()),
    }
}
