//! A signed-in user asks for a new email address. It holds only once the link mailed to it was confirmed, in
//! `verify_email`.

use super::{
    Auth, Client, EmailAddress, Error, Identity,
    audit::{EventKind, Record},
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

impl Auth {
    /// Mails a link to the new address; until it is confirmed the old one stays.
    pub async fn change_email(&self, identity: &Identity, change: ChangeEmail, client: &Client) -> Result<(), Error> {
        let new = EmailAddress::parse("new_email", &change.new_email)?;
        let kind = EventKind::ChangeEmail;
        let account = self
            .prove_password(identity, "password", change.password, kind, client)
            .await?;
        if new.key() == account.email_key {
            return Err(Error::invalid_field(
                "new_email",
                "email_unchanged",
                "This is your address already",
            ));
        }
        if let Some(owner) = self.store().find_user_by_email(new.key()).await? {
            if self.rules().private_signup {
                return self.tell_owner(&owner, kind, client).await;
            }
            return Err(Error::EmailTaken);
        }
        let now = self.now();
        let mut tx = self.store().begin().await?;
        tx.delete_link_tokens(account.id, LinkKind::VerifyEmail.as_str())
            .await?;
        let message = mail::Message::VerifyNewEmail(client.circumstances(now));
        tx.insert_message(&mail::message_row(&message, Some(account.id), new.as_typed(), now))
            .await?;
        Record::success(kind, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        self.commit_and_wake(tx).await
    }
}
