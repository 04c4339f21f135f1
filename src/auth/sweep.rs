//! What time alone makes worthless is removed, in small batches, so that nobody waits for it; and what a clock that was
//! ahead has put off is brought forward.

use std::time::Duration;

use super::{
    Auth, Client, Error,
    audit::{EventKind, Record},
    places,
    refresh::REPLAY_WINDOW,
};
use crate::{
    clock::{TOLERANCE, Timestamp},
    id::UserId,
    mail::LONGEST_PAUSE,
    store::Tx,
};

/// How many rows one transaction removes at most: on SQLite, nobody else writes meanwhile.
pub(super) const BATCH: i64 = 1000;

/// How long requests have the database to themselves between two batches.
pub const BATCH_PAUSE: Duration = Duration::from_millis(100);

/// How many accounts one transaction removes at most; much hangs on each.
const BATCH_OF_ACCOUNTS: i64 = 50;

/// How long a message that was sent, given up or dropped stays in the outbox. Its address is personal data, which is
/// kept for no longer than it serves (GDPR, article 5(1)(e)), and the table would grow for ever; a month is as long as
/// anybody asks an admin what became of a letter.
const MESSAGE_RETENTION: Duration = Duration::from_hours(30 * 24);

/// What can be swept.
#[derive(Clone, Copy, Debug)]
enum Over {
    /// Before their sessions, with which they would go all at once.
    RefreshTokens,
    Sessions,
    Links,
    Messages,
    Places,
    /// What happened by this time.
    Events(Timestamp),
}

/// What came of sweeping one thing after the other, of which each that fails leaves the others to be swept.
#[derive(Default)]
pub(super) struct Round {
    is_more: bool,
    failure: Option<Error>,
}

impl Round {
    pub(super) fn note(&mut self, outcome: Result<bool, Error>) {
        match outcome {
            Ok(is_more) => self.is_more |= is_more,
            Err(error) if self.failure.is_none() => self.failure = Some(error),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot sweep something else either"
                );
            }
        }
    }

    /// The first failure, if there was any: what failed is not tried again at once.
    pub(super) fn end(self) -> Result<bool, Error> {
        self.failure.map_or(Ok(self.is_more), Err)
    }
}

impl Auth {
    /// Erases sealed successors whose replay window has closed: from then on nothing opens them, not even the token.
    #[tracing::instrument(skip_all)]
    pub async fn erase_successors(&self) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        tx.erase_successors(self.now().minus(REPLAY_WINDOW)).await?;
        Ok(tx.commit().await?)
    }

    /// Removes the limits that are whole again: a batch in each transaction, and all there are, since strangers can make them
    /// faster than one batch a minute.
    #[tracing::instrument(skip_all)]
    pub async fn sweep_limits(&self) -> Result<(), Error> {
        loop {
            let mut tx = self.store().begin().await?;
            let deleted = tx.delete_whole_limits(self.now(), BATCH).await?;
            tx.commit().await?;
            if deleted < BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }

    /// Removes a batch of whatever is over, each kind in a transaction of its own: expired sessions and links, messages that
    /// are long done with, places that nobody signs in from any more, what the audit log has kept for long enough, accounts
    /// to which nobody came, and what a deletion that was broken off has left. Says whether there may be more of any. A kind
    /// that cannot be swept keeps no other from being swept.
    #[tracing::instrument(skip_all)]
    pub async fn sweep(&self) -> Result<bool, Error> {
        // While the database is away, each kind would wait for it in vain, and a server that is to stop for all of them.
        self.ping().await?;
        let now = self.now();
        let mut round = Round::default();
        round.note(self.sweep_sessions(now).await);
        for over in [Over::Links, Over::Messages, Over::Places] {
            round.note(self.sweep_batch(over, now).await);
        }
        if let Some(keep) = self.rules().audit_keep {
            round.note(self.sweep_batch(Over::Events(now.minus(keep)), now).await);
        }
        if let Some(keep) = self.rules().unverified_keep {
            round.note(self.sweep_accounts(now.minus(keep), now).await);
        }
        round.note(self.go_on_deleting(now).await);
        round.end()
    }

    async fn sweep_sessions(&self, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sweep_batch(Over::RefreshTokens, now).await? || self.sweep_batch(Over::Sessions, now).await?)
    }

    async fn sweep_batch(&self, over: Over, now: Timestamp) -> Result<bool, Error> {
        let mut tx = self.store().begin().await?;
        let deleted = match over {
            Over::RefreshTokens => tx.delete_tokens_of_expired_sessions(now, BATCH).await?,
            Over::Sessions => tx.delete_expired_sessions(now, BATCH).await?,
            Over::Links => tx.delete_expired_link_tokens(now, BATCH).await?,
            Over::Messages => tx.delete_finished_messages(now.minus(MESSAGE_RETENTION), BATCH).await?,
            Over::Places => tx.delete_old_places(now.minus(places::MEMORY), BATCH).await?,
            Over::Events(happened_by) => tx.delete_old_events(happened_by, BATCH).await?,
        };
        tx.commit().await?;
        Ok(deleted >= BATCH.unsigned_abs())
    }

    /// Removes accounts that signed up and have waited since this time, at least, for somebody to confirm the address or to
    /// sign in. Most were made by a program, or with an address that was mistyped, whose owner need not be known here for
    /// ever.
    async fn sweep_accounts(&self, waiting_since: Timestamp, now: Timestamp) -> Result<bool, Error> {
        let waiting = self.store().list_waiting_users(waiting_since, now, BATCH_OF_ACCOUNTS);
        let waiting = waiting.await?;
        if waiting.is_empty() {
            return Ok(false);
        }
        let mut tx = self.store().begin().await?;
        for user in &waiting {
            remove_unverified(&mut tx, *user, waiting_since, now).await?;
        }
        tx.commit().await?;
        Ok(waiting.len() >= usize::try_from(BATCH_OF_ACCOUNTS).unwrap_or(usize::MAX))
    }

    /// Puts right what was written before a clock that was ahead was set back: a session would live on, a sealed successor
    /// stay, and a letter wait for as long as the clock was wrong. From now on they have the time that they would have had.
    #[tracing::instrument(skip_all)]
    pub async fn follow_the_clock(&self) -> Result<(), Error> {
        let now = self.now();
        let ahead = now.plus(TOLERANCE);
        let rules = self.rules();
        let mut tx = self.store().begin().await?;
        tx.bring_sessions_back(now, ahead, rules.refresh_idle, rules.session_max, BATCH)
            .await?;
        tx.erase_successors_ahead(now.plus(REPLAY_WINDOW)).await?;
        tx.bring_messages_forward(now, ahead.plus(LONGEST_PAUSE)).await?;
        Ok(tx.commit().await?)
    }
}

/// Unless somebody has come, or was given, mailed or refused something, since it was found. Locked first: what the mail worker
/// is at with the account, it is done with then, and the statement that decides sees the link.
async fn remove_unverified(tx: &mut Tx, user: UserId, waiting_since: Timestamp, now: Timestamp) -> Result<(), Error> {
    if tx.lock_user(user).await?.is_none() || !tx.update_deleted_if_waiting(user, waiting_since, now).await? {
        return Ok(());
    }
    tx.erase_messages_of(user, "the account was removed", now).await?;
    tx.delete_user(user).await?;
    let nowhere = Client::default();
    let record = Record::success(EventKind::RemoveUnverified, &nowhere).about(user);
    record.write(tx, now).await
}
