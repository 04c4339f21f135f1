//! Argon2 (RFC 9106): the hashes made here, and those of other parameters that were made elsewhere.
//!
//! Stored as PHC strings, `$argon2id$v=19$m=19456,t=2,p=1$salt$tag`, whose fields are few enough to be read here: every
//! limit on what a stored text may ask for then stands in one place, before any work is done.

use std::{fmt, io};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{constant_time, rand};
use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{HashError, Password, foreign::ForeignHash, memory::Memory};

/// Longer than any hash of a supported kind.
const MAX_TEXT_LENGTH: usize = 1024;

/// Bytes of salt (RFC 9106, section 3.1, recommends 16).
const SALT_LENGTH: usize = 16;

/// Bytes of tag of the hashes made here.
const TAG_LENGTH: usize = 32;

/// The tags that are believed. A stored tag of a few bytes would be matched by chance, an empty one by anything.
const TAG_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// Padding, and bits after the last byte, are written differently by different libraries and mean nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A password's hash, as it is stored.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash from the database or an import, of whatever kind. One that is not supported verifies no password.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What a new hash costs. Its algorithm is argon2id, its parallelism 1: the threads are used up by other requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParameters {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
}

impl HashParameters {
    /// The most memory that a hash may ask for, ours as well as a stored one, in KiB. Django's argon2 takes 100 MiB, the
    /// largest of the common defaults; every hashing thread may hold this much at once.
    pub const MAX_MEMORY_KIB: u32 = 128 * 1024;

    /// The most work that a hash may ask for, ours as well as a stored one, in KiB times passes: about half a second of
    /// a core, five times as much as Django's argon2 or RFC 9106's second recommendation.
    pub const MAX_WORK: u32 = 1024 * 1024;

    pub(super) const LIMIT: &str = "at most 128 MiB, and 1 GiB over all passes";

    /// `None` when a hash of this cost would not itself be verified: under 8 KiB or one pass (RFC 9106, section 3.1),
    /// or over the caps.
    pub(super) fn to_params(self) -> Option<Params> {
        params_within_caps(self.memory_kib, self.passes, 1)
    }
}

fn params_within_caps(memory_kib: u32, passes: u32, lanes: u32) -> Option<Params> {
    let work = u64::from(memory_kib) * u64::from(passes);
    if memory_kib > HashParameters::MAX_MEMORY_KIB || work > u64::from(HashParameters::MAX_WORK) {
        return None;
    }
    Params::new(memory_kib, passes, lanes, None).ok()
}

/// A stored hash that was read and found to be within the caps. Nothing else can be verified against.
pub(super) enum StoredHash {
    Argon2(Argon2Hash),
    Foreign(ForeignHash),
}

impl StoredHash {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT_LENGTH {
            return None;
        }
        Argon2Hash::parse(text)
            .map(Self::Argon2)
            .or_else(|| ForeignHash::parse(text).map(Self::Foreign))
    }

    pub(super) fn matches(&self, password: &Password, memory: &mut Memory) -> Result<bool, HashError> {
        match self {
            Self::Argon2(hash) => hash.matches(password, memory),
            Self::Foreign(hash) => Ok(hash.matches(password.expose().as_bytes())),
        }
    }

    /// Whether this is a hash as [`Argon2Hash::of`] would make it.
    pub(super) fn is_current(&self, parameters: HashParameters) -> bool {
        match self {
            Self::Argon2(hash) => hash.is_current(parameters),
            Self::Foreign(_) => false,
        }
    }
}

/// An argon2 hash within the caps.
pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl Argon2Hash {
    /// Hashes a password under a new salt.
    pub(super) fn of(password: &Password, parameters: HashParameters, memory: &mut Memory) -> Result<Self, HashError> {
        // A decoy is all that a hash is but for the salt and the tag.
        let mut hash = Self::decoy(parameters).map_err(HashError::because)?;
        rand::fill(&mut hash.salt).map_err(HashError::because)?;
        hash.tag = hash.derive(password, memory)?;
        Ok(hash)
    }

    /// A hash of current cost that is no password's, made without hashing anything. Nor is anything random in it: nobody
    /// finds a password whose tag is all zeros, it would open nothing, and a start need not wait for randomness.
    pub(super) fn decoy(parameters: HashParameters) -> io::Result<Self> {
        let too_much = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a password hash of these parameters is outside of what is allowed",
            )
        };
        let params = parameters.to_params().ok_or_else(too_much)?;
        Ok(Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
            salt: vec![0; SALT_LENGTH],
            tag: vec![0; TAG_LENGTH],
        })
    }

    /// Reads a PHC string, and Django's, which puts `argon2` in front of one.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("argon2$").or_else(|| text.strip_prefix('$'))?;
        let (algorithm, text) = text.split_once('$')?;
        let algorithm = match algorithm {
            "argon2d" => Algorithm::Argon2d,
            "argon2i" => Algorithm::Argon2i,
            "argon2id" => Algorithm::Argon2id,
            _ => return None,
        };
        // The version was added to the format when it first changed; a text without one is of the first.
        let (version, text) = match text.strip_prefix("v=") {
            Some(text) => text.split_once('$')?,
            None => ("16", text),
        };
        let version = match version {
            "16" => Version::V0x10,
            "19" => Version::V0x13,
            _ => return None,
        };
        let [params, salt, tag] = fields(text, '$')?;
        let [memory_kib, passes, lanes] = fields(params, ',')?;
        let params = params_within_caps(
            number(memory_kib.strip_prefix("m=")?)?,
            number(passes.strip_prefix("t=")?)?,
            number(lanes.strip_prefix("p=")?)?,
        )?;
        let salt = base64(salt).filter(|salt| salt.len() >= argon2::MIN_SALT_LEN)?;
        Some(Self {
            algorithm,
            version,
            params,
            salt,
            tag: tag_from_base64(tag)?,
        })
    }

    pub(super) fn matches(&self, password: &Password, memory: &mut Memory) -> Result<bool, HashError> {
        Ok(are_equal(&self.derive(password, memory)?, &self.tag))
    }

    fn derive(&self, password: &Password, memory: &mut Memory) -> Result<Vec<u8>, HashError> {
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        let blocks = memory.take(self.params.block_count()).map_err(HashError::because)?;
        let mut tag = vec![0; self.tag.len()];
        argon2
            .hash_password_into_with_memory(password.expose().as_bytes(), &self.salt, &mut tag, blocks)
            .map_err(HashError::because)?;
        Ok(tag)
    }

    fn is_current(&self, parameters: HashParameters) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && Some(&self.params) == parameters.to_params().as_ref()
            && self.salt.len() >= SALT_LENGTH
            && self.tag.len() == TAG_LENGTH
    }
}

impl From<Argon2Hash> for PasswordHash {
    fn from(hash: Argon2Hash) -> Self {
        Self(format!(
            "${}$v={}$m={},t={},p={}${}${}",
            hash.algorithm.as_str(),
            u32::from(hash.version),
            hash.params.m_cost(),
            hash.params.t_cost(),
            hash.params.p_cost(),
            BASE64.encode(&hash.salt),
            BASE64.encode(&hash.tag),
        ))
    }
}

impl fmt::Debug for Argon2Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Argon2Hash")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

/// Exactly `N` parts.
pub(super) fn fields<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

/// A number in plain digits; `parse` alone would take a sign too.
pub(super) fn number(digits: &str) -> Option<u32> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

pub(super) fn tag_from_base64(text: &str) -> Option<Vec<u8>> {
    base64(text).filter(|tag| TAG_LENGTHS.contains(&tag.len()))
}

/// In a time that does not depend on where the two differ.
pub(super) fn are_equal(derived: &[u8], tag: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(derived, tag).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPED: &str = "correct horse";
    const UNICODE: &str = "pässwörd ☃ 𝄞";

    fn verifies(typed: &str, text: &str) -> bool {
        let hash = StoredHash::parse(text).unwrap_or_else(|| panic!("{text} is not supported"));
        let mut memory = Memory::kept_for(HashParameters {
            memory_kib: 8,
            passes: 1,
        });
        hash.matches(&Password::from(typed.to_owned()), &mut memory).unwrap()
    }

    #[test]
    fn argon2_of_every_kind_and_version_is_verified() {
        for (typed, text) in [
            (
                TYPED,
                "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rk2Mi3E4dgRMg0fHaYaptWVZRKqs//6b6k3/nntqGJk",
            ),
            (
                TYPED,
                "$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            ),
            (
                TYPED,
                "$argon2id$v=16$m=64,t=2,p=2$c29tZXNhbHQ$wjIS7Xi3/z72ugcjzSFBSE7YVJL6h8IIHMh7nWAjJAU",
            ),
            (
                TYPED,
                "$argon2i$v=19$m=64,t=2,p=2$c29tZXNhbHQ$Rirr4oV2NrL7huBGNahNlDvXgnrk8+FCOKouYO7Gebw",
            ),
            (
                TYPED,
                "$argon2i$m=64,t=2,p=2$c29tZXNhbHQ$jNQyt3cAb68pcOuwFC4hF558m6/q7ILNTI0bLITQ8C8",
            ),
            (
                TYPED,
                "$argon2d$v=19$m=64,t=2,p=2$c29tZXNhbHQ$l9W0WWfX4rNZqsMKdXb/QVb/bQfsxCa3/U79apR2Yh0",
            ),
            (
                UNICODE,
                "$argon2id$v=19$m=64,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$LYwd/ELZL52VCbUWXdUqEg",
            ),
            (
                "ab\0cd",
                "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$OplmB7jCHHQCq8cP7Ha3nrXh8nY5wPpN0Nmq5n0GIvw",
            ),
        ] {
            assert!(verifies(typed, text), "{text}");
            assert!(!verifies("another", text), "{text}");
        }
    }

    #[test]
    fn the_defaults_of_argon2_cffi_passlib_and_django_are_within_the_caps() {
        for (typed, text) in [
            (
                TYPED,
                "$argon2id$v=19$m=65536,t=3,p=4$86XVICyiz5mYGIFvSZXb2Q$YJP38LMG8UwEGUkIxG/1n2wCs85s7q7QIOGS0EMorFc",
            ),
            (
                TYPED,
                "$argon2id$v=19$m=65536,t=3,p=4$Zcw5J2TMGaO01rrXWkvJGQ$zIUYGViPSvk6yAKweMZ0S5OgNZZOkeJ4rU92HW6/mZQ",
            ),
            (
                TYPED,
                "argon2$argon2id$v=19$m=102400,t=2,p=8$T2hwZHp5WTVLdGZia2ZqdkpMeTd2Sw$A4mpXa4S9dkbr5K5b4np/u4R96VtF3i/6YxRPjESMX0",
            ),
            (
                UNICODE,
                "argon2$argon2id$v=19$m=102400,t=2,p=8$bUJxM2cyc2NHdVRsbjZxS25iN1FlUg$orAr3sIyd4Wosx4yUxLM3t5XzOO7n813k60jC0GiQFs",
            ),
        ] {
            assert!(verifies(typed, text), "{text}");
        }
    }

    #[test]
    fn what_costs_too_much_or_is_not_whole_is_not_supported() {
        for text in [
            "",
            "$",
            "correct horse",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "$argon2id$v=19$m=131080,t=1,p=1$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=131072,t=9,p=1$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=8,t=4294967295,p=1$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=64,t=1,p=0$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=64,t=1,p=9$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=+64,t=1,p=1$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=64,t=1,p=1,data=AAAA$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=64,t=1,p=1$c2hvcnQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$yo/Vkf3b",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
            "argon2$v=19$m=64,t=1,p=1$c29tZXNhbHQ$yo/Vkf3b04HMhVyO46+irv+0DPX1EnKctcaquTFv6B0",
        ] {
            assert!(StoredHash::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn parameters_are_allowed_up_to_the_caps() {
        for (memory_kib, passes, allowed) in [
            (19_456, 2, true),
            (131_072, 8, true),
            (131_072, 9, false),
            (131_073, 1, false),
            (8, 1, true),
            (7, 1, false),
            (19_456, 0, false),
        ] {
            assert_eq!(
                HashParameters { memory_kib, passes }.to_params().is_some(),
                allowed,
                "m={memory_kib},t={passes}"
            );
        }
    }

    /// A number that may be anything, but often one of those that fit.
    fn any_number() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<u64>().prop_map(|number| number.to_string()),
            (0_u32..34).prop_map(|shift| (1_u64 << shift).to_string()),
            (0_u32..100).prop_map(|number| number.to_string()),
            "[-+ 0]?[0-9]{0,5}",
        ]
    }

    fn any_stored_text() -> impl Strategy<Value = String> {
        let tag = "[A-Za-z0-9+/]{22,44}";
        let salt = "[A-Za-z0-9+/]{0,24}";
        let n = any_number;
        prop_oneof![
            (n(), n(), n(), salt, tag)
                .prop_map(|(m, t, p, salt, tag)| format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${tag}")),
            (n(), "[./A-Za-z0-9]{53}").prop_map(|(cost, body)| format!("$2b${cost:0>2}${body}")),
            (n(), salt, "[A-Za-z0-9./]{43}")
                .prop_map(|(rounds, salt, tag)| format!("$pbkdf2-sha256${rounds}${salt}${tag}")),
            (n(), salt, "[A-Za-z0-9+/]{43}=")
                .prop_map(|(rounds, salt, tag)| format!("pbkdf2_sha256${rounds}${salt}${tag}")),
            (n(), n(), n(), salt, tag)
                .prop_map(|(ln, r, p, salt, tag)| format!("$scrypt$ln={ln},r={r},p={p}${salt}${tag}")),
            (n(), n(), n(), salt, tag)
                .prop_map(|(cost, r, p, salt, tag)| format!("scrypt${cost}${salt}${r}${p}${tag}")),
            "[$a-z0-9_-]{0,20}.{0,100}",
            ".{0,100}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn no_stored_text_panics_or_asks_for_more_than_the_caps(text in any_stored_text()) {
            match StoredHash::parse(&text) {
                None => {}
                Some(StoredHash::Argon2(hash)) => {
                    let (memory, passes) = (u64::from(hash.params.m_cost()), u64::from(hash.params.t_cost()));
                    prop_assert!(memory <= 128 << 10 && memory * passes <= 1 << 20);
                }
                Some(StoredHash::Foreign(ForeignHash::Bcrypt { cost, .. })) => prop_assert!((4..=14).contains(&cost)),
                Some(StoredHash::Foreign(ForeignHash::Pbkdf2 { rounds, tag, .. })) => {
                    prop_assert!(rounds.get() <= 5_000_000 && tag.len() == 32);
                }
                Some(StoredHash::Foreign(ForeignHash::Scrypt { params, tag, .. })) => {
                    let (n, r, p) = (u128::from(params.n()), u128::from(params.r()), u128::from(params.p()));
                    prop_assert!(128 * n * r <= 128 << 20 && n * r * p <= 1 << 21 && r * p <= 1 << 10);
                    prop_assert!((16..=64).contains(&tag.len()));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_within_the_caps_is_verified_without_a_panic(
            numbers in (8_u32..200, 1_u32..3, 1_u32..5, 1_u32..6),
            salt in "[A-Za-z0-9+/]{0,24}",
            tag in "[A-Za-z0-9+/]{43,44}",
            typed in ".{0,100}",
        ) {
            let (m, t, p, ln) = numbers;
            let mut memory = Memory::kept_for(HashParameters { memory_kib: 8, passes: 1 });
            for text in [
                format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${tag}"),
                format!("$2b$04${}{}", "a".repeat(22), &tag[..31].replace('+', ".")),
                format!("$pbkdf2-sha256${m}${salt}${tag}"),
                format!("pbkdf2_sha256${m}${salt}${tag}"),
                format!("$scrypt$ln={ln},r={t},p={p}${salt}${tag}"),
                format!("scrypt${}${salt}${t}${p}${tag}", 1 << ln),
            ] {
                if let Some(hash) = StoredHash::parse(&text) {
                    prop_assert!(!hash.matches(&Password::from(typed.clone()), &mut memory).unwrap());
                }
            }
        }
    }
}
