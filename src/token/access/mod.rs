//! Access tokens: issuing and verifying JWTs (RFC 9068).
//!
//! Verifying follows RFC 8725. The token's header chooses a key of ours by name and nothing else: the algorithm is the
//! key's, and `jku`, `jwk`, `x5u` and `x5c` are not even read. Nothing in the payload is looked at before the signature
//! holds.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use uuid::Uuid;

use super::keys::{Jwks, KeyRing};
use crate::{
    clock::{Timestamp, unix_seconds},
    id::{SessionId, UserId},
};

/// RFC 9068 section 2.1: tells an access token from every other JWT signed with the same key.
const TYPE: &str = "at+jwt";

/// The same with the prefix that RFC 7515 section 4.1.9 lets a sender leave out.
const FULL_TYPE: &str = "application/at+jwt";

/// The server signs in on its own behalf; RFC 9068 section 2.2 requires the claim.
const CLIENT_ID: &str = "vestibule";

/// Ours are well under 1 KiB. No browser keeps a longer cookie, and no stranger's text is decoded beyond it.
const MAX_TOKEN_LEN: usize = 4096;

/// Why a token was refused, or not issued. Carries nothing of the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No JWT at all: not three parts of base64url, a header that is no JSON object, or far too long.
    #[error("the access token is malformed")]
    Malformed,
    /// One of ours, properly signed, that is over.
    #[error("the access token has expired")]
    Expired,
    /// Its key is not in the ring. It may be another process's new key: worth a look at the store, at a bounded rate,
    /// since anyone can make up names of keys.
    #[error("the access token's key is unknown")]
    UnknownKey,
    /// Wrong in any other way: algorithm, signature, type, issuer, audience, claims, or a key that has ended.
    #[error("the access token is invalid")]
    Invalid,
    /// Not issued: every key has ended, or there is none.
    #[error("there is no key to sign access tokens with")]
    NoSigningKey,
    /// Not issued: with these roles the token would be longer than any that is accepted.
    #[error("the access token would be too long")]
    TooLong,
    /// Not issued: the cryptographic library failed.
    #[error("the access token could not be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}

/// What every access token of this server has in common.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// The `iss` claim: the origin of `PUBLIC_URL`.
    pub issuer: String,
    /// The `aud` claim, `JWT_AUDIENCE`. With `None`, tokens have no audience and those that have one are refused.
    pub audience: Option<String>,
    /// From issue to expiry; whole seconds.
    pub life: Duration,
}

/// Whom a token is for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The user.
    pub user: UserId,
    /// The session that the token belongs to and ends with.
    pub session: SessionId,
    /// The user's roles.
    pub roles: &'a [String],
}

/// A token that was just issued.
#[derive(Clone)]
pub struct IssuedAccess {
    /// The JWT. Whoever has it is the user until it expires.
    pub token: String,
    /// From now until it expires.
    pub expires_in: Duration,
}

impl fmt::Debug for IssuedAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedAccess")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// The claims of an access token. Claims that are not listed are ignored; one of these twice makes the token invalid
/// (RFC 7519 section 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who issued it: this server.
    pub iss: String,
    /// The user.
    pub sub: UserId,
    /// The user once more, under the name that some services read.
    pub user_id: UserId,
    /// The OAuth client, always `vestibule`.
    pub client_id: String,
    /// Whom it is meant for, if anyone in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
    /// The session it belongs to.
    pub sid: SessionId,
    /// The token's own id.
    pub jti: String,
    /// When it was issued. A little in the future means that another process's clock is ahead.
    #[serde(with = "unix_seconds")]
    pub iat: Timestamp,
    /// The second at which it is no longer valid.
    #[serde(with = "unix_seconds")]
    pub exp: Timestamp,
    /// The user's roles when it was issued.
    pub roles: Vec<String>,
}

/// The `aud` claim: one name or several (RFC 7519 section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// As this server writes it.
    One(String),
    /// As others may.
    Several(Vec<String>),
}

impl Audience {
    /// Whether the token is meant for `name`.
    #[must_use]
    pub fn includes(&self, name: &str) -> bool {
        match self {
            Self::One(only) => only == name,
            Self::Several(names) => names.iter().any(|each| each == name),
        }
    }
}

/// The part of a JOSE header that has a say here. Every other parameter is skipped unread.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl Header {
    fn is_of_access_token(&self) -> bool {
        self.typ
            .as_ref()
            .is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE) || typ.eq_ignore_ascii_case(FULL_TYPE))
    }
}

/// A token taken apart, with nothing verified but its form.
struct Parts<'a> {
    header: Header,
    /// Not read as JSON before the signature holds.
    payload: Vec<u8>,
    /// Header and payload as they came: what is signed.
    message: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN_LEN {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let header = read_object(&URL_SAFE_NO_PAD.decode(header).ok()?)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        Some(Self {
            header,
            payload,
            message,
            signature,
        })
    }
}

/// Reads a JSON object, which both header and payload have to be. By itself, serde would also take an array of the
/// members' values in the order of their declaration.
fn read_object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    json.trim_ascii_start()
        .starts_with(b"{")
        .then(|| serde_json::from_slice(json).ok())?
}

/// Issues and verifies access tokens. One for the process, shared by all its requests.
#[derive(Debug)]
pub struct AccessTokens {
    settings: AccessSettings,
    /// Behind an [`Arc`], so that the lock is never held while signing or verifying.
    ring: RwLock<Arc<KeyRing>>,
}

impl AccessTokens {
    /// Tokens by these settings, signed with the keys of `ring`.
    #[must_use]
    pub fn new(settings: AccessSettings, ring: KeyRing) -> Self {
        Self {
            settings,
            ring: RwLock::new(Arc::new(ring)),
        }
    }

    /// Goes on with other keys, after a rotation.
    pub fn replace_ring(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// Issues a token for `subject`, valid from `now`.
    pub fn issue(&self, subject: &Subject<'_>, now: Timestamp) -> Result<IssuedAccess, TokenError> {
        let AccessSettings { issuer, audience, life } = &self.settings;
        let claims = AccessClaims {
            iss: issuer.clone(),
            sub: subject.user,
            user_id: subject.user,
            client_id: CLIENT_ID.to_owned(),
            aud: audience.clone().map(Audience::One),
            sid: subject.session,
            jti: Uuid::new_v4().to_string(),
            iat: now,
            exp: now.plus(*life),
            roles: subject.roles.to_vec(),
        };
        let ring = self.ring();
        let token = ring
            .signing_key(now)
            .ok_or(TokenError::NoSigningKey)?
            .sign(TYPE, &claims)?;
        if token.len() > MAX_TOKEN_LEN {
            return Err(TokenError::TooLong);
        }
        Ok(IssuedAccess {
            token,
            expires_in: *life,
        })
    }

    /// Verifies a token as it was presented, and gives its claims.
    ///
    /// That its session is still live and its user active is for the caller to check.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        let Parts {
            header,
            payload,
            message,
            signature,
        } = Parts::of(token).ok_or(TokenError::Malformed)?;
        // No extension is understood here, so none may be critical (RFC 7515 section 4.1.11).
        if header.crit.is_some() || !header.is_of_access_token() {
            return Err(TokenError::Invalid);
        }
        let ring = self.ring();
        let key = ring
            .find(header.kid.as_deref().ok_or(TokenError::Invalid)?)
            .ok_or(TokenError::UnknownKey)?;
        // The key is only ever used with its own algorithm; a header that says otherwise is an attempt at something.
        if header.alg != key.algorithm().as_str() || !key.verifies_at(now) {
            return Err(TokenError::Invalid);
        }
        key.verify(message, signature)?;
        let claims: AccessClaims = read_object(&payload).ok_or(TokenError::Invalid)?;
        self.check(&claims)?;
        // Last, so that `Expired` is said of our own tokens only. No leeway: issuer and verifier share a clock. Where that was
        // set back since, a token would outlive its time by as much; its holder gets another, as for one that is too old.
        if claims.exp <= now || claims.iat.is_ahead_of(now) {
            Err(TokenError::Expired)
        } else {
            Ok(claims)
        }
    }

    /// The public keys that verify this server's tokens at `now`.
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> Jwks {
        self.ring().jwks(now)
    }

    fn check(&self, claims: &AccessClaims) -> Result<(), TokenError> {
        let AccessSettings { issuer, audience, .. } = &self.settings;
        let for_us = match (audience, &claims.aud) {
            (Some(audience), Some(aud)) => aud.includes(audience),
            (None, None) => true,
            // RFC 7519 section 4.1.3: a token for someone is not for a verifier that goes by no name.
            (None, Some(_)) | (Some(_), None) => false,
        };
        if claims.iss == *issuer && for_us && claims.user_id == claims.sub {
            Ok(())
        } else {
            Err(TokenError::Invalid)
        }
    }

    fn ring(&self) -> Arc<KeyRing> {
        // A ring is replaced whole, so one behind a poisoned lock is as good as any.
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
