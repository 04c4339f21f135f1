//! Signing in, staying signed in, signing out, and the devices that are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{DateTime, USER_AGENT};
use crate::{
    auth::{self, SignedIn},
    clock::Timestamp,
    id::SessionId,
    web::secret::Secret,
};

/// Who signs in. `username` and `email` are two names of one field: either may hold either.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"username": "mira@example.com", "password": "violet-harbour-quartz"}))]
pub(crate) struct LoginRequest {
    #[serde(default)]
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) email: Option<String>,
    // Not serde's to miss: nobody would be told then that the username is missing too.
    #[schemars(with = "Secret")]
    pub(crate) password: Option<Secret>,
    /// `password`, where it is given at all.
    #[serde(default)]
    pub(crate) grant_type: Option<String>,
    /// Whether the session may outlive the browser's window; else it ends with it, or after twelve hours unused.
    #[serde(default)]
    pub(crate) remember: Option<bool>,
}

/// A signed-in session.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TokenResponse {
    /// A JWT for `Authorization: Bearer`.
    #[schemars(example = &"eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjEifQ.e30.c2ln")]
    access_token: String,
    /// To be exchanged once at `/api/auth/refresh`. Left out where it came, and goes, by cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"vst_rt_dGhpcyBpcyBub3QgYSByZWZyZXNoIHRva2Vu")]
    refresh_token: Option<String>,
    #[schemars(example = &"bearer")]
    token_type: &'static str,
    /// How long the access token is good, in seconds.
    #[schemars(example = 900)]
    expires_in: u64,
}

impl TokenResponse {
    /// Both tokens.
    pub(crate) fn whole(signed_in: &SignedIn) -> Self {
        Self {
            refresh_token: Some(signed_in.refresh.expose().to_owned()),
            ..Self::access_only(signed_in)
        }
    }

    /// For whoever keeps the refresh token in its cookie, out of scripts' reach.
    pub(crate) fn access_only(signed_in: &SignedIn) -> Self {
        Self {
            access_token: signed_in.access.token.clone(),
            refresh_token: None,
            token_type: "bearer",
            expires_in: signed_in.access.expires_in.as_secs(),
        }
    }
}

/// The refresh token, unless it comes as Bearer token or by cookie.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(example = json!({"refresh_token": "vst_rt_dGhpcyBpcyBub3QgYSByZWZyZXNoIHRva2Vu"}))]
pub(crate) struct RefreshRequest {
    #[serde(default)]
    pub(crate) refresh_token: Option<String>,
}

/// A signed-in device.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionResponse {
    #[schemars(with = "Uuid")]
    id: SessionId,
    /// Whether it is the one that asks.
    current: bool,
    /// Whether it outlives the browser's window.
    remembered: bool,
    #[schemars(example = &"203.0.113.7")]
    client_address: Option<String>,
    #[schemars(example = USER_AGENT)]
    user_agent: Option<String>,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    last_used_at: Timestamp,
    /// When it ends if it is not used before.
    #[schemars(with = "DateTime")]
    expires_at: Timestamp,
}

impl SessionResponse {
    pub(crate) fn seen_from(current: SessionId, session: auth::Session) -> Self {
        Self {
            id: session.id,
            current: session.id == current,
            remembered: session.remembered,
            client_address: session.client_address,
            user_agent: session.user_agent,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
        }
    }
}

/// How many sessions ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndedResponse {
    #[schemars(example = &"logged out")]
    pub(crate) msg: &'static str,
    #[schemars(example = 2)]
    pub(crate) ended: u64,
}
