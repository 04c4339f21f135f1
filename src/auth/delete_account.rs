//! A user leaves.

use super::{
    Auth, Client, Error, Identity, User,
    audit::{EventKind, Record},
};
use crate::{
    clock::Timestamp,
    password::Password,
    store::{Tx, UserRow},
};

impl Auth {
    /// Deletes the caller's account with everything that hangs on it.
    pub async fn delete_account(&self, identity: &Identity, password: Password, client: &Client) -> Result<(), Error> {
        let proved = self.prove_password(identity, "password", password).await;
        let account = self
            .note_wrong_password(proved, EventKind::DeleteAccount, identity, client)
            .await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        delete(&mut tx, account).await?;
        Record::success(EventKind::DeleteAccount, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        Ok(tx.commit().await?)
    }
}

/// Deletes `account`, unless nobody would be left to administer the server.
pub(super) async fn delete(tx: &mut Tx, account: UserRow) -> Result<(), Error> {
    let id = account.id;
    let guard = AdminGuard::enter(tx, &account.into()).await?;
    if !tx.delete_user(id).await? {
        return Err(Error::NotFound);
    }
    guard.leave(tx).await
}

/// Disables `account` and ends its sessions, unless nobody would be left to administer the server.
pub(super) async fn disable(tx: &mut Tx, account: &UserRow, now: Timestamp) -> Result<(), Error> {
    let guard = AdminGuard::enter(tx, &account.clone().into()).await?;
    tx.update_disabled(account.id, Some(now), now).await?;
    tx.delete_sessions(account.id, None).await?;
    guard.leave(tx).await
}

/// Surrounds a change that may take away the last active admin. Entered, it lets one such change in at a time: two
/// admins who demote each other at the same moment would else each see the other still there.
pub(super) struct AdminGuard {
    concerned: bool,
}

impl AdminGuard {
    pub(super) async fn enter(tx: &mut Tx, user: &User) -> Result<Self, Error> {
        let concerned = user.is_active_admin();
        if concerned {
            tx.lock_admins().await?;
        }
        Ok(Self { concerned })
    }

    /// Refuses the change, which the caller then drops with its transaction, if no active admin is left.
    pub(super) async fn leave(self, tx: &mut Tx) -> Result<(), Error> {
        if self.concerned && tx.count_active_admins().await? == 0 {
            return Err(Error::LastAdmin);
        }
        Ok(())
    }
}
