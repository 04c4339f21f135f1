//! A user looks at the devices that are signed in, and signs them out.

use super::{
    Auth, Client, Error, Identity, Session,
    audit::{EventKind, Record},
};
use crate::id::SessionId;

impl Auth {
    /// The caller's live sessions, the last used first.
    pub async fn list_sessions(&self, identity: &Identity) -> Result<Vec<Session>, Error> {
        let rows = self.store().list_sessions(identity.user.id, self.now()).await?;
        Ok(rows.into_iter().map(Session::from).collect())
    }

    /// Ends one of the caller's sessions.
    pub async fn end_session(&self, identity: &Identity, session: SessionId, client: &Client) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if !tx.delete_session_of(identity.user.id, session).await? {
            return Err(Error::NotFound);
        }
        let record = Record::success(EventKind::EndSession, client).by_owner(identity);
        record.detail(session.to_string()).write(&mut tx, now).await?;
        Ok(tx.commit().await?)
    }

    /// Ends all of the caller's sessions but the one that asks; returns how many.
    pub async fn end_other_sessions(&self, identity: &Identity, client: &Client) -> Result<u64, Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let ended = tx.delete_sessions(identity.user.id, Some(identity.session)).await?;
        Record::success(EventKind::EndOtherSessions, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        Ok(ended)
    }
}
