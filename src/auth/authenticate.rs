//! An access token becomes somebody.

use super::{Auth, Error, Identity};
use crate::token::{AccessClaims, TokenError};

impl Auth {
    /// Who presents this access token. Beside the signature, one look at the database asks whether its session lives
    /// and what its user may do now, so that logging out, disabling and role changes hold at once.
    #[tracing::instrument(skip_all)]
    pub async fn authenticate(&self, access: &str) -> Result<Identity, Error> {
        let claims = self.verify_access(access).await?;
        let found = self.store().find_user_of_live_session(claims.sid, self.now()).await?;
        let Some(user) = found.filter(|user| user.id == claims.sub) else {
            return Err(self.why_ended(&claims).await?);
        };
        if user.disabled_at.is_some() {
            return Err(Error::InactiveUser);
        }
        Ok(Identity {
            user: user.into(),
            session: claims.sid,
        })
    }

    /// Disabling an account ends its sessions; the holder of a signed token is told which of the two it was.
    async fn why_ended(&self, claims: &AccessClaims) -> Result<Error, Error> {
        let disabled = self
            .store()
            .find_user(claims.sub)
            .await?
            .is_some_and(|user| user.disabled_at.is_some());
        Ok(if disabled {
            Error::InactiveUser
        } else {
            Error::SessionEnded
        })
    }

    pub(super) async fn verify_access(&self, access: &str) -> Result<AccessClaims, Error> {
        match self.parts.tokens.verify(access, self.now()) {
            // Another process may have rotated the keys since we last looked.
            Err(TokenError::UnknownKey) if self.reload_for_unknown_key().await? => {
                Ok(self.parts.tokens.verify(access, self.now())?)
            }
            verified => Ok(verified?),
        }
    }
}
