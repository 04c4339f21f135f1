//! The operator makes an account for somebody, who chooses the password.

use super::{
    ADMIN, Actor, Auth, Client, Error, User,
    audit::{EventKind, Record},
    mailing,
    newcomer::Newcomer,
};
use crate::{mail, store::UserRow};

/// The account to make.
#[derive(Debug)]
pub struct InviteUser {
    /// The email address, to which the invitation goes.
    pub email: String,
    /// The username, if any.
    pub username: Option<String>,
    /// The name to show, if any.
    pub name: Option<String>,
    /// Whether it administers the server.
    pub admin: bool,
}

impl Auth {
    /// Makes an account without a password and mails its owner a link to choose one. Until then nobody can sign in to it,
    /// and trying to takes the time, and is given the answer, of a wrong password.
    #[tracing::instrument(skip_all)]
    pub async fn invite_user(&self, actor: &Actor, new: InviteUser, client: &Client) -> Result<User, Error> {
        self.require_admin(actor, EventKind::InviteUser, None, client).await?;
        let newcomer = Newcomer::parse(self, &new.email, new.username.as_deref(), new.name.as_deref(), None).await?;
        let account = UserRow {
            roles: new.admin.then(|| ADMIN.to_owned()).into_iter().collect(),
            ..newcomer.account(UserRow::NO_PASSWORD, self.now())
        };
        let invited = self.insert_invited(actor, account, client).await;
        let invited = self.name_taken_address_first(invited, &newcomer.email).await?;
        Ok(invited.into())
    }

    async fn insert_invited(&self, actor: &Actor, account: UserRow, client: &Client) -> Result<UserRow, Error> {
        let now = account.created_at;
        let mut tx = self.store().begin().await?;
        tx.insert_user(&account).await?;
        let message = mail::Message::Invitation(mail::Circumstances::by_admin(now));
        mailing::announce(&mut tx, &message, &account, now).await?;
        Record::success(EventKind::InviteUser, client)
            .by(actor)
            .about(account.id)
            .write(&mut tx, now)
            .await?;
        self.commit_and_wake(tx).await?;
        Ok(account)
    }
}
