//! A rendered message in its envelope.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    Address,
    address::{AddressError, Envelope},
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};

use super::templates::{Rendered, one_line};
use crate::{clock::Timestamp, id::MessageId};

/// One message on its way to one reader. Holds the link, so it has no `Debug`.
pub(super) struct Letter {
    /// The reader's address, as its owner wrote it.
    pub(super) to: String,
    /// What is said.
    pub(super) rendered: Rendered,
    /// The same as a MIME message, with its headers.
    pub(super) email: lettre::Message,
    /// When it was written.
    pub(super) at: Timestamp,
}

/// Why a letter cannot be written: the same letter could not be written later either.
#[derive(Debug, thiserror::Error)]
pub(super) enum LetterError {
    #[error("MAIL_FROM is not an address: {0}")]
    Sender(#[source] AddressError),
    #[error("the address cannot be written to: {0}")]
    Reader(#[source] AddressError),
    #[error("the message cannot be put together: {0}")]
    Message(#[from] lettre::error::Error),
}

impl Letter {
    /// Puts `rendered` into an envelope to `to`. Every header goes through lettre's types, which encode what does not
    /// belong into a header, so that no name or address can add one.
    pub(super) fn new(
        id: MessageId,
        from: &str,
        to: &str,
        rendered: Rendered,
        at: Timestamp,
    ) -> Result<Self, LetterError> {
        let since_epoch = Duration::from_secs(u64::try_from(at.unix_seconds()).unwrap_or(0));
        let sender = sender(from).map_err(LetterError::Sender)?;
        // The time is part of the message's id: receivers drop a second message with the id of the first, and one that
        // is sent again is sent because the first was lost.
        let message_id = format!("<{id}.{}@{}>", at.unix_seconds(), sender.email.domain());
        let reader = address(to).map_err(LetterError::Reader)?;
        let envelope = Envelope::new(Some(sender.email.clone()), vec![reader.clone()])?;
        let email = lettre::Message::builder()
            // Else lettre reads the addresses again, from the headers that it makes of them.
            .envelope(envelope)
            .from(sender)
            .to(Mailbox::new(None, reader))
            .date(UNIX_EPOCH + since_epoch)
            .message_id(Some(message_id))
            // RFC 3834, section 5: keeps holiday notices from answering.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                String::from("auto-generated"),
            ))
            .subject(rendered.subject.clone())
            .multipart(MultiPart::alternative_plain_html(
                rendered.text.clone(),
                rendered.html.clone(),
            ))?;
        Ok(Self {
            to: to.to_owned(),
            rendered,
            email,
            at,
        })
    }
}

/// Who `text` names. Without control characters, at which lettre panics rather than encode them.
fn sender(text: &str) -> Result<Mailbox, AddressError> {
    let Mailbox { name, email } = text.parse()?;
    Ok(Mailbox::new(name.as_deref().map(one_line), address(email.as_ref())?))
}

/// `text` with its domain in ASCII, as a header may hold it without SMTPUTF8 (RFC 6531); the local part stays as it is.
///
/// Of what is not ASCII, lettre takes only letters and digits, though RFC 6531 section 3.3 allows all of it and the
/// vowels of Hindi are neither. So each such character stands as a letter while lettre looks at the rest.
fn address(text: &str) -> Result<Address, AddressError> {
    let (local, domain) = text.rsplit_once('@').ok_or(AddressError::MissingParts)?;
    let is_allowed = |char: char| !char.is_ascii() && !char.is_control() && !char.is_whitespace();
    let letters = |char| if is_allowed(char) { 'x' } else { char };
    let checked = Address::new(local.chars().map(letters).collect::<String>(), domain)?;
    let domain = match idna::domain_to_ascii(domain) {
        Ok(ascii) if !domain.is_ascii() => ascii,
        _ => checked.domain().to_owned(),
    };
    Ok(Address::new_dangerous(local, domain))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::EmailAddress;

    fn letter(site: &str, from: &str, to: &str) -> Result<String, LetterError> {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let rendered = Rendered {
            subject: format!("You have an account at {site}"),
            text: String::from("Schön.\n"),
            html: String::from("<p>Schön.</p>"),
        };
        Letter::new(MessageId::new(now), from, to, rendered, now)
            .map(|letter| String::from_utf8(letter.email.formatted()).unwrap())
    }

    fn headers(email: &str) -> Vec<&str> {
        let (head, _) = email.split_once("\r\n\r\n").unwrap();
        // A line that begins with a space continues the one before.
        head.split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .collect()
    }

    #[test]
    fn a_letter_has_the_headers_of_a_machine() {
        let email = letter("Acme", "Acme <no-reply@acme.example>", "ada@example.com").unwrap();
        let headers = headers(&email);
        assert!(headers.contains(&"From: Acme <no-reply@acme.example>"), "{email}");
        assert!(headers.contains(&"To: ada@example.com"), "{email}");
        assert!(headers.contains(&"Date: Tue, 14 Nov 2023 22:13:20 +0000"), "{email}");
        assert!(headers.contains(&"Auto-Submitted: auto-generated"), "{email}");
        assert!(headers.iter().any(|line| line.starts_with("Message-ID: <")), "{email}");
    }

    #[test]
    fn nothing_in_a_name_or_an_address_becomes_a_header() {
        let evil = "Acme\r\nBcc: all@example.com";
        let email = letter(evil, "no-reply@acme.example", "ada@example.com").unwrap();
        assert!(!headers(&email).iter().any(|line| line.starts_with("Bcc")), "{email}");

        let quoted = "\"Acme\r\n Bcc: all@example.com\0\" <no-reply@acme.example>";
        for from in [quoted, "Acme\r\nBcc: all@example.com <no-reply@acme.example>"] {
            let refused = letter("Acme", from, "ada@example.com");
            assert!(matches!(refused, Err(LetterError::Sender(_))), "{refused:?}");
        }
        let bell = letter("Acme", "\"Acme\u{7}Bcc\" <no-reply@acme.example>", "ada@example.com").unwrap();
        assert!(
            headers(&bell).contains(&"From: \"Acme Bcc\" <no-reply@acme.example>"),
            "{bell}"
        );

        for address in [
            "ada@example.com\r\nBcc: all@example.com",
            "ada",
            "",
            "a b@example.com",
            "ada@exa mple.com",
        ] {
            assert!(letter("Acme", "no-reply@acme.example", address).is_err(), "{address:?}");
        }
    }

    #[test]
    fn every_script_can_be_written_to() {
        for (to, written) in [
            ("संपर्क@डाटामेल.भारत", "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c"),
            ("zoë@example.com", "zoë@example.com"),
            ("☃@example.com", "☃@example.com"),
        ] {
            let email = letter("Acme", "no-reply@acme.example", to).unwrap();
            assert!(headers(&email).contains(&format!("To: {written}").as_str()), "{email}");
        }
    }

    proptest! {
        #[test]
        fn whatever_address_an_account_has_can_be_written_to_and_is_one_header(
            local in "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,66}|\\PC{1,10}|[\u{80}-\u{10FFFF}]{1,3}",
            domain in "([a-zA-Z0-9ßéあ-]{1,8}\\.){0,3}[a-zA-Z0-9ß-]{1,8}|\\PC{1,8}|\\[[0-9a-f:.]{0,8}\\]",
        ) {
            if let Ok(accepted) = EmailAddress::parse("email", &format!("{local}@{domain}")) {
                let email = letter("Acme", "no-reply@acme.example", accepted.as_typed());
                let email = email.map_err(|error| TestCaseError::fail(format!("{}: {error}", accepted.as_typed())))?;
                let names: Vec<&str> = headers(&email).iter().filter_map(|line| line.split(':').next()).collect();
                let expected = ["From", "To", "Date", "Message-ID", "Auto-Submitted", "Subject", "MIME-Version", "Content-Type"];
                prop_assert_eq!(names, expected);
            }
        }
    }

    #[test]
    fn a_domain_beyond_ascii_is_written_in_ascii() {
        let email = letter("Acme", "no-reply@acme.example", "ada@bücher.example").unwrap();
        assert!(headers(&email).contains(&"To: ada@xn--bcher-kva.example"), "{email}");
    }
}
