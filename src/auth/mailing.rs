//! How operations write mail: in the transaction of the change that it announces, after which the worker is woken.

use super::{
    Auth, Client, Error,
    audit::{EventKind, Record},
    limits::Letter,
};
use crate::{
    clock::Timestamp,
    mail::{self, Message},
    store::{Tx, UserRow},
};

/// Writes `message` to the owner of `account`.
pub(super) async fn announce(tx: &mut Tx, message: &Message, account: &UserRow, now: Timestamp) -> Result<(), Error> {
    let row = mail::message_row(message, Some(account.id), &account.email, now);
    Ok(tx.insert_message(&row).await?)
}

impl Auth {
    /// Commits a change that announces itself by mail, and wakes the worker that sends it.
    pub(super) async fn commit_and_wake(&self, tx: Tx) -> Result<(), Error> {
        tx.commit().await?;
        self.parts.waker.wake();
        Ok(())
    }

    /// Writes `message` for `account`, or for nobody, with the same work.
    pub(super) async fn mail_to_whoever(
        &self,
        message: &Message,
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
        self.commit_and_wake(tx).await
    }

    /// Mails the owner of an address that somebody wanted for another account, unless they have had enough of such letters,
    /// and records the attempt.
    pub(super) async fn tell_owner(&self, owner: &UserRow, kind: EventKind, client: &Client) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if self.may_write_to(&mut tx, Letter::AccountExists, owner, now).await? {
            let wanted = client.circumstances(now);
            let message = match owner.email_verified_at {
                Some(_) => Message::AccountExists(wanted),
                None => Message::AccountUnverified(wanted),
            };
            announce(&mut tx, &message, owner, now).await?;
        }
        Record::failure(kind, client, &Error::EmailTaken)
            .about(owner.id)
            .write(&mut tx, now)
            .await?;
        self.commit_and_wake(tx).await
    }
}
