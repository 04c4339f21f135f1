//! A refresh token is looked at and stays what it is.

use super::{Auth, Error, Identity, refresh::in_replay_window};
use crate::token::RefreshToken;

impl Auth {
    /// Who holds this refresh token, without using it: for answers whose cookies may not reach the browser.
    #[tracing::instrument(skip_all)]
    pub async fn peek(&self, presented: &str) -> Result<Identity, Error> {
        let presented = RefreshToken::parse(presented).ok_or(Error::RefreshTokenInvalid)?;
        let now = self.now();
        let found = self.find_presented(&presented, now).await?;
        let used_at = found.token.used_at;
        if used_at.is_some_and(|used_at| !in_replay_window(used_at, now)) {
            return Err(Error::RefreshTokenInvalid);
        }
        Ok(Identity {
            session: found.session.id,
            user: found.user.into(),
        })
    }
}
