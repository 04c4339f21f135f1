//! What travels: the bodies, queries and answers of the API, and nothing that decides. A file holds those of one resource;
//! here is what they share.

mod accounts;
mod audit;
mod mail;
mod me;
mod services;
mod sessions;
mod users;

use std::borrow::Cow;

use axum::Json;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

pub(super) use self::{
    accounts::{
        EmailRequest, PasswordStrengthRequest, PasswordStrengthResponse, RegisterRequest, RegisterResponse,
        ResetPasswordRequest, VerifyEmailRequest,
    },
    audit::{EventResponse, ListEventsQuery},
    mail::{ListMessagesQuery, MessageResponse},
    me::{ChangeEmailRequest, ChangePasswordRequest, DeleteAccountRequest, ExportResponse, UpdateProfileRequest},
    services::{HealthResponse, JwksResponse},
    sessions::{EndedResponse, LoginRequest, RefreshRequest, SessionResponse, TokenResponse},
    users::{ListUsersQuery, UpdateUserRequest, UserResponse},
};

/// How times are described: [`Timestamp`](crate::clock::Timestamp) writes them.
pub(super) struct DateTime;

impl JsonSchema for DateTime {
    fn schema_name() -> Cow<'static, str> {
        "DateTime".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time", "examples": ["2026-01-31T09:30:00Z"]})
    }
}

/// Tells a field that is `null` (`Some(None)`) from one that is missing (`None`, by `#[serde(default)]`).
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Takes no `null`, for a field that can be left out but not cleared.
pub(super) fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// That it was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DoneResponse {
    /// In words.
    #[schemars(example = &"done")]
    msg: &'static str,
}

pub(super) fn done(msg: &'static str) -> Json<DoneResponse> {
    Json(DoneResponse { msg })
}

const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0";
