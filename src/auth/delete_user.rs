//! An admin deletes an account.

use super::{
    Actor, Auth, Client, EmailAddress, Error, FieldError,
    audit::{EventKind, Record},
    deletion, fields,
};
use crate::{id::UserId, store::UserRow};

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
        if let Some(typed) = typed {
            let account = tx.find_user(id).await?.ok_or(Error::NotFound)?;
            check_address(typed, &account)?;
        }
        deletion::decide(&mut tx, id, now).await?;
        Record::success(EventKind::DeleteUser, client)
            .by(actor)
            .about(id)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        self.finish_deletion(id).await;
        Ok(())
    }
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
