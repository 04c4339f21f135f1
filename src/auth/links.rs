//! What several operations need to know about mailed links.

use super::{EmailAddress, Error};
use crate::{
    clock::Timestamp,
    id::UserId,
    mail::LinkKind,
    store::{LinkTokenRow, Tx, UserRow},
};

/// Ends the links of these kinds that were mailed for an account, and those that are about to be. The account is locked
/// already, so that no worker makes one in between.
pub(super) async fn revoke_links(tx: &mut Tx, user: UserId, kinds: &[LinkKind], now: Timestamp) -> Result<(), Error> {
    for link in kinds {
        tx.delete_link_tokens(user, link.as_str()).await?;
        for message in link.message_kinds() {
            tx.drop_messages(user, message, "a later change has ended its link", now)
                .await?;
        }
    }
    Ok(())
}

/// The links that let their holder choose a password.
pub(super) const CHOOSE_PASSWORD: [LinkKind; 2] = [LinkKind::ResetPassword, LinkKind::Invitation];

/// The links that end with a password. Whoever knew the old one may have asked for a new address, and the link that
/// waits in their mailbox would hand them the account.
pub(super) const ENDED_BY_NEW_PASSWORD: [LinkKind; 3] =
    [LinkKind::ResetPassword, LinkKind::Invitation, LinkKind::VerifyNewEmail];

/// All links there are.
pub(super) const ALL_LINKS: [LinkKind; 4] = [
    LinkKind::ResetPassword,
    LinkKind::Invitation,
    LinkKind::VerifyEmail,
    LinkKind::VerifyNewEmail,
];

/// Whether `link` was mailed to the address that `account` has now.
pub(super) fn proves_current_address(link: &LinkTokenRow, account: &UserRow) -> bool {
    EmailAddress::parse("email", &link.email).is_ok_and(|proved| proved.key() == account.email_key)
}
