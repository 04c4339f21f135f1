//! Whether a message is still worth sending when it is due.

use std::fmt;

use crate::{mail::Message, store::UserRow};

/// Why a message is not worth sending any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    NoAccount,
    AccountDisabled,
    AddressNotCurrent,
    AlreadyVerified,
    AlreadyAccepted,
    Outdone,
}

/// As an admin reads it in the list of messages.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAccount => "there is no such account",
            Self::AccountDisabled => "the account is disabled",
            Self::AddressNotCurrent => "the account has another address now",
            Self::AlreadyVerified => "the address is verified already",
            Self::AlreadyAccepted => "the invitation is accepted already",
            Self::Outdone => "a later change has made it pointless",
        })
    }
}

/// Why `message` to `address` has lost its point, as far as its user's row tells.
///
/// What only tells of something that happened is sent wherever it was addressed: it must reach the owner even if
/// whoever did it has since changed the address too.
pub(super) fn judge(message: &Message, address: &str, user: &UserRow) -> Option<Reason> {
    let current = user.email == address;
    let disabled = user.disabled_at.is_some();
    match message {
        Message::PasswordChanged(_)
        | Message::EmailChanged(_)
        | Message::NewSignIn(_)
        | Message::UsernameChanged(_)
        | Message::RolesChanged(_)
        | Message::AccountDisabled(_)
        | Message::AccountEnabled(_)
        | Message::SessionReused { .. } => None,
        Message::AccountExists(_) => (!current).then_some(Reason::AddressNotCurrent),
        _ if disabled => Some(Reason::AccountDisabled),
        Message::VerifyNewEmail { .. } => current.then_some(Reason::AlreadyVerified),
        _ if !current => Some(Reason::AddressNotCurrent),
        Message::VerifyEmail(_) | Message::AccountUnverified(_) => {
            user.email_verified_at.map(|_| Reason::AlreadyVerified)
        }
        Message::Invitation(_) => user.has_password().then_some(Reason::AlreadyAccepted),
        Message::ResetPassword(_) | Message::ResetPasswordByAdmin(_) => None,
    }
}

/// The kinds of message that take the point from `message` when they were written after it.
///
/// A reset ends all links that were mailed before, and a changed password all wishes for another address; a message
/// that still waited for its mail server then would otherwise bring a new one. Whoever got into an account and asked
/// for its mail to go elsewhere must not get that link once the owner is back.
pub(super) const fn outdone_by(message: &Message) -> &'static [&'static str] {
    match message {
        Message::ResetPassword(_) | Message::ResetPasswordByAdmin(_) | Message::Invitation(_) => &["password_changed"],
        Message::VerifyNewEmail { .. } => &["verify_new_email", "email_changed", "password_changed"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Timestamp,
        mail::{Circumstances, worker::tests::user_row},
    };

    #[test]
    fn what_has_lost_its_point_is_told_from_the_users_row() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let told = || Circumstances::by_admin(now);
        let wish = || Message::VerifyNewEmail {
            asked: told(),
            taken: false,
        };
        let fresh = user_row(now);
        let verified = UserRow {
            email_verified_at: Some(now),
            ..fresh.clone()
        };
        let disabled = UserRow {
            disabled_at: Some(now),
            ..verified.clone()
        };
        let invited = UserRow {
            password_hash: String::new(),
            ..fresh.clone()
        };
        let own = fresh.email.as_str();
        let other = "other@example.com";
        let cases = [
            (Message::VerifyEmail(told()), own, &fresh, None),
            (
                Message::VerifyEmail(told()),
                own,
                &verified,
                Some(Reason::AlreadyVerified),
            ),
            (
                Message::VerifyEmail(told()),
                other,
                &fresh,
                Some(Reason::AddressNotCurrent),
            ),
            (
                Message::VerifyEmail(told()),
                own,
                &disabled,
                Some(Reason::AccountDisabled),
            ),
            (wish(), other, &verified, None),
            (wish(), own, &verified, Some(Reason::AlreadyVerified)),
            (wish(), other, &disabled, Some(Reason::AccountDisabled)),
            (Message::ResetPassword(told()), own, &fresh, None),
            (
                Message::ResetPassword(told()),
                other,
                &fresh,
                Some(Reason::AddressNotCurrent),
            ),
            (
                Message::ResetPassword(told()),
                own,
                &disabled,
                Some(Reason::AccountDisabled),
            ),
            (Message::ResetPasswordByAdmin(told()), own, &verified, None),
            (
                Message::ResetPasswordByAdmin(told()),
                own,
                &disabled,
                Some(Reason::AccountDisabled),
            ),
            (Message::Invitation(told()), own, &invited, None),
            (
                Message::Invitation(told()),
                other,
                &invited,
                Some(Reason::AddressNotCurrent),
            ),
            (Message::Invitation(told()), own, &fresh, Some(Reason::AlreadyAccepted)),
            (
                Message::Invitation(told()),
                own,
                &disabled,
                Some(Reason::AccountDisabled),
            ),
            (Message::AccountExists(told()), own, &disabled, None),
            (Message::AccountUnverified(told()), own, &fresh, None),
            (
                Message::AccountUnverified(told()),
                own,
                &verified,
                Some(Reason::AlreadyVerified),
            ),
            (
                Message::AccountExists(told()),
                other,
                &fresh,
                Some(Reason::AddressNotCurrent),
            ),
        ];
        for (message, address, user, expected) in cases {
            assert_eq!(judge(&message, address, user), expected, "{message:?} to {address}");
        }
    }

    #[test]
    fn what_was_done_is_told_whatever_has_become_of_the_account() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let told = || Circumstances::by_admin(now);
        let enabled = user_row(now);
        let disabled = UserRow {
            disabled_at: Some(now),
            ..enabled.clone()
        };
        let reused = Message::SessionReused {
            session: told(),
            reuse: told(),
        };
        for message in [
            Message::PasswordChanged(told()),
            Message::EmailChanged(told()),
            Message::NewSignIn(told()),
            Message::UsernameChanged(told()),
            Message::RolesChanged(told()),
            Message::AccountDisabled(told()),
            Message::AccountEnabled(told()),
            reused,
        ] {
            for user in [&enabled, &disabled] {
                for address in [user.email.as_str(), "other@example.com"] {
                    assert_eq!(judge(&message, address, user), None, "{message:?} to {address}");
                }
            }
        }
    }
}
