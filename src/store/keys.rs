//! Signing keys, sealed.

use std::fmt;

use sqlx::FromRow;

use super::{Error, Store, Tx};
use crate::clock::Timestamp;

/// A key pair that signs access tokens.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub struct SigningKeyRow {
    /// The key's id, as tokens name it.
    pub kid: String,
    /// Its algorithm, as a JWT names it.
    pub algorithm: String,
    /// The private key, sealed.
    pub sealed_private: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// Until when it verifies, or `None` for the key that is or will be signing.
    pub verifies_until: Option<Timestamp>,
}

impl fmt::Debug for SigningKeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyRow")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("signs_from", &self.signs_from)
            .field("verifies_until", &self.verifies_until)
            .finish_non_exhaustive()
    }
}

pub(super) const LIST: &str = "SELECT kid, algorithm, sealed_private, created_at, signs_from, verifies_until FROM signing_keys \
                    ORDER BY signs_from, kid";

/// What whoever has lost the key that they were sealed with says to the database. It is not run from here.
pub const FORGET_SIGNING_KEYS: &str = "DELETE FROM signing_keys";

impl Store {
    /// Every signing key, oldest first.
    pub async fn list_signing_keys(&self) -> Result<Vec<SigningKeyRow>, Error> {
        self.read_all(sqlx::query(LIST)).await
    }
}

impl Tx {
    /// Every signing key, oldest first, as this transaction sees them.
    pub async fn list_signing_keys(&mut self) -> Result<Vec<SigningKeyRow>, Error> {
        self.read_all(sqlx::query(LIST)).await
    }

    /// Adds a signing key.
    pub async fn insert_signing_key(&mut self, key: &SigningKeyRow) -> Result<(), Error> {
        self.execute(
            sqlx::query(
                "INSERT INTO signing_keys (kid, algorithm, sealed_private, created_at, signs_from, verifies_until) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(key.kid.as_str())
            .bind(key.algorithm.as_str())
            .bind(key.sealed_private.as_str())
            .bind(key.created_at)
            .bind(key.signs_from)
            .bind(key.verifies_until),
        )
        .await
        .map(drop)
    }

    /// Sets until when a key verifies; false when there is no such key.
    pub async fn update_signing_key_end(&mut self, kid: &str, verifies_until: Timestamp) -> Result<bool, Error> {
        self.changes(
            sqlx::query("UPDATE signing_keys SET verifies_until = $2 WHERE kid = $1")
                .bind(kid)
                .bind(verifies_until),
        )
        .await
    }

    /// Deletes the keys that no longer verify at this time, and says how many.
    pub async fn delete_signing_keys_ended(&mut self, before: Timestamp) -> Result<u64, Error> {
        self.execute(sqlx::query("DELETE FROM signing_keys WHERE verifies_until <= $1").bind(before))
            .await
    }
}
