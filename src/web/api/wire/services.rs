//! What other services and machines read.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::token::{Jwk, Jwks};

/// The public keys that access tokens are signed with (RFC 7517); none with HS256.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct JwksResponse {
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>", example = jwks_example())]
    keys: Vec<Jwk>,
}

/// The key of RFC 8037 appendix A.2.
fn jwks_example() -> serde_json::Value {
    json!([{
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "alg": "EdDSA",
        "use": "sig",
    }])
}

impl From<Jwks> for JwksResponse {
    fn from(jwks: Jwks) -> Self {
        Self { keys: jwks.keys }
    }
}

/// That the server is well.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HealthResponse {
    #[schemars(example = &"ok")]
    pub(crate) status: &'static str,
}
