//! Request bodies: the one way from bytes to a request's fields, and to a problem that says which of them is wrong.

mod missing;

use std::{fmt, future::poll_fn, pin::Pin, time::Duration};

use aide::{
    OperationInput,
    generate::GenContext,
    openapi::{MediaType, Operation, RequestBody, SchemaObject},
    operation::set_body,
};
use axum::{
    body::{Body, HttpBody},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, SeqAccess, Visitor},
};

use self::missing::{Filled, Unread};
use super::problem::{FieldProblem, Problem};

/// No request of this API needs more: the longest holds a password and an address.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A client that is answered while it still writes sees a broken connection instead of the answer, so that much of an
/// oversized body is read and thrown away first. Whoever announces or sends more loses the connection.
const MAX_DRAINED_BYTES: usize = 4 * 1024 * 1024;

/// How long a body may take: its longest by far within the slowest network's time.
const BODY_LIMIT: Duration = Duration::from_secs(15);

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload<T>(pub(crate) T);

/// A JSON or form body, at the operations whose documented clients send either.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonOrForm<T>(pub(crate) T);

/// A JSON or form body that may be missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionalPayload<T>(pub(crate) T);

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Json,
    Form,
}

impl Encoding {
    /// Reads `Content-Type`. Only UTF-8 is spoken here, so another `charset` is another media type.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        if !parameters.split(';').all(is_utf8_or_no_charset) {
            return None;
        }
        match essence.trim().to_ascii_lowercase().as_str() {
            JSON => Some(Self::Json),
            FORM => Some(Self::Form),
            other if other.starts_with("application/") && other.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }

    fn read<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, Problem> {
        match self {
            Self::Json => read_json(bytes),
            Self::Form => read_form(bytes),
        }
    }
}

fn is_utf8_or_no_charset(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Payload<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let encoding = Encoding::of(request.headers());
        let bytes = read_body(request).await?;
        match encoding {
            Some(Encoding::Json) => read_json(&bytes).map(Self),
            _ => Err(Problem::unsupported_media_type(JSON)),
        }
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonOrForm<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let encoding = Encoding::of(request.headers());
        let bytes = read_body(request).await?;
        encoding.ok_or_else(json_or_form)?.read(&bytes).map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalPayload<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let encoding = Encoding::of(request.headers());
        let bytes = read_body(request).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        encoding.ok_or_else(json_or_form)?.read(&bytes).map(Self)
    }
}

fn json_or_form() -> Problem {
    Problem::unsupported_media_type("application/json or application/x-www-form-urlencoded")
}

/// The body is larger than any request's needs to be.
pub(super) fn too_large() -> Problem {
    let detail = format!("The body is larger than {} KiB", MAX_BODY_BYTES / 1024);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

/// The body did not come in time.
pub(super) fn timed_out() -> Problem {
    let detail = format!("The body took longer than {} seconds", BODY_LIMIT.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
}

/// The whole body, unless it is too large; or compressed, since what a few bytes unfold to has no bound; or too slow,
/// since a client that never ends one would keep its connection for ever.
pub(crate) async fn read_body(request: Request) -> Result<Vec<u8>, Problem> {
    let is_plain = is_identity(request.headers());
    let bytes = tokio::time::timeout(BODY_LIMIT, collect(request.into_body())).await;
    let bytes = bytes.unwrap_or_else(|_| Err(timed_out()))?;
    if is_plain { Ok(bytes) } else { Err(encoded()) }
}

fn is_identity(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    codings
        .map(|value| value.as_bytes().trim_ascii())
        .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

fn encoded() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_content_encoding",
        "Send the body without a Content-Encoding",
    )
}

async fn collect(mut body: Body) -> Result<Vec<u8>, Problem> {
    if body.size_hint().lower() > MAX_DRAINED_BYTES as u64 {
        return Err(too_large());
    }
    let mut kept = Vec::new();
    let mut seen = 0_usize;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Problem::malformed("body_incomplete", "The body ended early"))?;
        let Some(data) = frame.data_ref() else { continue };
        seen = seen.saturating_add(data.len());
        if seen > MAX_DRAINED_BYTES {
            break;
        }
        if seen <= MAX_BODY_BYTES {
            kept.extend_from_slice(data);
        }
    }
    if seen > MAX_BODY_BYTES {
        Err(too_large())
    } else {
        Ok(kept)
    }
}

pub(super) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
    serde_json::from_str::<WellFormed>(text).map_err(|error| malformed_json(&error))?;
    // serde would also fill a struct from an array, by position: a second spelling that nobody asked for.
    if !text.trim_ascii_start().starts_with('{') {
        let message = "The body must be a JSON object.";
        return Err(Problem::fields(vec![FieldProblem::new("", "wrong_type", message)]));
    }
    let attempt = |fields: &[String]| {
        let body = &mut serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(Filled { body, fields })
    };
    missing::read(attempt).map_err(unread)
}

/// Any JSON, looked at and forgotten. serde skips over unknown fields without a look at what is in them, at any depth
/// and with any escapes; what is no JSON is to be refused wherever it stands.
struct WellFormed;

impl<'de> Deserialize<'de> for WellFormed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for WellFormed {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// serde's own text would do, if it did not say more about this program than about the body.
fn malformed_json(error: &serde_json::Error) -> Problem {
    let place = format!(
        "The body is not valid JSON (line {}, column {})",
        error.line(),
        error.column()
    );
    Problem::malformed("malformed_json", place)
}

/// Reads `application/x-www-form-urlencoded`, whether it came as a body or as a query.
pub(super) fn read_form<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // The decoder replaces what is not UTF-8, so that different passwords would become the same one.
    if !decodes_to_utf8(bytes) {
        return Err(not_utf8());
    }
    let attempt = |fields: &[String]| {
        let body = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(bytes));
        serde_path_to_error::deserialize(Filled { body, fields })
    };
    missing::read(attempt).map_err(unread)
}

fn not_utf8() -> Problem {
    Problem::malformed("not_utf8", "The request is not valid UTF-8")
}

fn decodes_to_utf8(encoded: &[u8]) -> bool {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit.to_ascii_lowercase() - b'a') + 10,
    }
}

fn unread<E: fmt::Display>(unread: Unread<E>) -> Problem {
    match unread {
        Unread::Missing(fields) => {
            let required = |field| FieldProblem::new(field, "required", "This field is required.");
            Problem::fields(fields.into_iter().map(required).collect())
        }
        Unread::Wrong(error) => field_problem(&error),
    }
}

/// Says which field is wrong and how. The text of the error names the field where the path cannot, since a field that is
/// doubled is the fault of the object around it.
fn field_problem<E: fmt::Display>(error: &serde_path_to_error::Error<E>) -> Problem {
    let text = error.inner().to_string();
    let path = error.path().to_string();
    let path = if path == "." { String::new() } else { path };
    let problem = if let Some(field) = between_ticks(&text, "duplicate field `") {
        FieldProblem::new(field.to_owned(), "duplicate", "This field was sent more than once.")
    } else {
        let expected = text
            .rsplit_once("expected ")
            .map(|(_, rest)| rest.split(" at line ").next().unwrap_or(rest));
        let message = expected.map_or("This is not a valid value.".to_owned(), |what| {
            format!("Must be {}.", in_json(what))
        });
        FieldProblem::new(path, "wrong_type", message)
    };
    Problem::fields(vec![problem])
}

/// What serde expected, as JSON calls it: serde's own words are those of this program's types.
fn in_json(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number",
        named if named.starts_with("struct ") => "an object",
        plain => plain,
    }
}

/// The name in `text`, if that begins with `start`. Further on it may be quoting the body, which says anything.
fn between_ticks<'text>(text: &'text str, start: &str) -> Option<&'text str> {
    text.strip_prefix(start)?.split('`').next()
}

impl<T: JsonSchema> OperationInput for Payload<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        describe_body::<T>(context, operation, &[JSON], true);
    }
}

impl<T: JsonSchema> OperationInput for JsonOrForm<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        describe_body::<T>(context, operation, &[JSON, FORM], true);
    }
}

impl<T: JsonSchema> OperationInput for OptionalPayload<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        describe_body::<T>(context, operation, &[JSON, FORM], false);
    }
}

pub(crate) fn describe_body<T: JsonSchema>(
    context: &mut GenContext,
    operation: &mut Operation,
    media: &[&str],
    required: bool,
) {
    let json_schema = context.schema.subschema_for::<T>();
    let schema = Some(SchemaObject {
        json_schema,
        example: None,
        external_docs: None,
    });
    let described = MediaType {
        schema,
        ..MediaType::default()
    };
    let encodings = media
        .iter()
        .map(|name| ((*name).to_owned(), described.clone()))
        .collect();
    set_body(
        context,
        operation,
        RequestBody {
            content: encodings,
            required,
            ..RequestBody::default()
        },
    );
}

#[cfg(test)]
mod tests;
