//! How an account goes: decided at once, cleared away afterwards.
//!
//! Any number of things may hang on an account. Deleted with it, in one statement, nobody else could write for as long as
//! that takes; deleted before it, they would be gone even if the deletion is refused in the end. So one transaction decides,
//! on record, and puts the account out of use for good. What is left of it then goes in batches, and where that is broken
//! off, the sweep goes on with it.

use tokio::time::sleep;

use super::{
    Auth, Error,
    last_admin::AdminGuard,
    sweep::{BATCH, BATCH_PAUSE, Round},
};
use crate::{clock::Timestamp, id::UserId, store::Tx};

/// How many accounts a sweep goes on with.
const BATCH_OF_ACCOUNTS: i64 = 10;

/// Decides that the account `id` is deleted, unless nobody would be left to administer the server. Once this is committed,
/// the caller [finishes](Auth::finish_deletion) it.
///
/// Its messages stay, so that admins are told what became of those that had not left; but nothing in them says any more
/// whose they were (GDPR, article 17). One that is written at this very moment is missed here, and erased by the worker
/// that finds nobody to send it to.
pub(super) async fn decide(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<(), Error> {
    let (guard, _) = AdminGuard::enter(tx, id).await?;
    tx.erase_messages_of(id, "the account was deleted", now).await?;
    tx.erase_import_of(id).await?;
    tx.update_deleted(id, now).await?;
    tx.end_sessions(id, None).await?;
    guard.leave(tx).await
}

impl Auth {
    /// Removes an account whose deletion is decided, with all that is left of it. Should that fail, nothing has to be said to
    /// whoever deleted it: it is out of use, and will go.
    pub(super) async fn finish_deletion(&self, user: UserId) {
        let now = self.now();
        let cleared = async {
            while self.clear_away(user, now).await? {
                sleep(BATCH_PAUSE).await;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = cleared.await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, %user, "cannot clear away a deleted account for now");
        }
    }

    /// Goes on with what was broken off, by a batch of each account. Whether there is more.
    pub(super) async fn go_on_deleting(&self, now: Timestamp) -> Result<bool, Error> {
        let mut round = Round::default();
        for user in self.store().list_deleted_users(BATCH_OF_ACCOUNTS).await? {
            round.note(self.clear_away(user, now).await);
        }
        round.end()
    }

    /// Removes a batch of what is left of a deleted account, and the account with the last of it. Whether there is more.
    async fn clear_away(&self, user: UserId, now: Timestamp) -> Result<bool, Error> {
        let mut tx = self.store().begin().await?;
        let removed = [
            tx.delete_tokens_of_expired_sessions_of(user, now, BATCH).await?,
            tx.delete_expired_sessions_of(user, now, BATCH).await?,
            tx.delete_products_of(user, BATCH).await?,
        ];
        let is_more = removed.iter().any(|count| *count >= BATCH.unsigned_abs());
        if !is_more {
            tx.delete_user(user).await?;
        }
        tx.commit().await?;
        Ok(is_more)
    }
}
