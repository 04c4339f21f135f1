//! Secrets that come from outside, and how bad ones are told from good ones.

use std::{collections::BTreeSet, fmt};

use zeroize::Zeroizing;

/// HMAC-SHA-256 wants a key no shorter than its output (RFC 7518, section 3.2); the same is asked of the sealing key.
pub(super) const MIN_SECRET_BYTES: usize = 32;

/// Fewer different characters than this is a pattern typed to reach the length. 32 random hexadecimal digits, the
/// poorest alphabet in use, practically always have more.
const MIN_DIFFERENT_CHARACTERS: usize = 8;

/// What readmes, tutorials and sample files write where a secret belongs, in small letters and without punctuation.
/// None is short enough to turn up in a random secret.
const PLACEHOLDERS: &[&str] = &[
    "secretkey",
    "yoursecret",
    "yoursupersecret",
    "yoursecure",
    "yourjwt",
    "yourkey",
    "supersecret",
    "jwtsecret",
    "changeme",
    "changethis",
    "changeit",
    "changein",
    "replaceme",
    "replacethis",
    "replacewith",
    "insertyour",
    "placeholder",
    "minimum32",
    "atleast32",
    // FastAPI's tutorial prints this key, and applications all over the world sign with it.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
];

/// A secret: wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes charge of `secret`.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Why this must not be used as a key, in words that follow the variable's name; `None` when it may.
    pub(super) fn weakness(&self) -> Option<String> {
        let different: BTreeSet<char> = self.0.chars().collect();
        let plain: Zeroizing<String> = Zeroizing::new(
            self.0
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|character| character.to_ascii_lowercase())
                .collect(),
        );
        // Looked for first: to someone who kept the sample's text, its length says nothing.
        if PLACEHOLDERS.iter().any(|placeholder| plain.contains(placeholder)) {
            Some(format!("is a placeholder that everybody knows; {HOW_TO_MAKE_ONE}"))
        } else if self.0.len() < MIN_SECRET_BYTES {
            Some(format!(
                "must have at least {MIN_SECRET_BYTES} bytes, not {}; {HOW_TO_MAKE_ONE}",
                self.0.len()
            ))
        } else if different.len() < MIN_DIFFERENT_CHARACTERS {
            Some(format!(
                "must be random, not a few characters repeated; {HOW_TO_MAKE_ONE}"
            ))
        } else {
            None
        }
    }
}

/// The advice that ends every complaint about a secret.
pub(super) const HOW_TO_MAKE_ONE: &str = "make one with `openssl rand -base64 48`";

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakness(secret: &str) -> Option<String> {
        Secret::new(secret.to_owned()).weakness()
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2".to_owned());
        assert!(!format!("{secret} {secret:?} {secret:#?}").contains("hunter2"));
    }

    #[test]
    fn the_samples_secrets_are_refused_as_placeholders_however_long() {
        for placeholder in [
            "your-secret-key",
            "your-secret-key-here",
            "your-super-secret-key-here",
            "your-super-secret-key-minimum-32-characters",
            "your-secure-secret-key",
            "YOUR_SECRET_KEY_YOUR_SECRET_KEY_YOUR_SECRET_KEY",
            "change-me-change-me-change-me-change-me",
            "please change this in production, it is not safe",
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        ] {
            let complaint = weakness(placeholder).unwrap();
            assert!(complaint.contains("placeholder"), "{placeholder}: {complaint}");
            assert!(!complaint.contains(placeholder));
        }
    }

    #[test]
    fn thirty_two_bytes_are_enough_and_thirty_one_are_not() {
        let digits = "e41f0c7b59a26d8310fbc2d4a7968e53";
        assert_eq!(weakness(digits), None);
        assert!(weakness(&digits[1..]).unwrap().contains("at least 32 bytes, not 31"));
    }

    #[test]
    fn a_few_characters_repeated_are_not_a_secret() {
        assert!(weakness(&"abc".repeat(20)).unwrap().contains("repeated"));
    }
}
