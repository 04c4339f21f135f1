//! An admin deletes an account.

use std::time::Duration;

use super::{
    Actor, Auth, Client, EmailAddress, Error, FieldError,
    audit::{EventKind, Record},
    fields, last_admin,
    sweep::BATCH,
};
use crate::{
    clock::Timestamp,
    id::UserId,
    store::{Tx, UserRow},
};

/// Longer than any request takes: one that read a refresh token as unused this long ago writes no successor to it any more.
const LONGEST_REQUEST: Duration = Duration::from_mins(5);

impl Auth {
    /// Deletes an account with everything that hangs on it; of its messages, what is personal in them.
    ///
    /// A person confirms by typing the account's address, which is `typed` then: a slip of the pointer types none, and
    /// nobody types one while they look at another.
    #[tracing::instrument(skip_all)]
    pub async fn delete_user(
        &self,
        actor: &Actor,
        id: UserId,
        typed: Option<&str>,
        client: &Client,
    ) -> Result<(), Error> {
        self.require_admin(actor, EventKind::DeleteUser, Some(id.uuid()), client)
            .await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        check(&mut tx, id, typed).await?;
        last_admin::may_delete(&mut tx, id).await?;
        drop(tx);
        self.clear_out(id, now).await?;
        let mut tx = self.store().begin().await?;
        check(&mut tx, id, typed).await?;
        last_admin::delete(&mut tx, id, now).await?;
        Record::success(EventKind::DeleteUser, client)
            .by(actor)
            .about(id)
            .write(&mut tx, now)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Takes from an account that may be deleted what there can be any number of and nobody misses should it stay: products,
    /// and tokens and sessions that are over. With the account itself they would go in one statement, and nobody else would
    /// write for as long as that takes.
    pub(super) async fn clear_out(&self, user: UserId, now: Timestamp) -> Result<(), Error> {
        loop {
            let mut tx = self.store().begin().await?;
            let deleted = [
                tx.delete_spent_tokens_of(user, now.minus(LONGEST_REQUEST), now, BATCH)
                    .await?,
                tx.delete_expired_sessions_of(user, now, BATCH).await?,
                tx.delete_products_of(user, BATCH).await?,
            ];
            tx.commit().await?;
            if deleted.iter().all(|count| *count < BATCH.unsigned_abs()) {
                return Ok(());
            }
        }
    }
}

async fn check(tx: &mut Tx, id: UserId, typed: Option<&str>) -> Result<(), Error> {
    if let Some(typed) = typed {
        let account = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        check_address(typed, &account)?;
    }
    Ok(())
}

fn check_address(typed: &str, account: &UserRow) -> Result<(), FieldError> {
    const FIELD: &str = "email";
    fields::require(FIELD, typed.trim())?;
    match EmailAddress::parse(FIELD, typed) {
        Ok(address) if address.key() == account.email_key => Ok(()),
        _ => Err(FieldError::new(
            FIELD,
            "wrong_email",
            "This is not the address of the account.",
        )),
    }
}
