//! The operator makes an account by hand, as for the first admin.

use super::{
    ADMIN, Actor, Auth, Client, Error, User,
    audit::{EventKind, Record},
    newcomer::Newcomer,
};
use crate::{password::Password, store::UserRow};

/// The account to make.
#[derive(Debug)]
pub struct CreateUser {
    /// The email address. It counts as verified: the operator vouches for it.
    pub email: String,
    /// The username, if any.
    pub username: Option<String>,
    /// The name to show, if any.
    pub name: Option<String>,
    /// The password.
    pub password: Password,
    /// Whether it administers the server.
    pub admin: bool,
}

impl Auth {
    /// Makes an account by hand.
    #[tracing::instrument(skip_all)]
    pub async fn create_user(&self, actor: &Actor, new: CreateUser, client: &Client) -> Result<User, Error> {
        self.require_admin(actor, EventKind::CreateUser, None, client).await?;
        let (username, name) = (new.username.as_deref(), new.name.as_deref());
        let newcomer = Newcomer::parse(self, &new.email, username, name, Some(&new.password)).await?;
        let hash = self.parts.hasher.hash(new.password).await?;
        let now = self.now();
        let account = UserRow {
            email_verified_at: Some(now),
            roles: new.admin.then(|| ADMIN.to_owned()).into_iter().collect(),
            ..newcomer.account(hash.as_str(), now)
        };
        let created = self.insert_by_hand(actor, account, client).await;
        let created = self.name_taken_address_first(created, &newcomer.email).await?;
        Ok(created.into())
    }

    async fn insert_by_hand(&self, actor: &Actor, account: UserRow, client: &Client) -> Result<UserRow, Error> {
        let mut tx = self.store().begin().await?;
        tx.insert_user(&account).await?;
        Record::success(EventKind::CreateUser, client)
            .by(actor)
            .about(account.id)
            .write(&mut tx, account.created_at)
            .await?;
        tx.commit().await?;
        Ok(account)
    }
}
