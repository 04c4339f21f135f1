//! An admin lets the owner of an account choose a new password.

use super::{
    Actor, Auth, Client, Error,
    audit::{EventKind, Record},
    mailing,
};
use crate::{id::UserId, mail};

impl Auth {
    /// Mails a reset link to an account's owner: an admin never chooses, and never knows, a password.
    #[tracing::instrument(skip_all)]
    pub async fn mail_reset(&self, actor: &Actor, id: UserId, client: &Client) -> Result<(), Error> {
        self.require_admin(actor, EventKind::MailReset, Some(id.uuid()), client)
            .await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let account = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        let message = mail::Message::ResetPasswordByAdmin(mail::Circumstances::by_admin(now));
        mailing::announce(&mut tx, &message, &account, now).await?;
        Record::success(EventKind::MailReset, client)
            .by(actor)
            .about(id)
            .write(&mut tx, now)
            .await?;
        self.commit_and_wake(tx).await
    }
}
