//! Somebody forgot a password, or says so.

use super::{Auth, Client, EmailAddress, Error, audit::EventKind, limits::Limited};
use crate::mail;

impl Auth {
    /// Mails a reset link, if the address has an account. Known or not, the same rows are written and the same answer
    /// given.
    #[tracing::instrument(skip_all)]
    pub async fn request_reset(&self, email: &str, client: &Client) -> Result<(), Error> {
        let email = EmailAddress::parse("email", email)?;
        self.limit(Limited::RequestReset(&email), client).await?;
        let account = self.store().find_user_by_email(email.key()).await?;
        let message = mail::Message::ResetPassword(client.circumstances(self.now()));
        self.mail_to_whoever(&message, EventKind::RequestReset, account.as_ref(), client)
            .await
    }
}
