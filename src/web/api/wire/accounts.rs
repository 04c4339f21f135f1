//! Making an account, and getting back into one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::UserResponse;
use crate::{
    auth,
    password::{Strength, Weakness},
    web::secret::Secret,
};

/// A new account.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"email": "mira@example.com", "password": "violet-harbour-quartz", "username": "mira"}))]
pub(crate) struct RegisterRequest {
    #[schemars(extend("format" = "email"))]
    email: String,
    password: Secret,
    /// Letters, digits and `_ . -`; unique without regard to case.
    #[serde(default)]
    username: Option<String>,
    /// How the user is shown to others.
    #[serde(default)]
    name: Option<String>,
}

impl From<RegisterRequest> for auth::SignUp {
    fn from(request: RegisterRequest) -> Self {
        Self {
            email: request.email,
            username: request.username,
            name: request.name,
            password: request.password.0,
        }
    }
}

/// The new account. With `PRIVATE_SIGNUP` only `msg`, whether there is a new account or not.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RegisterResponse {
    #[serde(flatten)]
    pub(crate) user: Option<UserResponse>,
    #[schemars(example = &"user created")]
    pub(crate) msg: &'static str,
}

/// An address.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"email": "mira@example.com"}))]
pub(crate) struct EmailRequest {
    #[schemars(extend("format" = "email"))]
    pub(crate) email: String,
}

/// The token of a mailed link, and the new password.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({"token": "vst_lt_dGhpcyBpcyBub3QgYSBsaW5rIHRva2Vu", "new_password": "copper-lantern-fjord"}))]
pub(crate) struct ResetPasswordRequest {
    pub(crate) token: String,
    pub(crate) new_password: Secret,
}

/// The token of a mailed link.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({"token": "vst_lt_dGhpcyBpcyBub3QgYSBsaW5rIHRva2Vu"}))]
pub(crate) struct VerifyEmailRequest {
    pub(crate) token: String,
}

/// A password to judge, with the words that its owner's attackers would try first.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"password": "violet-harbour-quartz", "email": "mira@example.com"}))]
pub(crate) struct PasswordStrengthRequest {
    pub(crate) password: Secret,
    #[serde(default)]
    pub(crate) email: Option<String>,
    #[serde(default)]
    pub(crate) username: Option<String>,
}

const NO_REASONS: [&str; 0] = [];

/// How well a password does.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PasswordStrengthResponse {
    /// From 0, guessed at once, to 4, not to be guessed.
    #[schemars(example = 4, range(max = 4))]
    score: u8,
    /// Whether it may be chosen here.
    accepted: bool,
    /// Why not.
    #[schemars(example = NO_REASONS)]
    reasons: Vec<WeaknessResponse>,
}

/// Why a password is refused.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Weakness")]
pub(crate) struct WeaknessResponse {
    #[schemars(example = &"password_guessable")]
    code: &'static str,
    #[schemars(example = &"This password is easy to guess.")]
    message: String,
}

impl From<Strength> for PasswordStrengthResponse {
    fn from(strength: Strength) -> Self {
        let reason = |weakness: Weakness| WeaknessResponse {
            code: weakness.code(),
            message: weakness.to_string(),
        };
        Self {
            score: strength.score,
            accepted: strength.accepted,
            reasons: strength.reasons.into_iter().map(reason).collect(),
        }
    }
}
