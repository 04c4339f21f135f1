//! An account is given a role.

use super::{Actor, Auth, Client, Error, RoleChange, UpdateUser, User};
use crate::id::UserId;

impl Auth {
    /// Gives an account a role.
    #[tracing::instrument(skip_all)]
    pub async fn grant_role(&self, actor: &Actor, id: UserId, role: &str, client: &Client) -> Result<User, Error> {
        let change = UpdateUser {
            roles: Some(RoleChange::Grant(role.to_owned())),
            ..UpdateUser::default()
        };
        self.update_user(actor, id, change, client).await
    }
}
