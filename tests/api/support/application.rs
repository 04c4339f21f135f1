//! The application that a Vestibule takes the place of: its database, as its template would have made it.

use std::fmt::Write;

use base64::{Engine as _, alphabet, engine::GeneralPurpose, engine::general_purpose::NO_PAD};
use sqlx::{AnyPool, AssertSqlSafe, any::AnyPoolOptions};

use super::{Engine, Place};

pub(crate) struct Application {
    url: String,
    database: AnyPool,
}

impl Application {
    /// One that keeps its users in a SQLite file of this name, in the directory of `place`.
    pub(crate) async fn in_file(place: &Place, name: &str) -> Self {
        let path = place.directory().join(name);
        std::fs::write(&path, "").expect("a file");
        Self::at(format!("sqlite:{}", path.display())).await
    }

    /// One that keeps them in the PostgreSQL of `place`, in a schema of its own.
    pub(crate) async fn in_schema(place: &Place, schema: &str) -> Self {
        assert_eq!(place.engine(), Engine::Postgres);
        let application = Self::at(format!("{}?options[search_path]={schema}", place.database_url())).await;
        application.execute(&format!("CREATE SCHEMA {schema}")).await;
        application
    }

    async fn at(url: String) -> Self {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(1).connect(&url).await;
        Self {
            url,
            database: pool.expect("a database"),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn execute(&self, sql: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&self.database)
            .await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Ends its connection, as the application's own end would.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

/// The hash of a password as the templates store it; of the least cost, as there are many.
pub(crate) fn bcrypt(password: &str) -> String {
    const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);
    let salt = *b"0123456789abcdef";
    let key = [password.as_bytes(), &[0]].concat();
    let tag = bcrypt::bcrypt(4, salt, &key);
    let mut hash = String::from("$2b$04$");
    write!(hash, "{}{}", BCRYPT.encode(salt), BCRYPT.encode(&tag[..23])).expect("a text");
    hash
}
