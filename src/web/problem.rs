//! Refusals as problem details (RFC 9457), the one form of every error answer.
//!
//! A handler, an extractor or a fallback gives a [`Problem`]; its text is written once, at the boundary,
//! which knows the request's id and logs what went wrong inside. Nothing else writes an error body.

use std::{borrow::Cow, error::Error as StdError, sync::Arc};

use aide::OperationOutput;
use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::{self, Exceeded, FieldError};

/// The media type of RFC 9457 section 3.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// What is let through at most, and what is left of it (draft-ietf-httpapi-ratelimit-headers-10).
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How long a client that met a busy or unavailable server should wait: long enough for a queue of hashes to empty.
const RETRY_AFTER_SECONDS: u32 = 2;

/// A refusal, on its way to the client.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    fields: Vec<FieldProblem>,
    challenge: Option<Challenge>,
    retry_after: Option<u32>,
    exceeded: Option<Box<Exceeded>>,
    at_token_endpoint: bool,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What `WWW-Authenticate` asks for (RFC 6750 section 3): a code only when a token was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Challenge {
    Bearer,
    InvalidToken,
}

/// One field that does not hold what it must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(example = FieldProblem::new("email", "required", "This field is required."))]
pub(crate) struct FieldProblem {
    /// The field's name as it was, or should have been, sent.
    #[schemars(example = &"email")]
    field: Cow<'static, str>,
    /// Stable, for programs.
    #[schemars(example = &"required")]
    code: &'static str,
    /// For people.
    #[schemars(example = &"This field is required.")]
    message: String,
}

impl FieldProblem {
    pub(super) fn new(field: impl Into<Cow<'static, str>>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            code,
            message: message.into(),
        }
    }
}

impl From<FieldError> for FieldProblem {
    fn from(error: FieldError) -> Self {
        Self::new(error.field, error.code, error.message)
    }
}

impl Problem {
    /// A refusal with a stable `code` for programs and `detail` for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            fields: Vec::new(),
            challenge: None,
            retry_after: None,
            exceeded: None,
            at_token_endpoint: false,
            cause: None,
        }
    }

    /// The request cannot be read at all.
    pub(crate) fn malformed(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// The request can be read, and these fields do not hold what they must.
    pub(crate) fn fields(fields: Vec<FieldProblem>) -> Self {
        Self {
            fields,
            ..auth::Error::InvalidFields(Vec::new()).into()
        }
    }

    /// Nothing lives at this path.
    pub(crate) fn not_found() -> Self {
        auth::Error::NotFound.into()
    }

    /// Something lives at this path, and does not do this. The router adds `Allow`.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
        )
    }

    /// The body is of a kind that this operation does not read.
    pub(crate) fn unsupported_media_type(accepted: &'static str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("Send the body as {accepted}"),
        )
    }

    /// A browser sent this on behalf of a page of another origin.
    pub(crate) fn cross_origin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "cross_origin",
            "Requests from this origin are not allowed",
        )
    }

    /// A fault of the server, by its cause.
    pub(crate) fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        auth::Error::Internal(cause.into()).into()
    }

    /// The same refusal at an OAuth2 token endpoint, whose clients read RFC 6749's `error`.
    pub(crate) fn at_token_endpoint(self) -> Self {
        Self {
            at_token_endpoint: true,
            ..self
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The fields that do not hold what they must, each with why, for people.
    pub(crate) fn field_messages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|field| (&*field.field, field.message.as_str()))
    }

    /// Whether it is only that nobody is signed in.
    pub(crate) fn wants_sign_in(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && self.code != auth::Error::InvalidCredentials.code()
    }

    /// Whether whoever filled in a form can do something about it there.
    pub(crate) fn can_be_mended(&self) -> bool {
        const CODES: [&str; 4] = [
            auth::Error::InvalidCredentials.code(),
            auth::Error::InactiveUser.code(),
            auth::Error::EmailNotVerified.code(),
            auth::Error::LinkInvalid.code(),
        ];
        let by_status = [
            StatusCode::CONFLICT,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        by_status.contains(&self.status) || CODES.contains(&self.code)
    }

    /// What went wrong inside with all its causes, for the log and for nobody else.
    pub(super) fn cause(&self) -> Option<String> {
        let mut cause: &dyn StdError = self.cause.as_deref()?;
        let mut text = cause.to_string();
        while let Some(deeper) = cause.source() {
            text.push_str(": ");
            text.push_str(&deeper.to_string());
            cause = deeper;
        }
        Some(text)
    }

    /// What the client reads. The request's id goes only with faults of the server, where somebody will ask for it.
    pub(crate) fn document(&self, request_id: Option<&str>) -> ProblemDocument {
        ProblemDocument {
            // Means what its status means (RFC 9457 section 4.2.1). A URI of this server would change with its address, and
            // one of a website would have to be kept up for as long as any client compares it; `code` is for that.
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            errors: self.fields.clone(),
            request_id: request_id.filter(|_| self.status.is_server_error()).map(str::to_owned),
            error: self.at_token_endpoint.then(|| self.oauth_error()),
            error_description: self.at_token_endpoint.then(|| self.detail.clone()),
        }
    }

    /// Writes the answer onto `response`, keeping headers that it already has, such as cookies.
    pub(super) fn render(&self, response: &mut Response, request_id: &str) {
        let (parts, body) = Json(self.document(Some(request_id))).into_response().into_parts();
        *response.body_mut() = body;
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(parts.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        self.write_headers(headers);
    }

    /// The headers by which clients read the refusal, whatever its form.
    pub(super) fn write_headers(&self, headers: &mut HeaderMap) {
        if let Some(value) = self.challenge.and_then(|challenge| self.challenge_value(challenge)) {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Only here: what is left of an account's budget would tell strangers that somebody is signing in to it.
        for (name, text) in self.exceeded.iter().flat_map(|exceeded| rate_limit_fields(exceeded)) {
            headers.extend(HeaderValue::try_from(text).ok().map(|value| (name, value)));
        }
    }

    /// `detail` needs no escaping: only this server's own texts, which hold no quotes, come with a challenge.
    fn challenge_value(&self, challenge: Challenge) -> Option<HeaderValue> {
        match challenge {
            Challenge::Bearer => Some(HeaderValue::from_static("Bearer")),
            Challenge::InvalidToken => {
                let text = format!("Bearer error=\"invalid_token\", error_description=\"{}\"", self.detail);
                HeaderValue::try_from(text).ok()
            }
        }
    }

    /// The nearest of RFC 6749 section 5.2; what a client did not cause has names only in section 4.1.2.1.
    fn oauth_error(&self) -> &'static str {
        match (self.status, self.code) {
            (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, _) => "temporarily_unavailable",
            (status, _) if status.is_server_error() => "server_error",
            (_, "unsupported_grant_type") => "unsupported_grant_type",
            (StatusCode::UNAUTHORIZED, _) | (_, "inactive_user" | "email_not_verified") => "invalid_grant",
            _ => "invalid_request",
        }
    }
}

impl From<auth::Error> for Problem {
    fn from(error: auth::Error) -> Self {
        use auth::Error as E;

        let (status, challenge) = match &error {
            E::InvalidFields(_) => (StatusCode::UNPROCESSABLE_ENTITY, None),
            E::InvalidCredentials | E::NotAuthenticated => (StatusCode::UNAUTHORIZED, Some(Challenge::Bearer)),
            E::TokenMalformed
            | E::TokenExpired
            | E::TokenInvalid
            | E::SessionEnded
            | E::RefreshTokenInvalid
            | E::RefreshTokenReused => (StatusCode::UNAUTHORIZED, Some(Challenge::InvalidToken)),
            E::InactiveUser | E::LinkInvalid => (StatusCode::BAD_REQUEST, None),
            E::EmailNotVerified | E::SignUpClosed | E::Forbidden => (StatusCode::FORBIDDEN, None),
            E::NotFound => (StatusCode::NOT_FOUND, None),
            E::EmailTaken | E::UsernameTaken | E::MessageWithoutAddress | E::LastAdmin => (StatusCode::CONFLICT, None),
            E::TooManyRequests(_) => (StatusCode::TOO_MANY_REQUESTS, None),
            E::Busy | E::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
            E::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
        };
        let problem = Self {
            challenge,
            retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_SECONDS),
            ..Self::new(status, error.code(), error.to_string())
        };
        match error {
            E::InvalidFields(fields) => Self {
                fields: fields.into_iter().map(FieldProblem::from).collect(),
                ..problem
            },
            E::TooManyRequests(exceeded) => Self {
                retry_after: Some(u32::try_from(exceeded.wait.as_secs()).unwrap_or(u32::MAX)),
                exceeded: Some(Box::new(exceeded)),
                ..problem
            },
            E::Unavailable(_) | E::Internal(_) => Self {
                cause: Some(Arc::new(error)),
                ..problem
            },
            _ => problem,
        }
    }
}

/// Items of a structured field (RFC 9651) that need no escaping: the policies are words of ours.
fn rate_limit_fields(exceeded: &Exceeded) -> [(HeaderName, String); 2] {
    let Exceeded { policy, quota, wait } = exceeded;
    let (count, window) = (quota.count(), quota.window().as_secs());
    [
        (RATE_LIMIT_POLICY, format!("\"{policy}\";q={count};w={window}")),
        (RATE_LIMIT, format!("\"{policy}\";r=0;t={}", wait.as_secs())),
    ]
}

/// Carries the problem to the boundary, where it is written.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Which problems an operation answers with, it says itself.
impl OperationOutput for Problem {
    type Inner = Self;
}

/// Why a request was refused (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem", example = example())]
pub(crate) struct ProblemDocument {
    /// Always `about:blank`; compare `code`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong, for people.
    detail: Cow<'static, str>,
    /// What went wrong, for programs. It never changes.
    code: &'static str,
    /// Which fields do not hold what they must.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    errors: Vec<FieldProblem>,
    /// Only with a fault of the server: what to ask its operator about.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Only at token endpoints: the error code of RFC 6749.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// Only at token endpoints: `detail` again, by RFC 6749's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<Cow<'static, str>>,
}

fn example() -> ProblemDocument {
    let field = FieldProblem::new("email", "required", "This field is required.");
    Problem::fields(vec![field]).document(None)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quota::Quota;

    fn render(problem: &Problem) -> Response {
        let mut response = Response::default();
        problem.render(&mut response, "request-1");
        response
    }

    fn document(problem: &Problem) -> serde_json::Value {
        serde_json::to_value(problem.document(Some("request-1"))).unwrap()
    }

    #[test]
    fn a_presented_token_is_told_what_is_wrong_with_it() {
        let response = render(&auth::Error::TokenExpired.into());
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = "Bearer error=\"invalid_token\", error_description=\"Token has expired\"";
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], challenge);
    }

    #[test]
    fn a_request_without_a_token_is_only_asked_for_one() {
        let response = render(&auth::Error::NotAuthenticated.into());
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }

    #[test]
    fn a_fault_of_the_server_tells_the_request_and_not_the_cause() {
        let problem = Problem::internal("the disk said no");
        let document = document(&problem).to_string();
        assert!(document.contains("request-1"));
        assert!(!document.contains("disk"));
        assert!(problem.cause().unwrap().contains("the disk said no"));
    }

    #[test]
    fn a_refusal_that_the_client_caused_has_no_request_id() {
        assert!(document(&Problem::not_found()).get("request_id").is_none());
    }

    #[test]
    fn token_endpoints_speak_rfc_6749_as_well() {
        let problem = Problem::from(auth::Error::InvalidCredentials).at_token_endpoint();
        assert_eq!(document(&problem)["error"], "invalid_grant");
        assert_eq!(document(&problem)["error_description"], "Invalid credentials");
        assert_eq!(document(&problem)["detail"], "Invalid credentials");
    }

    #[test]
    fn a_busy_server_says_when_to_come_back() {
        let response = render(&auth::Error::Busy.into());
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn who_tried_too_often_is_told_the_limit_and_when_to_come_back() {
        let exceeded = Exceeded {
            policy: "account",
            quota: Quota::new(10, Duration::from_mins(10)),
            wait: Duration::from_secs(17),
        };
        let problem = Problem::from(auth::Error::TooManyRequests(exceeded)).at_token_endpoint();
        let response = render(&problem);
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let headers = response.headers();
        assert_eq!(headers[header::RETRY_AFTER], "17");
        assert_eq!(headers[RATE_LIMIT_POLICY], "\"account\";q=10;w=600");
        assert_eq!(headers[RATE_LIMIT], "\"account\";r=0;t=17");
        let document = document(&problem);
        assert_eq!(
            document["detail"],
            "This was tried too often. Wait 17 seconds, and try again."
        );
        assert_eq!(document["error"], "temporarily_unavailable");
    }

    #[test]
    fn what_the_response_already_carried_is_kept() {
        let mut response = Response::default();
        response
            .headers_mut()
            .insert(header::SET_COOKIE, HeaderValue::from_static("a=b"));
        Problem::not_found().render(&mut response, "request-1");
        assert_eq!(response.headers()[header::SET_COOKIE], "a=b");
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
    }
}
