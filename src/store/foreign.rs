//! A table of another application's database, which is read and never written.

use std::{fmt, path::PathBuf};

use futures_util::TryStreamExt;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row, any::AnyRow};
use tokio::sync::mpsc;

use super::{Error, Location, engine, engine::Engine};
use crate::printable::OneLine;

/// How many rows are read ahead.
const AHEAD: usize = 50;

/// The longest that a cell may be. What is of use in one has a few hundred bytes.
const MAX_CELL_BYTES: usize = 64 << 10;

/// A table, or a view, found in another application's database.
pub struct ForeignTable {
    engine: Engine,
    connection: AnyConnection,
    name: ForeignName,
    columns: Vec<ForeignColumn>,
}

/// Without the connection, which knows a password.
impl fmt::Debug for ForeignTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignTable")
            .field("name", &self.name)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct ForeignName {
    schema: String,
    table: String,
    /// As it is written by whoever means it.
    shown: String,
}

#[derive(Clone, Debug)]
struct ForeignColumn {
    name: String,
    /// Its type, as PostgreSQL calls it.
    kind: String,
}

/// What one column of one row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignValue {
    /// Nothing.
    Null,
    /// The bytes of its text.
    Bytes(Vec<u8>),
    /// More than 64 KiB, which are not read.
    TooLong,
}

impl From<Option<Vec<u8>>> for ForeignValue {
    fn from(read: Option<Vec<u8>>) -> Self {
        match read {
            None => Self::Null,
            Some(bytes) if bytes.len() > MAX_CELL_BYTES => Self::TooLong,
            Some(bytes) => Self::Bytes(bytes),
        }
    }
}

/// Another application's table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// There is no such file.
    #[error("there is no database file {}", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// There is no such table.
    #[error("there is no table {name}; {}", those_there_are(tables))]
    NoTable {
        /// The name that was asked for.
        name: String,
        /// The names of those there are.
        tables: Vec<String>,
    },
    /// The database does not answer as it should.
    #[error("cannot read the other application's database")]
    Database(#[source] Error),
}

fn those_there_are(tables: &[String]) -> String {
    if tables.is_empty() {
        "the database holds none".to_owned()
    } else {
        format!("the database holds {}", OneLine(tables.join(", ")))
    }
}

impl From<sqlx::Error> for ForeignError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl ForeignTable {
    /// Looks for the table called `name`, on PostgreSQL in the first schema of the `search_path`, or with its schema in
    /// front and a dot.
    pub async fn open(location: &Location, name: &str) -> Result<Self, ForeignError> {
        sqlx::any::install_default_drivers();
        let (engine, mut connection) = match location {
            // SQLite would make the file, were it not opened to be read only, and then say that it cannot open it.
            Location::Sqlite(path) if !path.exists() => return Err(ForeignError::NoFile { path: path.clone() }),
            Location::Sqlite(path) => (Engine::Sqlite, engine::sqlite_inspector(path).await?),
            Location::Postgres(url) => (Engine::Postgres, engine::postgres_inspector(url).await?),
        };
        let tables = sqlx::query(engine.list_foreign_tables())
            .fetch_all(&mut connection)
            .await?;
        let tables = tables.iter().map(foreign_name).collect::<Result<Vec<_>, _>>()?;
        let found = tables.iter().find(|table| table.shown == name).cloned();
        let name = found.ok_or_else(|| ForeignError::NoTable {
            name: name.to_owned(),
            tables: tables.into_iter().map(|table| table.shown).collect(),
        })?;
        let columns = sqlx::query(engine.list_foreign_columns())
            .bind(name.schema.clone())
            .bind(name.table.clone())
            .fetch_all(&mut connection)
            .await?;
        let columns = columns.iter().map(foreign_column).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            engine,
            connection,
            name,
            columns,
        })
    }

    /// The names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// How many rows it has.
    pub async fn count(&mut self) -> Result<u64, ForeignError> {
        let count = format!("SELECT COUNT(*) FROM {}", self.name.quoted());
        // The name is one that the database itself gave, and quoted.
        let row = sqlx::query(AssertSqlSafe(count))
            .fetch_one(&mut self.connection)
            .await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0))
    }

    /// Reads all rows, of each the columns of these indexes, of which there is one at least. They come sorted by the column
    /// of the index `order`.
    #[must_use]
    pub fn read(self, wanted: &[usize], order: Option<usize>) -> ForeignRows {
        let column_of = |index: &usize| self.columns.get(*index);
        let values: Vec<String> = wanted
            .iter()
            .filter_map(column_of)
            .map(|column| {
                self.engine
                    .as_bytes(&quoted(&column.name), &column.kind, MAX_CELL_BYTES)
            })
            .collect();
        let order = order.as_ref().and_then(column_of);
        let order = order.map_or_else(String::new, |column| format!(" ORDER BY {}", quoted(&column.name)));
        let select = format!("SELECT {} FROM {}{order}", values.join(", "), self.name.quoted());
        let (sender, receiver) = mpsc::channel(AHEAD);
        // A task of its own holds the connection, which a row that is being read borrows.
        tokio::spawn(send_rows(self.connection, select, sender));
        ForeignRows(receiver)
    }
}

async fn send_rows(
    mut connection: AnyConnection,
    select: String,
    sender: mpsc::Sender<Result<Vec<ForeignValue>, Error>>,
) {
    // All its names are ones that the database itself gave, and quoted.
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut connection);
    loop {
        let row = match rows.try_next().await {
            Ok(None) => break,
            Ok(Some(row)) => values(&row),
            Err(error) => Err(error),
        };
        let is_last = row.is_err();
        // Nobody waits for the rest any more when it fails.
        if sender.send(row.map_err(Error::from)).await.is_err() || is_last {
            return;
        }
    }
    drop(rows);
    // It has been read to its end; what goes wrong now is no matter.
    let _ = connection.close().await;
}

fn values(row: &AnyRow) -> Result<Vec<ForeignValue>, sqlx::Error> {
    let value = |index| row.try_get::<Option<Vec<u8>>, _>(index).map(ForeignValue::from);
    (0..row.columns().len()).map(value).collect()
}

/// The rows of a [`ForeignTable`].
#[derive(Debug)]
pub struct ForeignRows(mpsc::Receiver<Result<Vec<ForeignValue>, Error>>);

impl ForeignRows {
    /// The next row. After an error there are no more.
    pub async fn next(&mut self) -> Result<Option<Vec<ForeignValue>>, ForeignError> {
        let row = self.0.recv().await.transpose();
        row.map_err(ForeignError::Database)
    }
}

impl ForeignName {
    fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.table))
    }
}

fn foreign_name(row: &AnyRow) -> Result<ForeignName, sqlx::Error> {
    let (schema, table, is_near): (String, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let shown = if is_near == 0 {
        format!("{schema}.{table}")
    } else {
        table.clone()
    };
    Ok(ForeignName { schema, table, shown })
}

fn foreign_column(row: &AnyRow) -> Result<ForeignColumn, sqlx::Error> {
    Ok(ForeignColumn {
        name: row.try_get(0)?,
        kind: row.try_get(1)?,
    })
}

/// An identifier as both engines read it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
