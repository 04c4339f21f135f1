//! A signed-in user chooses a new password.

use super::{
    Auth, Client, DeviceProof, Error, FieldErrors, Identity, accounts,
    accounts::hold_proof,
    audit::{EventKind, Record},
    fields,
    links::{ENDED_BY_NEW_PASSWORD, revoke_links},
    mailing,
    places::know_this_place_only,
};
use crate::{mail, password::Password};

/// The old password and the new.
#[derive(Debug)]
pub struct ChangePassword {
    /// The password so far, to prove that it is not somebody at an unlocked screen.
    pub current: Password,
    /// The password from now on.
    pub new: Password,
}

impl ChangePassword {
    /// Refuses what was left blank, both at once: it is no guess, and costs no hash.
    fn check(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        errors.take(fields::require("current_password", self.current.expose()));
        errors.take(fields::require("new_password", self.new.expose()));
        errors.check()
    }
}

impl Auth {
    /// Changes the password, ends every other session and every open reset link, and tells the user by mail: whoever
    /// changes a password because somebody else knows it wants that somebody out. Of the devices that are known at the
    /// account, only this one is from now on.
    #[tracing::instrument(skip_all)]
    pub async fn change_password(
        &self,
        identity: &Identity,
        change: ChangePassword,
        client: &Client,
    ) -> Result<Option<DeviceProof>, Error> {
        change.check()?;
        let kind = EventKind::ChangePassword;
        let account = self
            .prove_password(identity, "current_password", change.current, kind, client)
            .await?;
        let weak = self
            .judge_password("new_password", &change.new, &accounts::words_of(&account))
            .await?;
        if !weak.is_empty() {
            return Err(Error::InvalidFields(weak));
        }
        let hash = self.parts.hasher.hash(change.new).await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let account = hold_proof(&mut tx, identity, &account).await?;
        tx.update_password(account.id, hash.as_str(), now).await?;
        tx.end_sessions(account.id, Some(identity.session)).await?;
        revoke_links(&mut tx, account.id, &ENDED_BY_NEW_PASSWORD, now).await?;
        know_this_place_only(&mut tx, &account, client, now).await?;
        let message = mail::Message::PasswordChanged(client.circumstances(now));
        mailing::announce(&mut tx, &message, &account, now).await?;
        Record::success(kind, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        let device = self.prove_device(&account, hash.as_str(), client, now)?;
        self.commit_and_wake(tx).await?;
        Ok(device)
    }
}
