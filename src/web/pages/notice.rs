//! What a page says when something worked.

use serde::{Deserialize, Serialize};

/// The closed set of good news. It crosses a redirect by its name, and finds its words on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Notice {
    SignedUp,
    SignedUpPrivately,
    LoggedOut,
    ResetRequested,
    PasswordReset,
    EmailVerified,
    VerificationResent,
    ProfileSaved,
    EmailChangeRequested,
    PasswordChanged,
    SessionEnded,
    OtherSessionsEnded,
    AccountDeleted,
    ProductCreated,
    ProductSaved,
    ProductDeleted,
    RoleGranted,
    RoleRevoked,
    UserDisabled,
    UserEnabled,
    UserSessionsEnded,
    ResetMailed,
    UserDeleted,
    MessageResent,
}

impl Notice {
    /// In words.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::SignedUp => "Your account is made. We have sent you a link to verify your address.",
            Self::SignedUpPrivately => "Look into your mail: we have sent you a link.",
            Self::LoggedOut => "You are signed out.",
            Self::ResetRequested => "If there is an account with this address, a link is on its way.",
            Self::PasswordReset => "Your password is changed. Sign in with the new one.",
            Self::EmailVerified => "Your address is verified.",
            Self::VerificationResent => "If this address waits for verification, a link is on its way.",
            Self::ProfileSaved => "Your profile is saved.",
            Self::EmailChangeRequested => "We have sent a link to the new address. It holds once you follow it.",
            Self::PasswordChanged => "Your password is changed. All other devices are signed out.",
            Self::SessionEnded => "The device is signed out.",
            Self::OtherSessionsEnded => "All other devices are signed out.",
            Self::AccountDeleted => "Your account is deleted.",
            Self::ProductCreated => "The product is added.",
            Self::ProductSaved => "The product is saved.",
            Self::ProductDeleted => "The product is deleted.",
            Self::RoleGranted => "The role is granted.",
            Self::RoleRevoked => "The role is taken away.",
            Self::UserDisabled => "The account is disabled.",
            Self::UserEnabled => "The account is enabled.",
            Self::UserSessionsEnded => "All devices are signed out.",
            Self::ResetMailed => "A reset link is on its way.",
            Self::UserDeleted => "The account is deleted.",
            Self::MessageResent => "The message is sent again.",
        }
    }
}
