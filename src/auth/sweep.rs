//! What time alone makes worthless is removed, in small batches, so that nobody waits for it.

use super::{Auth, Error, refresh::REPLAY_WINDOW};

/// How many rows one sweep removes at most.
const BATCH: i64 = 1000;

impl Auth {
    /// Erases sealed successors whose replay window has closed: from then on nothing opens them, not even the token.
    pub async fn erase_successors(&self) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        tx.erase_successors(self.now().minus(REPLAY_WINDOW)).await?;
        Ok(tx.commit().await?)
    }

    /// Removes a batch of expired sessions and links.
    pub async fn sweep(&self) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        tx.delete_expired_sessions(now, BATCH).await?;
        tx.delete_expired_links(now, BATCH).await?;
        Ok(tx.commit().await?)
    }
}
