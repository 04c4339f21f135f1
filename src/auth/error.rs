//! Why an operation was refused.

use std::time::Duration;

use crate::{password, quota::Quota, store, token};

/// The closed set of refusals. Each has a stable [`code`](Error::code) for programs and a text for people; what went
/// wrong inside is carried as a source, logged once where the answer is made, and never shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields that do not hold what they must.
    #[error("Some fields are not valid")]
    InvalidFields(Vec<FieldError>),
    /// No such account, or not its password: deliberately one case.
    #[error("Invalid credentials")]
    InvalidCredentials,
    /// The account is disabled, and the caller has proved that it is theirs.
    #[error("Inactive user")]
    InactiveUser,
    /// `REQUIRE_VERIFIED_EMAIL` is on, the password was right, and the address is not verified.
    #[error("Email address not verified")]
    EmailNotVerified,
    /// Another account has this address.
    #[error("Email already registered")]
    EmailTaken,
    /// Another account has this username.
    #[error("Username already registered")]
    UsernameTaken,
    /// `ALLOW_SIGNUP` is off.
    #[error("Sign-up is closed")]
    SignUpClosed,
    /// Nothing was presented.
    #[error("Not authenticated")]
    NotAuthenticated,
    /// What was presented is not an access token at all.
    #[error("Malformed token")]
    TokenMalformed,
    /// A good access token whose time is over.
    #[error("Token has expired")]
    TokenExpired,
    /// An access token that this server did not issue, or not for this.
    #[error("Could not validate credentials")]
    TokenInvalid,
    /// A good access token of a session that has ended.
    #[error("Session has ended")]
    SessionEnded,
    /// A refresh token that names no live session.
    #[error("Invalid refresh token")]
    RefreshTokenInvalid,
    /// A refresh token that was exchanged before: taken for theft, and its session ended.
    #[error("Refresh token was already used")]
    RefreshTokenReused,
    /// A link that was used, replaced, or is too old.
    #[error("This link is not valid any more")]
    LinkInvalid,
    /// Signed in, and not allowed.
    #[error("Not enough permissions")]
    Forbidden,
    /// There is no such thing, or not for this caller.
    #[error("Not found")]
    NotFound,
    /// A message whose account was deleted, or never was, and which goes nowhere.
    #[error("This message cannot be sent again: there is no account for it, and no address")]
    MessageWithoutAddress,
    /// The operation would leave nobody to administer the server.
    #[error("The last active admin cannot be demoted, disabled or deleted")]
    LastAdmin,
    /// This was tried too often.
    #[error("This was tried too often. Wait {}, and try again.", in_words(.0.wait))]
    TooManyRequests(Exceeded),
    /// More passwords wait to be hashed than the server takes on.
    #[error("The server is busy")]
    Busy,
    /// The database does not answer for now.
    #[error("Service unavailable")]
    Unavailable(#[source] store::Error),
    /// A fault of the server.
    #[error("Internal server error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Whose it is: `network`, `account`, `device`, `address` or `link`.
    pub policy: &'static str,
    /// All of it.
    pub quota: Quota,
    /// In how much time some of it is back, in whole seconds.
    pub wait: Duration,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name on the wire.
    pub field: &'static str,
    /// Stable, for programs.
    pub code: &'static str,
    /// For people: a sentence, or more.
    pub message: String,
}

impl FieldError {
    /// `code` and `message` about `field`.
    pub fn new(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            field,
            code,
            message: message.into(),
        }
    }

    /// The field and its fault where they are one reason of several, and no sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        format!("{}: {}", self.field, self.message.trim_end_matches('.'))
    }
}

impl Error {
    /// The stable code of this refusal, the same in the API, on the pages and in the audit log.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidFields(_) => "invalid_fields",
            Self::InvalidCredentials => "invalid_credentials",
            Self::InactiveUser => "inactive_user",
            Self::EmailNotVerified => "email_not_verified",
            Self::EmailTaken => "email_taken",
            Self::UsernameTaken => "username_taken",
            Self::SignUpClosed => "sign_up_closed",
            Self::NotAuthenticated => "not_authenticated",
            Self::TokenMalformed => "token_malformed",
            Self::TokenExpired => "token_expired",
            Self::TokenInvalid => "token_invalid",
            Self::SessionEnded => "session_ended",
            Self::RefreshTokenInvalid => "refresh_token_invalid",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::LinkInvalid => "link_invalid",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MessageWithoutAddress => "message_without_address",
            Self::LastAdmin => "last_admin",
            Self::TooManyRequests(_) => "too_many_requests",
            Self::Busy => "busy",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// A fault of the server, by its cause.
    pub(crate) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// One field that does not hold what it must.
    pub(crate) fn invalid_field(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        FieldError::new(field, code, message).into()
    }
}

/// As exactly as anybody wants to know it, and never shorter than it is.
fn in_words(wait: Duration) -> String {
    let (number, unit) = match wait.as_secs() {
        seconds @ 0..=90 => (seconds.max(1), "second"),
        seconds @ 91..=5400 => (seconds.div_ceil(60), "minute"),
        seconds => (seconds.div_ceil(3600), "hour"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        Self::InvalidFields(vec![error])
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::Unavailable(error),
            other => Self::internal(other),
        }
    }
}

impl From<store::InsertError> for Error {
    fn from(error: store::InsertError) -> Self {
        match error {
            store::InsertError::EmailTaken => Self::EmailTaken,
            store::InsertError::UsernameTaken => Self::UsernameTaken,
            store::InsertError::Failed(error) => error.into(),
        }
    }
}

impl From<password::HashError> for Error {
    fn from(error: password::HashError) -> Self {
        match error {
            password::HashError::Busy => Self::Busy,
            error @ password::HashError::Failed(_) => Self::internal(error),
        }
    }
}

impl From<token::TokenError> for Error {
    fn from(error: token::TokenError) -> Self {
        match error {
            token::TokenError::Malformed => Self::TokenMalformed,
            token::TokenError::Expired => Self::TokenExpired,
            token::TokenError::Invalid | token::TokenError::UnknownKey => Self::TokenInvalid,
            other => Self::internal(other),
        }
    }
}

impl From<token::SealError> for Error {
    fn from(error: token::SealError) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_words() {
        for (seconds, words) in [
            (0, "1 second"),
            (1, "1 second"),
            (90, "90 seconds"),
            (91, "2 minutes"),
            (720, "12 minutes"),
            (5401, "2 hours"),
            (86_400, "24 hours"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
