//! A role is taken from an account.

use super::{Actor, Auth, Client, Error, RoleChange, UpdateUser, User};
use crate::id::UserId;

impl Auth {
    /// Takes a role from an account.
    #[tracing::instrument(skip_all)]
    pub async fn revoke_role(&self, actor: &Actor, id: UserId, role: &str, client: &Client) -> Result<User, Error> {
        let change = UpdateUser {
            roles: Some(RoleChange::Revoke(role.to_owned())),
            ..UpdateUser::default()
        };
        self.update_user(actor, id, change, client).await
    }
}
