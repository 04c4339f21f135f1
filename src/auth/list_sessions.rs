//! A user looks at the devices that are signed in.

use super::{Auth, Error, Identity, Session};

impl Auth {
    /// The caller's live sessions, the last used first.
    #[tracing::instrument(skip_all)]
    pub async fn list_sessions(&self, identity: &Identity) -> Result<Vec<Session>, Error> {
        let rows = self.store().list_sessions(identity.user.id, self.now()).await?;
        Ok(rows.into_iter().map(Session::from).collect())
    }
}
