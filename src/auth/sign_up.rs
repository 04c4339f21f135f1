//! A stranger makes an account.

use super::{
    Auth, Client, EmailAddress, Error, FieldErrors, User, Username,
    audit::{EventKind, Record},
    fields,
};
use crate::{
    clock::Timestamp,
    id::UserId,
    mail,
    password::{Password, PasswordHash},
    store::UserRow,
};

/// What a stranger says of themself.
#[derive(Debug)]
pub struct SignUp {
    /// The email address, as typed.
    pub email: String,
    /// The username, as typed, if any.
    pub username: Option<String>,
    /// The name to show, if any.
    pub name: Option<String>,
    /// The password.
    pub password: Password,
}

/// How it went.
#[derive(Debug)]
pub enum SignedUp {
    /// The account is made.
    Created(User),
    /// With `PRIVATE_SIGNUP`: look into your mail. Said alike whether the address had an account or has one now.
    Private,
}

struct Newcomer {
    email: EmailAddress,
    username: Option<Username>,
    name: Option<String>,
}

impl Auth {
    /// Makes an account and mails a link that verifies its address.
    pub async fn sign_up(&self, request: SignUp, client: &Client) -> Result<SignedUp, Error> {
        if !self.rules().allow_signup {
            return Err(Error::SignUpClosed);
        }
        let newcomer = self.read_newcomer(&request)?;
        let hash = self.parts.hasher.hash(request.password).await?;
        if self.rules().private_signup {
            self.sign_up_privately(newcomer, &hash, client).await?;
            return Ok(SignedUp::Private);
        }
        let created = self.insert_newcomer(&newcomer, &hash, client).await;
        let created = match created {
            // When both are taken, engines differ in which they name; the address says more.
            Err(Error::UsernameTaken) if self.has_account(&newcomer.email).await? => Err(Error::EmailTaken),
            created => created,
        };
        if let Err(error @ (Error::EmailTaken | Error::UsernameTaken)) = &created {
            self.record(Record::failure(EventKind::SignUp, client, error)).await?;
        }
        created.map(|account| SignedUp::Created(account.into()))
    }

    async fn has_account(&self, email: &EmailAddress) -> Result<bool, Error> {
        Ok(self.store().find_user_by_email(email.key()).await?.is_some())
    }

    fn read_newcomer(&self, request: &SignUp) -> Result<Newcomer, Error> {
        let mut errors = FieldErrors::default();
        let email = errors.take(EmailAddress::parse("email", &request.email));
        let username = request.username.as_deref().filter(|text| !text.trim().is_empty());
        let username = errors.take(username.map(|text| Username::parse("username", text)).transpose());
        let name = errors.take(fields::parse_name("name", request.name.as_deref().unwrap_or_default()));
        let words = [
            Some(request.email.as_str()),
            request.username.as_deref(),
            request.name.as_deref(),
        ];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        let weak = self.judge_password("password", &request.password, &words);
        match (email, username, name) {
            (Some(email), Some(username), Some(name)) if weak.is_empty() => Ok(Newcomer { email, username, name }),
            _ => {
                errors.extend(weak);
                Err(errors.into_error())
            }
        }
    }

    /// One answer and one transaction whether or not the address has an account, whose owner is told by mail instead.
    /// A taken username is left out rather than refused: the same name tried again with a fresh address would tell
    /// whether the first try made an account.
    async fn sign_up_privately(&self, newcomer: Newcomer, hash: &PasswordHash, client: &Client) -> Result<(), Error> {
        if let Some(owner) = self.store().find_user_by_email(newcomer.email.key()).await? {
            return self.tell_owner(&owner, EventKind::SignUp, client).await;
        }
        let mut newcomer = newcomer;
        if let Some(username) = &newcomer.username
            && self.store().find_user_by_username(username.key()).await?.is_some()
        {
            newcomer.username = None;
        }
        match self.insert_newcomer(&newcomer, hash, client).await {
            Err(Error::UsernameTaken) => {
                newcomer.username = None;
                self.insert_newcomer(&newcomer, hash, client).await.map(drop)
            }
            // Another sign-up for the address came between: its owner has a mail already.
            Err(Error::EmailTaken) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Mails the owner of an address that somebody tried to make it an account's, and records the attempt.
    pub(super) async fn tell_owner(&self, owner: &UserRow, kind: EventKind, client: &Client) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let message = mail::Message::AccountExists(client.circumstances(now));
        tx.insert_message(&mail::message_row(&message, Some(owner.id), &owner.email, now))
            .await?;
        Record::failure(kind, client, &Error::EmailTaken)
            .about(owner.id)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        self.parts.waker.wake();
        Ok(())
    }

    async fn insert_newcomer(
        &self,
        newcomer: &Newcomer,
        hash: &PasswordHash,
        client: &Client,
    ) -> Result<UserRow, Error> {
        let now = self.now();
        let account = account_row(
            &newcomer.email,
            newcomer.username.as_ref(),
            newcomer.name.clone(),
            hash,
            now,
        );
        let mut tx = self.store().begin().await?;
        tx.insert_user(&account).await?;
        let message = mail::Message::VerifyEmail(client.circumstances(now));
        tx.insert_message(&mail::message_row(&message, Some(account.id), &account.email, now))
            .await?;
        Record::success(EventKind::SignUp, client)
            .about(account.id)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        self.parts.waker.wake();
        Ok(account)
    }
}

/// A fresh account: active, unverified, without roles.
pub(super) fn account_row(
    email: &EmailAddress,
    username: Option<&Username>,
    name: Option<String>,
    hash: &PasswordHash,
    now: Timestamp,
) -> UserRow {
    UserRow {
        id: UserId::new(now),
        email: email.as_typed().to_owned(),
        email_key: email.key().to_owned(),
        username: username.map(|username| username.as_typed().to_owned()),
        username_key: username.map(|username| username.key().to_owned()),
        name,
        password_hash: hash.as_str().to_owned(),
        roles: Vec::new(),
        email_verified_at: None,
        disabled_at: None,
        external_id: None,
        last_login_at: None,
        created_at: now,
        updated_at: now,
    }
}
