//! A refresh token is exchanged for its successor, once.
//!
//! The honest double use and the theft look alike at first: a client whose answer was lost on the way, or two tabs of
//! one browser, present the same token twice within moments. Refusing the second would sign honest people out; giving it
//! a second successor would let a thief live on beside the owner. So within [`REPLAY_WINDOW`] the *same* successor is
//! given again, and there is never more than one line of tokens; whoever uses a token later than that is not retrying,
//! and as nobody can tell thief from owner, the session ends for both (RFC 9700 section 4.14.2).
//!
//! To give the same successor again it must be known; it is kept sealed under a key that only the presented token
//! yields, so that neither the database nor the server's own keys open it, and is erased when the window closes.

use std::time::Duration;

use super::{
    Auth, Client, Error, SignedIn,
    audit::{EventKind, Record},
    mailing,
};
use crate::{
    clock::Timestamp,
    mail::{self, Circumstances},
    store::{PresentedRefreshToken, SessionRow},
    token::{self, RefreshToken},
};

/// How long a used token still gives its successor again.
pub(super) const REPLAY_WINDOW: Duration = Duration::from_secs(10);

/// Whether a token that was used at `used_at` still gives its successor again. Not where the clock was set back since: the
/// window would be open for as much longer, and whoever holds an old token is a thief until then.
///
/// `used_at` may be another server's time. An honest retry there is a theft here where the two clocks differ by more than
/// the window: of the two mistakes it is the one that lets no thief in. That clocks agree is the operator's doing.
pub(super) fn in_replay_window(used_at: Timestamp, now: Timestamp) -> bool {
    now.since(used_at) <= REPLAY_WINDOW && used_at.since(now) <= REPLAY_WINDOW
}

impl Auth {
    /// Exchanges a refresh token for its successor and a fresh access token, and keeps the session alive.
    #[tracing::instrument(skip_all)]
    pub async fn refresh(&self, presented: &str, client: &Client) -> Result<SignedIn, Error> {
        let presented = RefreshToken::parse(presented).ok_or(Error::RefreshTokenInvalid)?;
        self.know_the_keys().await?;
        let now = self.now();
        let found = self.find_presented(&presented, now).await?;
        // A theft ends the session, whatever is left of its budget.
        if found.token.used_at.is_none_or(|used_at| in_replay_window(used_at, now)) {
            self.limit_refresh(&found, client).await?;
        }
        if found.token.used_at.is_some() {
            return self.replay(&presented, found, client, now).await;
        }
        if let Some(signed_in) = self.exchange(&presented, found, client, now).await? {
            return Ok(signed_in);
        }
        // Another request exchanged it between our read and our write; what it wrote is there now.
        let found = self.find_presented(&presented, now).await?;
        self.replay(&presented, found, client, now).await
    }

    /// The token with its session and user, used or not, while the session lives and the user may sign in.
    pub(super) async fn find_presented(
        &self,
        presented: &RefreshToken,
        now: Timestamp,
    ) -> Result<PresentedRefreshToken, Error> {
        let found = self.store().find_refresh_token(presented.hash().as_str(), now).await?;
        let found = found.ok_or(Error::RefreshTokenInvalid)?;
        if found.user.disabled_at.is_some() {
            return Err(Error::InactiveUser);
        }
        Ok(found)
    }

    fn extended(&self, session: &SessionRow, client: &Client, now: Timestamp) -> SessionRow {
        // Of a session that began before the clock was set back, the end may be as much too late.
        let dies_at = session.dies_at.min(now.plus(self.rules().session_max));
        SessionRow {
            last_used_at: now,
            expires_at: now
                .plus(Duration::from_secs(session.idle_seconds.unsigned_abs()))
                .min(dies_at),
            dies_at,
            client_address: client.address_text(),
            user_agent: client.user_agent.clone(),
            ..session.clone()
        }
    }

    /// Marks the token used and writes its successor; nothing when it was used already, or its session has ended.
    async fn exchange(
        &self,
        presented: &RefreshToken,
        found: PresentedRefreshToken,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, Error> {
        let session = self.extended(&found.session, client, now);
        let successor = RefreshToken::generate();
        let sealed = token::seal_successor(presented, session.id, &successor)?;
        let mut tx = self.store().begin().await?;
        let (used, next) = (presented.hash(), successor.hash());
        if !tx
            .exchange_refresh_token(used.as_str(), &sealed, next.as_str(), &session)
            .await?
        {
            return Ok(None);
        }
        // Before the commit: a token whose successor cannot be handed out must not be used up.
        let signed_in = self.issue_tokens(found.user, &session, successor, now)?;
        tx.commit().await?;
        Ok(Some(signed_in))
    }

    /// A used token came again: a retry gets the same successor, anything later ends the session.
    async fn replay(
        &self,
        presented: &RefreshToken,
        found: PresentedRefreshToken,
        client: &Client,
        now: Timestamp,
    ) -> Result<SignedIn, Error> {
        let in_time = found
            .token
            .used_at
            .is_some_and(|used_at| in_replay_window(used_at, now));
        let sealed = found.token.sealed_successor.as_deref().filter(|_| in_time);
        match sealed.and_then(|sealed| token::open_successor(presented, found.session.id, sealed)) {
            Some(successor) => self.issue_tokens(found.user, &found.session, successor, now),
            None => self.end_stolen_session(found, client, now).await,
        }
    }

    async fn end_stolen_session(
        &self,
        found: PresentedRefreshToken,
        client: &Client,
        now: Timestamp,
    ) -> Result<SignedIn, Error> {
        let error = Error::RefreshTokenReused;
        let mut tx = self.store().begin().await?;
        // Of parallel reuses one ends the session, and only that one records and tells it.
        if tx.end_session(found.session.id).await? {
            let began = Circumstances::new(
                found.session.created_at,
                found
                    .session
                    .client_address
                    .as_deref()
                    .and_then(|address| address.parse().ok()),
                found.session.user_agent.as_deref(),
            );
            let message = mail::Message::SessionReused {
                session: began,
                reuse: client.circumstances(now),
            };
            mailing::announce(&mut tx, &message, &found.user, now).await?;
            let record = Record::failure(EventKind::Refresh, client, &error);
            record
                .about(found.user.id)
                .on(found.session.id)
                .write(&mut tx, now)
                .await?;
            self.commit_and_wake(tx).await?;
            tracing::warn!(user = %found.user.id, session = %found.session.id, "refresh token reused, session ended");
        }
        Err(error)
    }
}
