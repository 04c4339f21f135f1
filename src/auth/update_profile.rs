//! A user changes the name and the username of their own account.

use super::{
    Auth, Client, Error, FieldErrors, Identity, User, Username,
    audit::{EventKind, Record},
    fields,
    limits::Letter,
    mailing,
};
use crate::{
    clock::Timestamp,
    mail,
    store::{Tx, UserRow},
};

/// What to change: untouched when `None`, cleared when `Some(None)`.
#[derive(Clone, Debug, Default)]
pub struct UpdateProfile {
    /// The name shown to others.
    pub name: Option<Option<String>>,
    /// The username.
    pub username: Option<Option<String>>,
}

/// A [`UpdateProfile`] whose words were found good.
pub(super) struct Profile {
    name: Option<Option<String>>,
    username: Option<Option<Username>>,
}

impl UpdateProfile {
    pub(super) fn parse(self, errors: &mut FieldErrors) -> Option<Profile> {
        let name = self
            .name
            .map(|name| fields::parse_name("name", name.as_deref().unwrap_or_default()));
        let name = errors.take(name.transpose());
        let username = self
            .username
            .map(|username| fields::parse_optional_username("username", username.as_deref()));
        let username = errors.take(username.transpose());
        Some(Profile {
            name: name?,
            username: username?,
        })
    }
}

impl Profile {
    /// Whether `account` is signed in to by another username from then on. In other letters it is the same one.
    pub(super) fn changes_username_of(&self, account: &UserRow) -> bool {
        self.username
            .as_ref()
            .is_some_and(|username| username.as_ref().map(Username::key) != account.username_key.as_deref())
    }

    /// Whether anything of `account` is another from then on.
    fn changes(&self, account: &UserRow) -> bool {
        let username = self.username.as_ref();
        self.name.as_ref().is_some_and(|name| *name != account.name)
            || username.is_some_and(|username| username.as_ref().map(Username::as_typed) != account.username.as_deref())
    }

    /// Writes what changes of `account`.
    pub(super) async fn write(self, tx: &mut Tx, account: &UserRow, now: Timestamp) -> Result<(), Error> {
        if self.name.is_none() && self.username.is_none() {
            return Ok(());
        }
        let name = self.name.unwrap_or_else(|| account.name.clone());
        let username = match &self.username {
            Some(username) => username.as_ref().map(|username| (username.as_typed(), username.key())),
            None => account.username.as_deref().zip(account.username_key.as_deref()),
        };
        if tx.update_profile(account.id, name.as_deref(), username, now).await? {
            Ok(())
        } else {
            Err(Error::NotFound)
        }
    }
}

impl Auth {
    /// Changes the caller's own details. Of another username the owner is told: one signs in with it.
    #[tracing::instrument(skip_all)]
    pub async fn update_profile(
        &self,
        identity: &Identity,
        change: UpdateProfile,
        client: &Client,
    ) -> Result<User, Error> {
        let mut errors = FieldErrors::default();
        let Some(profile) = change.parse(&mut errors) else {
            return Err(errors.into_error());
        };
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let account = tx.lock_user(identity.user.id).await?.ok_or(Error::SessionEnded)?;
        // Whoever sends the same again and again would fill the audit log with it.
        if !profile.changes(&account) {
            return Ok(account.into());
        }
        let renamed = profile.changes_username_of(&account);
        profile.write(&mut tx, &account, now).await?;
        if renamed
            && self
                .may_write_to(&mut tx, Letter::UsernameChanged, &account, now)
                .await?
        {
            let message = mail::Message::UsernameChanged(client.circumstances(now));
            mailing::announce(&mut tx, &message, &account, now).await?;
        }
        Record::success(EventKind::UpdateProfile, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        let updated = tx.find_user(account.id).await?.ok_or(Error::SessionEnded)?;
        self.commit_and_wake(tx).await?;
        Ok(updated.into())
    }
}
