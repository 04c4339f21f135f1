//! A signed-in user asks for a new email address. It holds only once the link mailed to it was confirmed, in
//! `verify_email`.

use super::{
    Auth, Client, EmailAddress, Error, FieldErrors, Identity,
    accounts::hold_proof,
    audit::{EventKind, Record},
    fields,
    limits::Limited,
    links::revoke_links,
};
use crate::{
    mail::{self, LinkKind},
    password::Password,
};

/// The wish for a new address.
#[derive(Debug)]
pub struct ChangeEmail {
    /// The account's password.
    pub password: Password,
    /// The new address, as typed.
    pub new_email: String,
}

impl ChangeEmail {
    /// The new address. Refuses what is no address and what was left blank, both at once.
    fn check(&self) -> Result<EmailAddress, Error> {
        let mut errors = FieldErrors::default();
        let new = errors.take(EmailAddress::parse("new_email", &self.new_email));
        let password = errors.take(fields::require("password", self.password.expose()));
        new.zip(password)
            .map(|(new, ())| new)
            .ok_or_else(|| errors.into_error())
    }
}

impl Auth {
    /// Mails a link to the new address; until it is confirmed the old one stays.
    #[tracing::instrument(skip_all)]
    pub async fn change_email(&self, identity: &Identity, change: ChangeEmail, client: &Client) -> Result<(), Error> {
        let new = change.check()?;
        let mut spent = self.limit(Limited::ChangeEmail(&new, identity), client).await?;
        let kind = EventKind::ChangeEmail;
        let account = self
            .prove_password(identity, "password", change.password, kind, client)
            .await;
        let account = self.unless_failed(&mut spent, account).await?;
        if new.key() == account.email_key {
            return Err(Error::invalid_field(
                "new_email",
                "email_unchanged",
                "This is your address already.",
            ));
        }
        let taken = self.store().find_user_by_email(new.key()).await?.is_some();
        if taken && !self.rules().private_signup {
            return Err(Error::EmailTaken);
        }
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let account = hold_proof(&mut tx, identity, &account).await?;
        // Taken or not, the same is written for the caller, who can read all of it in their export.
        revoke_links(&mut tx, account.id, &[LinkKind::VerifyNewEmail], now).await?;
        let message = mail::Message::VerifyNewEmail {
            asked: client.circumstances(now),
            taken,
        };
        tx.insert_message(&mail::message_row(&message, Some(account.id), new.as_typed(), now))
            .await?;
        Record::success(kind, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        self.commit_and_wake(tx).await
    }
}
