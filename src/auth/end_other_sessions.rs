//! A user signs every device out but the one at hand.

use super::{
    Auth, Client, Error, Identity,
    audit::{EventKind, Record},
};

impl Auth {
    /// Ends all of the caller's sessions but the one that asks; returns how many.
    #[tracing::instrument(skip_all)]
    pub async fn end_other_sessions(&self, identity: &Identity, client: &Client) -> Result<u64, Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let ended = tx.end_sessions(identity.user.id, Some(identity.session)).await?;
        Record::success(EventKind::EndOtherSessions, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        Ok(ended)
    }
}
