//! A stranger makes an account.

use super::{
    Auth, Client, Error, User,
    audit::{EventKind, Record},
    limits::Limited,
    mailing,
    newcomer::Newcomer,
};
use crate::{
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

impl Auth {
    /// Makes an account and mails a link that verifies its address.
    #[tracing::instrument(skip_all)]
    pub async fn sign_up(&self, request: SignUp, client: &Client) -> Result<SignedUp, Error> {
        if !self.rules().allow_signup {
            return Err(Error::SignUpClosed);
        }
        let mut spent = self.limit(Limited::SignUp(&request.email), client).await?;
        let (username, name) = (request.username.as_deref(), request.name.as_deref());
        let newcomer = Newcomer::parse(self, &request.email, username, name, Some(&request.password)).await;
        let newcomer = self.unless_failed(&mut spent, newcomer).await?;
        let hash = self.parts.hasher.hash(request.password).await;
        let hash = self.unless_failed(&mut spent, hash).await?;
        if self.rules().private_signup {
            self.sign_up_privately(newcomer, &hash, client).await?;
            return Ok(SignedUp::Private);
        }
        let created = self.insert_newcomer(&newcomer, &hash, client).await;
        let created = self.name_taken_address_first(created, &newcomer.email).await;
        if let Err(error @ (Error::EmailTaken | Error::UsernameTaken)) = &created {
            self.record(Record::failure(EventKind::SignUp, client, error)).await?;
        }
        created.map(|account| SignedUp::Created(account.into()))
    }

    /// One answer and one transaction whether or not the address has an account, whose owner is told by mail instead.
    /// No username is taken: whether it is free afterwards would tell whether this made an account.
    async fn sign_up_privately(&self, newcomer: Newcomer, hash: &PasswordHash, client: &Client) -> Result<(), Error> {
        if let Some(owner) = self.store().find_user_by_email(newcomer.email.key()).await? {
            return self.tell_owner(&owner, EventKind::SignUp, client).await;
        }
        let newcomer = Newcomer {
            username: None,
            ..newcomer
        };
        match self.insert_newcomer(&newcomer, hash, client).await {
            // Another sign-up for the address came between: its owner has a mail already.
            Err(Error::EmailTaken) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn insert_newcomer(
        &self,
        newcomer: &Newcomer,
        hash: &PasswordHash,
        client: &Client,
    ) -> Result<UserRow, Error> {
        let now = self.now();
        let account = newcomer.account(hash.as_str(), now);
        let mut tx = self.store().begin().await?;
        // In one statement, as one more would tell by its time that there was no account.
        tx.insert_user_who_waits(&account, Some(now)).await?;
        let message = mail::Message::VerifyEmail(client.circumstances(now));
        mailing::announce(&mut tx, &message, &account, now).await?;
        Record::success(EventKind::SignUp, client)
            .about(account.id)
            .write(&mut tx, now)
            .await?;
        self.commit_and_wake(tx).await?;
        Ok(account)
    }
}
