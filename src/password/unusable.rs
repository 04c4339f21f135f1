//! What is wrong with a hash that another application stored, in words for whoever imports it.

use super::{HashParameters, PasswordHash, foreign, hash::StoredHash};

/// Why no password can be verified against what was stored. The text never holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableHash {
    /// None is stored, or Django's or a shadow file's mark of that.
    #[error("there is no password hash")]
    Absent,
    /// It is of a kind that is verified here, but is not whole, or over that kind's cap.
    #[error("the {kind} hash is damaged, or costs more than is verified here ({limit})")]
    DamagedOrCostly {
        /// What it calls itself.
        kind: &'static str,
        /// The cap.
        limit: &'static str,
    },
    /// It is of another kind.
    #[error("the password hash is of a kind that cannot be verified here")]
    UnknownKind,
    /// It does not look like a hash at all.
    #[error("the password is not hashed, as it seems; a password in plain text is not taken")]
    PlainText,
}

/// What the kinds that are verified begin with, and how they call their caps.
const KINDS: [(&[&str], &str, &str); 4] = [
    (&["$2a$", "$2b$", "$2y$"], "bcrypt", foreign::BCRYPT_LIMIT),
    (
        &["$pbkdf2-sha256$", "pbkdf2_sha256$"],
        "pbkdf2-sha256",
        foreign::PBKDF2_LIMIT,
    ),
    (&["$scrypt$", "scrypt$"], "scrypt", foreign::SCRYPT_LIMIT),
    (
        &["$argon2id$", "$argon2i$", "$argon2d$", "argon2$"],
        "argon2",
        HashParameters::LIMIT,
    ),
];

/// Lengths of hexadecimal digests: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
const DIGEST_LENGTHS: [usize; 6] = [32, 40, 56, 64, 96, 128];

impl PasswordHash {
    /// Whether a password can be verified against this.
    pub fn check(&self) -> Result<(), UnusableHash> {
        let text = self.as_str();
        if StoredHash::parse(text).is_some() {
            return Ok(());
        }
        let kind = KINDS
            .into_iter()
            .find(|(beginnings, ..)| beginnings.iter().any(|beginning| text.starts_with(beginning)));
        Err(match kind {
            Some((_, kind, limit)) => UnusableHash::DamagedOrCostly { kind, limit },
            None if text.is_empty() || text.starts_with(['!', '*']) => UnusableHash::Absent,
            None if looks_hashed(text) => UnusableHash::UnknownKind,
            None => UnusableHash::PlainText,
        })
    }
}

/// `$kind$…$…` as crypt and passlib write it, `kind$…$…` as Django and Werkzeug do, `{KIND}…` of LDAP, or a bare digest.
fn looks_hashed(text: &str) -> bool {
    let is_digest = DIGEST_LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_fields = text.len() >= DIGEST_LENGTHS[0] && text.matches('$').count() >= 2;
    let names_scheme = text.starts_with('{') && text.contains('}');
    is_digest || has_fields || names_scheme
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), UnusableHash> {
        PasswordHash::from_stored(text.to_owned()).check()
    }

    #[test]
    fn a_hash_of_every_kind_is_usable() {
        for text in [
            "$2b$12$9x9FkcPchY717bAVDeHUP.n.ZdiI7Jo2JYZlNit.nxa9gHtc9pPLy",
            "$pbkdf2-sha256$29000$iJESYmztfa81Zqz1XisFYA$955zUL29o1/g/Q5oBBBPoqRrWdGfpvPq9mncxicJHUI",
            "pbkdf2_sha256$1000000$pgo3yHt3NPgWEyFy5oqAjU$WxfrReR44UQwyC5AY6ItVWQF5WHbqdNZ3CYj1rnt8Jk=",
            "$scrypt$ln=16,r=8,p=1$jdF6z/lfizFmzPmfkxIi5A$mSILSpoxMI25l8KsGq6XLGPIXxYM+Nf8L9C+04riO/U",
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn one_that_costs_too_much_is_told_with_the_cap_of_its_kind() {
        for (text, said) in [
            ("$2b$15$9x9FkcPchY717bAVDeHUP.n.ZdiI7Jo2JYZlNit.nxa9gHtc9pPLy", "bcrypt"),
            (
                "$pbkdf2-sha256$5000001$iJESYmztfa81Zqz1XisFYA$955zUL29o1/g/Q5oBBBPoqRrWdGfpvPq9mncxicJHUI",
                "5,000,000 rounds",
            ),
            (
                "scrypt$1073741824$saltsaltsalt$8$1$I1n0DBAQjKCX9IR1ZjdKsl2Zdj0LH6l1o1LDw6jzIGk=",
                "scrypt",
            ),
            (
                "$argon2id$v=19$m=4194304,t=1000,p=1$MDEyMzQ1Njc4OWFiY2RlZg$I1n0DBAQjKCX9IR1ZjdKsl2Zdj0LH6l1o1LDw6jzIGk",
                "128 MiB",
            ),
            ("$2b$12$short", "bcrypt"),
        ] {
            let told = check(text).unwrap_err().to_string();
            assert!(told.contains(said), "{told}");
            assert!(!told.contains(text), "{told}");
        }
    }

    #[test]
    fn what_is_no_hash_is_told_apart_from_one_of_another_kind() {
        for text in ["", "!", "!8aC3kd", "*", "*LK*"] {
            assert_eq!(check(text), Err(UnusableHash::Absent), "{text}");
        }
        for text in [
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "$5$rounds=535000$0hoJjFYxiXfBQ0Hc$ChLMY5Rzc5Z2hRjaGVgK2jYxkL6dZ3BBNVVPq3vqUo2",
            "pbkdf2:sha256:260000$saltsalt$5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99",
            "sha1$salt$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
            "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr",
            "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
        ] {
            assert_eq!(check(text), Err(UnusableHash::UnknownKind), "{text}");
        }
        for text in ["hunter2", "correct horse battery staple", "pa$$w0rd", "{"] {
            assert_eq!(check(text), Err(UnusableHash::PlainText), "{text}");
        }
    }
}
