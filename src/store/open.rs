//! Opening a database: whose is it, how old is it, and what does it lack.

use std::{path::Path, sync::Arc};

use sqlx::{AnyConnection, Connection, Row, migrate::Migrator};
use url::Url;

use super::{Location, OpenError, Store, engine, engine::Engine, file::OpenFile, watch::Watch};
use crate::private_file;

/// The table that says which migrations were applied. Its name is what makes a database ours.
pub(super) const MIGRATIONS_TABLE: &str = "vestibule_migrations";

impl Store {
    /// Opens the database, makes it if it is not there, and brings its tables up to date.
    ///
    /// Waits a few seconds at most for a server that does not answer. A database of another application or of a newer
    /// version is left as it is.
    pub async fn open(location: &Location) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let opened = match location {
            Location::Sqlite(path) => Self::open_sqlite(path, location).await,
            Location::Postgres(url) => Self::open_postgres(url, location).await,
        };
        opened.map_err(|error| error.at(location))
    }

    /// Whether the database had no tables before it was opened.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether there is anything at `location`, rather than a database to be made.
    pub async fn exists(location: &Location) -> Result<bool, OpenError> {
        match location {
            Location::Sqlite(path) => Ok(path.exists()),
            Location::Postgres(url) => {
                sqlx::any::install_default_drivers();
                let has_tables = has_tables(url).await;
                has_tables.map_err(|error| OpenError::from(error).at(location))
            }
        }
    }

    async fn open_sqlite(path: &Path, location: &Location) -> Result<Self, OpenError> {
        create_file(path)?;
        // A file that is not ours must not even be switched to another journal, as the writer's connection would do.
        let mut inspector = engine::sqlite_inspector(path).await?;
        let is_new = check_tables(Engine::Sqlite, &mut inspector, location).await?;
        inspector.close().await?;

        let watch = Watch::default();
        let writer = engine::sqlite_writer(path, &watch)?;
        // In a transaction, because sqlx's lock on migrations does nothing on SQLite: without it two processes that
        // start at once would both create the tables.
        let mut connection = writer.acquire().await?;
        let mut transaction = connection.begin_with(Engine::Sqlite.begin()).await?;
        migrate(&mut transaction).await?;
        transaction.commit().await?;
        connection.keep();
        Ok(Self {
            engine: Engine::Sqlite,
            is_new,
            file: Some(Arc::new(OpenFile::at(path)?)),
            reader: engine::sqlite_readers(path, &watch)?,
            writer,
            watch,
        })
    }

    async fn open_postgres(url: &str, location: &Location) -> Result<Self, OpenError> {
        // Not one of the pool's: a migration that fails keeps its advisory lock until its connection ends.
        let mut connection = engine::postgres_migrator(url).await?;
        let is_new = check_tables(Engine::Postgres, &mut connection, location).await?;
        check_rights(Engine::Postgres, &mut connection).await?;
        migrate(&mut connection).await?;
        connection.close().await?;

        let watch = Watch::default();
        let pool = engine::postgres(url, &watch)?;
        Ok(Self {
            engine: Engine::Postgres,
            is_new,
            file: None,
            reader: pool.clone(),
            writer: pool,
            watch,
        })
    }
}

/// Not `Migrator::run`, whose bounds make this future one that cannot be sent to another thread.
async fn migrate(connection: &mut AnyConnection) -> Result<(), OpenError> {
    Ok(migrator().run_direct(None, connection, false).await?)
}

pub(super) fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator
}

/// Refuses a database that holds tables and is not ours, and says whether it holds none.
pub(super) async fn check_tables(
    engine: Engine,
    connection: &mut AnyConnection,
    location: &Location,
) -> Result<bool, OpenError> {
    let tables = list_tables(engine, connection).await?;
    if tables.is_empty() || tables.iter().any(|table| table == MIGRATIONS_TABLE) {
        return Ok(tables.is_empty());
    }
    let import = format!(
        "vestibule user import --from {} --table {}",
        shell_word(&shown_url(location)),
        shell_word(users_table(&tables))
    );
    Err(OpenError::Foreign { tables, import })
}

/// Refuses a database in which no tables can be made. Every start needs that right: what makes the table of migrations
/// unless it is there is refused even where it is.
pub(super) async fn check_rights(engine: Engine, connection: &mut AnyConnection) -> Result<(), OpenError> {
    let Some(check) = engine.forbidden_schema() else {
        return Ok(());
    };
    match sqlx::query(check).fetch_optional(connection).await? {
        Some(row) => Err(OpenError::MayNotCreate {
            schema: row.try_get(0)?,
        }),
        None => Ok(()),
    }
}

/// Which of another application's tables holds its users, as far as names tell.
fn users_table(tables: &[String]) -> &str {
    let usual = ["users", "user", "accounts", "account", "auth_user"];
    let found = usual.into_iter().find(|name| tables.iter().any(|table| table == name));
    let alike = || tables.iter().find(|table| table.to_lowercase().contains("user"));
    found.or_else(|| alike().map(String::as_str)).unwrap_or("users")
}

/// Without its password, which an error must not show.
fn shown_url(location: &Location) -> String {
    match location {
        Location::Sqlite(path) => format!("sqlite:{}", path.display()),
        Location::Postgres(url) => without_password(url),
    }
}

fn without_password(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return "postgres://…".to_owned();
    };
    // It fails only for a URL that cannot have one.
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

/// The text as a shell takes it for one word.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-@".contains(&byte);
    if text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

async fn has_tables(url: &str) -> Result<bool, sqlx::Error> {
    let mut connection = engine::postgres_migrator(url).await?;
    let tables = list_tables(Engine::Postgres, &mut connection).await?;
    connection.close().await?;
    Ok(!tables.is_empty())
}

pub(super) async fn list_tables(engine: Engine, connection: &mut AnyConnection) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(engine.list_tables()).fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get("name")).collect()
}

/// Makes the file and its directory, for their owner only, unless they are there. SQLite gives its log files the mode of
/// the file.
fn create_file(path: &Path) -> Result<(), OpenError> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        private_file::create_directory(directory).map_err(|source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        })?;
    }
    let mut options = private_file::options();
    let opened = options.write(true).create(true).truncate(false).open(path);
    opened.map(drop).map_err(|source| OpenError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_users_is_found_by_its_name() {
        for (tables, found) in [
            (&["items", "users"][..], "users"),
            (&["auth_group", "auth_user", "auth_user_groups"], "auth_user"),
            (&["app_users", "products"], "app_users"),
            (&["members"], "users"),
        ] {
            let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
            assert_eq!(users_table(&tables), found);
        }
    }

    #[test]
    fn a_url_is_shown_as_a_shell_takes_it_and_without_its_password() {
        for (location, shown) in [
            (
                Location::Postgres("postgres://ann:hunter2@db:5433/auth?password=hunter2".to_owned()),
                "postgres://ann@db:5433/auth",
            ),
            (Location::Sqlite("./auth.db".into()), "sqlite:./auth.db"),
            (Location::Sqlite("it's mine.db".into()), r"'sqlite:it'\''s mine.db'"),
        ] {
            assert_eq!(shell_word(&shown_url(&location)), shown);
        }
    }
}
