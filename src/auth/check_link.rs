//! A mailed link is looked at and stays what it is.

use super::{Auth, Error, links::proves_current_address};
use crate::{mail::LinkKind, store::LinkTokenRow, token::LinkToken};

/// What a password is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordLink {
    /// An account that has one, which nobody knows any more.
    Reset,
    /// An account that was made for somebody, and has none yet.
    Invitation,
}

impl Auth {
    /// Whether a password can be chosen by this link, and what for, without using it: for a page that mail scanners open
    /// too, and that asks nobody for a password in vain. Nobody guesses 256 bits, so that it takes no limit, and it leaves
    /// no trace.
    #[tracing::instrument(skip_all)]
    pub async fn check_reset_link(&self, token: &str) -> Result<PasswordLink, Error> {
        let token = LinkToken::parse(token).ok_or(Error::LinkInvalid)?;
        let found = self.find_password_link(token.hash().as_str(), self.now()).await?;
        let (link, kind) = found.ok_or(Error::LinkInvalid)?;
        self.check_address_of(&link).await?;
        Ok(match kind {
            LinkKind::Invitation => PasswordLink::Invitation,
            _ => PasswordLink::Reset,
        })
    }

    /// Whether an address can be verified by this link, without using it.
    #[tracing::instrument(skip_all)]
    pub async fn check_verification_link(&self, token: &str) -> Result<(), Error> {
        let token = LinkToken::parse(token).ok_or(Error::LinkInvalid)?;
        let found = self.find_verification_link(token.hash().as_str(), self.now()).await?;
        let (link, kind) = found.ok_or(Error::LinkInvalid)?;
        if kind == LinkKind::VerifyNewEmail {
            // It was mailed to the address that the account is to have.
            let account = self.store().find_user(link.user_id).await?;
            return account.map(drop).ok_or(Error::LinkInvalid);
        }
        self.check_address_of(&link).await
    }

    async fn check_address_of(&self, link: &LinkTokenRow) -> Result<(), Error> {
        let account = self.store().find_user(link.user_id).await?;
        let is_good = account.is_some_and(|account| proves_current_address(link, &account));
        is_good.then_some(()).ok_or(Error::LinkInvalid)
    }
}
