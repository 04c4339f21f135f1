//! Admins send again what did not arrive.

use super::{
    Actor, Auth, Client, Error, Message,
    audit::{EventKind, Record},
};
use crate::id::MessageId;

impl Auth {
    /// Puts a message back into the queue, due now. One that is being sent at this moment is [`Error::NotFound`], like
    /// one that never was: put back, it would be sent twice. One that is addressed to nobody, as its account was deleted, has
    /// nowhere to go.
    #[tracing::instrument(skip_all)]
    pub async fn resend_message(&self, actor: &Actor, id: MessageId, client: &Client) -> Result<Message, Error> {
        self.require_admin(actor, EventKind::ResendMessage, Some(id.uuid()), client)
            .await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if !tx.requeue_message(id, now).await? {
            drop(tx);
            let message = self.store().find_message(id).await?;
            return Err(match message {
                Some(message) if message.address.is_empty() => Error::MessageWithoutAddress,
                _ => Error::NotFound,
            });
        }
        let record = Record::success(EventKind::ResendMessage, client).by(actor);
        record.detail(id.to_string()).write(&mut tx, now).await?;
        self.commit_and_wake(tx).await?;
        Ok(self.store().find_message(id).await?.ok_or(Error::NotFound)?.into())
    }
}
