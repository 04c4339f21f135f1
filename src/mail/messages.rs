//! The closed set of messages, and their form in the outbox.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::device::device_in_words;
use crate::{
    clock::{Timestamp, unix_seconds},
    id::{MessageId, UserId},
    store::{MessageRow, MessageState},
};

/// Everything that is ever said by mail, with what must be known to say it.
///
/// The parameters are what a reader needs to judge whether it was them: when, from which device and network. They are
/// stored until the message has left, so they hold no secret; nor do they hold a name that was typed into a form, since
/// anybody can sign somebody else up under a name that is an advertisement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "parameters", rename_all = "snake_case")]
pub enum Message {
    /// To the address of an account: show that you read it.
    VerifyEmail(Circumstances),
    /// To an address that an account wants to have: show that you read it.
    VerifyNewEmail {
        /// Who asked.
        asked: Circumstances,
        /// Whether it is another account's address, when no answer may say so. Its owner is then told what
        /// [`Message::AccountExists`] tells, and gets no link; in the outbox the two look alike.
        taken: bool,
    },
    /// To an account's owner, who has forgotten the password.
    ResetPassword(Circumstances),
    /// To an account's owner, for whom an admin has started a reset. Only the time is told: the admin's device is not
    /// the owner's business, and would read like a stranger's.
    ResetPasswordByAdmin(Circumstances),
    /// To somebody for whom an account was made, which has no password yet. As above, only the time is told.
    Invitation(Circumstances),
    /// To an account's owner, whose address somebody wanted for another account, when no answer may say so.
    AccountExists(Circumstances),
    /// The same where that account's address was never verified. Whoever made it, only a reset opens it to the address's
    /// owner: a link that verifies it would leave it under the password of the one who made it.
    AccountUnverified(Circumstances),
    /// To an account's owner: the password is another one now.
    PasswordChanged(Circumstances),
    /// To the address that an account had until now. The new one is not named: the old mailbox may be the one that its
    /// owner has lost.
    EmailChanged(Circumstances),
    /// To an account's owner: somebody signed in from a device that is new to the account.
    NewSignIn(Circumstances),
    /// To an account's owner: the username is another one now, or none. It is not named: it may be an advertisement.
    UsernameChanged(Circumstances),
    /// To an account's owner: an admin has given it roles or taken some. Of this and the next two, only the time is told.
    RolesChanged(Circumstances),
    /// To an account's owner: an admin has shut it out.
    AccountDisabled(Circumstances),
    /// To an account's owner: an admin has let it in again.
    AccountEnabled(Circumstances),
    /// To an account's owner: a refresh token came back after it had been exchanged, and its session was ended.
    SessionReused {
        /// When and where the session began.
        session: Circumstances,
        /// When and where its token came back.
        reuse: Circumstances,
    },
}

impl Message {
    /// What the link in this message is for, when it has one.
    #[must_use]
    pub const fn link_kind(&self) -> Option<LinkKind> {
        match self {
            Self::VerifyEmail(_) => Some(LinkKind::VerifyEmail),
            Self::VerifyNewEmail { taken: false, .. } => Some(LinkKind::VerifyNewEmail),
            Self::ResetPassword(_) | Self::ResetPasswordByAdmin(_) => Some(LinkKind::ResetPassword),
            Self::Invitation(_) => Some(LinkKind::Invitation),
            Self::VerifyNewEmail { taken: true, .. }
            | Self::AccountExists(_)
            | Self::AccountUnverified(_)
            | Self::PasswordChanged(_)
            | Self::EmailChanged(_)
            | Self::NewSignIn(_)
            | Self::UsernameChanged(_)
            | Self::RolesChanged(_)
            | Self::AccountDisabled(_)
            | Self::AccountEnabled(_)
            | Self::SessionReused { .. } => None,
        }
    }

    /// The message's kind and parameters, as the outbox stores them.
    fn to_columns(&self) -> (String, String) {
        // Serialising a closed enum of strings and numbers into a `Value` cannot fail.
        let value = serde_json::to_value(self).unwrap_or_default();
        (
            value["kind"].as_str().unwrap_or_default().to_owned(),
            value["parameters"].to_string(),
        )
    }

    /// The message that [`message_row`] stored.
    pub(super) fn from_columns(kind: &str, parameters: &str) -> Result<Self, serde_json::Error> {
        let parameters: Value = serde_json::from_str(parameters)?;
        serde_json::from_value(json!({ "kind": kind, "parameters": parameters }))
    }
}

/// When something happened, and what is known of where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    #[serde(with = "unix_seconds")]
    pub(super) at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
}

impl Circumstances {
    /// What happened at `at`, asked for from `address` by `user_agent`, which is kept as words only.
    #[must_use]
    pub fn new(at: Timestamp, address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        Self {
            at,
            network: address,
            device: user_agent.and_then(device_in_words),
        }
    }

    /// What happened at `at` by the hand of an admin, of whom nothing more is told.
    #[must_use]
    pub const fn by_admin(at: Timestamp) -> Self {
        Self {
            at,
            network: None,
            device: None,
        }
    }
}

/// What a mailed link is for. A link of one kind is worth nothing as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Shows that the account's address is read by its owner.
    VerifyEmail,
    /// Shows that another address is read by the account's owner, and makes it the account's. Anybody can have a link of
    /// the kind above mailed to an account's address; this one its owner asked for.
    VerifyNewEmail,
    /// Lets its holder choose the account's password.
    ResetPassword,
    /// The same for an account that has none yet. It is good for longer: nobody waits for an invitation.
    Invitation,
}

impl LinkKind {
    /// The kind's name in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::VerifyNewEmail => "verify_new_email",
            Self::ResetPassword => "reset_password",
            Self::Invitation => "invitation",
        }
    }

    /// The kinds of message that bring such a link, as the outbox names them.
    #[must_use]
    pub const fn message_kinds(self) -> &'static [&'static str] {
        match self {
            Self::VerifyEmail => &["verify_email"],
            Self::VerifyNewEmail => &["verify_new_email"],
            Self::ResetPassword => &["reset_password", "reset_password_by_admin"],
            Self::Invitation => &["invitation"],
        }
    }

    /// The page that takes such a link.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::VerifyEmail | Self::VerifyNewEmail => "/verify-email",
            Self::ResetPassword | Self::Invitation => "/reset-password",
        }
    }
}

/// The outbox row that says `message` to `address`, due at once. To be written in the transaction of the change that it
/// announces.
#[must_use]
pub fn message_row(message: &Message, user: Option<UserId>, address: &str, now: Timestamp) -> MessageRow {
    let (kind, parameters) = message.to_columns();
    MessageRow {
        id: MessageId::new(now),
        kind,
        user_id: user,
        address: address.to_owned(),
        parameters,
        state: MessageState::Waiting,
        due_at: now,
        attempts: 0,
        last_error: None,
        created_at: now,
        finished_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Circumstances {
        Circumstances::new(
            Timestamp::from_unix_seconds(1_700_000_000),
            Some("2001:db8::7".parse().unwrap()),
            Some("curl/8.14.1"),
        )
    }

    #[test]
    fn what_is_stored_is_what_was_said() {
        let messages = [
            Message::VerifyEmail(told()),
            Message::VerifyNewEmail {
                asked: told(),
                taken: false,
            },
            Message::ResetPassword(told()),
            Message::ResetPasswordByAdmin(Circumstances::by_admin(told().at)),
            Message::Invitation(Circumstances::by_admin(told().at)),
            Message::AccountExists(told()),
            Message::AccountUnverified(told()),
            Message::PasswordChanged(told()),
            Message::EmailChanged(told()),
            Message::NewSignIn(told()),
            Message::UsernameChanged(told()),
            Message::RolesChanged(Circumstances::by_admin(told().at)),
            Message::AccountDisabled(Circumstances::by_admin(told().at)),
            Message::AccountEnabled(Circumstances::by_admin(told().at)),
            Message::SessionReused {
                session: Circumstances::new(told().at, None, None),
                reuse: told(),
            },
        ];
        for message in messages {
            let row = message_row(&message, None, "ada@example.com", told().at);
            assert_eq!(Message::from_columns(&row.kind, &row.parameters).unwrap(), message);
        }
    }

    #[test]
    fn a_row_holds_when_and_where_and_nothing_else() {
        let row = message_row(&Message::ResetPassword(told()), None, "ada@example.com", told().at);
        assert_eq!(row.kind, "reset_password");
        let parameters: Value = serde_json::from_str(&row.parameters).unwrap();
        assert_eq!(
            parameters,
            json!({ "at": 1_700_000_000, "network": "2001:db8::7", "device": "curl" })
        );
    }

    #[test]
    fn what_no_message_is_cannot_be_read() {
        for (kind, parameters) in [
            ("reset_password", "{}"),
            ("reset_password", ""),
            ("greeting", "{\"at\":0}"),
        ] {
            assert!(Message::from_columns(kind, parameters).is_err(), "{kind} {parameters}");
        }
    }
}
