//! The operator names an account in words.

use serde::Serialize;

use super::{Actor, Auth, Client, Error, User, audit::EventKind, fields::Identifier};
use crate::{id::UserId, password::PasswordHash, store::UserRow};

/// An account, and how its owner gets in.
#[derive(Clone, Debug, Serialize)]
pub struct FoundUser {
    /// The account.
    #[serde(flatten)]
    pub user: User,
    /// Whether there is a password that signs in to it.
    pub has_password: bool,
}

impl From<UserRow> for FoundUser {
    fn from(row: UserRow) -> Self {
        Self {
            has_password: PasswordHash::from_stored(row.password_hash.clone()).check().is_ok(),
            user: row.into(),
        }
    }
}

impl Auth {
    /// The account that an id, an email address or a username names, for the command line.
    #[tracing::instrument(skip_all)]
    pub async fn find_user(&self, actor: &Actor, name: &str, client: &Client) -> Result<FoundUser, Error> {
        self.require_admin(actor, EventKind::ShowUser, None, client).await?;
        let found = match name.parse::<UserId>() {
            Ok(id) => self.store().find_user(id).await?,
            Err(_) => self.find_by_identifier(&Identifier::parse(name)).await?,
        };
        Ok(found.ok_or(Error::NotFound)?.into())
    }
}
