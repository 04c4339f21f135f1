//! What travels: the bodies, queries and answers of the API, and nothing that decides.

use std::borrow::Cow;

use axum::Json;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    auth::{self, Export, MessageState, SignedIn},
    clock::Timestamp,
    id::{EventId, MessageId, ProductId, SessionId, UserId},
    password::{Strength, Weakness},
    token::{Jwk, Jwks},
    web::secret::Secret,
};

/// How times are described: [`Timestamp`] writes them.
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

/// A new account.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"email": "mira@example.com", "password": "violet-harbour-quartz", "username": "mira"}))]
pub(super) struct RegisterRequest {
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
pub(super) struct RegisterResponse {
    #[serde(flatten)]
    pub(super) user: Option<UserResponse>,
    #[schemars(example = &"user created")]
    pub(super) msg: &'static str,
}

/// Who signs in. `username` and `email` are two names of one field: either may hold either.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"username": "mira@example.com", "password": "violet-harbour-quartz"}))]
pub(super) struct LoginRequest {
    #[serde(default)]
    pub(super) username: Option<String>,
    #[serde(default)]
    pub(super) email: Option<String>,
    // Not serde's to miss: nobody would be told then that the username is missing too.
    #[schemars(with = "Secret")]
    pub(super) password: Option<Secret>,
    /// `password`, where it is given at all.
    #[serde(default)]
    pub(super) grant_type: Option<String>,
    /// Whether the session may outlive the browser's window; else it ends with it, or after twelve hours unused.
    #[serde(default)]
    pub(super) remember: Option<bool>,
}

/// A signed-in session.
#[derive(Serialize, JsonSchema)]
pub(super) struct TokenResponse {
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
    pub(super) fn whole(signed_in: &SignedIn) -> Self {
        Self {
            refresh_token: Some(signed_in.refresh.expose().to_owned()),
            ..Self::access_only(signed_in)
        }
    }

    /// For whoever keeps the refresh token in its cookie, out of scripts' reach.
    pub(super) fn access_only(signed_in: &SignedIn) -> Self {
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
pub(super) struct RefreshRequest {
    #[serde(default)]
    pub(super) refresh_token: Option<String>,
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

/// An account.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UserResponse {
    #[schemars(with = "Uuid")]
    id: UserId,
    #[schemars(example = &"mira@example.com")]
    email: String,
    #[schemars(example = &"mira")]
    username: Option<String>,
    #[schemars(example = &"Mira Holm")]
    name: Option<String>,
    /// Its roles; `admin` is the built-in one.
    #[schemars(example = ["editor"])]
    roles: Vec<String>,
    email_verified: bool,
    is_active: bool,
    /// The id in the application that the account was imported from.
    external_id: Option<String>,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    updated_at: Timestamp,
}

impl From<auth::User> for UserResponse {
    fn from(user: auth::User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            username: user.username,
            name: user.name,
            roles: user.roles,
            email_verified: user.email_verified,
            is_active: user.is_active,
            external_id: user.external_id,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// What to change; a field that is left out stays, `null` clears it.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"name": "Mira Holm"}))]
pub(super) struct UpdateProfileRequest {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    username: Option<Option<String>>,
}

impl From<UpdateProfileRequest> for auth::UpdateProfile {
    fn from(request: UpdateProfileRequest) -> Self {
        Self {
            name: request.name,
            username: request.username,
        }
    }
}

/// What to change; a field that is left out stays, `null` clears a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"roles": ["admin"], "is_active": true}))]
pub(super) struct UpdateUserRequest {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    username: Option<Option<String>>,
    /// All roles that the account is to have.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    roles: Option<Vec<String>>,
    /// Disabling an account ends its sessions.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool")]
    is_active: Option<bool>,
}

impl From<UpdateUserRequest> for auth::UpdateUser {
    fn from(request: UpdateUserRequest) -> Self {
        let profile = auth::UpdateProfile {
            name: request.name,
            username: request.username,
        };
        Self {
            profile,
            roles: request.roles.map(auth::RoleChange::All),
            is_active: request.is_active,
        }
    }
}

/// The password, to prove that it is not somebody at an unlocked screen.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"password": "violet-harbour-quartz"}))]
pub(super) struct DeleteAccountRequest {
    pub(super) password: Secret,
}

/// The old password and the new.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"current_password": "violet-harbour-quartz", "new_password": "copper-lantern-fjord"}))]
pub(super) struct ChangePasswordRequest {
    current_password: Secret,
    new_password: Secret,
}

impl From<ChangePasswordRequest> for auth::ChangePassword {
    fn from(request: ChangePasswordRequest) -> Self {
        Self {
            current: request.current_password.0,
            new: request.new_password.0,
        }
    }
}

/// A new address, which holds once the link mailed to it was confirmed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"password": "violet-harbour-quartz", "new_email": "mira.holm@example.org"}))]
pub(super) struct ChangeEmailRequest {
    password: Secret,
    #[schemars(extend("format" = "email"))]
    new_email: String,
}

impl From<ChangeEmailRequest> for auth::ChangeEmail {
    fn from(request: ChangeEmailRequest) -> Self {
        Self {
            password: request.password.0,
            new_email: request.new_email,
        }
    }
}

/// An address.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"email": "mira@example.com"}))]
pub(super) struct EmailRequest {
    #[schemars(extend("format" = "email"))]
    pub(super) email: String,
}

/// The token of a mailed link, and the new password.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({"token": "vst_lt_dGhpcyBpcyBub3QgYSBsaW5rIHRva2Vu", "new_password": "copper-lantern-fjord"}))]
pub(super) struct ResetPasswordRequest {
    pub(super) token: String,
    pub(super) new_password: Secret,
}

/// The token of a mailed link.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({"token": "vst_lt_dGhpcyBpcyBub3QgYSBsaW5rIHRva2Vu"}))]
pub(super) struct VerifyEmailRequest {
    pub(super) token: String,
}

/// A password to judge, with the words that its owner's attackers would try first.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"password": "violet-harbour-quartz", "email": "mira@example.com"}))]
pub(super) struct PasswordStrengthRequest {
    pub(super) password: Secret,
    #[serde(default)]
    pub(super) email: Option<String>,
    #[serde(default)]
    pub(super) username: Option<String>,
}

const NO_REASONS: [&str; 0] = [];

/// How well a password does.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PasswordStrengthResponse {
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
pub(super) struct WeaknessResponse {
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

const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0";

/// A signed-in device.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SessionResponse {
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
    pub(super) fn seen_from(current: SessionId, session: auth::Session) -> Self {
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
pub(super) struct EndedResponse {
    #[schemars(example = &"logged out")]
    pub(super) msg: &'static str,
    #[schemars(example = 2)]
    pub(super) ended: u64,
}

/// An entry of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventResponse {
    #[schemars(with = "Uuid")]
    id: EventId,
    #[schemars(with = "DateTime")]
    at: Timestamp,
    /// What happened.
    #[schemars(example = &"log_in")]
    event: String,
    /// `success`, or the code of the refusal.
    #[schemars(example = &"success")]
    outcome: String,
    /// Whose account it was about.
    #[schemars(with = "Option<Uuid>")]
    user_id: Option<UserId>,
    /// Who did it, when somebody was signed in.
    #[schemars(with = "Option<Uuid>")]
    actor_id: Option<UserId>,
    #[schemars(with = "Option<Uuid>")]
    session_id: Option<SessionId>,
    #[schemars(example = &"203.0.113.7")]
    client_address: Option<String>,
    #[schemars(example = USER_AGENT)]
    user_agent: Option<String>,
    detail: Option<String>,
}

impl From<auth::Event> for EventResponse {
    fn from(event: auth::Event) -> Self {
        Self {
            id: event.id,
            at: event.at,
            event: event.event,
            outcome: event.outcome,
            user_id: event.user_id,
            actor_id: event.actor_id,
            session_id: event.session_id,
            client_address: event.client_address,
            user_agent: event.user_agent,
            detail: event.detail,
        }
    }
}

impl From<auth::ListedEvent> for EventResponse {
    fn from(listed: auth::ListedEvent) -> Self {
        listed.event.into()
    }
}

/// A message in the outbox, without its words.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MessageResponse {
    #[schemars(with = "Uuid")]
    id: MessageId,
    /// What it is about.
    #[schemars(example = &"verify_email")]
    kind: String,
    #[schemars(with = "Option<Uuid>")]
    user_id: Option<UserId>,
    #[schemars(example = &"mira@example.com")]
    address: String,
    /// `waiting`, `sending`, `sent`, `failed` or `dropped`.
    #[schemars(with = "String", example = &"sent")]
    state: MessageState,
    #[schemars(example = 1)]
    attempts: i64,
    /// When it is tried next, or was last.
    #[schemars(with = "DateTime")]
    due_at: Timestamp,
    last_error: Option<String>,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "Option<DateTime>")]
    finished_at: Option<Timestamp>,
}

impl From<auth::Message> for MessageResponse {
    fn from(message: auth::Message) -> Self {
        Self {
            id: message.id,
            kind: message.kind,
            user_id: message.user_id,
            address: message.address,
            state: message.state,
            attempts: message.attempts,
            due_at: message.due_at,
            last_error: message.last_error,
            created_at: message.created_at,
            finished_at: message.finished_at,
        }
    }
}

/// All that is stored about a user, but for hashes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ExportResponse {
    #[schemars(with = "DateTime")]
    exported_at: Timestamp,
    user: UserResponse,
    #[schemars(with = "Option<DateTime>")]
    last_login_at: Option<Timestamp>,
    sessions: Vec<SessionResponse>,
    /// Mailed links that were not used yet, without their tokens.
    links: Vec<LinkResponse>,
    messages: Vec<MessageResponse>,
    events: Vec<EventResponse>,
    products: Vec<OwnedProductResponse>,
}

impl ExportResponse {
    pub(super) fn seen_from(current: SessionId, export: Export) -> Self {
        let session = |session| SessionResponse::seen_from(current, session);
        let links = export.links.into_iter().map(|link| LinkResponse {
            kind: link.kind,
            email: link.email,
            created_at: link.created_at,
            expires_at: link.expires_at,
        });
        let products = export.products.into_iter().map(|product| OwnedProductResponse {
            id: product.id,
            name: product.name,
            description: product.description,
            created_at: product.created_at,
            updated_at: product.updated_at,
        });
        Self {
            exported_at: export.exported_at,
            user: export.user.into(),
            last_login_at: export.last_login_at,
            sessions: export.sessions.into_iter().map(session).collect(),
            links: links.collect(),
            messages: export.messages.into_iter().map(MessageResponse::from).collect(),
            events: export.events.into_iter().map(EventResponse::from).collect(),
            products: products.collect(),
        }
    }
}

/// A mailed link that was not used yet. It may have expired.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExportedLink")]
pub(super) struct LinkResponse {
    #[schemars(example = &"reset_password")]
    kind: String,
    #[schemars(example = &"mira@example.com")]
    email: String,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    expires_at: Timestamp,
}

/// A product of the exported user.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExportedProduct")]
pub(super) struct OwnedProductResponse {
    #[schemars(with = "Uuid")]
    id: ProductId,
    #[schemars(example = &"Desk lamp")]
    name: String,
    #[schemars(example = &"Brass, with a green shade")]
    description: Option<String>,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    updated_at: Timestamp,
}

/// The public keys that access tokens are signed with (RFC 7517); none with HS256.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct JwksResponse {
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
pub(super) struct HealthResponse {
    #[schemars(example = &"ok")]
    pub(super) status: &'static str,
}

/// Which accounts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListUsersQuery {
    /// How many at most: 1 to 200. When not said, 50, or 200 where the list is a plain array.
    pub(super) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Part of an address, a username or a name.
    q: Option<String>,
    /// Only those with this role.
    role: Option<String>,
    /// Only those that are `active` or `disabled`.
    status: Option<String>,
}

impl From<ListUsersQuery> for auth::UserQuery {
    fn from(query: ListUsersQuery) -> Self {
        Self {
            limit: query.limit,
            cursor: query.cursor,
            q: query.q,
            role: query.role,
            status: query.status,
        }
    }
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListEventsQuery {
    /// How many at most: 1 to 200, 50 when not said.
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those about this user, named by an id, an address or a username.
    user: Option<String>,
    /// Only those of this name.
    event: Option<String>,
}

impl From<ListEventsQuery> for auth::EventQuery {
    fn from(query: ListEventsQuery) -> Self {
        Self {
            limit: query.limit,
            cursor: query.cursor,
            user: query.user,
            event: query.event,
        }
    }
}

/// Which messages.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListMessagesQuery {
    /// How many at most: 1 to 200, 50 when not said.
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those that are `waiting`, `sending`, `sent`, `failed` or `dropped`.
    state: Option<String>,
}

impl From<ListMessagesQuery> for auth::MessageQuery {
    fn from(query: ListMessagesQuery) -> Self {
        Self {
            limit: query.limit,
            cursor: query.cursor,
            state: query.state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_null_is_told_from_one_that_is_missing() {
        let change: UpdateProfileRequest = serde_json::from_str(r#"{"name": null}"#).unwrap();
        assert_eq!(change.name, Some(None));
        assert_eq!(change.username, None);
    }

    #[test]
    fn null_is_no_way_to_leave_out_what_cannot_be_cleared() {
        for body in [r#"{"roles": null}"#, r#"{"is_active": null}"#] {
            assert!(serde_json::from_str::<UpdateUserRequest>(body).is_err(), "{body}");
        }
        let change: UpdateUserRequest = serde_json::from_str(r#"{"is_active": false}"#).unwrap();
        assert_eq!((change.roles, change.is_active), (None, Some(false)));
    }
}
