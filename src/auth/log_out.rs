//! A session ends by its holder's wish.

use super::{
    Auth, Client, Credential, Error,
    audit::{EventKind, Record},
};
use crate::{
    id::{SessionId, UserId},
    token::RefreshToken,
};

impl Auth {
    /// Ends the session that the first of `credentials` names. Where that is a refresh token which names none any more,
    /// the next one does: a browser's refresh cookie can be dead beside an access cookie that is good, and whoever asks to
    /// be signed out must not stay signed in.
    #[tracing::instrument(skip_all)]
    pub async fn log_out(&self, credentials: &[Credential<'_>], client: &Client) -> Result<(), Error> {
        let (user, session) = self.first_holder(credentials).await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if tx.end_session(session).await? {
            Record::success(EventKind::LogOut, client)
                .about(user)
                .on(session)
                .write(&mut tx, now)
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn first_holder(&self, credentials: &[Credential<'_>]) -> Result<(UserId, SessionId), Error> {
        let mut refused = Error::NotAuthenticated;
        for credential in credentials {
            match self.holder(*credential).await {
                Err(error @ Error::RefreshTokenInvalid) => refused = error,
                decided => return decided,
            }
        }
        Err(refused)
    }

    async fn holder(&self, credential: Credential<'_>) -> Result<(UserId, SessionId), Error> {
        match credential {
            Credential::Access(access) => {
                let identity = self.authenticate(access).await?;
                Ok((identity.user.id, identity.session))
            }
            Credential::Refresh(presented) => {
                let presented = RefreshToken::parse(presented).ok_or(Error::RefreshTokenInvalid)?;
                let found = self
                    .store()
                    .find_refresh_token(presented.hash().as_str(), self.now())
                    .await?;
                let found = found.ok_or(Error::RefreshTokenInvalid)?;
                Ok((found.user.id, found.session.id))
            }
        }
    }
}
