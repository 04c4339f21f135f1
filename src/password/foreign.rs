//! Hashes of other kinds, as applications in Python stored them, so that their users keep their passwords.
//!
//! They are read as the libraries that made them (passlib, `bcrypt`, Django) would verify them. Each kind has a cap on
//! its cost of about a second of a core: an import is trusted to say who the users are, not to hold up the server.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use base64::{
    Engine as _,
    alphabet::BCRYPT,
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::NO_PAD},
};
use zeroize::Zeroizing;

use super::hash::{are_equal, base64, fields, number, tag_from_base64};

/// bcrypt doubles with each: 12 is everybody's default, 14 takes about a second.
const MAX_BCRYPT_COST: u32 = 14;
pub(super) const BCRYPT_LIMIT: &str = "a cost of at most 14";

/// Django's default has grown by a fifth a year to more than a million; that is a tenth of a second.
const MAX_PBKDF2_ROUNDS: u32 = 5_000_000;
pub(super) const PBKDF2_LIMIT: &str = "at most 5,000,000 rounds";

/// `N·r`, which is memory in units of 128 bytes: 128 MiB, the largest that OWASP recommends (N=2^17, r=8).
const MAX_SCRYPT_MEMORY: u64 = 1 << 20;

/// `N·r·p`, which is work: twice what any of OWASP's recommendations, Django's or passlib's default takes.
const MAX_SCRYPT_WORK: u64 = 1 << 21;

/// `r·p`: beside the large block of memory, scrypt fills one of this many times 128 bytes by PBKDF2.
const MAX_SCRYPT_LANES: u64 = 1 << 10;

pub(super) const SCRYPT_LIMIT: &str = "N·r of at most 1,048,576, N·r·p of at most 2,097,152";

/// bcrypt reads this many bytes of a password and no more.
const BCRYPT_KEY_LENGTH: usize = 72;

/// Two bits of the salt's last character and of the tag's mean nothing, and early versions of passlib set them.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, TRAILING_BITS);
const TRAILING_BITS: GeneralPurposeConfig = NO_PAD.with_decode_allow_trailing_bits(true);

/// A hash of another kind, within the caps.
pub(super) enum ForeignHash {
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        tag: [u8; 23],
    },
    Pbkdf2 {
        rounds: NonZeroU32,
        salt: Vec<u8>,
        tag: Vec<u8>,
    },
    Scrypt {
        params: scrypt::Params,
        salt: Vec<u8>,
        tag: Vec<u8>,
    },
}

impl ForeignHash {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.strip_prefix('$').unwrap_or(text).split_once('$')?;
        match (text.starts_with('$'), kind) {
            // Not `2x`: the bug that it marks made different passwords equal.
            (true, "2a" | "2b" | "2y") => bcrypt_hash(rest),
            (true, "pbkdf2-sha256") => pbkdf2_of_passlib(rest),
            (true, "scrypt") => scrypt_of_passlib(rest),
            (false, "pbkdf2_sha256") => pbkdf2_of_django(rest),
            (false, "scrypt") => scrypt_of_django(rest),
            _ => None,
        }
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt { cost, salt, tag } => bcrypt_matches(*cost, *salt, tag, password),
            Self::Pbkdf2 { rounds, salt, tag } => {
                pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *rounds, salt, password, tag).is_ok()
            }
            Self::Scrypt { params, salt, tag } => {
                let mut derived = vec![0; tag.len()];
                scrypt::scrypt(password, salt, params, &mut derived).is_ok() && are_equal(&derived, tag)
            }
        }
    }
}

/// `12$` and 53 characters: 22 of salt, 31 of tag.
fn bcrypt_hash(text: &str) -> Option<ForeignHash> {
    let [cost, body] = fields(text, '$')?;
    let cost = number(cost).filter(|number| cost.len() == 2 && (4..=MAX_BCRYPT_COST).contains(number))?;
    let (salt, tag) = body.split_at_checked(22)?;
    Some(ForeignHash::Bcrypt {
        cost,
        salt: BCRYPT_BASE64.decode(salt).ok()?.try_into().ok()?,
        tag: BCRYPT_BASE64.decode(tag).ok()?.try_into().ok()?,
    })
}

/// The key is the password and a terminating NUL, repeated to 72 bytes and cut there. A NUL inside would therefore be
/// indistinguishable from the end: `ab` and `ab\0ab` have the same hash. passlib refuses to verify such a password, and
/// so does this, after the same work.
fn bcrypt_matches(cost: u32, salt: [u8; 16], tag: &[u8], password: &[u8]) -> bool {
    let mut key = Zeroizing::new([0; BCRYPT_KEY_LENGTH]);
    let length = password.len().min(BCRYPT_KEY_LENGTH);
    key[..length].copy_from_slice(&password[..length]);
    let derived = bcrypt::bcrypt(cost, salt, &key[..(length + 1).min(BCRYPT_KEY_LENGTH)]);
    are_equal(&derived[..tag.len()], tag) && !password.contains(&0)
}

/// `29000$salt$tag`, in a base64 that has `.` for `+`.
fn pbkdf2_of_passlib(text: &str) -> Option<ForeignHash> {
    let text = text.replace('.', "+");
    let [rounds, salt, tag] = fields(&text, '$')?;
    pbkdf2_hash(rounds, base64(salt)?, tag)
}

/// `1000000$salt$tag`; the salt is used as the text it is.
fn pbkdf2_of_django(text: &str) -> Option<ForeignHash> {
    let [rounds, salt, tag] = fields(text, '$')?;
    pbkdf2_hash(rounds, salt.into(), tag)
}

fn pbkdf2_hash(rounds: &str, salt: Vec<u8>, tag: &str) -> Option<ForeignHash> {
    let rounds = number(rounds).filter(|rounds| *rounds <= MAX_PBKDF2_ROUNDS)?;
    // A longer tag than the digest's would take all the rounds over again for its second part; neither library makes one.
    let tag = tag_from_base64(tag).filter(|tag| tag.len() == 32)?;
    Some(ForeignHash::Pbkdf2 {
        rounds: NonZeroU32::new(rounds)?,
        salt,
        tag,
    })
}

/// `ln=16,r=8,p=1$salt$tag`
fn scrypt_of_passlib(text: &str) -> Option<ForeignHash> {
    let [params, salt, tag] = fields(text, '$')?;
    let [log_n, r, p] = fields(params, ',')?;
    let log_n = number(log_n.strip_prefix("ln=")?)?;
    let params = scrypt_params(log_n, number(r.strip_prefix("r=")?)?, number(p.strip_prefix("p=")?)?)?;
    Some(ForeignHash::Scrypt {
        params,
        salt: base64(salt)?,
        tag: tag_from_base64(tag)?,
    })
}

/// `16384$salt$8$5$tag`: N, salt, r, p, tag.
fn scrypt_of_django(text: &str) -> Option<ForeignHash> {
    let [n, salt, r, p, tag] = fields(text, '$')?;
    let n = number(n).filter(|n| n.is_power_of_two())?;
    let params = scrypt_params(n.ilog2(), number(r)?, number(p)?)?;
    Some(ForeignHash::Scrypt {
        params,
        salt: salt.into(),
        tag: tag_from_base64(tag)?,
    })
}

fn scrypt_params(log_n: u32, r: u32, p: u32) -> Option<scrypt::Params> {
    let n = 1_u64
        .checked_shl(log_n)
        .filter(|n| (2..=MAX_SCRYPT_MEMORY).contains(n))?;
    // No product overflows: the second is of two 32-bit numbers, and the others have been cut to 2^20 and 2^10 before.
    let (r_times_p, r) = (u64::from(r) * u64::from(p), u64::from(r));
    if r_times_p > MAX_SCRYPT_LANES || n * r > MAX_SCRYPT_MEMORY || n * r_times_p > MAX_SCRYPT_WORK {
        return None;
    }
    scrypt::Params::new(u8::try_from(log_n).ok()?, u32::try_from(r).ok()?, p).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPED: &str = "correct horse";
    const UNICODE: &str = "pässwörd ☃ 𝄞";

    fn verifies(typed: &str, text: &str) -> bool {
        let hash = ForeignHash::parse(text).unwrap_or_else(|| panic!("{text} is not supported"));
        hash.matches(typed.as_bytes())
    }

    #[track_caller]
    fn assert_verified(known: &[(&str, &str)]) {
        for (typed, text) in known {
            assert!(verifies(typed, text), "{text}");
            assert!(!verifies("another", text), "{text}");
        }
    }

    #[test]
    fn bcrypt_is_verified() {
        assert_verified(&[
            (TYPED, "$2a$04$aQGxeR.KHxJCo4Yf/uh32eFtE6fr.QoUsdvyTN/jECWJRdEAZUi7O"),
            (TYPED, "$2b$04$Wyumg5U2NDU0RanyzyiybOZrrytQToMWbhkCw3PU0wqbn4gzNkTxK"),
            (TYPED, "$2y$04$qyUsjTCiUgNjVbkghwMSHeCvKEA5SwHzLkWci3NGNeqOvdGKUwE0K"),
            (TYPED, "$2b$04$9x9FkcPchY717bAVDeHUP.n.ZdiI7Jo2JYZlNit.nxa9gHtc9pPLy"),
            (TYPED, "$2y$04$ManrbMkyf5US72GBwTrS.O.BqyxDCOdvcE4Yfxxt4.StjypcAFSb."),
            (UNICODE, "$2b$04$cqB/mEaPWfKPm03EU31z4e7yc.PMI1z8d37DKGaY0HpkBx1t300bm"),
        ]);
    }

    #[test]
    fn bcrypt_reads_72_bytes_even_if_they_end_within_a_character() {
        let hash = "$2b$04$qwUx0fQmMI2B3YGQwRw3ju8C1Nxp0l20b9/n2FrGgc/y0yupJBBG2";
        assert!(verifies(&("x".repeat(72) + "tail"), hash));
        assert!(verifies(&"x".repeat(72), hash));
        assert!(!verifies(&"x".repeat(71), hash));

        let hash = "$2b$04$4V7XLIttxiFDiZ/suOfskeuw3LncqA8myqSJkaeDPz8ofLSb9CXmy";
        assert!(verifies(&("x".repeat(71) + "é"), hash));
        assert!(
            verifies(&("x".repeat(71) + "è"), hash),
            "they differ in their second byte, the 73rd"
        );
        assert!(!verifies(&("x".repeat(71) + "e"), hash));

        let hash = "$2b$04$OkSL.5uACfvY3/89iNj15eluYASxh4NgeAaf5SrTKiRmaNlTtICRG";
        assert!(verifies(&"x".repeat(71), hash));
        assert!(!verifies(&"x".repeat(72), hash));
    }

    #[test]
    fn bcrypt_verifies_no_password_with_a_nul() {
        let of_ab_nul_cd = "$2b$04$ZnHIWKIkXs8rxxGIhHcajOsowL6ua3Ey8R1jLKPCi/ccEqpJ6AAD.";
        assert!(!verifies("ab\0cd", of_ab_nul_cd));
        assert!(!verifies("ab", of_ab_nul_cd));

        let hash = "$2b$04$Wyumg5U2NDU0RanyzyiybOZrrytQToMWbhkCw3PU0wqbn4gzNkTxK";
        assert!(
            !verifies("correct horse\0correct horse", hash),
            "the same key, repeated to 72 bytes"
        );
        assert!(!verifies("correct horse\0", hash));
    }

    #[test]
    fn pbkdf2_of_passlib_is_verified() {
        assert_verified(&[
            (
                TYPED,
                "$pbkdf2-sha256$1000$iJESYmztfa81Zqz1XisFYA$955zUL29o1/g/Q5oBBBPoqRrWdGfpvPq9mncxicJHUI",
            ),
            (
                TYPED,
                "$pbkdf2-sha256$1000$slYKgRBCiPE.h/A.JwSgVA$y2x.itvgDSPRjYNnl4m/tQmUIe9eLcYk3Q/uM1AQgpg",
            ),
            (
                UNICODE,
                "$pbkdf2-sha256$1000$.t.7VyolBGBMiTEmpLQ2Bg$zIsQm5oRI1zRS0vs6f6nKNL8ExxQPfPpCluE2maspVo",
            ),
            (
                "ab\0cd",
                "$pbkdf2-sha256$1000$bi0lhFDqvVeqNQZACKF0Dg$FGcC4vwK3KJ7gP15AxTxMT9rV9lZnEcC.bcCgwL0.L0",
            ),
        ]);
    }

    #[test]
    fn pbkdf2_of_django_is_verified_at_its_default_too() {
        assert_verified(&[
            (
                TYPED,
                "pbkdf2_sha256$1000$seasalt2$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=",
            ),
            (
                UNICODE,
                "pbkdf2_sha256$1000$saltü$9Bp2wPNy2fpd1F1xcy+/njsdQ74OT29ce5PMkSNtx/0=",
            ),
            (
                "ab\0cd",
                "pbkdf2_sha256$1000$seasalt2$kLyGjD0azDcO4l7P/taD6F7xmVp8vkIGNDC8WUcEmCk=",
            ),
            (
                TYPED,
                "pbkdf2_sha256$1000000$pgo3yHt3NPgWEyFy5oqAjU$WxfrReR44UQwyC5AY6ItVWQF5WHbqdNZ3CYj1rnt8Jk=",
            ),
        ]);
    }

    #[test]
    fn scrypt_of_passlib_is_verified() {
        assert_verified(&[
            (
                TYPED,
                "$scrypt$ln=4,r=8,p=1$jdF6z/lfizFmzPmfkxIi5A$mSILSpoxMI25l8KsGq6XLGPIXxYM+Nf8L9C+04riO/U",
            ),
            (
                UNICODE,
                "$scrypt$ln=4,r=2,p=3$qRWi1BqDsJaydu59T+kdgw$oLWr0oCPwTG5uQXbPxbShveYBPNkj798/BcLVeLoELw",
            ),
        ]);
    }

    #[test]
    fn scrypt_of_django_is_verified_at_its_default_too() {
        assert_verified(&[
            (
                TYPED,
                "scrypt$16$seasalt2$8$5$s8l/PuQl6j4mDUkcob+VV+ea64cSjv1dk5ijFm/ovmr2+4Siiptt5tBS4I8bC4VrY8oe/cDN2VApv1Bz3blVeA==",
            ),
            (
                UNICODE,
                "scrypt$16$seasalt2$8$5$uP09NxR/3Cja2X10m1ZDUKj/htZYmhwPJ6F6K78glInZKL8xqgYtaCt61DMSZ3RE1Q5mivIqWwvIJvZrDMefSQ==",
            ),
            (
                TYPED,
                "scrypt$16384$YAAFijO89MeB5y24o6Q06R$8$5$S/RLeCHqe47TsEgk3DuCUIhO9ABNOBjyb/2EdjBX+QLUQd+3eSmIxGl4IanZ09jyC+EYh3uUuUbY/EnV6ajvSA==",
            ),
        ]);
    }

    #[test]
    fn passlibs_default_and_owasps_recommendations_of_scrypt_are_within_the_caps() {
        for (log_n, r, p) in [(16, 8, 1), (17, 8, 1), (16, 8, 2), (15, 8, 3), (14, 8, 5), (13, 8, 10)] {
            assert!(scrypt_params(log_n, r, p).is_some(), "ln={log_n},r={r},p={p}");
        }
    }

    #[test]
    fn what_costs_too_much_or_is_not_whole_is_not_supported() {
        for text in [
            "$2b$15$Wyumg5U2NDU0RanyzyiybOZrrytQToMWbhkCw3PU0wqbn4gzNkTxK",
            "$2b$03$Wyumg5U2NDU0RanyzyiybOZrrytQToMWbhkCw3PU0wqbn4gzNkTxK",
            "$2b$+4$Wyumg5U2NDU0RanyzyiybOZrrytQToMWbhkCw3PU0wqbn4gzNkTxK",
            "$2x$04$Wyumg5U2NDU0RanyzyiybOZrrytQToMWbhkCw3PU0wqbn4gzNkTxK",
            "$2b$04$Wyumg5U2NDU0RanyzyiybOZrrytQToMWbhkCw3PU0wqbn4gzNkTx",
            "$2b$04$Wyumg5U2NDU0RanyzyiybéZrrytQToMWbhkCw3PU0wqbn4gzNkTx",
            "2b$04$Wyumg5U2NDU0RanyzyiybOZrrytQToMWbhkCw3PU0wqbn4gzNkTxK",
            "$pbkdf2-sha256$5000001$iJESYmztfa81Zqz1XisFYA$955zUL29o1/g/Q5oBBBPoqRrWdGfpvPq9mncxicJHUI",
            "$pbkdf2-sha256$0$iJESYmztfa81Zqz1XisFYA$955zUL29o1/g/Q5oBBBPoqRrWdGfpvPq9mncxicJHUI",
            "$pbkdf2-sha256$1000$iJESYmztfa81Zqz1XisFYA$",
            "$pbkdf2-sha512$1000$iJESYmztfa81Zqz1XisFYA$955zUL29o1/g/Q5oBBBPoqRrWdGfpvPq9mncxicJHUI",
            "pbkdf2_sha256$5000001$seasalt2$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=",
            "$scrypt$ln=18,r=8,p=1$jdF6z/lfizFmzPmfkxIi5A$mSILSpoxMI25l8KsGq6XLGPIXxYM+Nf8L9C+04riO/U",
            "$scrypt$ln=16,r=8,p=5$jdF6z/lfizFmzPmfkxIi5A$mSILSpoxMI25l8KsGq6XLGPIXxYM+Nf8L9C+04riO/U",
            "$scrypt$ln=1,r=4294967295,p=4294967295$jdF6z/lfizFmzPmfkxIi5A$mSILSpoxMI25l8KsGq6XLGPIXxYM+Nf8L9C+04riO/U",
            "$scrypt$ln=64,r=8,p=1$jdF6z/lfizFmzPmfkxIi5A$mSILSpoxMI25l8KsGq6XLGPIXxYM+Nf8L9C+04riO/U",
            "$scrypt$ln=0,r=8,p=1$jdF6z/lfizFmzPmfkxIi5A$mSILSpoxMI25l8KsGq6XLGPIXxYM+Nf8L9C+04riO/U",
            "$scrypt$ln=4,r=0,p=1$jdF6z/lfizFmzPmfkxIi5A$mSILSpoxMI25l8KsGq6XLGPIXxYM+Nf8L9C+04riO/U",
            "$scrypt$ln=4,r=8,p=1$jdF6z/lfizFmzPmfkxIi5A$",
            "scrypt$17$seasalt2$8$5$s8l/PuQl6j4mDUkcob+VV+ea64cSjv1dk5ijFm/ovmr2+4Siiptt5tBS4I8bC4VrY8oe/cDN2VApv1Bz3blVeA==",
            "scrypt$16$seasalt2$8$5$",
        ] {
            assert!(ForeignHash::parse(text).is_none(), "{text}");
        }
    }
}
