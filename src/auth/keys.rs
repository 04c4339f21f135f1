//! The keys that sign access tokens: made at the first start, rotated by age and by command.
//!
//! Verifiers elsewhere cache the published set, so a new key is published [`PUBLISH_AHEAD`] before it signs, and an old
//! one stays until its last token has expired. Several processes may share a database: each looks again every ten
//! seconds, and at once, but at a bounded rate, when it meets a key that it does not know.

use std::{sync::Mutex, time::Duration};

use serde::Serialize;

use super::{
    Actor, Auth, Client, Error,
    audit::{EventKind, Record},
};
use crate::{
    clock::Timestamp,
    store::{FORGET_SIGNING_KEYS, SigningKeyRow, Tx},
    token::{Algorithm, GeneratedKey, Jwks, KeyMaterial, KeyRing, SealingKey},
};

/// How old a key gets before its successor is made.
const KEY_LIFE: Duration = Duration::from_hours(90 * 24);

/// How long a new key is published before it signs: twice the time for which the published set may be cached.
const PUBLISH_AHEAD: Duration = Duration::from_mins(10);

/// How much longer than its last token an old key stays: another process may learn late that it has a successor.
const RETIRE_SLACK: Duration = Duration::from_mins(5);

/// The least time between two looks at the database for unknown keys, since strangers can name any key they like.
const RELOAD_PAUSE: Duration = Duration::from_secs(10);

/// How old what is known of the keys may be when a token is signed. Housekeeping looks more often; but a machine that was
/// asleep must not wake up and sign with a key that has been retired since.
const MAX_STALENESS: Duration = Duration::from_mins(1);

/// When the keys were last looked at, and when because of an unknown one.
#[derive(Debug, Default)]
pub(super) struct Reload {
    looked: LastTime,
    for_unknown: LastTime,
}

/// When something was last done.
#[derive(Debug, Default)]
struct LastTime(Mutex<Option<Timestamp>>);

impl LastTime {
    /// Whether it is time to do it again; if so, this counts as having done it.
    fn is_due(&self, every: Duration, now: Timestamp) -> bool {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let due = last.is_none_or(|last| now.since(last) >= every || last > now);
        if due {
            *last = Some(now);
        }
        due
    }
}

/// A signing key as an operator may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// Its id, as in the header of its tokens.
    pub kid: String,
    /// What it signs with.
    pub algorithm: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it signs.
    pub signs_from: Timestamp,
    /// Until when its tokens are good; open while it has no successor.
    pub verifies_until: Option<Timestamp>,
}

impl From<SigningKeyRow> for KeyStatus {
    fn from(row: SigningKeyRow) -> Self {
        Self {
            kid: row.kid,
            algorithm: row.algorithm,
            created_at: row.created_at,
            signs_from: row.signs_from,
            verifies_until: row.verifies_until,
        }
    }
}

/// Why the signing keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// They were sealed with another `SEALING_KEY`.
    #[error(
        "the signing key {kid} was sealed with another SEALING_KEY; set the one that this database was used with. Only if \
         that is lost, have new keys made, with which every access token ends: `{FORGET_SIGNING_KEYS}` in the database, \
         by sqlite3 or psql"
    )]
    Unsealable {
        /// The key's id.
        kid: String,
    },
    /// One is for an algorithm that this version does not know.
    #[error(
        "the signing key {kid} is for the algorithm {algorithm}, which this version does not know; start the version \
         that made it, or delete its row of signing_keys (the access tokens that it signed then end)"
    )]
    UnknownAlgorithm {
        /// The key's id.
        kid: String,
        /// What its row says.
        algorithm: String,
    },
    /// HS256 is keyed by `SECRET_KEY`.
    #[error("with ALGORITHM=HS256 tokens are signed with SECRET_KEY: there are no keys to rotate, change SECRET_KEY")]
    SharedSecret,
    /// The stored key is damaged, or a new one could not be made.
    #[error(transparent)]
    Key(#[from] crate::token::KeyError),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<crate::store::Error> for SigningKeyError {
    fn from(error: crate::store::Error) -> Self {
        Self::Other(error.into())
    }
}

impl Auth {
    /// Reads the signing keys, making the first one, and the next one when the last has grown old.
    #[tracing::instrument(skip_all)]
    pub async fn load_signing_keys(&self) -> Result<(), SigningKeyError> {
        if self.parts.algorithm == Algorithm::Hs256 {
            return Ok(());
        }
        let now = self.now();
        let rows = self.store().list_signing_keys().await?;
        let newest = rows
            .iter()
            .filter(|row| self.is_current(row))
            .map(|row| row.created_at)
            .max();
        match newest {
            None => self.succeed(now, now.plus(self.retirement()), None).await?,
            // One that a clock made which was ahead would grow old as much later.
            Some(made) if now.since(made) >= KEY_LIFE || made.is_ahead_of(now) => self.publish_ahead(now, None).await?,
            Some(_) => return self.use_keys(rows),
        }
        self.use_keys(self.store().list_signing_keys().await?)
    }

    /// Makes a new signing key. It signs after ten minutes, or at once with `immediately`, which also refuses
    /// every token that older keys have signed: for a key that somebody else may have.
    #[tracing::instrument(skip_all)]
    pub async fn rotate_signing_keys(&self, actor: &Actor, immediately: bool) -> Result<(), SigningKeyError> {
        actor.require_admin()?;
        if self.parts.algorithm == Algorithm::Hs256 {
            return Err(SigningKeyError::SharedSecret);
        }
        let now = self.now();
        if immediately {
            self.succeed(now, now, Some(actor)).await?;
        } else {
            self.publish_ahead(now, Some(actor)).await?;
        }
        self.use_keys(self.store().list_signing_keys().await?)
    }

    /// The signing keys, oldest first.
    #[tracing::instrument(skip_all)]
    pub async fn list_signing_keys(&self, actor: &Actor) -> Result<Vec<KeyStatus>, Error> {
        actor.require_admin()?;
        Ok(self
            .store()
            .list_signing_keys()
            .await?
            .into_iter()
            .map(KeyStatus::from)
            .collect())
    }

    /// The public halves of the keys that sign, will sign, or have signed tokens that are still good.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        self.parts.tokens.jwks(self.now())
    }

    /// Looks for keys that another process may have made; says whether it looked.
    pub(super) async fn reload_for_unknown_key(&self) -> Result<bool, Error> {
        if self.parts.algorithm == Algorithm::Hs256 || !self.reload.for_unknown.is_due(RELOAD_PAUSE, self.now()) {
            return Ok(false);
        }
        self.read_keys().await?;
        Ok(true)
    }

    /// Makes sure that the key which is about to sign still may.
    pub(super) async fn know_the_keys(&self) -> Result<(), Error> {
        if self.parts.algorithm != Algorithm::Hs256 && self.reload.looked.is_due(MAX_STALENESS, self.now()) {
            self.read_keys().await?;
        }
        Ok(())
    }

    async fn read_keys(&self) -> Result<(), Error> {
        let rows = self.store().list_signing_keys().await?;
        self.use_keys(rows).map_err(Error::internal)
    }

    fn is_current(&self, row: &SigningKeyRow) -> bool {
        row.verifies_until.is_none() && row.algorithm == self.parts.algorithm.as_str()
    }

    fn retirement(&self) -> Duration {
        self.rules().access_token_life + RETIRE_SLACK
    }

    /// Writes a new key that signs [`PUBLISH_AHEAD`] from `now`.
    async fn publish_ahead(&self, now: Timestamp, by: Option<&Actor>) -> Result<(), SigningKeyError> {
        let signs_from = now.plus(PUBLISH_AHEAD);
        self.succeed(signs_from, signs_from.plus(self.retirement()), by).await
    }

    /// Writes a new key that signs from `signs_from`, after which the others verify until `others_end`; nobody did it
    /// when age did.
    async fn succeed(
        &self,
        signs_from: Timestamp,
        others_end: Timestamp,
        by: Option<&Actor>,
    ) -> Result<(), SigningKeyError> {
        let now = self.now();
        let key = GeneratedKey::generate(self.parts.algorithm)?;
        let sealed = self
            .parts
            .sealing_key
            .seal(&purpose(&key.kid), &key.private)
            .map_err(Error::from)?;
        let row = SigningKeyRow {
            kid: key.kid,
            algorithm: key.algorithm.as_str().to_owned(),
            sealed_private: sealed,
            created_at: now,
            signs_from,
            verifies_until: None,
        };
        let mut tx = self.store().begin().await?;
        end_signing_keys(&mut tx, others_end).await?;
        tx.insert_signing_key(&row).await?;
        tx.delete_signing_keys_ended(now).await?;
        let nowhere = Client::default();
        let record = Record::success(EventKind::RotateKeys, &nowhere).detail(row.kid);
        let record = match by {
            Some(actor) => record.by(actor),
            None => record,
        };
        record.write(&mut tx, now).await?;
        Ok(tx.commit().await?)
    }

    fn use_keys(&self, rows: Vec<SigningKeyRow>) -> Result<(), SigningKeyError> {
        let keys = rows
            .into_iter()
            .map(|row| open_signing_key(&self.parts.sealing_key, row))
            .collect::<Result<Vec<_>, _>>()?;
        self.parts.tokens.replace_ring(KeyRing::asymmetric(keys)?);
        Ok(())
    }
}

/// Lets no key verify for longer than until `end`, of whatever algorithm.
pub(super) async fn end_signing_keys(tx: &mut Tx, end: Timestamp) -> Result<(), crate::store::Error> {
    for key in tx.list_signing_keys().await? {
        if key.verifies_until.is_none_or(|until| until > end) {
            tx.update_signing_key_end(&key.kid, end).await?;
        }
    }
    Ok(())
}

/// The key of a row, which `sealing_key` must open.
pub(crate) fn open_signing_key(sealing_key: &SealingKey, row: SigningKeyRow) -> Result<KeyMaterial, SigningKeyError> {
    let pkcs8 = sealing_key
        .open(&purpose(&row.kid), &row.sealed_private)
        .map_err(|_| SigningKeyError::Unsealable { kid: row.kid.clone() })?;
    let Some(algorithm) = Algorithm::parse(&row.algorithm) else {
        let SigningKeyRow { kid, algorithm, .. } = row;
        return Err(SigningKeyError::UnknownAlgorithm { kid, algorithm });
    };
    Ok(KeyMaterial {
        pkcs8: pkcs8.into(),
        algorithm,
        signs_from: row.signs_from,
        verifies_until: row.verifies_until,
        kid: row.kid,
    })
}

/// Binds a sealed key to its id, so that rows cannot be swapped.
fn purpose(kid: &str) -> String {
    format!("signing key {kid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_looked_for_at_a_bounded_rate() {
        let looked = LastTime::default();
        let at = |seconds: i64| Timestamp::from_unix_seconds(1_000_000 + seconds);
        assert!(looked.is_due(RELOAD_PAUSE, at(0)));
        assert!(!looked.is_due(RELOAD_PAUSE, at(9)));
        assert!(looked.is_due(RELOAD_PAUSE, at(10)));
        assert!(
            looked.is_due(RELOAD_PAUSE, at(-100)),
            "a clock set back must not stop it"
        );
    }
}
