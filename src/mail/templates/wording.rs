//! What each message says.

use crate::mail::Message;

/// What one message says. Every message has the same parts, so that a reader who has seen one finds their way in all:
/// what happened, what can be done about it, and what if it was not them.
///
/// `{site}` stands for the site's name and `{life}` for how long the message's link is good.
pub(super) struct Wording {
    pub(super) subject: &'static str,
    pub(super) happened: &'static str,
    pub(super) next: &'static str,
    pub(super) button: &'static str,
    pub(super) not_you: &'static str,
}

/// The words of `message`.
pub(super) const fn wording(message: &Message) -> Wording {
    match message {
        Message::VerifyEmail(_) => Wording {
            subject: "Verify your email address for {site}",
            happened: "An account at {site} was given this email address.",
            next: "If that was you, show that the address is yours. The link can be used once, within {life}.",
            button: "Verify this address",
            not_you: "If it was not you, do nothing: the address stays unverified. Somebody may have mistyped theirs.",
        },
        Message::VerifyNewEmail(_) => Wording {
            subject: "Verify your new email address for {site}",
            happened: "The owner of an account at {site} wants to change its email address to this one.",
            next: "If that was you, show that the address is yours. The account keeps its old address until then. The \
                   link can be used once, within {life}.",
            button: "Use this address",
            not_you: "If it was not you, do nothing: the account keeps its old address. Somebody may have mistyped \
                      theirs.",
        },
        Message::ResetPassword(_) => Wording {
            subject: "Reset your password for {site}",
            happened: "A new password was asked for, for the account at {site} that has this email address.",
            next: "If that was you, choose one now. The link can be used once, within {life}, and all your devices \
                   will have to sign in again.",
            button: "Choose a new password",
            not_you: "If it was not you, do nothing: your password stays as it is. Never pass the link on, whoever \
                      asks for it.",
        },
        Message::ResetPasswordByAdmin(_) => Wording {
            subject: "Choose a new password for {site}",
            happened: "An administrator of {site} asks you to choose a new password for your account.",
            next: "The link can be used once, within {life}, and all your devices will have to sign in again.",
            button: "Choose a new password",
            not_you: "If you do not know why, ask an administrator before you use the link. Never pass it on, whoever \
                      asks for it.",
        },
        Message::AccountExists(_) => Wording {
            subject: "You already have an account at {site}",
            happened: "Somebody wanted this email address for another account at {site}. It belongs to yours already.",
            next: "If that was you, sign in instead. If you have forgotten the password, you can reset it there.",
            button: "Sign in",
            not_you: "If it was not you, do nothing: nobody got into your account, and nothing about it was told.",
        },
        Message::PasswordChanged(_) => Wording {
            subject: "Your password for {site} was changed",
            happened: "The password of your account at {site} was changed.",
            next: "If that was you, there is nothing to do.",
            button: "Reset the password",
            not_you: "If it was not you, somebody else can sign in to your account. Reset the password at once: that \
                      also ends all sessions of the account.",
        },
        Message::EmailChanged(_) => Wording {
            subject: "Your email address at {site} was changed",
            happened: "Your account at {site} has another email address now. This is the last message to the old one.",
            next: "If that was you, there is nothing to do.",
            button: "Go to {site}",
            not_you: "If it was not you, somebody else has taken your account over. A reset can no longer reach you \
                      here, so tell the administrators of {site} at once: they can see what was done and give the \
                      account back.",
        },
        Message::SessionReused { .. } => Wording {
            subject: "A session at {site} was ended to protect you",
            happened: "A key that had already been used came back to {site}. That happens when somebody has copied it \
                       from one of your devices, and sometimes when a device is restored from a backup. The session \
                       that it belongs to was ended, on whichever device it was.",
            next: "You can sign in again as usual. Your other devices stay signed in.",
            button: "Sign in",
            not_you: "If you do not recognise where the key came back from, check the device that was signed in for \
                      unwanted software, then change your password and end your other sessions.",
        },
    }
}

/// The page that the button of a message without a link of its own leads to.
pub(super) const fn page(message: &Message) -> &'static str {
    match message {
        Message::PasswordChanged(_) => "/forgot-password",
        Message::AccountExists(_) | Message::SessionReused { .. } => "/login",
        _ => "/",
    }
}
