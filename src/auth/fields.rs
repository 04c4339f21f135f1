//! What a user may type into a field, parsed once into types that hold only what is valid.

use std::net::IpAddr;

use super::{DeviceProof, Error, FieldError};
use crate::{
    clock::Timestamp,
    mail::Circumstances,
    printable::{is_unprintable, is_unprintable_in_prose},
};

/// RFC 5321 section 4.5.3.1.3 leaves 254 bytes for an address between its angle brackets.
const EMAIL_MAX_BYTES: usize = 254;
const EMAIL_LOCAL_MAX_BYTES: usize = 64;
const USERNAME_MAX_CHARS: usize = 64;
const NAME_MAX_CHARS: usize = 100;
const ROLE_MAX_CHARS: usize = 32;
const USER_AGENT_MAX_CHARS: usize = 256;

/// An email address, as typed and as compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    typed: String,
    key: String,
}

impl EmailAddress {
    /// Reads the address in `field`. Quoted local parts and address literals are refused: nobody signs up with one, and
    /// they are where mail servers disagree about whose mailbox is meant.
    pub(crate) fn parse(field: &'static str, text: &str) -> Result<Self, FieldError> {
        let refuse = || FieldError::new(field, "invalid_email", "This is not an email address.");
        let typed = text.trim();
        require(field, typed)?;
        let (local, domain) = typed.rsplit_once('@').ok_or_else(refuse)?;
        let local_is_plain = local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char));
        let hides_something = typed.chars().any(is_unprintable);
        if hides_something || typed.len() > EMAIL_MAX_BYTES || local.len() > EMAIL_LOCAL_MAX_BYTES || !local_is_plain {
            return Err(refuse());
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| refuse())?;
        let last_label = domain.rsplit('.').next().unwrap_or_default();
        let looks_like_an_address = last_label.bytes().all(|byte| byte.is_ascii_digit());
        if domain.len() > EMAIL_MAX_BYTES || looks_like_an_address {
            return Err(refuse());
        }
        Ok(Self {
            typed: typed.to_owned(),
            key: format!("{}@{domain}", local.to_lowercase()),
        })
    }

    /// The address as its owner typed it: what is shown, and where mail goes.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The normalised form that is compared and unique: lower case, the domain in its ASCII form.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Refuses a field that was left blank, before anything is said of what else it has to be.
pub(crate) fn require(field: &'static str, text: &str) -> Result<(), FieldError> {
    if text.is_empty() {
        return Err(FieldError::new(field, "required", "This field is required."));
    }
    Ok(())
}

/// RFC 5322 section 3.2.3, and RFC 6531's characters beyond ASCII.
fn is_atom_char(char: char) -> bool {
    if char.is_ascii() {
        char.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(char)
    } else {
        // The Kelvin sign is a `k` once it is in lower case, and nothing else would tell the two apart.
        let becomes_ascii = char.to_lowercase().any(|lower| lower.is_ascii());
        !char.is_whitespace() && !becomes_ascii
    }
}

/// A name to sign in with: ASCII, so that no two that look alike differ, and never with an `@`, so that it cannot be
/// taken for an email address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    typed: String,
    key: String,
}

impl Username {
    pub(crate) fn parse(field: &'static str, text: &str) -> Result<Self, FieldError> {
        let typed = text.trim();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if typed.is_empty() || typed.len() > USERNAME_MAX_CHARS || !typed.bytes().all(allowed) {
            let rule = "A username is 1 to 64 letters, digits, underscores, dots and hyphens.";
            return Err(FieldError::new(field, "invalid_username", rule));
        }
        Ok(Self {
            typed: typed.to_owned(),
            key: typed.to_ascii_lowercase(),
        })
    }

    /// The username as its owner typed it.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The lower-case form that is compared and unique.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// A username that need not be given. Blank means none.
pub(crate) fn parse_optional_username(field: &'static str, text: Option<&str>) -> Result<Option<Username>, FieldError> {
    text.filter(|text| !text.trim().is_empty())
        .map(|text| Username::parse(field, text))
        .transpose()
}

/// A person's name as others see it; free text without controls. Blank means none.
pub(crate) fn parse_name(field: &'static str, text: &str) -> Result<Option<String>, FieldError> {
    let name = text.trim();
    if name.chars().count() > NAME_MAX_CHARS || name.chars().any(is_unprintable_in_prose) {
        return Err(FieldError::new(
            field,
            "invalid_name",
            "A name is at most 100 characters, without control characters.",
        ));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// A role's name, as it stands in tokens.
pub(crate) fn check_role(field: &'static str, text: &str) -> Result<(), FieldError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if text.is_empty() || text.len() > ROLE_MAX_CHARS || !text.bytes().all(allowed) {
        let rule = "A role is 1 to 32 lower-case letters, digits, underscores and hyphens.";
        return Err(FieldError::new(field, "invalid_role", rule));
    }
    Ok(())
}

/// What a log-in form's one field may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identifier {
    Email(String),
    Username(String),
    /// Neither: it can name nobody, and must not be told apart from a name that nobody has.
    Nobody,
}

impl Identifier {
    /// Reads `text` as the key of an email address or of a username.
    pub(crate) fn parse(text: &str) -> Self {
        if text.contains('@') {
            EmailAddress::parse("username", text).map_or(Self::Nobody, |email| Self::Email(email.key))
        } else {
            Username::parse("username", text).map_or(Self::Nobody, |username| Self::Username(username.key))
        }
    }
}

/// Who is calling, as far as the connection tells: kept with sessions and the audit log, and told in mails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The network address that the request came from; none from the command line.
    pub address: Option<IpAddr>,
    /// What the `User-Agent` header said, cleaned and cut by [`Client::new`].
    pub user_agent: Option<String>,
    /// What its device shows to be known again, if it does.
    pub device: Option<DeviceProof>,
}

impl Client {
    /// A caller at `address` that calls itself `user_agent`, of which only printable text of a sane length is kept:
    /// it is a stranger's, and will be read in logs and mails.
    #[must_use]
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent
            .map(|text| {
                text.chars()
                    .filter(|char| !is_unprintable_in_prose(*char))
                    .take(USER_AGENT_MAX_CHARS)
                    .collect::<String>()
            })
            .filter(|text| !text.is_empty());
        Self {
            address,
            user_agent,
            device: None,
        }
    }

    /// The same on a device that shows this.
    #[must_use]
    pub fn showing(self, device: Option<DeviceProof>) -> Self {
        Self { device, ..self }
    }

    /// What a mail tells of who did something `now`.
    pub(crate) fn circumstances(&self, now: Timestamp) -> Circumstances {
        Circumstances::new(now, self.address, self.user_agent.as_deref())
    }

    pub(crate) fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }
}

/// Collects what is wrong with a request's fields, so that all of it is said in one answer.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// The parsed value, or nothing and a field error more.
    pub(crate) fn take<T>(&mut self, parsed: Result<T, FieldError>) -> Option<T> {
        parsed.map_err(|error| self.0.push(error)).ok()
    }

    pub(crate) fn extend(&mut self, errors: Vec<FieldError>) {
        self.0.extend(errors);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses if anything is wrong so far.
    pub(crate) fn check(self) -> Result<(), Error> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.into_error())
        }
    }

    /// The error to answer with.
    pub(crate) fn into_error(self) -> Error {
        Error::InvalidFields(self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Option<String> {
        EmailAddress::parse("email", text).ok().map(|email| email.key)
    }

    #[test]
    fn an_address_is_compared_without_regard_to_case_and_by_its_ascii_domain() {
        assert_eq!(key("Ann.Smith@Example.COM").as_deref(), Some("ann.smith@example.com"));
        assert_eq!(
            key("jürgen@Bücher.example").as_deref(),
            Some("jürgen@xn--bcher-kva.example")
        );
        assert_eq!(key("admin@localhost").as_deref(), Some("admin@localhost"));
    }

    #[test]
    fn an_address_is_kept_as_typed() {
        let email = EmailAddress::parse("email", " Ann@Example.COM ").unwrap();
        assert_eq!(email.as_typed(), "Ann@Example.COM");
    }

    #[test]
    fn what_is_not_one_plain_mailbox_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let refused = [
            "",
            "@",
            "a@",
            "@b.example",
            "a b@c.example",
            "a@b c",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "\"a\"@b.example",
            "a..b@c.example",
            ".a@c.example",
            "a@b@c.example",
            "a@-b.example",
            "a@b..example",
            "a\0@b.example",
            "a@b.example\r\nBcc: x@y.example",
            "a,b@c.example",
            "a\u{202E}b@c.example",
            "\u{212A}ate@c.example",
            "a@b.c\u{200B}",
            "a@b\u{200D}.c",
            "bob\u{AD}@example.com",
            "bob\u{3164}@example.com",
            "bob\u{61C}@example.com",
            "bob\u{34F}@example.com",
            "bob\u{180E}@example.com",
            "bob\u{E0041}@example.com",
            "bob\u{FE0F}@example.com",
            &long,
        ];
        for text in refused {
            assert_eq!(key(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_username_cannot_look_like_an_email_address() {
        for text in ["a@b", "", "a b", "é", "a/b", &"a".repeat(65)] {
            assert!(Username::parse("username", text).is_err(), "{text:?}");
        }
        assert_eq!(Username::parse("username", "Jo.Ann_3-x").unwrap().key(), "jo.ann_3-x");
    }

    #[test]
    fn a_name_hides_nothing_but_may_be_in_any_script() {
        for text in [
            "Ann\u{61C}",
            "Ann\u{202E}",
            "Ann\u{AD}",
            "\u{3164}",
            "Ann\u{E0041}",
            "Ann\0",
        ] {
            assert!(parse_name("name", text).is_err(), "{text:?}");
        }
        for text in [
            "علی\u{200C}رضا",
            "👩\u{200D}🚀",
            "Ann ❤\u{FE0F}",
            "葛\u{E0100}城",
            "José",
        ] {
            assert_eq!(parse_name("name", text), Ok(Some(text.to_owned())));
        }
    }

    #[test]
    fn a_blank_username_is_none() {
        for text in [None, Some(""), Some(" \t")] {
            assert_eq!(parse_optional_username("username", text), Ok(None), "{text:?}");
        }
        assert!(parse_optional_username("username", Some("a b")).is_err());
    }

    #[test]
    fn a_user_agent_is_cleaned_and_cut() {
        let client = Client::new(None, Some(&format!("curl\u{202E}\r\n{}", "x".repeat(1000))));
        let kept = client.user_agent.unwrap();
        assert_eq!(kept.chars().count(), 256);
        assert!(kept.starts_with("curlxxx"));
    }

    proptest! {
        #[test]
        fn an_accepted_address_has_one_key_however_often_it_is_normalised(text in "\\PC{0,40}@\\PC{1,40}") {
            if let Some(first) = key(&text) {
                prop_assert_eq!(key(&first), Some(first.clone()));
            }
        }

        #[test]
        fn an_accepted_username_is_no_address_and_has_one_key_in_whatever_case(text in "[ -~é]{0,70}|[a-zA-Z0-9_. -]{0,70}") {
            if let Ok(username) = Username::parse("username", &text) {
                let again = Username::parse("username", &username.as_typed().to_ascii_uppercase()).unwrap();
                prop_assert_eq!(again.key(), username.key());
                prop_assert!((1..=64).contains(&username.key().len()) && !username.key().contains('@'));
                let identifier = Identifier::parse(username.as_typed());
                prop_assert_eq!(identifier, Identifier::Username(username.key().to_owned()));
            }
        }

        #[test]
        fn an_accepted_name_is_clean_and_stays_as_it_is(text in ".{0,110}") {
            if let Ok(Some(name)) = parse_name("name", &text) {
                prop_assert!(name.chars().count() <= 100 && !name.chars().any(is_unprintable_in_prose));
                prop_assert_eq!(parse_name("name", &name), Ok(Some(name.clone())));
            }
        }

        #[test]
        fn whatever_a_program_calls_itself_is_kept_short_and_clean(text in ".{0,400}") {
            let kept = Client::new(None, Some(&text)).user_agent.unwrap_or_default();
            prop_assert!(kept.chars().count() <= 256 && !kept.chars().any(is_unprintable_in_prose));
            let again = Client::new(None, Some(&kept)).user_agent.unwrap_or_default();
            prop_assert_eq!(again, kept);
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in ".*") {
            let _ = Identifier::parse(&text);
            let _ = check_role("roles", &text);
        }
    }
}
