//! What several operations need to know about an account: finding it, proving its password, judging a new
//! password.

use super::{
    Auth, Client, Error, FieldError, Identity,
    audit::{EventKind, Record},
    fields::{self, Identifier},
    limits::Limited,
};
use crate::{
    password::{Password, PasswordHash, Verdict},
    store::{Tx, UserRow},
};

impl Auth {
    pub(super) async fn find_by_identifier(&self, identifier: &Identifier) -> Result<Option<UserRow>, Error> {
        Ok(match identifier {
            Identifier::Email(key) => self.store().find_user_by_email(key).await?,
            Identifier::Username(key) => self.store().find_user_by_username(key).await?,
            Identifier::Nobody => None,
        })
    }

    /// The caller's account, when `password` is its password; else a field error of `field`. Somebody who finds an
    /// unlocked screen should not be able to take the account over, and guessing there is an attack that is recorded, as
    /// a failure of `kind`, and limited for each account.
    pub(super) async fn prove_password(
        &self,
        identity: &Identity,
        field: &'static str,
        password: Password,
        kind: EventKind,
        client: &Client,
    ) -> Result<UserRow, Error> {
        let mut spent = self.limit(Limited::Password(kind, identity), client).await?;
        let account = self
            .store()
            .find_user(identity.user.id)
            .await?
            .ok_or(Error::SessionEnded)?;
        let stored = PasswordHash::from_stored(account.password_hash.clone());
        let verified = self.parts.hasher.verify(password, Some(&stored)).await;
        if self.unless_failed(&mut spent, verified).await? == Verdict::Wrong {
            let error = Error::invalid_field(field, "wrong_password", "This is not your password.");
            self.record(Record::failure(kind, client, &error).by_owner(identity))
                .await?;
            return Err(error);
        }
        // At once: what is wrong with the rest of the form is no guess.
        self.give_back(spent).await?;
        Ok(account)
    }

    /// What is wrong with `password` as a new one for an account of which `words` can be guessed. One that was left blank
    /// is missing, rather than short and guessable.
    pub(super) async fn judge_password(
        &self,
        field: &'static str,
        password: &Password,
        words: &[&str],
    ) -> Result<Vec<FieldError>, Error> {
        if let Err(missing) = fields::require(field, password.expose()) {
            return Ok(vec![missing]);
        }
        let strength = self.parts.hasher.judge(&self.parts.policy, password, words).await?;
        let weaknesses = strength.reasons.iter();
        Ok(weaknesses
            .map(|weakness| FieldError::new(field, weakness.code(), weakness.to_string()))
            .collect())
    }
}

/// The account whose password was `proved`, locked. Between the proof and this, another request may have changed the
/// password or ended the session, to keep out whoever asks: they wait for a hashing thread just as their victim does.
pub(super) async fn hold_proof(tx: &mut Tx, identity: &Identity, proved: &UserRow) -> Result<UserRow, Error> {
    let account = tx.lock_user(proved.id).await?.ok_or(Error::SessionEnded)?;
    let holds = account.password_hash == proved.password_hash
        && account.disabled_at.is_none()
        && tx.has_session(identity.session).await?;
    if holds { Ok(account) } else { Err(Error::SessionEnded) }
}

/// The words of an account that its password must not be made of.
pub(super) fn words_of(account: &UserRow) -> Vec<&str> {
    [
        Some(account.email.as_str()),
        account.username.as_deref(),
        account.name.as_deref(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
