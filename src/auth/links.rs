//! What several operations need to know about mailed links.

use super::{EmailAddress, Error};
use crate::{
    id::UserId,
    mail::LinkKind,
    store::{LinkTokenRow, Tx, UserRow},
};

/// Ends every link that was mailed for an account, when its password becomes another. Whoever knew the old one may have
/// asked for a new address, and the link that waits in their mailbox would hand them the account.
pub(super) async fn revoke_links(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    for kind in [LinkKind::ResetPassword, LinkKind::VerifyEmail] {
        tx.delete_link_tokens(user, kind.as_str()).await?;
    }
    Ok(())
}

/// Whether `link` was mailed to the address that `account` has now.
pub(super) fn proves_current_address(link: &LinkTokenRow, account: &UserRow) -> bool {
    EmailAddress::parse("email", &link.email).is_ok_and(|proved| proved.key() == account.email_key)
}
