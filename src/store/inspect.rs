//! Looking at a database without changing anything in it.

use sqlx::{AnyConnection, Connection, FromRow, Row};

use super::{
    Location, OpenError, SigningKeyRow, Store,
    engine::{self, Engine},
    keys,
    open::{check_rights, check_tables, migrator},
};
use crate::clock::Timestamp;

/// What a database is.
#[derive(Clone, Debug)]
pub enum Found {
    /// None yet, or an empty one: a start would make it ours.
    Nothing,
    /// Ours.
    Ours(Inspection),
}

/// What was found in a database of ours.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// How many changes of its tables the next start makes.
    pub pending: usize,
    /// When the last thing happened that the audit log has recorded.
    pub newest: Option<Timestamp>,
    /// The signing keys, sealed.
    pub signing_keys: Vec<SigningKeyRow>,
}

/// It finds no such row, but must be allowed to change it. (A transaction that is begun for writing is a reading one where
/// SQLite may not write.)
const WRITE_NOTHING: &str = "UPDATE locks SET name = name WHERE name = ''";

const NEWEST: &str = "SELECT at FROM audit_events ORDER BY id DESC LIMIT 1";

impl Store {
    /// Looks at the database, and whether it could be written.
    pub async fn inspect(location: &Location) -> Result<Found, OpenError> {
        sqlx::any::install_default_drivers();
        let found = Self::look_at(location).await;
        found.map_err(|error| error.at(location))
    }

    async fn look_at(location: &Location) -> Result<Found, OpenError> {
        let (engine, mut connection) = match location {
            Location::Sqlite(path) if !path.exists() => return Ok(Found::Nothing),
            Location::Sqlite(path) => (Engine::Sqlite, engine::sqlite_inspector(path).await?),
            Location::Postgres(url) => (Engine::Postgres, engine::postgres_migrator(url).await?),
        };
        let is_empty = check_tables(engine, &mut connection, location).await?;
        check_rights(engine, &mut connection).await?;
        if is_empty {
            return Ok(Found::Nothing);
        }
        let inspection = inspect(engine, &mut connection).await?;
        connection.close().await?;

        let mut writer = match location {
            Location::Sqlite(path) => engine::sqlite_prober(path).await?,
            Location::Postgres(url) => engine::postgres_migrator(url).await?,
        };
        let tried = sqlx::query(WRITE_NOTHING).execute(&mut writer).await;
        tried.map_err(|error| OpenError::ReadOnly(error.into()))?;
        writer.close().await?;
        Ok(Found::Ours(inspection))
    }
}

async fn inspect(engine: Engine, connection: &mut AnyConnection) -> Result<Inspection, OpenError> {
    if let Some(check) = engine.check_file() {
        let verdict: String = sqlx::query(check).fetch_one(&mut *connection).await?.try_get(0)?;
        if verdict != "ok" {
            return Err(OpenError::Damaged { verdict });
        }
    }
    let pending = pending(connection).await?;
    let newest = sqlx::query(NEWEST).fetch_optional(&mut *connection).await?;
    let signing_keys = sqlx::query(keys::LIST).fetch_all(connection).await?;
    Ok(Inspection {
        pending,
        newest: newest.map(|row| row.try_get(0)).transpose()?,
        signing_keys: signing_keys
            .iter()
            .map(SigningKeyRow::from_row)
            .collect::<Result<_, _>>()?,
    })
}

/// How many migrations are still to be applied.
async fn pending(connection: &mut AnyConnection) -> Result<usize, OpenError> {
    let rows = sqlx::query("SELECT version FROM vestibule_migrations")
        .fetch_all(connection)
        .await?;
    let applied: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let known: Vec<i64> = migrator().iter().map(|migration| migration.version).collect();
    if let Some(version) = applied.iter().find(|version| !known.contains(version)) {
        return Err(OpenError::Newer { version: *version });
    }
    Ok(known.iter().filter(|version| !applied.contains(version)).count())
}
