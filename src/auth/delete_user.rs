//! An admin deletes an account.

use super::{
    Actor, Auth, Client, Error,
    audit::{EventKind, Record},
    last_admin,
};
use crate::id::UserId;

impl Auth {
    /// Deletes an account with everything that hangs on it; of its messages, what is personal in them.
    #[tracing::instrument(skip_all)]
    pub async fn delete_user(&self, actor: &Actor, id: UserId, client: &Client) -> Result<(), Error> {
        actor.require_admin()?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        last_admin::delete(&mut tx, id, now).await?;
        Record::success(EventKind::DeleteUser, client)
            .by(actor)
            .about(id)
            .write(&mut tx, now)
            .await?;
        Ok(tx.commit().await?)
    }
}
