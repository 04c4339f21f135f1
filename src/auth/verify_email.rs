//! The holder of a mailed link proves that an address is theirs.

use super::{
    Auth, Client, EmailAddress, Error,
    audit::{EventKind, Record},
};
use crate::{
    clock::Timestamp,
    mail::{self, LinkKind},
    store::{LinkTokenRow, Tx, UserRow},
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
        tx.commit().await?;
        self.parts.waker.wake();
        Ok(())
    }

    /// Mails a fresh verification link, if the address has an account that wants one. Known or not, the same rows are
    /// written: it is the mail worker that finds there is nobody to write to.
    pub async fn resend_verification(&self, email: &str, client: &Client) -> Result<(), Error> {
        let email = EmailAddress::parse("email", email)?;
        let account = self.store().find_user_by_email(email.key()).await?;
        let message = mail::Message::VerifyEmail(client.circumstances(self.now()));
        self.mail_to_whoever(&message, EventKind::ResendVerification, account.as_ref(), client)
            .await
    }

    /// Writes `message` for `account`, or for nobody, with the same work.
    pub(super) async fn mail_to_whoever(
        &self,
        message: &mail::Message,
        kind: EventKind,
        account: Option<&UserRow>,
        client: &Client,
    ) -> Result<(), Error> {
        let now = self.now();
        let user = account.map(|account| account.id);
        let address = account.map_or("", |account| account.email.as_str());
        let mut tx = self.store().begin().await?;
        tx.insert_message(&mail::message_row(message, user, address, now))
            .await?;
        Record::success(kind, client).about(user).write(&mut tx, now).await?;
        tx.commit().await?;
        self.parts.waker.wake();
        Ok(())
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
    tx.insert_message(&mail::message_row(&message, Some(account.id), &account.email, now))
        .await?;
    Ok(())
}

/// Whether `link` was mailed to the address that `account` has now.
pub(super) fn proves_current_address(link: &LinkTokenRow, account: &UserRow) -> bool {
    EmailAddress::parse("email", &link.email).is_ok_and(|proved| proved.key() == account.email_key)
}
