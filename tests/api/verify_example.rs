use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::{ErrorKind, Result},
    jwk::JwkSet,
};
use serde::Deserialize;

const ISSUER: &str = "https://login.example.com"; // PUBLIC_URL
const AUDIENCE: &str = "https://login.example.com"; // JWT_AUDIENCE, or else PUBLIC_URL

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    roles: Vec<String>,
}

/// The claims of a good access token; an error for any other. `keys` is what /.well-known/jwks.json said.
fn verify(token: &str, keys: &JwkSet) -> Result<Claims> {
    let kid = decode_header(token)?.kid.ok_or(ErrorKind::InvalidToken)?;
    let key = keys.find(&kid).ok_or(ErrorKind::InvalidToken)?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[AUDIENCE]);
    // A claim that is not required passes when it is missing.
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let token = decode::<Claims>(token, &DecodingKey::from_jwk(key)?, &rules)?;
    if token.header.typ.as_deref() != Some("at+jwt") {
        return Err(ErrorKind::InvalidToken.into());
    }
    Ok(token.claims)
}
