//! A user signs one of their devices out.

use super::{
    Auth, Client, Error, Identity,
    audit::{EventKind, Record},
};
use crate::id::SessionId;

impl Auth {
    /// Ends one of the caller's sessions.
    #[tracing::instrument(skip_all)]
    pub async fn end_session(&self, identity: &Identity, session: SessionId, client: &Client) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if !tx.end_session_of(identity.user.id, session).await? {
            return Err(Error::NotFound);
        }
        let record = Record::success(EventKind::EndSession, client).by_owner(identity);
        record.detail(session.to_string()).write(&mut tx, now).await?;
        Ok(tx.commit().await?)
    }
}
