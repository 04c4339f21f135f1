//! A signed-in user chooses a new password.

use super::{
    Auth, Client, Error, Identity, accounts,
    audit::{EventKind, Record},
};
use crate::{
    id::UserId,
    mail::{self, LinkKind},
    password::Password,
    store::Tx,
};

/// The old password and the new.
#[derive(Debug)]
pub struct ChangePassword {
    /// The password so far, to prove that it is not somebody at an unlocked screen.
    pub current: Password,
    /// The password from now on.
    pub new: Password,
}

impl Auth {
    /// Changes the password, ends every other session and every open reset link, and tells the user by mail: whoever
    /// changes a password because somebody else knows it wants that somebody out.
    pub async fn change_password(
        &self,
        identity: &Identity,
        change: ChangePassword,
        client: &Client,
    ) -> Result<(), Error> {
        let proved = self.prove_password(identity, "current_password", change.current).await;
        let account = self
            .note_wrong_password(proved, EventKind::ChangePassword, identity, client)
            .await?;
        let weak = self.judge_password("new_password", &change.new, &accounts::words_of(&account));
        if !weak.is_empty() {
            return Err(Error::InvalidFields(weak));
        }
        let hash = self.parts.hasher.hash(change.new).await?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if !tx.update_password(account.id, hash.as_str(), now).await? {
            return Err(Error::SessionEnded);
        }
        tx.delete_sessions(account.id, Some(identity.session)).await?;
        revoke_links(&mut tx, account.id).await?;
        let message = mail::Message::PasswordChanged(client.circumstances(now));
        tx.insert_message(&mail::message_row(&message, Some(account.id), &account.email, now))
            .await?;
        Record::success(EventKind::ChangePassword, client)
            .by_owner(identity)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        self.parts.waker.wake();
        Ok(())
    }

    /// Passes `proved` on; a wrong password is recorded on the way, since guessing at an open session is an attack too.
    pub(super) async fn note_wrong_password<T>(
        &self,
        proved: Result<T, Error>,
        kind: EventKind,
        identity: &Identity,
        client: &Client,
    ) -> Result<T, Error> {
        if let Err(error @ Error::InvalidFields(_)) = &proved {
            self.record(Record::failure(kind, client, error).by_owner(identity))
                .await?;
        }
        proved
    }
}

/// Ends every link that was mailed for an account, when its password becomes another. Whoever knew the old one may have
/// asked for a new address, and the link that waits in their mailbox would hand them the account.
pub(super) async fn revoke_links(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    for kind in [LinkKind::ResetPassword, LinkKind::VerifyEmail] {
        tx.delete_link_tokens(user, kind.as_str()).await?;
    }
    Ok(())
}
