//! One account is looked at.

use super::{Actor, Auth, Error, User};
use crate::id::UserId;

impl Auth {
    /// One account, for admins and for its owner.
    #[tracing::instrument(skip_all)]
    pub async fn show_user(&self, actor: &Actor, id: UserId) -> Result<User, Error> {
        if actor.user_id() != Some(id) {
            actor.require_admin()?;
        }
        Ok(self.store().find_user(id).await?.ok_or(Error::NotFound)?.into())
    }
}
