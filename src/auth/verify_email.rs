//! The holder of a mailed link proves that an address is theirs.

use super::{
    Auth, Client, EmailAddress, Error,
    audit::{EventKind, Record},
    limits::Limited,
    links::{ALL_LINKS, proves_current_address, revoke_links},
    mailing,
};
use crate::{
    clock::Timestamp,
    mail::{self, LinkKind},
    store::{LinkTokenRow, Tx, UserRow},
    token::LinkToken,
};

impl Auth {
    /// Verifies the account's address, or moves it to the new one that it asked for, by the link that was mailed there.
    #[tracing::instrument(skip_all)]
    pub async fn verify_email(&self, token: &str, client: &Client) -> Result<(), Error> {
        let token = LinkToken::parse(token).ok_or(Error::LinkInvalid)?;
        self.limit(Limited::VerifyEmail(&token), client).await?;
        let hash = token.hash();
        let now = self.now();
        let Some((link, kind)) = self.find_verification_link(hash.as_str(), now).await? else {
            self.record(Record::failure(EventKind::VerifyEmail, client, &Error::LinkInvalid))
                .await?;
            return Err(Error::LinkInvalid);
        };
        let mut tx = self.store().begin().await?;
        let account = tx.lock_user(link.user_id).await?.ok_or(Error::LinkInvalid)?;
        if account.disabled_at.is_some() {
            return Err(Error::InactiveUser);
        }
        // Of all who follow the link at once, one uses it up.
        if tx
            .consume_link_token(hash.as_str(), kind.as_str(), now)
            .await?
            .is_none()
        {
            return Err(Error::LinkInvalid);
        }
        if kind == LinkKind::VerifyNewEmail {
            let address = EmailAddress::parse("email", &link.email).map_err(|_| Error::LinkInvalid)?;
            move_to(&mut tx, &account, &address, client, now).await?;
        } else if proves_current_address(&link, &account) {
            tx.update_email_verified(account.id, &account.email_key, now).await?;
        } else {
            // The account has moved on: whoever reads its former mailbox must not call it back there.
            return Err(Error::LinkInvalid);
        }
        Record::success(EventKind::VerifyEmail, client)
            .about(account.id)
            .write(&mut tx, now)
            .await?;
        self.commit_and_wake(tx).await
    }

    pub(super) async fn find_verification_link(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<(LinkTokenRow, LinkKind)>, Error> {
        for kind in [LinkKind::VerifyEmail, LinkKind::VerifyNewEmail] {
            if let Some(link) = self.store().find_link_token(hash, kind.as_str(), now).await? {
                return Ok(Some((link, kind)));
            }
        }
        Ok(None)
    }
}

/// The account moves to the address. Its old one is told, and links that went there end.
async fn move_to(
    tx: &mut Tx,
    account: &UserRow,
    address: &EmailAddress,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    tx.update_email(account.id, address.as_typed(), address.key(), now)
        .await?;
    revoke_links(tx, account.id, &ALL_LINKS, now).await?;
    let message = mail::Message::EmailChanged(client.circumstances(now));
    mailing::announce(tx, &message, account, now).await
}
