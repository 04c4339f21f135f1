//! A user leaves.

use super::{
    Auth, Client, Error, Identity,
    accounts::hold_proof,
    audit::{EventKind, Record},
    deletion, fields,
};
use crate::password::Password;

impl Auth {
    /// Deletes the caller's account with everything that hangs on it; of its messages, what is personal in them.
    #[tracing::instrument(skip_all)]
    pub async fn delete_account(&self, identity: &Identity, password: Password, client: &Client) -> Result<(), Error> {
        fields::require("password", password.expose())?;
        let kind = EventKind::DeleteAccount;
        let account = self
            .prove_password(identity, "password", password, kind, client)
            .await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        tx.lock_admins().await?;
        let account = hold_proof(&mut tx, identity, &account).await?;
        deletion::decide(&mut tx, account.id, now).await?;
        Record::success(kind, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        self.finish_deletion(account.id).await;
        Ok(())
    }
}
