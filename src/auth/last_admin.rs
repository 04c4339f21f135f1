//! Somebody must be left who can administer the server.

use super::{ADMIN, Error, User};
use crate::{
    id::UserId,
    store::{Tx, UserRow},
};

/// Surrounds a change of an account that may take away the last active admin. Entered, it lets one such change in at a
/// time: two admins who demote each other at the same moment would else each see the other still there.
pub(super) struct AdminGuard {
    concerned: bool,
}

impl AdminGuard {
    /// The account `id` as no other such change alters it until `tx` ends. It is read after the lock is held: what was
    /// read before may be what another one has just changed. As the lock stands before every user's row, whoever needs
    /// both takes it first.
    pub(super) async fn enter(tx: &mut Tx, id: UserId) -> Result<(Self, UserRow), Error> {
        tx.lock_admins().await?;
        let account = tx.lock_user(id).await?.ok_or(Error::NotFound)?;
        // Who is invited, and may never come, administers nothing yet.
        let concerned = User::from(account.clone()).is_active_admin();
        Ok((Self { concerned }, account))
    }

    /// Refuses the change, which the caller then drops with its transaction, if no active admin is left.
    pub(super) async fn leave(self, tx: &mut Tx) -> Result<(), Error> {
        if self.concerned && tx.count_active_holders(ADMIN).await? == 0 {
            return Err(Error::LastAdmin);
        }
        Ok(())
    }
}
