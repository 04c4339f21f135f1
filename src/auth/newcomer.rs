//! Who is about to have an account, whether by signing up or by the operator's hand.

use super::{Auth, EmailAddress, Error, FieldErrors, Username, fields};
use crate::{clock::Timestamp, id::UserId, password::Password, store::UserRow};

/// What is known of them once all of it was found good.
pub(super) struct Newcomer {
    pub(super) email: EmailAddress,
    pub(super) username: Option<Username>,
    pub(super) name: Option<String>,
}

impl Newcomer {
    /// Reads the fields as typed, all of them before any is refused, and judges the password, if there is one already,
    /// by the others.
    pub(super) async fn parse(
        auth: &Auth,
        email: &str,
        username: Option<&str>,
        name: Option<&str>,
        password: Option<&Password>,
    ) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let words: Vec<&str> = [Some(email), username, name].into_iter().flatten().collect();
        let email = errors.take(EmailAddress::parse("email", email));
        let username = errors.take(fields::parse_optional_username("username", username));
        let name = errors.take(fields::parse_name("name", name.unwrap_or_default()));
        if let Some(password) = password {
            errors.extend(auth.judge_password("password", password, &words).await?);
        }
        match (email, username, name) {
            (Some(email), Some(username), Some(name)) if errors.is_empty() => Ok(Self { email, username, name }),
            _ => Err(errors.into_error()),
        }
    }

    /// The account as it begins: active, unverified, without roles.
    pub(super) fn account(&self, password_hash: &str, now: Timestamp) -> UserRow {
        let username = self.username.as_ref();
        UserRow {
            id: UserId::new(now),
            email: self.email.as_typed().to_owned(),
            email_key: self.email.key().to_owned(),
            username: username.map(|username| username.as_typed().to_owned()),
            username_key: username.map(|username| username.key().to_owned()),
            name: self.name.clone(),
            password_hash: password_hash.to_owned(),
            roles: Vec::new(),
            email_verified_at: None,
            disabled_at: None,
            external_id: None,
            last_login_at: None,
            created_at: now,
            updated_at: now,
        }
    }
}

impl Auth {
    /// Passes `created` on. When both the address and the username are taken, engines differ in which they name; the
    /// address says more.
    pub(super) async fn name_taken_address_first(
        &self,
        created: Result<UserRow, Error>,
        email: &EmailAddress,
    ) -> Result<UserRow, Error> {
        match created {
            Err(Error::UsernameTaken) if self.store().find_user_by_email(email.key()).await?.is_some() => {
                Err(Error::EmailTaken)
            }
            created => created,
        }
    }
}
