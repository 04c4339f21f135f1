//! Link tokens: the secrets in mailed links, by their hashes.

use std::fmt;

use sqlx::FromRow;

use super::{Error, Query, Store, Tx};
use crate::{
    clock::{TOLERANCE, Timestamp},
    id::UserId,
};

/// The token of a mailed link that was not used yet.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub struct LinkTokenRow {
    /// The hash of the token; empty where [`Store::list_link_tokens_of`] gives the row.
    pub hash: String,
    /// What the link is for.
    pub kind: String,
    /// Whom it was mailed to.
    pub user_id: UserId,
    /// The address it was mailed to, as typed.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
}

impl fmt::Debug for LinkTokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkTokenRow")
            .field("kind", &self.kind)
            .field("user_id", &self.user_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// One statement finds and deletes, so that of two who follow a link at once one comes too late.
pub(super) const CONSUME: &str = "DELETE FROM link_tokens WHERE hash = $1 AND kind = $2 AND expires_at > $3 \
                                  AND created_at <= $4 RETURNING hash, kind, user_id, email, created_at, expires_at";

pub(super) const FIND: &str = "SELECT hash, kind, user_id, email, created_at, expires_at FROM link_tokens \
                               WHERE hash = $1 AND kind = $2 AND expires_at > $3 AND created_at <= $4";

pub(super) const LIST: &str = "SELECT '' AS hash, kind, user_id, email, created_at, expires_at FROM link_tokens \
                               WHERE user_id = $1 ORDER BY created_at DESC, kind";

pub(super) const DELETE_EXPIRED: &str =
    "DELETE FROM link_tokens WHERE hash IN (SELECT hash FROM link_tokens WHERE expires_at <= $1 LIMIT $2)";

pub(super) const DELETE_ALL: &str = "DELETE FROM link_tokens WHERE user_id = $1 AND kind = $2";

/// About a link whose time has come and is not over. One from before a clock that was ahead was set back would be good for
/// as much longer, wherever its letter lies by now.
fn good(statement: &'static str, hash: &str, kind: &str, now: Timestamp) -> Query {
    let query = sqlx::query(statement).bind(hash).bind(kind);
    query.bind(now).bind(now.plus(TOLERANCE))
}

impl Store {
    /// The link with this hash, if it is of this kind and has not expired. It is not used up.
    pub async fn find_link_token(&self, hash: &str, kind: &str, now: Timestamp) -> Result<Option<LinkTokenRow>, Error> {
        self.read_one(good(FIND, hash, kind, now)).await
    }

    /// The links of a user, expired ones too, newest first and without their hashes.
    pub async fn list_link_tokens_of(&self, user: UserId) -> Result<Vec<LinkTokenRow>, Error> {
        self.read_all(sqlx::query(LIST).bind(user)).await
    }
}

impl Tx {
    /// Adds a link.
    pub async fn insert_link_token(&mut self, token: &LinkTokenRow) -> Result<(), Error> {
        self.execute(
            sqlx::query(
                "INSERT INTO link_tokens (hash, kind, user_id, email, created_at, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(token.hash.as_str())
            .bind(token.kind.as_str())
            .bind(token.user_id)
            .bind(token.email.as_str())
            .bind(token.created_at)
            .bind(token.expires_at),
        )
        .await
        .map(drop)
    }

    /// Takes a link of this kind that has not expired out of the database. Of all who try, one gets it.
    pub async fn consume_link_token(
        &mut self,
        hash: &str,
        kind: &str,
        now: Timestamp,
    ) -> Result<Option<LinkTokenRow>, Error> {
        self.read_one(good(CONSUME, hash, kind, now)).await
    }

    /// Deletes the links of this kind of a user, and says how many.
    pub async fn delete_link_tokens(&mut self, user: UserId, kind: &str) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_ALL).bind(user).bind(kind)).await
    }

    /// Deletes links that have expired, at most `limit`, and says how many.
    pub async fn delete_expired_link_tokens(&mut self, now: Timestamp, limit: i64) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_EXPIRED).bind(now).bind(limit)).await
    }
}
