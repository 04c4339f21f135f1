//! What templates are told.

use std::time::Duration;

use minijinja::{Value, context};
use time::OffsetDateTime;

use super::{Link, Site, one_line};
use crate::{
    clock::Timestamp,
    config::Colour,
    mail::messages::{Circumstances, Message},
};

/// What the file of a message's words is named after.
pub(super) const fn name(message: &Message) -> &'static str {
    match message {
        Message::VerifyEmail(_) => "verify_email",
        Message::VerifyNewEmail { taken: false, .. } => "verify_new_email",
        Message::ResetPassword(_) => "reset_password",
        Message::ResetPasswordByAdmin(_) => "reset_password_by_admin",
        Message::Invitation(_) => "invitation",
        Message::AccountExists(_) | Message::VerifyNewEmail { taken: true, .. } => "account_exists",
        Message::AccountUnverified(_) => "account_unverified",
        Message::PasswordChanged(_) => "password_changed",
        Message::EmailChanged(_) => "email_changed",
        Message::NewSignIn(_) => "new_sign_in",
        Message::UsernameChanged(_) => "username_changed",
        Message::RolesChanged(_) => "roles_changed",
        Message::AccountDisabled(_) => "account_disabled",
        Message::AccountEnabled(_) => "account_enabled",
        Message::SessionReused { .. } => "session_reused",
    }
}

/// The page that the button of a message without a link of its own leads to.
pub(super) const fn page(message: &Message) -> &'static str {
    match message {
        Message::AccountUnverified(_) | Message::PasswordChanged(_) => "/forgot-password",
        Message::NewSignIn(_) | Message::UsernameChanged(_) => "/profile",
        Message::AccountExists(_)
        | Message::VerifyNewEmail { taken: true, .. }
        | Message::AccountEnabled(_)
        | Message::SessionReused { .. } => "/login",
        _ => "/",
    }
}

/// The variables of a file of words. What is not known at all is `none`.
pub(super) fn of(message: &Message, site: &Site<'_>, link: Option<&Link>) -> Value {
    let circumstances = match message {
        Message::SessionReused { session, reuse } => context! { session => told(session), reuse => told(reuse) },
        Message::VerifyEmail(it)
        | Message::VerifyNewEmail { asked: it, .. }
        | Message::ResetPassword(it)
        | Message::ResetPasswordByAdmin(it)
        | Message::Invitation(it)
        | Message::AccountExists(it)
        | Message::AccountUnverified(it)
        | Message::PasswordChanged(it)
        | Message::EmailChanged(it)
        | Message::NewSignIn(it)
        | Message::UsernameChanged(it)
        | Message::RolesChanged(it)
        | Message::AccountDisabled(it)
        | Message::AccountEnabled(it) => told(it),
    };
    let known = match link {
        Some(link) => context! { life => in_words(link.life), life_minutes => minutes(link.life), ..circumstances },
        None => circumstances,
    };
    context! { site => one_line(site.name), origin => site.origin, ..known }
}

/// When and where something happened.
fn told(circumstances: &Circumstances) -> Value {
    let device = circumstances.device.as_deref();
    let network = circumstances.network.map(|address| address.to_canonical().to_string());
    context! {
        when => moment(circumstances.at),
        at => circumstances.at.to_string(),
        place => place(device, network.as_deref()).map(|place| one_line(&place)),
        device => device.map(one_line),
        network,
    }
}

/// "Firefox on Linux, network address 203.0.113.7": the device and the network it was in; `None` when neither is known.
fn place(device: Option<&str>, network: Option<&str>) -> Option<String> {
    match (device, network) {
        (Some(device), Some(network)) => Some(format!("{device}, network address {network}")),
        (Some(device), None) => Some(device.to_owned()),
        (None, Some(network)) => Some(format!("an unknown device, network address {network}")),
        (None, None) => None,
    }
}

/// "14 November 2023, 22:13 UTC": no reader takes the day for the month.
fn moment(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(at.unix_seconds()).map_or_else(
        |_| String::from("unknown"),
        |moment| {
            format!(
                "{} {} {}, {:02}:{:02} UTC",
                moment.day(),
                moment.month(),
                moment.year(),
                moment.hour(),
                moment.minute()
            )
        },
    )
}

fn minutes(life: Duration) -> u64 {
    life.as_secs().div_ceil(60)
}

/// "7 days", "24 hours", "10 minutes".
pub(super) fn in_words(life: Duration) -> String {
    let minutes = minutes(life);
    let units = [(24 * 60, "day"), (60, "hour"), (1, "minute")];
    // "24 hours" says better than "1 day" that the same time tomorrow is too late.
    let fits = |(length, _): &(u64, _)| minutes.is_multiple_of(*length) && (minutes / length > 1 || *length < 24 * 60);
    let (length, unit) = units.into_iter().find(fits).unwrap_or((1, "minute"));
    let count = minutes / length;
    if count == 1 {
        format!("{count} {unit}")
    } else {
        format!("{count} {unit}s")
    }
}

/// What lies under button and link: the layout's card.
const LIGHT: Colour = Colour::new(0xff, 0xff, 0xff);
const DARK: Colour = Colour::new(0x16, 0x20, 0x23);

/// The colours of button and link, on a light screen and on a dark one.
pub(super) struct Palette {
    pub(super) accent: Colour,
    pub(super) on_accent: Colour,
    pub(super) accent_dark: Colour,
    pub(super) on_accent_dark: Colour,
}

impl Palette {
    /// The site's own colour, as near to what was configured as can be read; without one, the colours of the pages.
    pub(super) fn of(accent: Option<Colour>) -> Self {
        let Some(accent) = accent else {
            return Self {
                accent: Colour::new(0x0a, 0x55, 0x68),
                on_accent: Colour::new(0xff, 0xff, 0xff),
                accent_dark: Colour::new(0x7f, 0xcb, 0xdc),
                on_accent_dark: Colour::new(0x06, 0x22, 0x2a),
            };
        };
        let (light, dark) = (accent.readable_on(LIGHT), accent.readable_on(DARK));
        Self {
            accent: light,
            on_accent: light.ink(),
            accent_dark: dark,
            on_accent_dark: dark.ink(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_told_in_the_largest_whole_unit() {
        let cases = [
            (600, "10 minutes"),
            (60, "1 minute"),
            (61, "2 minutes"),
            (3600, "1 hour"),
            (86_400, "24 hours"),
            (90_000, "25 hours"),
            (604_800, "7 days"),
        ];
        for (seconds, words) in cases {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn letters_have_the_colours_of_the_pages() {
        let sheet = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/style/base.css"));
        let layout = include_str!("built_in/layout.html");
        let Palette {
            accent,
            accent_dark,
            on_accent_dark,
            ..
        } = Palette::of(None);
        for colour in [
            format!("--brand-light: {accent};"),
            format!("--brand-dark: {accent_dark};"),
            format!("--on-brand-dark: {on_accent_dark};"),
            format!("--card: {DARK};"),
        ] {
            assert!(sheet.contains(&colour), "{colour}");
        }
        for card in [format!("background:{LIGHT}"), format!("background: {DARK} ")] {
            assert!(layout.contains(&card), "{card}");
        }
    }
}
