//! Why a mail server did not take a letter, and whether it may take it later.

use std::{fmt, time::Duration};

use lettre::transport::smtp::{Error as ProtocolError, response::Code};

use crate::token::LinkToken;

/// How much of a server's answer is kept: some explain themselves at length.
const MAX_WORDS: usize = 300;

/// What was asked of the server when it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To be connected, greeted, encrypted and recognised.
    Connection,
    /// To take a letter from `MAIL_FROM`.
    Sender,
    /// To take it for its reader.
    Recipient,
    /// To take what it says.
    Content,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The server said no, with a code and words.
    Reply(u16, String),
    /// It said nothing for so long.
    Silence(Duration),
    /// There was no conversation: no route, no listener, no TLS, no SMTP.
    Fault(String),
    /// The letter needs what the server has not got.
    Unable(&'static str),
}

/// A mail server did not take a letter, or would not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpError {
    pub(super) step: Step,
    pub(super) cause: Cause,
}

impl SmtpError {
    pub(super) fn new(step: Step, error: &ProtocolError) -> Self {
        let cause = match error.status() {
            Some(code) => {
                let words = std::error::Error::source(error).map(ToString::to_string);
                Cause::Reply(code.into(), presentable(&words.unwrap_or_default()))
            }
            None => Cause::Fault(presentable(&error.to_string())),
        };
        Self { step, cause }
    }

    pub(super) const fn unable(reason: &'static str) -> Self {
        Self {
            step: Step::Sender,
            cause: Cause::Unable(reason),
        }
    }

    pub(super) fn out_of_step(code: Code) -> Self {
        Self {
            step: Step::Content,
            cause: Cause::Fault(format!("it answered {code} where it asks for the message")),
        }
    }

    /// Whether the server is still there to be said goodbye to.
    pub(super) const fn was_answered(&self) -> bool {
        matches!(self.cause, Cause::Reply(..) | Cause::Unable(_))
    }

    /// Whether the next try would end no better.
    ///
    /// Only what a server has against this letter, for good (5yz: RFC 5321, section 4.2.1), is final: its reader or its
    /// content. What it has against us is the same for every letter and somebody's mistake, such as a password that was
    /// changed or a sender that is not allowed; the letters wait until it is put right, which a day is long enough for.
    /// So nothing is final before there is a reader: no greeting, no TLS, no log-in and no sender.
    pub(super) fn is_final(&self) -> bool {
        match (&self.step, &self.cause) {
            (_, Cause::Unable(_)) => true,
            (Step::Recipient, Cause::Reply(code, words)) => is_against_letter(*code) && !is_against_us(words),
            (Step::Content, Cause::Reply(code, _)) => is_against_letter(*code),
            _ => false,
        }
    }

    /// What whoever set the server up can do about it, after the error's own words.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match &self.cause {
            Cause::Reply(530 | 534 | 535 | 538, _) => "check user and password in SMTP_URL",
            Cause::Reply(..) | Cause::Unable(_) => "ask whoever runs that server",
            Cause::Silence(_) => "check host and port in SMTP_URL, and that no firewall is in between",
            Cause::Fault(words) if words.contains("certificate") => {
                "name the authority that has issued it in SMTP_CA_FILE, and the server as its certificate does in SMTP_URL"
            }
            Cause::Fault(words) if words.contains("STARTTLS") => {
                "check the port in SMTP_URL, and whether the server wants smtps://"
            }
            Cause::Fault(_) => "check that it runs, and host, port and smtp:// or smtps:// in SMTP_URL",
        }
    }

    /// For the log, which holds no addresses: of what the server said, which may quote one, the codes alone.
    pub(super) fn in_short(&self) -> String {
        match &self.cause {
            Cause::Reply(code, words) => {
                let (space, enhanced) = enhanced_code(words).map_or(("", ""), |code| (" ", code));
                format!("the mail server answered {code}{space}{enhanced} {}", self.step)
            }
            _ => self.to_string(),
        }
    }
}

/// A permanent refusal, and not one that asks for a log-in or for TLS (RFC 4954, section 6; 534 and 538 as older servers
/// say it) or that finds the commands out of order.
fn is_against_letter(code: u16) -> bool {
    (500..600).contains(&code) && !matches!(code, 503 | 530 | 534 | 535 | 538)
}

/// The enhanced code (RFC 3463, section 2) with which an answer begins, if it does.
fn enhanced_code(words: &str) -> Option<&str> {
    let code = words.split_whitespace().next()?;
    let is_number = |part: &str| matches!(part.len(), 1..=3) && part.bytes().all(|byte| byte.is_ascii_digit());
    (code.split('.').count() == 3 && code.split('.').all(is_number)).then_some(code)
}

/// Whether an enhanced code says that a refusal of the reader is none.
///
/// Postfix tells only here what it has against the client or the sender (`smtpd_delay_reject`), so that "relay access
/// denied", "listed by a blocklist" and "sender not owned by user" come as 5.7.1, and a sender that does not exist as
/// 5.1.7 or 5.1.8. A reader whom strangers may not write to is 5.7.1 too, and costs ten more tries.
fn is_against_us(words: &str) -> bool {
    let code = enhanced_code(words).unwrap_or_default();
    code.starts_with("5.7.") || matches!(code, "5.1.7" | "5.1.8")
}

/// One line of bounded length. Without a link's token, which a server that dislikes the link may quote, and which no row
/// may hold.
fn presentable(words: &str) -> String {
    let mut line = String::new();
    for word in words.split(|character: char| character.is_whitespace() || character.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        match word.split_once(LinkToken::PREFIX) {
            Some((before, _)) => line.extend([before, "…"]),
            None => line.push_str(word),
        }
    }
    match line.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// As it follows "answered 550".
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "to the connection",
            Self::Sender => "to the sender",
            Self::Recipient => "to the recipient",
            Self::Content => "to the message",
        })
    }
}

impl fmt::Display for SmtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Reply(code, words) => write!(f, "the mail server answered {code} {}: {words}", self.step),
            Cause::Silence(limit) => write!(
                f,
                "the mail server did not answer {} within {} s",
                self.step,
                limit.as_secs_f32()
            ),
            Cause::Fault(words) => write!(f, "the mail server cannot be talked to: {words}"),
            Cause::Unable(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for SmtpError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(step: Step, code: u16, words: &str) -> SmtpError {
        SmtpError {
            step,
            cause: Cause::Reply(code, presentable(words)),
        }
    }

    #[test]
    fn what_a_server_has_against_the_letter_is_final() {
        for error in [
            refused(Step::Recipient, 550, "5.1.1 <ann@example.com>: no such user"),
            refused(Step::Recipient, 550, "no such user"),
            refused(Step::Recipient, 556, "5.1.10 the domain takes no mail"),
            refused(Step::Content, 554, "5.7.1 looks like an advertisement"),
            refused(Step::Content, 552, "too large"),
            SmtpError::unable("no SMTPUTF8"),
        ] {
            assert!(error.is_final(), "{error}");
        }
    }

    #[test]
    fn what_passes_or_is_against_us_is_not() {
        let silence = |step| SmtpError {
            step,
            cause: Cause::Silence(Duration::from_secs(30)),
        };
        let fault = SmtpError {
            step: Step::Content,
            cause: Cause::Fault("incomplete response".to_owned()),
        };
        for error in [
            refused(Step::Connection, 554, "no service here"),
            refused(Step::Connection, 535, "5.7.8 authentication failed"),
            refused(Step::Sender, 530, "5.7.0 must issue STARTTLS first"),
            refused(Step::Sender, 553, "5.7.1 not your address"),
            refused(Step::Recipient, 450, "4.2.0 greylisted"),
            refused(Step::Recipient, 530, "authentication required"),
            refused(Step::Recipient, 554, "5.7.1 <ann@example.com>: relay access denied"),
            refused(Step::Recipient, 550, "5.1.8 sender address rejected"),
            refused(Step::Content, 451, "4.3.0 try again later"),
            refused(Step::Content, 503, "5.5.1 RCPT first"),
            silence(Step::Recipient),
            silence(Step::Content),
            fault,
        ] {
            assert!(!error.is_final(), "{error}");
        }
    }

    #[test]
    fn a_servers_words_are_one_short_line_without_a_token() {
        let token = LinkToken::generate();
        let quoted = format!(
            "5.7.1 bad\r\n link\0 https://a.example/?token={}. Go\taway",
            token.expose()
        );
        assert_eq!(
            presentable(&quoted),
            "5.7.1 bad link https://a.example/?token=… Go away"
        );
        let long = presentable(&"é".repeat(1000));
        assert_eq!(long.chars().count(), MAX_WORDS + 1);
    }

    #[test]
    fn the_log_is_told_the_codes_alone() {
        for (words, told) in [
            ("5.1.1 <ann@example.com>: no such user", "550 5.1.1 to the recipient"),
            ("5.1.10", "550 5.1.10 to the recipient"),
            ("5.1 ann", "550 to the recipient"),
            ("5.1.ann@example.com no", "550 to the recipient"),
            ("192.0.2.1 is listed", "550 to the recipient"),
            ("", "550 to the recipient"),
        ] {
            let error = refused(Step::Recipient, 550, words);
            assert_eq!(error.in_short(), format!("the mail server answered {told}"));
        }
        let error = refused(Step::Recipient, 550, "<ann@example.com>: no such user");
        assert_eq!(error.in_short(), "the mail server answered 550 to the recipient");
        assert_eq!(
            error.to_string(),
            "the mail server answered 550 to the recipient: <ann@example.com>: no such user"
        );
    }
}
