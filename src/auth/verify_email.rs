//! The holder of a mailed link proves that an address is theirs.

use super::{
    Auth, Client, EmailAddress, Error,
    audit::{EventKind, Record},
    mailing,
};
use crate::{
    clock::Timestamp,
    mail::{self, LinkKind},
    store::{Tx, UserRow},
    token::LinkToken,
};

impl Auth {
    /// Verifies the address that the link was mailed to: the account's own, or the new one that it asked for.
    pub async fn verify_email(&self, token: &str, client: &Client) -> Result<(), Error> {
        let token = LinkToken::parse(token).ok_or(Error::LinkInvalid)?;
        let (hash, kind) = (token.hash(), LinkKind::VerifyEmail.as_str());
        let now = self.now();
        let Some(link) = self.store().find_link_token(hash.as_str(), kind, now).await? else {
            self.record(Record::failure(EventKind::VerifyEmail, client, &Error::LinkInvalid))
                .await?;
            return Err(Error::LinkInvalid);
        };
        let proved = EmailAddress::parse("email", &link.email).map_err(|_| Error::LinkInvalid)?;
        let mut tx = self.store().begin().await?;
        let account = tx.find_user(link.user_id).await?.ok_or(Error::LinkInvalid)?;
        if proved.key() == account.email_key {
            tx.update_email_verified(account.id, proved.key(), now).await?;
        } else {
            move_to(&mut tx, &account, &proved, client, now).await?;
        }
        // Of all who follow the link at once, one uses it up; what the others did goes with their transactions.
        if tx.consume_link_token(hash.as_str(), kind, now).await?.is_none() {
            return Err(Error::LinkInvalid);
        }
        Record::success(EventKind::VerifyEmail, client)
            .about(account.id)
            .write(&mut tx, now)
            .await?;
        self.commit_and_wake(tx).await
    }
}

/// The account moves to the address; its old one is told, and reset links that went there end.
async fn move_to(
    tx: &mut Tx,
    account: &UserRow,
    address: &EmailAddress,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    tx.update_email(account.id, address.as_typed(), address.key(), now)
        .await?;
    tx.delete_link_tokens(account.id, LinkKind::ResetPassword.as_str())
        .await?;
    let message = mail::Message::EmailChanged(client.circumstances(now));
    mailing::announce(tx, &message, account, now).await
}
