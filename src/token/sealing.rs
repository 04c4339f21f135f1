//! Encryption of what is kept in the database: AES-256-GCM under keys derived with HKDF-SHA256 (RFC 5869).
//!
//! Sealed text is `v1.` and then nonce, ciphertext and tag in base64url. Each purpose has a key of its own, so that a
//! value copied from one column or cookie into another does not open there.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, Prk, Salt},
    hmac::{self, HMAC_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::opaque::RefreshToken;
use crate::id::SessionId;

/// Names the format; authenticated as well, so that a later format cannot be passed off as this one.
const VERSION: &str = "v1.";

/// In the place of the version, in the contexts of keys that seal nothing.
const PSEUDONYM: &[u8] = b"pseudonym ";

const SECRET_SALT: &[u8] = b"vestibule sealing key";
const SUCCESSOR_SALT: &[u8] = b"vestibule refresh token successor";

/// Why something was not sealed or opened. Says nothing of what was inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The cipher refused.
    #[error("the value could not be sealed")]
    NotSealed,
    /// Another key or purpose, an altered value, or no sealed value at all: which of these, the cipher cannot tell.
    #[error("the sealed value does not open with this key")]
    NotOpened,
}

/// Protects what is stored: signing keys and the like. Derived from `SEALING_KEY`.
pub struct SealingKey(Prk);

impl SealingKey {
    /// Derives the key from a configured secret, which must be as hard to guess as a key: it is not stretched.
    #[must_use]
    pub fn from_secret(secret: &str) -> Self {
        Self(Salt::new(HKDF_SHA256, SECRET_SALT).extract(secret.as_bytes()))
    }

    /// Seals `plain` so that it opens with this key and for the same `purpose` only.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<String, SealError> {
        seal(&self.0, purpose.as_bytes(), plain).map_err(|Unspecified| SealError::NotSealed)
    }

    /// Opens what [`Self::seal`] made for the same `purpose`.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>, SealError> {
        open(&self.0, purpose.as_bytes(), sealed).ok_or(SealError::NotOpened)
    }

    /// The key of the pseudonyms for one `purpose`.
    #[must_use]
    pub fn pseudonyms(&self, purpose: &str) -> PseudonymKey {
        // No sealed value's: those keys are for another version's context.
        let info = [PSEUDONYM, purpose.as_bytes()];
        match self.0.expand(&info, HMAC_SHA256) {
            Ok(derived) => PseudonymKey(derived.into()),
            // RFC 5869 section 2.3 has one error, for a key of more than 255 hashes. This is of one.
            Err(Unspecified) => unreachable!("HKDF derives a key of the length of its hash"),
        }
    }
}

/// Makes names for what is not to be stored itself: HMAC-SHA256 under a key of its own. Who reads the names and lacks the key
/// can try out nothing on them.
pub struct PseudonymKey(hmac::Key);

impl PseudonymKey {
    /// The name of `subject` among those of its `kind`, always the same.
    #[must_use]
    pub fn name(&self, kind: &str, subject: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        // No kind has a NUL in it, so that no two pairs run together.
        for part in [kind, "\0", subject] {
            context.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(..)")
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// Seals the successor of `presented` so that only whoever presents the same token again, in the same session, gets it.
///
/// The key comes from the presented token, of which the server keeps a hash only: the database together with every
/// configured key still does not open this.
pub fn seal_successor(
    presented: &RefreshToken,
    session: SessionId,
    successor: &RefreshToken,
) -> Result<String, SealError> {
    seal(
        &successor_key(presented),
        session.uuid().as_bytes(),
        successor.expose().as_bytes(),
    )
    .map_err(|Unspecified| SealError::NotSealed)
}

/// Opens what [`seal_successor`] made for the same token and session; `None` for anything else.
#[must_use]
pub fn open_successor(presented: &RefreshToken, session: SessionId, sealed: &str) -> Option<RefreshToken> {
    let plain = Zeroizing::new(open(&successor_key(presented), session.uuid().as_bytes(), sealed)?);
    RefreshToken::parse(std::str::from_utf8(&plain).ok()?)
}

fn successor_key(presented: &RefreshToken) -> Prk {
    Salt::new(HKDF_SHA256, SUCCESSOR_SALT).extract(presented.expose().as_bytes())
}

/// A key for one context: `info` in RFC 5869's words. A single, last field, so that no two contexts can run together.
fn cipher(key: &Prk, context: &[u8]) -> Result<RandomizedNonceKey, Unspecified> {
    let mut derived = Zeroizing::new([0; 32]);
    key.expand(&[VERSION.as_bytes(), context], &AES_256_GCM)?
        .fill(derived.as_mut())?;
    RandomizedNonceKey::new(&AES_256_GCM, derived.as_slice())
}

fn seal(key: &Prk, context: &[u8], plain: &[u8]) -> Result<String, Unspecified> {
    // Room for the tag from the start: growing would leave a copy of the plain text behind in memory.
    let mut text = Vec::with_capacity(plain.len() + MAX_TAG_LEN);
    text.extend_from_slice(plain);
    let nonce = cipher(key, context)?.seal_in_place_append_tag(Aad::from(VERSION), &mut text)?;
    Ok(format!(
        "{VERSION}{}",
        URL_SAFE_NO_PAD.encode([nonce.as_ref(), text.as_slice()].concat())
    ))
}

fn open(key: &Prk, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
    let framed = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?;
    let (nonce, text) = framed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = text.to_vec();
    let plain_len = cipher(key, context)
        .ok()?
        .open_in_place(nonce, Aad::from(VERSION), &mut text)
        .ok()?
        .len();
    text.truncate(plain_len);
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Timestamp;
    use crate::token::edits::edits;

    const SECRET: &str = "correct horse battery staple, and some more of it";

    fn session() -> SessionId {
        SessionId::new(Timestamp::from_unix_seconds(1_700_000_000))
    }

    /// Every text that differs from `sealed` in one bit of one character, and every beginning of it.
    fn corruptions(sealed: &str) -> impl Iterator<Item = String> {
        let flipped = (0..sealed.len()).flat_map(move |position| {
            (0..7).map(move |bit| {
                let mut bytes = sealed.as_bytes().to_vec();
                bytes[position] ^= 1 << bit;
                String::from_utf8(bytes).unwrap()
            })
        });
        flipped.chain((0..sealed.len()).map(move |length| sealed[..length].to_owned()))
    }

    #[test]
    fn what_was_sealed_opens() {
        let sealed = SealingKey::from_secret(SECRET).seal("signing key", b"private").unwrap();
        assert_eq!(
            SealingKey::from_secret(SECRET).open("signing key", &sealed).unwrap(),
            b"private"
        );
    }

    #[test]
    fn sealing_twice_gives_two_texts() {
        let key = SealingKey::from_secret(SECRET);
        assert_ne!(key.seal("a", b"private").unwrap(), key.seal("a", b"private").unwrap());
    }

    #[test]
    fn another_key_does_not_open_it() {
        let sealed = SealingKey::from_secret(SECRET).seal("signing key", b"private").unwrap();
        let other = SealingKey::from_secret("another secret, and just as long as the first one");
        assert_eq!(other.open("signing key", &sealed), Err(SealError::NotOpened));
    }

    #[test]
    fn another_purpose_does_not_open_it() {
        let key = SealingKey::from_secret(SECRET);
        let sealed = key.seal("signing key", b"private").unwrap();
        for purpose in ["", "signing", "signing key ", "flash"] {
            assert_eq!(key.open(purpose, &sealed), Err(SealError::NotOpened));
        }
    }

    #[test]
    fn an_altered_or_shortened_text_does_not_open() {
        let key = SealingKey::from_secret(SECRET);
        for corrupted in corruptions(&key.seal("signing key", b"private").unwrap()) {
            assert_eq!(
                key.open("signing key", &corrupted),
                Err(SealError::NotOpened),
                "{corrupted}"
            );
        }
    }

    #[test]
    fn a_successor_opens_for_the_token_that_was_presented() {
        let (presented, successor, session) = (RefreshToken::generate(), RefreshToken::generate(), session());
        let sealed = seal_successor(&presented, session, &successor).unwrap();
        assert_eq!(
            open_successor(&presented, session, &sealed).unwrap().expose(),
            successor.expose()
        );
    }

    #[test]
    fn a_successor_does_not_open_for_another_token_nor_for_itself() {
        let (presented, successor, session) = (RefreshToken::generate(), RefreshToken::generate(), session());
        let sealed = seal_successor(&presented, session, &successor).unwrap();
        assert!(open_successor(&RefreshToken::generate(), session, &sealed).is_none());
        assert!(open_successor(&successor, session, &sealed).is_none());
    }

    #[test]
    fn a_successor_does_not_open_in_another_session() {
        let (presented, successor) = (RefreshToken::generate(), RefreshToken::generate());
        let sealed = seal_successor(&presented, session(), &successor).unwrap();
        assert!(open_successor(&presented, session(), &sealed).is_none());
    }

    #[test]
    fn the_stored_hash_and_the_sealing_key_do_not_open_a_successor() {
        let (presented, session) = (RefreshToken::generate(), session());
        let sealed = seal_successor(&presented, session, &RefreshToken::generate()).unwrap();
        let hash = presented.hash();
        for known in [hash.as_str(), SECRET] {
            let key = Salt::new(HKDF_SHA256, SUCCESSOR_SALT).extract(known.as_bytes());
            assert!(open(&key, session.uuid().as_bytes(), &sealed).is_none());
        }
    }

    #[test]
    fn an_altered_successor_does_not_open() {
        let (presented, session) = (RefreshToken::generate(), session());
        let sealed = seal_successor(&presented, session, &RefreshToken::generate()).unwrap();
        for corrupted in corruptions(&sealed) {
            assert!(open_successor(&presented, session, &corrupted).is_none(), "{corrupted}");
        }
    }

    #[test]
    fn a_pseudonym_is_the_same_for_the_same_and_for_nothing_else() {
        let names = |secret: &str, purpose: &str| SealingKey::from_secret(secret).pseudonyms(purpose);
        let name = names(SECRET, "limits").name("log_in", "ann");
        assert_eq!(name, names(SECRET, "limits").name("log_in", "ann"));
        assert_eq!(name.len(), 43);
        for other in [
            names("another secret, and just as long as the first one", "limits").name("log_in", "ann"),
            names(SECRET, "other").name("log_in", "ann"),
            names(SECRET, "limits").name("log_out", "ann"),
            names(SECRET, "limits").name("log_in", "anne"),
            names(SECRET, "limits").name("log_i", "n\0ann"),
        ] {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let key = SealingKey::from_secret(SECRET);
        let shown = format!("{key:?} {:?}", key.pseudonyms("limits"));
        assert_eq!(shown, "SealingKey(..) PseudonymKey(..)");
    }

    proptest! {
        #[test]
        fn anything_sealed_opens_again(purpose: String, plain: Vec<u8>) {
            let key = SealingKey::from_secret(SECRET);
            let sealed = key.seal(&purpose, &plain).unwrap();
            prop_assert_eq!(key.open(&purpose, &sealed), Ok(plain));
        }

        #[test]
        fn opening_arbitrary_text_never_panics(text in prop_oneof![any::<String>(), r"v1\.[A-Za-z0-9_-]{0,80}"]) {
            prop_assert_eq!(SealingKey::from_secret(SECRET).open("any", &text), Err(SealError::NotOpened));
        }

        #[test]
        fn nothing_that_is_made_of_a_sealed_text_opens(plain: Vec<u8>, edits in edits()) {
            let key = SealingKey::from_secret(SECRET);
            let sealed = key.seal("cookie", &plain).unwrap();
            let forged = edits.of(&sealed);
            prop_assume!(forged != sealed);
            prop_assert_eq!(key.open("cookie", &forged), Err(SealError::NotOpened));
        }

        #[test]
        fn nothing_that_is_made_of_a_sealed_successor_opens(edits in edits()) {
            let (presented, successor, session) = (RefreshToken::generate(), RefreshToken::generate(), session());
            let sealed = seal_successor(&presented, session, &successor).unwrap();
            let forged = edits.of(&sealed);
            prop_assume!(forged != sealed);
            prop_assert!(open_successor(&presented, session, &forged).is_none());
        }
    }
}
