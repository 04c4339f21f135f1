//! The things that operations take and give.

use std::time::Duration;

use serde::Serialize;

use super::{DeviceProof, Error};
use crate::{
    clock::Timestamp,
    id::{EventId, MessageId, SessionId, UserId},
    store::{EventRow, ListedEventRow, MessageRow, MessageState, SessionRow, SessionUserRow, UserRow, UserStatus},
    token::{IssuedAccess, RefreshToken},
};

/// The built-in role: who has it administers the server.
pub const ADMIN: &str = "admin";

/// An account, as its owner and admins may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The email address as its owner typed it.
    pub email: String,
    /// The username as its owner typed it.
    pub username: Option<String>,
    /// The name shown to others.
    pub name: Option<String>,
    /// The names of its roles, sorted.
    pub roles: Vec<String>,
    /// Whether a mailed link proved that the address is the user's.
    pub email_verified: bool,
    /// Whether it may be used, and if not, why.
    pub status: UserStatus,
    /// Its id in the application that it was imported from.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its details last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// Whether the user administers the server.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == ADMIN)
    }

    /// Whether nobody has disabled it.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.status != UserStatus::Disabled
    }

    pub(crate) fn is_active_admin(&self) -> bool {
        self.status == UserStatus::Active && self.is_admin()
    }
}

/// From a row that has what an account shows, and may have more.
macro_rules! from_row {
    ($($row:ty),+) => {$(
        impl From<$row> for User {
            fn from(row: $row) -> Self {
                Self {
                    status: row.status(),
                    id: row.id,
                    email: row.email,
                    username: row.username,
                    name: row.name,
                    roles: row.roles,
                    email_verified: row.email_verified_at.is_some(),
                    external_id: row.external_id,
                    created_at: row.created_at,
                    updated_at: row.updated_at,
                }
            }
        }
    )+};
}
from_row!(UserRow, SessionUserRow);

/// One signed-in device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id, also the `sid` of its access tokens.
    pub id: SessionId,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it last exchanged its refresh token.
    pub last_used_at: Timestamp,
    /// When it ends if it is not used before.
    pub expires_at: Timestamp,
    /// Where it was last used from.
    pub client_address: Option<String>,
    /// What it last called itself.
    pub user_agent: Option<String>,
    /// Whether it outlives the browser's window.
    pub remembered: bool,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            client_address: row.client_address,
            user_agent: row.user_agent,
            remembered: row.remembered,
        }
    }
}

/// Who is signed in, and on which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub user: User,
    /// The device.
    pub session: SessionId,
}

/// On whose behalf an administrative operation runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody signed in.
    User(Identity),
    /// Whoever can run commands on the machine.
    Operator,
}

impl Actor {
    /// Refuses everybody but admins and the operator.
    pub fn require_admin(&self) -> Result<(), Error> {
        match self {
            Self::User(identity) if !identity.user.is_admin() => Err(Error::Forbidden),
            Self::User(_) | Self::Operator => Ok(()),
        }
    }

    pub(crate) fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User(identity) => Some(identity.user.id),
            Self::Operator => None,
        }
    }

    pub(crate) fn session_id(&self) -> Option<SessionId> {
        match self {
            Self::User(identity) => Some(identity.session),
            Self::Operator => None,
        }
    }
}

impl From<Identity> for Actor {
    fn from(identity: Identity) -> Self {
        Self::User(identity)
    }
}

/// What a device holds after a log-in or a refresh.
#[derive(Debug)]
pub struct SignedIn {
    /// The account.
    pub user: User,
    /// The device.
    pub session: SessionId,
    /// The access token, and for how long it is good.
    pub access: IssuedAccess,
    /// The refresh token to exchange next.
    pub refresh: RefreshToken,
    /// For how long to keep it.
    pub refresh_life: RefreshLife,
    /// What the device is to show when it signs in again; none after a refresh, nor where there are no limits.
    pub device: Option<DeviceProof>,
}

/// For how long a browser keeps a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshLife {
    /// This long.
    Persistent(Duration),
    /// Until it is closed: nobody asked to be remembered.
    BrowserSession,
}

/// A token that names the session to end.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// An access token.
    Access(&'a str),
    /// A refresh token.
    Refresh(&'a str),
}

impl<'a> Credential<'a> {
    /// What a Bearer header holds: a refresh token is known by its form, and anything else is meant as an access token.
    #[must_use]
    pub fn of_bearer(token: &'a str) -> Self {
        match RefreshToken::parse(token) {
            Some(_) => Self::Refresh(token),
            None => Self::Access(token),
        }
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, by the operation's name.
    pub event: String,
    /// `success`, or the code of the refusal.
    pub outcome: String,
    /// Whose account it was about.
    pub user_id: Option<UserId>,
    /// Who did it, when somebody was signed in.
    pub actor_id: Option<UserId>,
    /// On which device.
    pub session_id: Option<SessionId>,
    /// From where.
    pub client_address: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// What else there is to know, such as the role that was granted.
    pub detail: Option<String>,
}

/// An entry of the audit log, with what those that it names are called now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEvent {
    /// The entry.
    pub event: Event,
    /// The address of the account that it was about, while there is one.
    pub user_email: Option<String>,
    /// The address of who did it, while there is one.
    pub actor_email: Option<String>,
}

impl From<ListedEventRow> for ListedEvent {
    fn from(row: ListedEventRow) -> Self {
        Self {
            event: row.event.into(),
            user_email: row.user_email,
            actor_email: row.actor_email,
        }
    }
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            event: row.event,
            outcome: row.outcome,
            user_id: row.user_id,
            actor_id: row.actor_id,
            session_id: row.session_id,
            client_address: row.client_address,
            user_agent: row.user_agent,
            detail: row.detail,
        }
    }
}

/// A message in the outbox, without its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// What it is about.
    pub kind: String,
    /// Whose account it is about; none when there is none, or none any more.
    pub user_id: Option<UserId>,
    /// Where it goes; empty when it goes nowhere, or when its account was deleted.
    pub address: String,
    /// How far it got.
    pub state: MessageState,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, or was last.
    pub due_at: Timestamp,
    /// Why the last try failed, or why it was dropped.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent, given up or dropped.
    pub finished_at: Option<Timestamp>,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            user_id: row.user_id,
            address: row.address,
            state: row.state,
            attempts: row.attempts,
            due_at: row.due_at,
            last_error: row.last_error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}
