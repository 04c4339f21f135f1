//! Tokens, in their two kinds, and the keys behind them.
//!
//! An access token is a JWT that anyone with the public keys can check and nobody can take back; it lives for minutes.
//! Refresh and link tokens are opaque: random, worth nothing but for the row that holds their hash.

mod access;
#[cfg(test)]
pub(crate) mod edits;
mod keys;
mod opaque;
mod sealing;

pub use access::{AccessClaims, AccessSettings, AccessTokens, Audience, IssuedAccess, Subject, TokenError};
pub use keys::{Algorithm, GeneratedKey, Jwk, Jwks, KeyError, KeyMaterial, KeyRing, SigningKey};
pub use opaque::{LinkToken, LinkTokenHash, RefreshToken, RefreshTokenHash};
pub use sealing::{PseudonymKey, SealError, SealingKey, open_successor, seal_successor};
