//! What time alone makes worthless is removed, in small batches, so that nobody waits for it; and what a clock that was
//! ahead has put off is brought forward.

use std::time::Duration;

use super::{Auth, Error, refresh::REPLAY_WINDOW};
use crate::{clock::TOLERANCE, mail::LONGEST_PAUSE};

/// How many rows one sweep removes at most.
const BATCH: i64 = 1000;

/// How long a message that was sent, given up or dropped stays in the outbox. Its address is personal data, which is
/// kept for no longer than it serves (GDPR, article 5(1)(e)), and the table would grow for ever; a month is as long as
/// anybody asks an admin what became of a letter.
const MESSAGE_RETENTION: Duration = Duration::from_hours(30 * 24);

impl Auth {
    /// Erases sealed successors whose replay window has closed: from then on nothing opens them, not even the token.
    #[tracing::instrument(skip_all)]
    pub async fn erase_successors(&self) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        let now = self.now();
        tx.erase_successors(now.minus(REPLAY_WINDOW), now.plus(REPLAY_WINDOW))
            .await?;
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

    /// Removes a batch of expired sessions and links, and of messages that are long done with.
    #[tracing::instrument(skip_all)]
    pub async fn sweep(&self) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        tx.delete_expired_sessions(now, BATCH).await?;
        tx.delete_expired_link_tokens(now, BATCH).await?;
        tx.delete_finished_messages(now.minus(MESSAGE_RETENTION), BATCH).await?;
        Ok(tx.commit().await?)
    }

    /// Puts right what was written before a clock that was ahead was set back: a session would live on, and a letter wait,
    /// for as long as the clock was wrong. From now on they have the time that they would have had.
    #[tracing::instrument(skip_all)]
    pub async fn follow_the_clock(&self) -> Result<(), Error> {
        let now = self.now();
        let ahead = now.plus(TOLERANCE);
        let rules = self.rules();
        let mut tx = self.store().begin().await?;
        tx.bring_sessions_back(now, ahead, rules.refresh_idle, rules.session_max, BATCH)
            .await?;
        tx.bring_messages_forward(now, ahead.plus(LONGEST_PAUSE)).await?;
        Ok(tx.commit().await?)
    }
}
