//! An admin signs an account out everywhere.

use super::{
    Actor, Auth, Client, Error,
    audit::{EventKind, Record},
};
use crate::id::UserId;

impl Auth {
    /// Ends every session of an account; returns how many.
    #[tracing::instrument(skip_all)]
    pub async fn end_user_sessions(&self, actor: &Actor, id: UserId, client: &Client) -> Result<u64, Error> {
        self.require_admin(actor, EventKind::EndUserSessions, Some(id.uuid()), client)
            .await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        tx.find_user(id).await?.ok_or(Error::NotFound)?;
        let ended = tx.end_sessions(id, None).await?;
        Record::success(EventKind::EndUserSessions, client)
            .by(actor)
            .about(id)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        Ok(ended)
    }
}
