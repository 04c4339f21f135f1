//! The operator names an account in words.

use super::{Actor, Auth, Client, Error, User, audit::EventKind, fields::Identifier};
use crate::id::UserId;

impl Auth {
    /// The account that an id, an email address or a username names, for the command line.
    #[tracing::instrument(skip_all)]
    pub async fn find_user(&self, actor: &Actor, name: &str, client: &Client) -> Result<User, Error> {
        self.require_admin(actor, EventKind::ShowUser, None, client).await?;
        if let Ok(id) = name.parse::<UserId>() {
            return self.show_user(actor, id, client).await;
        }
        let found = self.find_by_identifier(&Identifier::parse(name)).await?;
        Ok(found.ok_or(Error::NotFound)?.into())
    }
}
