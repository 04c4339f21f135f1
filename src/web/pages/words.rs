//! What pages call the things that have codes: refusals, where they do not say it as the API does, which speaks to programs
//! in the words that the templates' clients know; and what is in the lists of admins.

use crate::auth::{Error, EventKind, MessageState, UserStatus};

const REFUSALS: [(&str, &str); 14] = [
    (Error::InvalidCredentials.code(), "Wrong username, address or password."),
    (
        Error::InactiveUser.code(),
        "This account is disabled. Ask whoever runs this site.",
    ),
    (Error::EmailNotVerified.code(), "Verify your email address first."),
    (
        Error::EmailTaken.code(),
        "There is an account with this address already.",
    ),
    (Error::UsernameTaken.code(), "This username is taken."),
    (Error::LinkInvalid.code(), "This link is not valid any more."),
    (
        Error::SignUpClosed.code(),
        "Nobody can make an account here at the moment.",
    ),
    (
        Error::MessageWithoutAddress.code(),
        "This message cannot be sent again: its account was deleted, and its address with it.",
    ),
    (
        Error::LastAdmin.code(),
        "This is the last active admin: somebody has to administer the site.",
    ),
    (
        "method_not_allowed",
        "A form leads here, and only from its own page. Go to the start page and begin there.",
    ),
    (
        "invalid_cursor",
        "There is no such page of the list: begin with the first one.",
    ),
    ("invalid_status", "There is no such status: choose one."),
    ("unknown_event", "There is no such event: choose one."),
    ("invalid_state", "There is no such state: choose one."),
];

/// Why something was refused: in the words of the pages where they have their own, else in those of the API.
pub(super) fn refusal<'a>(code: &str, otherwise: &'a str) -> &'a str {
    let own = REFUSALS.iter().find(|(known, _)| *known == code);
    own.map_or(otherwise, |(_, words)| *words)
}

/// What an event of the audit log is called.
pub(super) fn event(name: &str) -> String {
    EventKind::named(name).map_or_else(|| plain(name), |kind| event_kind(kind).to_owned())
}

/// What a kind of event is called.
pub(super) const fn event_kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::SignUp => "Sign-up",
        EventKind::LogIn => "Sign-in",
        EventKind::LogOut => "Sign-out",
        EventKind::Refresh => "Session renewal",
        EventKind::UpdateProfile => "Profile change",
        EventKind::ChangePassword => "Password change",
        EventKind::RequestReset => "Reset link request",
        EventKind::FinishReset => "Password reset",
        EventKind::ChangeEmail => "Address change request",
        EventKind::VerifyEmail => "Address verification",
        EventKind::ResendVerification => "Verification link request",
        EventKind::DeleteAccount => "Account deletion",
        EventKind::ExportAccount => "Data export",
        EventKind::EndSession => "Device sign-out",
        EventKind::EndOtherSessions => "Sign-out of all other devices",
        EventKind::CreateUser => "Account made by hand",
        EventKind::InviteUser => "Invitation",
        EventKind::UpdateUser => "Account change by an admin",
        EventKind::DeleteUser => "Account deletion by an admin",
        EventKind::EndUserSessions => "Sign-out everywhere by an admin",
        EventKind::MailReset => "Reset link from an admin",
        EventKind::ResendMessage => "Mail sent again",
        EventKind::RotateKeys => "New signing key",
        EventKind::ImportUsers => "Users imported",
        EventKind::RestoreBackup => "Backup restored",
        EventKind::RemoveUnverified => "Unverified account removed",
        EventKind::ListUsers => "Refused look at all accounts",
        EventKind::ShowUser => "Refused look at an account",
        EventKind::ListEvents => "Refused look at the audit log",
        EventKind::ListMessages => "Refused look at the mail",
        EventKind::CreateProduct => "Product added",
        EventKind::UpdateProduct => "Product change",
        EventKind::DeleteProduct => "Product deletion",
    }
}

/// What the detail of such an event is the id of, if it is one: a number says nothing by itself.
pub(super) fn identified_by_detail(event: &str, outcome: &str) -> Option<&'static str> {
    match EventKind::named(event)? {
        EventKind::EndSession => Some("Device"),
        EventKind::ResendMessage => Some("Message"),
        EventKind::RotateKeys => Some("Key"),
        EventKind::CreateProduct | EventKind::UpdateProduct | EventKind::DeleteProduct => Some("Product"),
        // Of what was not done there is nothing else to tell than to whom it would have been.
        _ if outcome == Error::Forbidden.code() => Some("Account"),
        _ => None,
    }
}

/// Whether only admins do this, or the operator, who has no account. Not so with keys: time alone rotates them too.
pub(super) fn is_of_admins(event: &str) -> bool {
    matches!(
        EventKind::named(event),
        Some(
            EventKind::CreateUser
                | EventKind::InviteUser
                | EventKind::UpdateUser
                | EventKind::DeleteUser
                | EventKind::EndUserSessions
                | EventKind::MailReset
                | EventKind::ResendMessage
                | EventKind::ImportUsers
                | EventKind::RestoreBackup
        )
    )
}

/// How an event of the audit log ended.
pub(super) fn outcome(code: &str) -> String {
    const OUTCOMES: [(&str, &str); 11] = [
        ("success", "Done"),
        // The one field whose refusal is recorded.
        ("invalid_fields", "Wrong password"),
        (Error::InvalidCredentials.code(), "Wrong username or password"),
        (Error::InactiveUser.code(), "Account disabled"),
        (Error::EmailNotVerified.code(), "Address not verified"),
        (Error::EmailTaken.code(), "Address taken"),
        (Error::UsernameTaken.code(), "Username taken"),
        (Error::LinkInvalid.code(), "Link not valid"),
        (Error::Forbidden.code(), "Not allowed"),
        (Error::RefreshTokenReused.code(), "Token used twice"),
        ("too_many_requests", "Too many tries"),
    ];
    in_table(&OUTCOMES, code)
}

/// What a kind of message is called.
pub(super) fn message_kind(name: &str) -> String {
    const KINDS: [(&str, &str); 15] = [
        ("verify_email", "Address verification"),
        ("verify_new_email", "New address verification"),
        ("reset_password", "Password reset"),
        ("reset_password_by_admin", "Password reset by an admin"),
        ("account_exists", "Account exists already"),
        ("account_unverified", "Account exists unverified"),
        ("password_changed", "Password was changed"),
        ("email_changed", "Address was changed"),
        ("new_sign_in", "Sign-in from a new device"),
        ("username_changed", "Username was changed"),
        ("roles_changed", "Roles were changed"),
        ("account_disabled", "Account was disabled"),
        ("account_enabled", "Account was enabled"),
        ("session_reused", "Session ended for safety"),
        ("invitation", "Invitation"),
    ];
    in_table(&KINDS, name)
}

/// Whether an account may be used.
pub(super) const fn user_status(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "Active",
        UserStatus::Pending => "Pending",
        UserStatus::Disabled => "Disabled",
    }
}

/// How far a message got.
pub(super) const fn message_state(state: MessageState) -> &'static str {
    match state {
        MessageState::Waiting => "Waiting",
        MessageState::Sending => "Sending",
        MessageState::Sent => "Sent",
        MessageState::Failed => "Failed",
        MessageState::Dropped => "Dropped",
    }
}

fn in_table(table: &[(&str, &str)], code: &str) -> String {
    let known = table.iter().find(|(known, _)| *known == code);
    known.map_or_else(|| plain(code), |(_, words)| (*words).to_owned())
}

/// A code as a word, for what another version of this program wrote.
fn plain(code: &str) -> String {
    capitalised(&code.replace('_', " "))
}

/// As it stands at the beginning of a line.
pub(super) fn capitalised(words: &str) -> String {
    let mut characters = words.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_sentences() {
        for (code, words) in REFUSALS {
            assert!(words.ends_with('.'), "{code}: {words}");
            assert_eq!(refusal(code, "Otherwise."), words);
        }
        assert_eq!(refusal("invalid_name", "Otherwise."), "Otherwise.");
    }

    #[test]
    fn what_another_version_wrote_is_said_without_its_code() {
        assert_eq!(event("log_in"), "Sign-in");
        assert_eq!(event("enrol_passkey"), "Enrol passkey");
        assert_eq!(outcome("link_invalid"), "Link not valid");
        assert_eq!(outcome("not_found"), "Not found");
        assert_eq!(message_kind("reset_password"), "Password reset");
        assert_eq!(message_kind(""), "");
    }
}
