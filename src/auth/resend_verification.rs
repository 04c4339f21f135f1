//! Somebody did not get, or lost, the mail that verifies an address.

use super::{Auth, Client, EmailAddress, Error, audit::EventKind, limits::Limited};
use crate::mail;

impl Auth {
    /// Mails a fresh verification link, if the address has an account that wants one. Known or not, the same rows are
    /// written: it is the mail worker that finds there is nobody to write to.
    #[tracing::instrument(skip_all)]
    pub async fn resend_verification(&self, email: &str, client: &Client) -> Result<(), Error> {
        let email = EmailAddress::parse("email", email)?;
        self.limit(Limited::ResendVerification(&email), client).await?;
        let account = self.store().find_user_by_email(email.key()).await?;
        // The letter says when the account was made. Who asks for it now, and from where, says nothing about that: their own
        // device and place would have the reader believe that the account is theirs.
        let made_at = account.as_ref().map_or(self.now(), |account| account.created_at);
        let message = mail::Message::VerifyEmail(mail::Circumstances::new(made_at, None, None));
        self.mail_to_whoever(&message, EventKind::ResendVerification, account.as_ref(), client)
            .await
    }
}
