//! A backup takes the place of the database, and must not bring back what has ended since.

use super::{
    Actor, Auth, Client, SigningKeyError,
    audit::{EventKind, Record},
    keys::end_signing_keys,
};
use crate::token::Algorithm;

/// What a backup held that must not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedByRestore {
    /// Signed-in devices.
    pub sessions: u64,
    /// Links that had been mailed.
    pub links: u64,
    /// Messages that had not left.
    pub messages: u64,
}

impl Auth {
    /// Makes a backup fit to be used as the database. A session or a link of it may since have been ended by its owner, a
    /// message may since have been sent, and a signing key may have been replaced because somebody else had it: all end,
    /// and a new key signs. With HS256 none does, and the stored ones must not sign after a change of `ALGORITHM` either.
    #[tracing::instrument(skip_all)]
    pub async fn restore_backup(&self, actor: &Actor, client: &Client) -> Result<EndedByRestore, SigningKeyError> {
        self.require_admin(actor, EventKind::RestoreBackup, None, client)
            .await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let ended = EndedByRestore {
            sessions: tx.end_all_sessions().await?,
            links: tx.delete_all_link_tokens().await?,
            messages: tx
                .drop_all_messages("the database was restored from a backup", now)
                .await?,
        };
        let detail = format!(
            "ended: {} sessions, {} links, {} messages",
            ended.sessions, ended.links, ended.messages
        );
        Record::success(EventKind::RestoreBackup, client)
            .by(actor)
            .detail(detail)
            .write(&mut tx, now)
            .await?;
        end_signing_keys(&mut tx, now).await?;
        tx.delete_signing_keys_ended(now).await?;
        tx.commit().await?;
        if self.parts.algorithm != Algorithm::Hs256 {
            self.rotate_signing_keys(actor, true).await?;
        }
        Ok(ended)
    }
}
