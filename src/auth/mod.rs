//! The domain: what a sign-in server does, one method of [`Auth`] per operation, each in a file named by its verb. Two
//! files hold several: `keys`, the life of the signing keys, and `sweep`, what time alone asks for.
//!
//! The other files are what operations share: the things they take and give (`fields`, `page`, `roles`, `types`,
//! `error`), what they need to know (`accounts`, `newcomer`, `links`, `last_admin`, `places`), how an account goes
//! (`deletion`), how often they may be tried (`limits`), what is refused to whom (`permission`), and what they write beside
//! their change (`audit`, `mailing`).
//!
//! Nothing here knows HTTP, a page or a cookie. An operation takes what was said and by whom, decides, writes the
//! change, its audit record and the mail that announces it in one transaction, and returns what is now so.

mod accounts;
mod audit;
mod authenticate;
mod change_email;
mod change_password;
mod check_link;
mod create_user;
mod delete_account;
mod delete_user;
mod deletion;
mod end_other_sessions;
mod end_session;
mod end_user_sessions;
mod error;
mod export_account;
mod fields;
mod find_invitation;
mod find_user;
mod finish_reset;
mod grant_role;
mod import_users;
mod invite_user;
mod keys;
mod last_admin;
mod limits;
mod links;
mod list_events;
mod list_messages;
mod list_sessions;
mod list_users;
mod log_in;
mod log_out;
mod mail_reset;
mod mailing;
mod measure;
mod newcomer;
mod page;
mod password_strength;
mod peek;
mod permission;
mod places;
mod refresh;
mod renew;
mod request_reset;
mod resend_message;
mod resend_verification;
mod restore_backup;
mod review_user;
mod revoke_role;
mod roles;
mod show_user;
mod sign_up;
mod sweep;
mod types;
mod update_profile;
mod update_user;
mod verify_email;

use std::{fmt, sync::Arc, time::Duration};

pub(crate) use self::{
    audit::{EventKind, Record},
    fields::{FieldErrors, require},
    keys::open_signing_key,
    measure::{Counts, Measures},
    page::PageRequest,
};
pub use self::{
    change_email::ChangeEmail,
    change_password::ChangePassword,
    check_link::PasswordLink,
    create_user::CreateUser,
    error::{Error, Exceeded, FieldError},
    export_account::Export,
    fields::{Client, EmailAddress, Username},
    find_user::FoundUser,
    import_users::{ForeignRow, ForeignUser, ImportCounts, ImportOutcome, ImportRun, ImportUsers, UNNAMED_SOURCE},
    invite_user::InviteUser,
    keys::{KeyStatus, SigningKeyError},
    limits::{DeviceProof, Limits},
    list_events::EventQuery,
    list_messages::MessageQuery,
    list_sessions::{NewestSessions, SessionQuery},
    list_users::UserQuery,
    log_in::LogIn,
    page::Page,
    renew::Renewed,
    restore_backup::EndedByRestore,
    review_user::UserReview,
    roles::RoleChange,
    sign_up::{SignUp, SignedUp},
    sweep::BATCH_PAUSE,
    types::{ADMIN, Actor, Credential, Event, Identity, ListedEvent, Message, RefreshLife, Session, SignedIn, User},
    update_profile::UpdateProfile,
    update_user::UpdateUser,
};
pub use crate::store::{MessageState, UserStatus};
use crate::{
    clock::{Clock, Timestamp},
    mail::Waker,
    metrics::Tally,
    password::{Hasher, Policy},
    store::Store,
    token::{AccessTokens, Algorithm, SealingKey},
};

/// What the operator decided about accounts and sessions.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether strangers may sign up.
    pub allow_signup: bool,
    /// Whether sign-up hides which addresses have accounts.
    pub private_signup: bool,
    /// Whether a log-in needs a verified address.
    pub require_verified_email: bool,
    /// How long a session lives without use.
    pub refresh_idle: Duration,
    /// How long a session lives at most.
    pub session_max: Duration,
    /// How long an access token lives.
    pub access_token_life: Duration,
    /// How long an entry of the audit log is kept; `None` for good.
    pub audit_keep: Option<Duration>,
    /// How long an account is kept that signed up and to which nobody came; `None` for good.
    pub unverified_keep: Option<Duration>,
}

/// What [`Auth`] works with.
#[derive(Debug)]
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where passwords are hashed.
    pub hasher: Hasher,
    /// Which passwords are good enough.
    pub policy: Policy,
    /// Issues and verifies access tokens.
    pub tokens: AccessTokens,
    /// What they are signed with.
    pub algorithm: Algorithm,
    /// Protects the signing keys at rest.
    pub sealing_key: Arc<SealingKey>,
    /// How often things may be tried; none where there are no limits.
    pub limits: Option<Limits>,
    /// Tells the mail worker that there is something to send.
    pub waker: Waker,
    /// What the operator decided.
    pub rules: Rules,
}

/// The operations. Cheap to clone: clones share everything.
#[derive(Clone)]
pub struct Auth {
    parts: Arc<Parts>,
    reload: Arc<keys::Reload>,
    log_ins: Arc<Tally>,
    counted: Arc<measure::Counted>,
}

impl Auth {
    /// The operations on `parts`; with keys in the database, [`Auth::load_signing_keys`] must follow before the first
    /// token.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            reload: Arc::default(),
            log_ins: Arc::new(Tally::of([log_in::SUCCESS, Error::InvalidCredentials.code()])),
            counted: Arc::default(),
        }
    }

    /// Asks the database whether it is there.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.store().ping().await?)
    }

    fn store(&self) -> &Store {
        &self.parts.store
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn rules(&self) -> &Rules {
        &self.parts.rules
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("rules", self.rules())
            .finish_non_exhaustive()
    }
}
