//! Opaque tokens and their hashes.
//!
//! A token and its hash are different types, so that a plain token can never be stored nor a stolen hash presented. A
//! fast hash is right here: with 256 random bits there is nothing to guess.

use std::fmt;

use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// 256 bits: beyond guessing, whatever the number of live tokens.
const RANDOM_LEN: usize = 32;

/// [`RANDOM_LEN`] bytes in base64url without padding.
const ENCODED_LEN: usize = 43;

fn generate(prefix: &str) -> Zeroizing<String> {
    let mut random = Zeroizing::new([0; RANDOM_LEN]);
    // AWS-LC documents that it aborts the process rather than report a lack of randomness, and no token could be
    // issued without it: there is nothing for a caller to handle.
    assert!(
        rand::fill(random.as_mut()).is_ok(),
        "the system's source of randomness failed"
    );
    // Allocated once at full length: growing would leave copies of the secret behind that are never wiped.
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + ENCODED_LEN));
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut text);
    text
}

fn parse(prefix: &str, text: &str) -> Option<Zeroizing<String>> {
    let encoded = text
        .strip_prefix(prefix)
        .filter(|encoded| encoded.len() == ENCODED_LEN)?;
    // The decoder refuses stray trailing bits, so one token has one spelling and so one hash.
    drop(Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?));
    Some(Zeroizing::new(text.to_owned()))
}

/// Covers the prefix too: a link token's hash can never equal a refresh token's.
fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

macro_rules! opaque_token {
    ($(#[$doc:meta])* $token:ident, $(#[$hash_doc:meta])* $hash:ident, $prefix:literal) => {
        $(#[$doc])*
        ///
        /// Wiped from memory when dropped, and shown by `Debug` as a name only.
        pub struct $token(Zeroizing<String>);

        impl $token {
            /// What every such token begins with, so that people and secret scanners recognise one that leaked.
            pub const PREFIX: &'static str = $prefix;

            /// A new token from the system's source of randomness.
            #[must_use]
            pub fn generate() -> Self {
                Self(generate(Self::PREFIX))
            }

            /// Reads a token as it was presented; `None` unless it has the form of one that was generated here.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                parse(Self::PREFIX, text).map(Self)
            }

            /// What is stored in the token's place: SHA-256 of its text.
            #[must_use]
            pub fn hash(&self) -> $hash {
                $hash(hash(&self.0))
            }

            /// The plain token, to hand to its holder and to nobody else.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $token {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($token), "(..)"))
            }
        }

        $(#[$hash_doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $hash(String);

        impl $hash {
            /// The hash in base64url, as it is stored.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $hash {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($hash), "(..)"))
            }
        }
    };
}

opaque_token! {
    /// The secret that continues a session, exchanged once for its successor.
    RefreshToken,
    /// What the database knows of a refresh token.
    RefreshTokenHash,
    "vst_rt_"
}

opaque_token! {
    /// The secret in a mailed link, good once.
    LinkToken,
    /// What the database knows of a link token.
    LinkTokenHash,
    "vst_lt_"
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::token::edits::edits;

    #[test]
    fn a_generated_token_is_read_back_with_the_same_hash() {
        let token = RefreshToken::generate();
        let read = RefreshToken::parse(token.expose()).unwrap();
        assert_eq!(read.expose(), token.expose());
        assert_eq!(read.hash(), token.hash());

        let token = LinkToken::generate();
        assert_eq!(LinkToken::parse(token.expose()).unwrap().hash(), token.hash());
    }

    #[test]
    fn no_two_generated_tokens_are_alike() {
        let tokens: HashSet<String> = (0..1000)
            .map(|_| RefreshToken::generate().expose().to_owned())
            .collect();
        assert_eq!(tokens.len(), 1000);
    }

    #[test]
    fn the_hash_is_sha_256_of_the_whole_text() {
        let token = RefreshToken::parse(&format!("vst_rt_{}", "A".repeat(43))).unwrap();
        // printf 'vst_rt_AAA…A' | sha256sum, in base64url
        assert_eq!(token.hash().as_str(), "k6OWZTMp4YsPYTKGAGoeronOS_Is5GZtapB7tDgtd1w");
    }

    #[test]
    fn a_refresh_token_is_no_link_token() {
        assert!(LinkToken::parse(RefreshToken::generate().expose()).is_none());
        assert!(RefreshToken::parse(LinkToken::generate().expose()).is_none());
    }

    #[test]
    fn another_length_alphabet_or_prefix_is_refused() {
        let encoded = "A".repeat(43);
        for text in [
            String::new(),
            "vst_rt_".to_owned(),
            encoded.clone(),
            format!("vst_rt_{}", &encoded[1..]),
            format!("vst_rt_{encoded}A"),
            format!("vst_rt_{encoded}="),
            format!("VST_RT_{encoded}"),
            format!(" vst_rt_{encoded}"),
            format!("vst_rt_{encoded}\n"),
            format!("vst_rt_+{}", &encoded[1..]),
            format!("vst_rt_/{}", &encoded[1..]),
            format!("vst_rt_é{}", &encoded[2..]),
        ] {
            assert!(RefreshToken::parse(&text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_second_spelling_of_the_same_bits_is_refused() {
        assert!(RefreshToken::parse(&format!("vst_rt_{}B", "A".repeat(42))).is_none());
    }

    #[test]
    fn debug_shows_neither_token_nor_hash() {
        let token = RefreshToken::generate();
        assert_eq!(
            format!("{token:?} {:?}", token.hash()),
            "RefreshToken(..) RefreshTokenHash(..)"
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_never_alters(text in prop_oneof![any::<String>(), "vst_rt_[A-Za-z0-9_-]{41,45}"]) {
            if let Some(token) = RefreshToken::parse(&text) {
                prop_assert_eq!(token.expose(), text);
            }
        }

        #[test]
        fn what_is_made_of_a_token_is_no_token_or_another(edits in edits()) {
            let (refresh, link) = (RefreshToken::generate(), LinkToken::generate());
            let forged = edits.of(refresh.expose());
            if let Some(other) = RefreshToken::parse(&forged).filter(|_| forged != refresh.expose()) {
                prop_assert_ne!(other.hash(), refresh.hash());
            }
            let forged = edits.of(link.expose());
            if let Some(other) = LinkToken::parse(&forged).filter(|_| forged != link.expose()) {
                prop_assert_ne!(other.hash(), link.hash());
            }
            prop_assert!(LinkToken::parse(refresh.expose()).is_none() && RefreshToken::parse(link.expose()).is_none());
        }
    }
}
