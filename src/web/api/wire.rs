//! What travels: the bodies, queries and answers of the API, and nothing that decides.

use std::borrow::Cow;

use aide::{
    OperationOutput,
    generate::GenContext,
    openapi::{Operation, Response as ResponseDocs},
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    auth::{self, Export, Page, SignedIn},
    clock::Timestamp,
    id::{EventId, MessageId, ProductId, SessionId, UserId},
    password::{Password, Strength, Weakness},
    token::{Jwk, Jwks},
};

/// A password in a body: it goes from the decoder into the type that wipes it, and is printed nowhere.
#[derive(Debug)]
pub(super) struct Secret(pub(super) Password);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Password::from(text)))
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "password", "examples": ["violet-harbour-quartz"]})
    }
}

/// How times are described: [`Timestamp`] writes them.
pub(crate) struct DateTime;

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
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// A new account.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"email": "ann@example.com", "password": "violet-harbour-quartz", "username": "ann"}))]
pub(super) struct RegisterRequest {
    #[schemars(extend("format" = "email"))]
    pub(super) email: String,
    pub(super) password: Secret,
    /// Letters, digits and `_ . -`; unique without regard to case.
    #[serde(default)]
    pub(super) username: Option<String>,
    /// How the user is shown to others.
    #[serde(default)]
    pub(super) name: Option<String>,
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
#[schemars(example = json!({"username": "ann@example.com", "password": "violet-harbour-quartz"}))]
pub(super) struct LoginRequest {
    #[serde(default)]
    pub(super) username: Option<String>,
    #[serde(default)]
    pub(super) email: Option<String>,
    pub(super) password: Secret,
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
pub(crate) struct MessageResponse {
    /// In words.
    #[schemars(example = &"done")]
    msg: &'static str,
}

/// Says `msg`.
pub(crate) fn said(msg: &'static str) -> Json<MessageResponse> {
    Json(MessageResponse { msg })
}

/// An account.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UserResponse {
    #[schemars(with = "Uuid")]
    id: UserId,
    #[schemars(example = &"ann@example.com")]
    email: String,
    #[schemars(example = &"ann")]
    username: Option<String>,
    #[schemars(example = &"Ann Smith")]
    name: Option<String>,
    /// Its roles; `admin` is the built-in one.
    #[schemars(example = ["admin"])]
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
#[schemars(example = json!({"name": "Ann Smith"}))]
pub(super) struct UpdateProfileRequest {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub(super) name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub(super) username: Option<Option<String>>,
}

/// What to change; a field that is left out stays, `null` clears a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"roles": ["admin"], "is_active": true}))]
pub(super) struct UpdateUserRequest {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub(super) name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub(super) username: Option<Option<String>>,
    /// All roles that the account is to have.
    #[serde(default)]
    pub(super) roles: Option<Vec<String>>,
    /// Disabling an account ends its sessions.
    #[serde(default)]
    pub(super) is_active: Option<bool>,
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
    pub(super) current_password: Secret,
    pub(super) new_password: Secret,
}

/// A new address, which holds once the link mailed to it was confirmed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"password": "violet-harbour-quartz", "new_email": "ann.smith@example.com"}))]
pub(super) struct ChangeEmailRequest {
    pub(super) password: Secret,
    #[schemars(extend("format" = "email"))]
    pub(super) new_email: String,
}

/// An address.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"email": "ann@example.com"}))]
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
#[schemars(example = json!({"password": "violet-harbour-quartz", "email": "ann@example.com"}))]
pub(super) struct PasswordStrengthRequest {
    pub(super) password: Secret,
    #[serde(default)]
    pub(super) email: Option<String>,
    #[serde(default)]
    pub(super) username: Option<String>,
}

/// How well a password does.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PasswordStrengthResponse {
    /// From 0, guessed at once, to 4, not to be guessed.
    #[schemars(example = 4, range(max = 4))]
    score: u8,
    /// Whether it may be chosen here.
    accepted: bool,
    /// Why not.
    reasons: Vec<WeaknessResponse>,
}

/// Why a password is refused.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Weakness")]
pub(super) struct WeaknessResponse {
    #[schemars(example = &"password_guessable")]
    code: &'static str,
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

/// A message in the outbox, without its words.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MailResponse {
    #[schemars(with = "Uuid")]
    id: MessageId,
    /// What it is about.
    #[schemars(example = &"verify_email")]
    kind: String,
    #[schemars(with = "Option<Uuid>")]
    user_id: Option<UserId>,
    #[schemars(example = &"ann@example.com")]
    address: String,
    /// `waiting`, `sent`, `failed` or `dropped`.
    #[schemars(example = &"sent")]
    state: String,
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

impl From<auth::Message> for MailResponse {
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
    /// Mailed links that are still good, without their tokens.
    links: Vec<LinkResponse>,
    messages: Vec<MailResponse>,
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
            messages: export.messages.into_iter().map(MailResponse::from).collect(),
            events: export.events.into_iter().map(EventResponse::from).collect(),
            products: products.collect(),
        }
    }
}

/// A mailed link that is still good.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExportedLink")]
pub(super) struct LinkResponse {
    #[schemars(example = &"reset_password")]
    kind: String,
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
    name: String,
    description: Option<String>,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    updated_at: Timestamp,
}

/// The public keys that access tokens are signed with (RFC 7517); none with HS256.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct JwksResponse {
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    keys: Vec<Jwk>,
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

/// Which page of a list.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PageQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub(crate) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Which accounts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListUsersQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub(super) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    /// Part of an address, a username or a name.
    pub(super) q: Option<String>,
    /// Only those with this role.
    pub(super) role: Option<String>,
    /// Only those that are `active` or `disabled`.
    pub(super) status: Option<String>,
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListEventsQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub(super) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    /// Only those about the user with this id.
    pub(super) user: Option<String>,
    /// Only those of this name.
    pub(super) event: Option<String>,
}

/// Which messages.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListMailQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub(super) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    /// Only those that are `waiting`, `sent`, `failed` or `dropped`.
    pub(super) state: Option<String>,
}

/// How a list is written: one handler, mounted once for each form.
pub(crate) trait Listing<T>: OperationOutput + IntoResponse {
    /// The answer that shows `page` of the list at `uri`.
    fn of(page: Page<T>, uri: &Uri) -> Self;
}

/// The canonical form.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(crate) struct Paged<T> {
    items: Vec<T>,
    /// What to send as `cursor` to get the next page; `null` on the last.
    next_cursor: Option<String>,
}

impl<T> Listing<T> for Paged<T>
where
    T: Serialize + JsonSchema,
{
    fn of(page: Page<T>, _: &Uri) -> Self {
        Self {
            items: page.items,
            next_cursor: page.next_cursor,
        }
    }
}

impl<T: Serialize> IntoResponse for Paged<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Paged<T> {
    type Inner = Self;

    fn operation_response(context: &mut GenContext, operation: &mut Operation) -> Option<ResponseDocs> {
        Json::<Self>::operation_response(context, operation)
    }
}

/// The templates' form: a plain array, with the next page in a `Link` header (RFC 8288) for whoever wants it.
#[derive(Debug)]
pub(crate) struct PlainArray<T> {
    items: Vec<T>,
    next: Option<HeaderValue>,
}

impl<T> Listing<T> for PlainArray<T>
where
    T: Serialize + JsonSchema,
{
    fn of(page: Page<T>, uri: &Uri) -> Self {
        let next = page
            .next_cursor
            .and_then(|cursor| next_link(uri.query().unwrap_or_default(), &cursor));
        Self {
            items: page.items,
            next,
        }
    }
}

/// Relative to the request, whose host and prefix a proxy may have changed.
fn next_link(query: &str, cursor: &str) -> Option<HeaderValue> {
    let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("cursor", cursor)
        .finish();
    HeaderValue::try_from(format!("<?{query}>; rel=\"next\"")).ok()
}

impl<T: Serialize> IntoResponse for PlainArray<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        if let Some(next) = self.next {
            response.headers_mut().insert(header::LINK, next);
        }
        response
    }
}

impl<T: JsonSchema> OperationOutput for PlainArray<T> {
    type Inner = Vec<T>;

    fn operation_response(context: &mut GenContext, operation: &mut Operation) -> Option<ResponseDocs> {
        Json::<Vec<T>>::operation_response(context, operation)
    }
}

/// An answer of status 201.
#[derive(Debug)]
pub(crate) struct Created<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn operation_response(context: &mut GenContext, operation: &mut Operation) -> Option<ResponseDocs> {
        Json::<T>::operation_response(context, operation)
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
    fn the_link_to_the_next_page_keeps_the_filters() {
        let link = next_link("role=admin&cursor=old&q=a%26b", "new").unwrap();
        assert_eq!(link, "<?role=admin&q=a%26b&cursor=new>; rel=\"next\"");
    }
}
