//! The operator makes an account by hand, as for the first admin.

use super::{
    ADMIN, Actor, Auth, Client, EmailAddress, Error, FieldErrors, User, Username,
    audit::{EventKind, Record},
    fields,
    sign_up::account_row,
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
    pub async fn create_user(&self, actor: &Actor, new: CreateUser, client: &Client) -> Result<User, Error> {
        actor.require_admin()?;
        let mut errors = FieldErrors::default();
        let email = errors.take(EmailAddress::parse("email", &new.email));
        let username = errors.take(
            new.username
                .as_deref()
                .map(|text| Username::parse("username", text))
                .transpose(),
        );
        let name = errors.take(fields::parse_name("name", new.name.as_deref().unwrap_or_default()));
        let words = [Some(new.email.as_str()), new.username.as_deref(), new.name.as_deref()];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        errors.extend(self.judge_password("password", &new.password, &words));
        let (Some(email), Some(username), Some(name), true) = (email, username, name, errors.is_empty()) else {
            return Err(errors.into_error());
        };
        let hash = self.parts.hasher.hash(new.password).await?;
        let now = self.now();
        let account = account_row(&email, username.as_ref(), name, &hash, now);
        let account = UserRow {
            email_verified_at: Some(now),
            ..account
        };
        let mut tx = self.store().begin().await?;
        tx.insert_user(&account).await?;
        if new.admin {
            tx.insert_role(account.id, ADMIN).await?;
        }
        Record::success(EventKind::CreateUser, client)
            .by(actor)
            .about(account.id)
            .write(&mut tx, now)
            .await?;
        let created = tx.find_user(account.id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        Ok(created.into())
    }
}
