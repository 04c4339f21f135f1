//! The keys that sign access tokens, their rotation, and their public halves.

use std::fmt;

use aws_lc_rs::{
    digest, hmac,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, crypto};
use serde::Serialize;
use zeroize::Zeroizing;

use super::access::TokenError;
use crate::clock::Timestamp;

/// How access tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// HMAC with SHA-256, keyed by a secret shared with every verifier (RFC 7518 section 3.2).
    Hs256,
}

impl Algorithm {
    /// All of them, the default first.
    pub(crate) const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Hs256];

    /// The name registered for JOSE: `EdDSA`, `ES256` or `HS256`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of a registered name, which is case-sensitive; `None` for every other, `none` among them.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    const fn to_jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// HS256 is keyed by a configured secret; nothing is generated for it.
    #[error("HS256 has no key pair to generate")]
    NoKeyPair,
    /// The cryptographic library failed to generate a key pair.
    #[error("a signing key could not be generated")]
    NotGenerated,
    /// What was loaded is no private key of its algorithm.
    #[error("signing key {kid} is not a valid {algorithm} key")]
    Rejected {
        /// The key's public name.
        kid: String,
        /// What it was said to be a key for.
        algorithm: Algorithm,
    },
}

/// A new key pair, to be sealed and stored.
pub struct GeneratedKey {
    /// Its name in token headers: the RFC 7638 thumbprint of the public half, so that two keys never share one.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The private key as PKCS#8 DER.
    pub private: Zeroizing<Vec<u8>>,
}

impl GeneratedKey {
    /// Generates a key pair for `EdDSA` or `ES256`.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let document = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()),
            Algorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).and_then(|pair| pair.to_pkcs8v1())
            }
            Algorithm::Hs256 => return Err(KeyError::NoKeyPair),
        };
        let document = document.map_err(|_| KeyError::NotGenerated)?;
        let private = Zeroizing::new(document.as_ref().to_vec());
        let public = PublicHalf::of(algorithm, &private).ok_or(KeyError::NotGenerated)?;
        Ok(Self {
            kid: public.thumbprint(),
            algorithm,
            private,
        })
    }
}

impl fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A stored key pair, unsealed.
pub struct KeyMaterial {
    /// Its name in token headers.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The private key as PKCS#8 DER; the public half is derived from it, so that the two always match.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// When it takes over signing. Until then it is only published.
    pub signs_from: Timestamp,
    /// When its last token has expired, once another has taken over.
    pub verifies_until: Option<Timestamp>,
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMaterial")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("signs_from", &self.signs_from)
            .field("verifies_until", &self.verifies_until)
            .finish_non_exhaustive()
    }
}

/// The public keys as a JWK set (RFC 7517 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// In the order in which they sign.
    pub keys: Vec<Jwk>,
}

/// A public key as a JWK: `OKP` (RFC 8037) or `EC` (RFC 7518 section 6.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// The key type, `OKP` or `EC`.
    pub kty: &'static str,
    /// The curve, `Ed25519` or `P-256`.
    pub crv: &'static str,
    /// The public key, or its x coordinate, in base64url.
    pub x: String,
    /// The y coordinate in base64url; `EC` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The name that token headers use.
    pub kid: String,
    /// The one algorithm that the key is for (RFC 8725 section 3.1).
    pub alg: &'static str,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
}

/// The public half of a key pair, as bytes and as the coordinates of a JWK.
struct PublicHalf {
    algorithm: Algorithm,
    bytes: Vec<u8>,
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: Option<String>,
}

impl PublicHalf {
    /// `None` when `pkcs8` is no private key of that algorithm.
    fn of(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::EdDsa => {
                let bytes = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?.public_key().as_ref().to_vec();
                let x = URL_SAFE_NO_PAD.encode(&bytes);
                Some(Self {
                    algorithm,
                    bytes,
                    kty: "OKP",
                    crv: "Ed25519",
                    x,
                    y: None,
                })
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
                let bytes = pair.public_key().as_ref().to_vec();
                // SEC 1's uncompressed point: 4, then both coordinates at full width, as RFC 7518 section 6.2.1.2
                // wants them.
                let (x, y) = bytes.strip_prefix(&[4])?.split_at_checked(32)?;
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                Some(Self {
                    algorithm,
                    bytes,
                    kty: "EC",
                    crv: "P-256",
                    x,
                    y: Some(y),
                })
            }
            Algorithm::Hs256 => None,
        }
    }

    /// RFC 7638: SHA-256 of the required members in lexicographic order, without white space.
    fn thumbprint(&self) -> String {
        let Self { kty, crv, x, .. } = self;
        let y = self.y.as_ref().map(|y| format!(r#","y":"{y}""#)).unwrap_or_default();
        let members = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"{y}}}"#);
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
    }

    fn into_jwk(self, kid: String) -> Jwk {
        let Self {
            algorithm,
            kty,
            crv,
            x,
            y,
            ..
        } = self;
        Jwk {
            kty,
            crv,
            x,
            y,
            kid,
            alg: algorithm.as_str(),
            usage: "sig",
        }
    }
}

/// One key of a [`KeyRing`], ready to sign and to verify.
#[derive(Debug)]
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    encoding: EncodingKey,
    decoding: DecodingKey,
    /// None for a shared secret, which has no public half.
    public_jwk: Option<Jwk>,
    signs_from: Timestamp,
    verifies_until: Option<Timestamp>,
}

impl SigningKey {
    fn from_pair(material: KeyMaterial) -> Result<Self, KeyError> {
        let KeyMaterial {
            kid,
            algorithm,
            pkcs8,
            signs_from,
            verifies_until,
        } = material;
        let Some(public) = PublicHalf::of(algorithm, &pkcs8) else {
            return Err(KeyError::Rejected { kid, algorithm });
        };
        let (encoding, decoding) = if algorithm == Algorithm::EdDsa {
            (
                EncodingKey::from_ed_der(&pkcs8),
                DecodingKey::from_ed_der(&public.bytes),
            )
        } else {
            (
                EncodingKey::from_ec_der(&pkcs8),
                DecodingKey::from_ec_der(&public.bytes),
            )
        };
        let public_jwk = Some(public.into_jwk(kid.clone()));
        Ok(Self {
            kid,
            algorithm,
            encoding,
            decoding,
            public_jwk,
            signs_from,
            verifies_until,
        })
    }

    fn from_secret(secret: &str) -> Self {
        // The blank keeps this from ever being the text of a JWS, which has none: the name gives no signature away.
        let name = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), b"vestibule kid");
        Self {
            kid: URL_SAFE_NO_PAD.encode(name.as_ref().split_at(12).0),
            algorithm: Algorithm::Hs256,
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
            public_jwk: None,
            signs_from: Timestamp::from_unix_seconds(i64::MIN),
            verifies_until: None,
        }
    }

    /// Its name in token headers.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The only algorithm that it signs and verifies with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether its tokens still count at `now`.
    pub(super) fn verifies_at(&self, now: Timestamp) -> bool {
        self.verifies_until.is_none_or(|end| now < end)
    }

    /// A JWT of that `typ`, in the compact serialization.
    pub(super) fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, TokenError> {
        let mut header = Header::new(self.algorithm.to_jsonwebtoken());
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(TokenError::Signing)
    }

    /// Checks the signature, in base64url, of a JWS over `message`, which is its header and payload as they came.
    pub(super) fn verify(&self, message: &str, signature: &str) -> Result<(), TokenError> {
        match crypto::verify(
            signature,
            message.as_bytes(),
            &self.decoding,
            self.algorithm.to_jsonwebtoken(),
        ) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TokenError::Invalid),
            // Base64 is all that can be wrong before the signature itself is checked.
            Err(_) => Err(TokenError::Malformed),
        }
    }
}

/// The keys of one moment, immutable: a rotation makes a new ring.
///
/// With key pairs, a key lives three lives. First it is only published, so that whoever caches the JWKS knows it
/// before the first token arrives. At its `signs_from` it takes over, being the newest that has begun. The key
/// before it is kept until its `verifies_until`, which has to be no earlier than the successor's `signs_from` plus an
/// access token's life; then it is gone from verification and from the JWKS alike. Which keys there are and when
/// they begin and end is decided by whoever makes the ring; every process that holds the same keys and the same time
/// signs with the same one.
///
/// With a shared secret there is one key, and nothing to publish.
#[derive(Debug)]
pub struct KeyRing {
    /// Oldest first.
    keys: Vec<SigningKey>,
}

impl KeyRing {
    /// The ring of these key pairs, in any order. An HS256 key is refused: it would be a secret to publish.
    pub fn asymmetric(keys: Vec<KeyMaterial>) -> Result<Self, KeyError> {
        let mut keys = keys
            .into_iter()
            .map(SigningKey::from_pair)
            .collect::<Result<Vec<_>, _>>()?;
        // By name too, so that processes agree on the order of two keys that begin in the same second.
        keys.sort_by(|a, b| (a.signs_from, &a.kid).cmp(&(b.signs_from, &b.kid)));
        Ok(Self { keys })
    }

    /// The ring of an HS256 secret, taken as its UTF-8 bytes like every other JWT library does.
    ///
    /// Its `kid` is derived from the secret by HMAC: a changed secret is a new key, without telling the secret.
    #[must_use]
    pub fn shared_secret(secret: &str) -> Self {
        Self {
            keys: vec![SigningKey::from_secret(secret)],
        }
    }

    /// The key to sign with at `now`: the newest whose `signs_from` has come.
    ///
    /// When none has, because the clock was set back behind all of them, it is the oldest: sooner published than the
    /// others, and better than signing nobody in. That is one that is to end, where there is one: it has a successor.
    /// `None` only when every key has ended or there is none.
    #[must_use]
    pub fn signing_key(&self, now: Timestamp) -> Option<&SigningKey> {
        let mut live = self.keys.iter().filter(|key| key.verifies_at(now));
        let oldest = live.clone().min_by_key(|key| key.verifies_until.is_none());
        live.rfind(|key| key.signs_from <= now).or(oldest)
    }

    /// The public keys at `now`: of the keys that will sign, that sign, and whose tokens are still about.
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> Jwks {
        let live = self.keys.iter().filter(|key| key.verifies_at(now));
        Jwks {
            keys: live.filter_map(|key| key.public_jwk.clone()).collect(),
        }
    }

    /// The key of that name, be it ended or not yet begun.
    ///
    /// One that has not begun is no worse for it: another process's clock may be a little ahead.
    pub(super) fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }
}

#[cfg(test)]
mod tests;
