//! The operator names an account in words.

use super::{Actor, Auth, Error, User, fields::Identifier};
use crate::id::UserId;

impl Auth {
    /// The account that an id, an email address or a username names, for the command line.
    #[tracing::instrument(skip_all)]
    pub async fn find_user(&self, actor: &Actor, name: &str) -> Result<User, Error> {
        actor.require_admin()?;
        if let Ok(id) = name.parse::<UserId>() {
            return self.show_user(actor, id).await;
        }
        let found = self.find_by_identifier(&Identifier::parse(name)).await?;
        Ok(found.ok_or(Error::NotFound)?.into())
    }
}
