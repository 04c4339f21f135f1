//! Users who are brought over from another application, many at a time.
//!
//! The statements are as long as there are rows, which no static text is. Rows go in chunks, so that all but the last of
//! an import have the same text, and a connection prepares it once.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, FromRow, Row};

use super::{Error, InsertError, Query, Store, Tx, UserRow};
use crate::id::UserId;

/// Rows of one statement. SQLite looks its parameters up one by one, so that ten times as many cost a hundred times as much.
const CHUNK: usize = 100;

/// A user that was imported, now or before.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ImportRow {
    /// A hash of where they came from and of their id there.
    pub source_key: String,
    /// A hash of that and of the address they had there.
    pub address_key: String,
    /// Their account, or `None` when it was deleted.
    pub user_id: Option<UserId>,
}

/// A new user, and what to know them by when the same is imported again.
#[derive(Clone, Debug)]
pub struct ImportedUserRow {
    /// The user.
    pub user: UserRow,
    /// See [`ImportRow::source_key`].
    pub source_key: String,
    /// See [`ImportRow::address_key`].
    pub address_key: String,
}

/// `($1, $2), ($3, $4)`, and so on.
fn placeholders(rows: usize, columns: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        for column in 0..columns {
            let before = match (row, column) {
                (0, 0) => "(",
                (_, 0) => "), (",
                _ => ", ",
            };
            // Writing to a String does not fail.
            let _ = write!(text, "{before}${}", row * columns + column + 1);
        }
    }
    text.push(')');
    text
}

/// A statement of as many rows as asked for. Nothing in its text comes from anywhere but this module.
fn query(before: &str, rows: usize, columns: usize, after: &str) -> Query {
    sqlx::query(AssertSqlSafe(format!("{before}{}{after}", placeholders(rows, columns))))
}

impl Store {
    /// Those of the users with these keys who were imported before.
    pub async fn list_imports(&self, source_keys: &[&str]) -> Result<Vec<ImportRow>, Error> {
        let select = "SELECT source_key, address_key, user_id FROM imports WHERE source_key IN ";
        let mut found = Vec::new();
        for keys in source_keys.chunks(CHUNK) {
            found.extend(self.read_all(list_of(select, keys)).await?);
        }
        Ok(found)
    }

    /// Those of these addresses, given in the form that is unique, that have accounts.
    pub async fn list_taken_addresses(&self, email_keys: &[&str]) -> Result<Vec<String>, Error> {
        self.list_texts("SELECT email_key FROM users WHERE email_key IN ", email_keys)
            .await
    }

    /// Those of these usernames, given in the form that is unique, that have accounts.
    pub async fn list_taken_usernames(&self, username_keys: &[&str]) -> Result<Vec<String>, Error> {
        self.list_texts("SELECT username_key FROM users WHERE username_key IN ", username_keys)
            .await
    }

    async fn list_texts(&self, select: &str, keys: &[&str]) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for keys in keys.chunks(CHUNK) {
            for row in self.rows(list_of(select, keys)).await? {
                found.push(row.try_get(0)?);
            }
        }
        Ok(found)
    }
}

fn list_of(select: &str, keys: &[&str]) -> Query {
    let query = query(select, 1, keys.len(), "");
    keys.iter().fold(query, |query, key| query.bind((*key).to_owned()))
}

impl Tx {
    /// Adds users, each with the roles in its row, and notes that they were imported.
    pub async fn insert_imported_users(&mut self, users: &[ImportedUserRow]) -> Result<(), InsertError> {
        for chunk in users.chunks(CHUNK) {
            self.insert_users(chunk).await?;
            self.insert_imports(chunk).await?;
        }
        let roles: Vec<(UserId, &str)> = users
            .iter()
            .flat_map(|imported| imported.user.roles.iter().map(|role| (imported.user.id, role.as_str())))
            .collect();
        for chunk in roles.chunks(CHUNK) {
            let insert = query("INSERT INTO user_roles (user_id, role) VALUES ", chunk.len(), 2, "");
            let insert = chunk.iter().fold(insert, |insert, (user, role)| {
                insert.bind(*user).bind((*role).to_owned())
            });
            self.execute(insert).await?;
        }
        Ok(())
    }

    async fn insert_users(&mut self, chunk: &[ImportedUserRow]) -> Result<(), Error> {
        let insert = "INSERT INTO users (id, email, email_key, username, username_key, name, password_hash, \
                      email_verified_at, disabled_at, external_id, last_login_at, created_at, updated_at) VALUES ";
        let mut insert = query(insert, chunk.len(), 13, "");
        for user in chunk.iter().map(|imported| &imported.user) {
            insert = insert
                .bind(user.id)
                .bind(user.email.clone())
                .bind(user.email_key.clone())
                .bind(user.username.clone())
                .bind(user.username_key.clone())
                .bind(user.name.clone())
                .bind(user.password_hash.clone())
                .bind(user.email_verified_at)
                .bind(user.disabled_at)
                .bind(user.external_id.clone())
                .bind(user.last_login_at)
                .bind(user.created_at)
                .bind(user.updated_at);
        }
        self.execute(insert).await.map(drop)
    }

    /// A row that is there already is that of a user who was deleted: any other is not this import's to change.
    async fn insert_imports(&mut self, chunk: &[ImportedUserRow]) -> Result<(), Error> {
        let replace = " ON CONFLICT (source_key) DO UPDATE SET address_key = excluded.address_key, \
                       user_id = excluded.user_id WHERE imports.user_id IS NULL";
        let insert = "INSERT INTO imports (source_key, address_key, user_id) VALUES ";
        let mut insert = query(insert, chunk.len(), 3, replace);
        for imported in chunk {
            insert = insert
                .bind(imported.source_key.clone())
                .bind(imported.address_key.clone())
                .bind(imported.user.id);
        }
        let written = self.execute(insert).await?;
        if usize::try_from(written).is_ok_and(|written| written == chunk.len()) {
            Ok(())
        } else {
            self.break_off();
            Err(sqlx::Error::RowNotFound.into())
        }
    }

    /// Takes out of the note that a user was imported what could be compared with a guess of their address, and whose account
    /// it is. That they were stays, so that they are not imported again.
    pub async fn erase_import_of(&mut self, user: UserId) -> Result<(), Error> {
        self.execute(sqlx::query("UPDATE imports SET address_key = '', user_id = NULL WHERE user_id = $1").bind(user))
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_through_all_rows() {
        assert_eq!(placeholders(1, 1), "($1)");
        assert_eq!(placeholders(3, 2), "($1, $2), ($3, $4), ($5, $6)");
    }
}
