//! A browser whose access token has run out goes on with its refresh token.

use super::{Auth, Client, Error, Identity, SignedIn};

/// What came of a [renewal](Auth::renew).
#[derive(Debug)]
pub enum Renewed {
    /// The refresh token was exchanged: this is to be used from now on.
    Exchanged(SignedIn),
    /// There was no leave to exchange it yet; whose it is stays as true, and it stays good.
    NotYet(Identity),
}

impl Auth {
    /// [Exchanges](Self::refresh) a refresh token, and where its session has no leave to for the moment,
    /// [looks](Self::peek) whose it is.
    #[tracing::instrument(skip_all)]
    pub async fn renew(&self, presented: &str, client: &Client) -> Result<Renewed, Error> {
        match self.refresh(presented, client).await {
            Err(Error::TooManyRequests(_)) => Ok(Renewed::NotYet(self.peek(presented).await?)),
            exchanged => Ok(Renewed::Exchanged(exchanged?)),
        }
    }
}
