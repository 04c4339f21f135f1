//! The rendering of each message as text and HTML.

mod wording;

use std::{borrow::Cow, fmt::Write, time::Duration};

use time::OffsetDateTime;

use self::wording::{page, wording};
use super::messages::{Circumstances, Message};
use crate::{clock::Timestamp, config::PublicUrl};

/// A message in words. Holds the link, so it is neither stored nor logged, and has no `Debug`.
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// Who speaks.
pub(super) struct Site<'a> {
    pub(super) name: &'a str,
    pub(super) public_url: &'a PublicUrl,
}

/// A link that is good once, for a while.
pub(super) struct Link {
    pub(super) url: String,
    pub(super) life: Duration,
}

/// Puts `message` into words. `link` is the one that [`Message::link_kind`] asks for.
pub(super) fn render(message: &Message, site: &Site<'_>, link: Option<&Link>) -> Rendered {
    let words = wording(message);
    let life = link.map(|link| in_words(link.life)).unwrap_or_default();
    // The name comes last, so that a name with braces in it stays what it is.
    let fill = |text: &str| one_line(&text.replace("{life}", &life).replace("{site}", site.name));
    let sheet = Sheet {
        subject: fill(words.subject),
        happened: fill(words.happened),
        facts: facts(message),
        next: fill(words.next),
        button: fill(words.button),
        url: link.map_or_else(|| site.public_url.link(page(message)), |link| link.url.clone()),
        not_you: fill(words.not_you),
        site: one_line(site.name),
        origin: site.public_url.origin().to_owned(),
    };
    Rendered {
        text: sheet.text(),
        html: sheet.html(),
        subject: sheet.subject,
    }
}

/// The parts of a message, filled in, before they become text and HTML.
struct Sheet {
    subject: String,
    happened: String,
    facts: Vec<(&'static str, String)>,
    next: String,
    button: String,
    url: String,
    not_you: String,
    site: String,
    origin: String,
}

impl Sheet {
    /// Paragraphs are one line each: mail programs wrap them to the reader's window, and lines wrapped here would be
    /// wrapped a second time on a phone. The link has a line of its own, where no program mistakes its end.
    fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.happened);
        for (label, value) in &self.facts {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {label}: {value}");
        }
        let _ = write!(
            text,
            "\n{next}\n\n{button}:\n{url}\n\n{not_you}\n\n-- \n{site}\n{origin}\n",
            next = self.next,
            button = self.button,
            url = self.url,
            not_you = self.not_you,
            site = self.site,
            origin = self.origin,
        );
        text
    }

    /// Styles stand in the elements for the programs that drop a style sheet; the sheet adds the dark colours for
    /// those that keep it. There is no image and nothing to load.
    fn html(&self) -> String {
        let mut facts = String::new();
        for (label, value) in &self.facts {
            let _ = write!(
                facts,
                "<tr><td class=\"dim\" style=\"padding:2px 16px 2px 0;color:#59636e;vertical-align:top\">{}</td>\
                 <td style=\"padding:2px 0\">{}</td></tr>",
                escape(label),
                escape(value)
            );
        }
        format!(
            "<!doctype html>\n\
             <html lang=\"en\">\n\
             <head>\n\
             <meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"supported-color-schemes\" content=\"light dark\">\n\
             <title>{subject}</title>\n\
             <style>\n{STYLE}</style>\n\
             </head>\n\
             <body class=\"page\" style=\"margin:0;padding:24px 12px;background:#f4f5f7;color:#1f2328;\
             font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif\">\n\
             <div class=\"card\" style=\"max-width:560px;margin:0 auto;padding:24px;background:#ffffff;\
             border-radius:8px\">\n\
             <h1 style=\"margin:0 0 16px;font-size:20px;line-height:1.3\">{subject}</h1>\n\
             <p>{happened}</p>\n\
             <table role=\"presentation\" style=\"border-collapse:collapse;font-size:15px\">{facts}</table>\n\
             <p>{next}</p>\n\
             <table role=\"presentation\" style=\"border-collapse:collapse;margin:24px 0\"><tr>\
             <td style=\"background:#1f4fd8;border-radius:6px\">\
             <a href=\"{url}\" style=\"display:inline-block;padding:12px 20px;color:#ffffff;font-weight:600;\
             text-decoration:none\">{button}</a></td></tr></table>\n\
             <p class=\"dim\" style=\"font-size:14px;color:#59636e\">If the button does not work, open this address:\
             <br><a class=\"link\" href=\"{url}\" style=\"color:#1f4fd8;word-break:break-all\">{url}</a></p>\n\
             <p>{not_you}</p>\n\
             <p class=\"dim\" style=\"margin:24px 0 0;font-size:14px;color:#59636e\">{site}<br>{origin}</p>\n\
             </div>\n\
             </body>\n\
             </html>\n",
            subject = escape(&self.subject),
            happened = escape(&self.happened),
            next = escape(&self.next),
            url = escape(&self.url),
            button = escape(&self.button),
            not_you = escape(&self.not_you),
            site = escape(&self.site),
            origin = escape(&self.origin),
        )
    }
}

/// Colours for a dark screen. They must win over those in the elements.
const STYLE: &str = "\
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
  .page { background: #0d1117 !important; color: #e6edf3 !important; }
  .card { background: #161b22 !important; }
  .dim { color: #9198a1 !important; }
  .link { color: #8ab0ff !important; }
}
";

/// When and where, as the reader is told.
fn facts(message: &Message) -> Vec<(&'static str, String)> {
    match message {
        Message::SessionReused { session, reuse } => {
            let mut facts = vec![("Signed in", moment(session.at))];
            facts.extend(place(session).map(|place| ("Signed in from", place)));
            facts.push(("Key came back", moment(reuse.at)));
            facts.extend(place(reuse).map(|place| ("Key came back from", place)));
            facts
        }
        Message::VerifyEmail(told)
        | Message::VerifyNewEmail(told)
        | Message::ResetPassword(told)
        | Message::ResetPasswordByAdmin(told)
        | Message::AccountExists(told)
        | Message::PasswordChanged(told)
        | Message::EmailChanged(told) => {
            let mut facts = vec![("When", moment(told.at))];
            facts.extend(place(told).map(|place| ("From", place)));
            facts
        }
    }
}

/// "Firefox on Linux, 203.0.113.7": the device and the network it was in; `None` when neither is known.
fn place(circumstances: &Circumstances) -> Option<String> {
    let device = circumstances.device.as_deref();
    let network = circumstances.network.map(|address| address.to_canonical());
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

/// "24 hours", "10 minutes".
fn in_words(life: Duration) -> String {
    let minutes = life.as_secs().div_ceil(60);
    let (count, unit) = if minutes >= 60 && minutes.is_multiple_of(60) {
        (minutes / 60, "hour")
    } else {
        (minutes, "minute")
    };
    if count == 1 {
        format!("{count} {unit}")
    } else {
        format!("{count} {unit}s")
    }
}

/// Without control characters: a line break in a site's name would end a header, or forge a line of the text.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `text` as HTML, in an element or between double quotes.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests;
