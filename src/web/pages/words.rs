//! What pages say of a refusal, where they do not say it as the API does: that speaks to programs, in the words which the
//! templates' clients know.

use crate::auth::Error;

const WORDS: [(&str, &str); 6] = [
    (Error::InvalidCredentials.code(), "Wrong username or password."),
    (Error::InactiveUser.code(), "This account is disabled."),
    (Error::EmailNotVerified.code(), "Verify your email address first."),
    (Error::LinkInvalid.code(), "This link is not valid any more."),
    (
        Error::SignUpClosed.code(),
        "Nobody can make an account here at the moment.",
    ),
    (
        Error::LastAdmin.code(),
        "This is the last active admin: somebody has to administer the site.",
    ),
];

/// The words for a code, if a page has its own.
pub(super) fn of(code: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}
