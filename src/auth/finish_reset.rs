//! The holder of a mailed link chooses a new password.

use super::{
    Auth, Client, DeviceProof, Error, accounts,
    audit::{EventKind, Record},
    limits::Limited,
    links::{CHOOSE_PASSWORD, ENDED_BY_NEW_PASSWORD, proves_current_address, revoke_links},
    mailing,
    places::know_this_place_only,
};
use crate::{
    clock::Timestamp,
    mail::{self, LinkKind},
    password::{Password, PasswordHash},
    store::LinkTokenRow,
    token::LinkToken,
};

impl Auth {
    /// Sets the new password, or the first of somebody invited, ends every session and every other such link of the
    /// account, and tells its owner.
    ///
    /// The link is only looked at until the password is found good and is hashed: a weak first choice must not burn the
    /// link, and a made-up link must not cost a hash. It is used up in the transaction that changes the password.
    ///
    /// Whoever holds the link is known on this device from now on: an owner whose account is under attack, on a device that
    /// never signed in to it, gets in this way.
    #[tracing::instrument(skip_all)]
    pub async fn finish_reset(
        &self,
        token: &str,
        new: Password,
        client: &Client,
    ) -> Result<Option<DeviceProof>, Error> {
        let token = LinkToken::parse(token).ok_or(Error::LinkInvalid)?;
        let mut spent = self.limit(Limited::FinishReset(&token), client).await?;
        let hash = token.hash();
        let Some((link, kind)) = self.find_password_link(hash.as_str(), self.now()).await? else {
            self.record(Record::failure(EventKind::FinishReset, client, &Error::LinkInvalid))
                .await?;
            return Err(Error::LinkInvalid);
        };
        let account = self.store().find_user(link.user_id).await?.ok_or(Error::LinkInvalid)?;
        if account.disabled_at.is_some() {
            return Err(Error::InactiveUser);
        }
        let weak = self
            .judge_password("new_password", &new, &accounts::words_of(&account))
            .await;
        let weak = self.unless_failed(&mut spent, weak).await?;
        if !weak.is_empty() {
            return Err(Error::InvalidFields(weak));
        }
        let password_hash = self.parts.hasher.hash(new).await;
        let password_hash = self.unless_failed(&mut spent, password_hash).await?;
        self.use_password_link(&link, kind, &password_hash, client).await
    }

    /// Changes the password for whoever holds the link, with all that a new password ends.
    async fn use_password_link(
        &self,
        link: &LinkTokenRow,
        kind: LinkKind,
        password_hash: &PasswordHash,
        client: &Client,
    ) -> Result<Option<DeviceProof>, Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let account = tx.lock_user(link.user_id).await?.ok_or(Error::LinkInvalid)?;
        // A link that went to an address which the account has left since is no proof of anything any more.
        let is_proof = proves_current_address(link, &account);
        if !is_proof || tx.consume_link_token(&link.hash, kind.as_str(), now).await?.is_none() {
            return Err(Error::LinkInvalid);
        }
        if account.disabled_at.is_some() {
            return Err(Error::InactiveUser);
        }
        tx.update_password(account.id, password_hash.as_str(), now).await?;
        tx.update_email_verified(account.id, &account.email_key, now).await?;
        tx.end_sessions(account.id, None).await?;
        revoke_links(&mut tx, account.id, &ENDED_BY_NEW_PASSWORD, now).await?;
        know_this_place_only(&mut tx, &account, client, now).await?;
        let message = mail::Message::PasswordChanged(client.circumstances(now));
        mailing::announce(&mut tx, &message, &account, now).await?;
        Record::success(EventKind::FinishReset, client)
            .about(account.id)
            .write(&mut tx, now)
            .await?;
        let device = self.prove_device(&account, password_hash.as_str(), client, now)?;
        self.commit_and_wake(tx).await?;
        Ok(device)
    }

    pub(super) async fn find_password_link(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<(LinkTokenRow, LinkKind)>, Error> {
        for kind in CHOOSE_PASSWORD {
            if let Some(link) = self.store().find_link_token(hash, kind.as_str(), now).await? {
                return Ok(Some((link, kind)));
            }
        }
        Ok(None)
    }
}
