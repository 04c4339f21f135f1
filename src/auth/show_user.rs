//! One account is looked at.

use super::{Actor, Auth, Client, Error, User, audit::EventKind};
use crate::id::UserId;

impl Auth {
    /// One account, for admins and for its owner.
    #[tracing::instrument(skip_all)]
    pub async fn show_user(&self, actor: &Actor, id: UserId, client: &Client) -> Result<User, Error> {
        if actor.user_id() != Some(id) {
            self.require_admin(actor, EventKind::ShowUser, Some(id.uuid()), client)
                .await?;
        }
        Ok(self.store().find_user(id).await?.ok_or(Error::NotFound)?.into())
    }
}
