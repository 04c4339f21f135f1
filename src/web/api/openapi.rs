//! The OpenAPI document: what every operation has in common, said once.

use std::{iter, time::Duration};

use aide::{
    OperationOutput,
    generate::in_context,
    openapi::{
        Example, Header, HeaderStyle, Info, License, MediaType, OpenApi, Operation, Parameter,
        ParameterSchemaOrContent, PathItem, ReferenceOr, Response, SchemaObject, SecurityRequirement, StatusCode, Tag,
    },
    transform::TransformOperation,
};
use schemars::json_schema;
use serde_json::{Value, json};

use super::{aliases::Alias, examples};
use crate::{
    auth::{self, Exceeded},
    quota::Quota,
    web::{
        identity::ambiguous_authorization,
        payload::{timed_out, too_large},
        problem::{self, Problem, ProblemDocument},
    },
};

/// What the operations are about, in the order in which they are shown.
const TAGS: [(&str, &str); 9] = [
    (ACCOUNTS, "Making an account, and getting back into one."),
    (SESSIONS, "Signing in, staying signed in, signing out."),
    (ME, "The caller's own account."),
    (USERS, "Everybody's accounts, for admins."),
    (AUDIT, "What happened, for admins."),
    (MAIL, "What was or is to be mailed, for admins."),
    (PRODUCTS, "The worked example of a protected resource."),
    (SERVICES, "For proxies, other services and machines."),
    (
        TEMPLATES,
        "The same operations at the paths of the FastAPI templates that this server replaces.",
    ),
];

pub(super) const ACCOUNTS: &str = "Accounts";
pub(super) const SESSIONS: &str = "Sessions";
pub(super) const ME: &str = "Me";
pub(super) const USERS: &str = "Users";
pub(super) const AUDIT: &str = "Audit";
pub(super) const MAIL: &str = "Mail";
pub(super) const PRODUCTS: &str = "Products";
pub(super) const SERVICES: &str = "Services";
pub(super) const TEMPLATES: &str = "Templates";

/// Swagger UI shows the schemes in the order of their names, and this is the one to use. `FastAPI` names it so too.
const OAUTH2: &str = "OAuth2PasswordBearer";
const PROBLEM_SCHEMA: &str = "#/components/schemas/Problem";

const BEARER: &str = "bearer";
const COOKIE: &str = "cookie";

/// Names an operation.
pub(super) fn named<'t>(
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> impl FnOnce(TransformOperation<'t>) -> TransformOperation<'t> {
    move |docs| docs.id(id).tag(tag).summary(summary)
}

/// Answers with `STATUS` and `R` when all is well.
pub(super) fn answers<'t, const STATUS: u16, R: OperationOutput>(
    description: &'static str,
) -> impl FnOnce(TransformOperation<'t>) -> TransformOperation<'t> {
    move |docs| docs.response_with::<STATUS, R, _>(|answer| answer.description(description))
}

/// Answers with `status` and a body of `media` that is no JSON of ours, or with none.
pub(super) fn answers_with<'t>(
    status: u16,
    media: Option<&'static str>,
    description: &'static str,
) -> impl FnOnce(TransformOperation<'t>) -> TransformOperation<'t> {
    move |mut docs| {
        let mut response = Response {
            description: description.to_owned(),
            ..Response::default()
        };
        response
            .content
            .extend(media.map(|media| (media.to_owned(), MediaType::default())));
        let responses = &mut docs.inner_mut().responses.get_or_insert_default().responses;
        responses.insert(StatusCode::Code(status), ReferenceOr::Item(response));
        docs
    }
}

/// Anybody may call it.
pub(super) fn for_anyone(mut docs: TransformOperation<'_>) -> TransformOperation<'_> {
    // The requirement of nothing; without any, a reader might think that it was forgotten.
    docs.inner_mut().security = vec![SecurityRequirement::new()];
    docs
}

/// A signed-in user may call it.
pub(super) fn for_users(docs: TransformOperation<'_>) -> TransformOperation<'_> {
    use auth::Error as E;
    let refused = [
        E::NotAuthenticated,
        E::TokenMalformed,
        E::TokenExpired,
        E::TokenInvalid,
        E::SessionEnded,
    ];
    docs.security_requirement(OAUTH2)
        .security_requirement(BEARER)
        .security_requirement(COOKIE)
        .with(refuses(refused))
        .with(refuses([E::InactiveUser]))
}

/// A signed-in admin may call it.
pub(super) fn for_admins(docs: TransformOperation<'_>) -> TransformOperation<'_> {
    docs.with(for_users).with(refuses([auth::Error::Forbidden]))
}

/// It can be tried only so often, by network and by what it is about.
pub(super) fn limited(docs: TransformOperation<'_>) -> TransformOperation<'_> {
    const HEADERS: [(&str, &str, &str); 3] = [
        ("Retry-After", "integer", "In how many seconds to try again."),
        (
            "RateLimit-Policy",
            "string",
            "The limit that is used up: so many (`q`) in so many seconds (`w`).",
        ),
        (
            "RateLimit",
            "string",
            "What is left of it (`r`), and in how many seconds there is more (`t`).",
        ),
    ];
    let exceeded = Exceeded {
        policy: "network",
        quota: Quota::new(60, Duration::from_mins(1)),
        wait: Duration::from_secs(1),
    };
    let mut docs = docs.with(refuses([auth::Error::TooManyRequests(exceeded)]));
    let responses = &mut docs.inner_mut().responses.get_or_insert_default().responses;
    if let Some(ReferenceOr::Item(response)) = responses.get_mut(&StatusCode::Code(429)) {
        let headers = HEADERS.map(|(name, kind, description)| (name.to_owned(), header(kind, description)));
        response.headers.extend(headers);
    }
    docs
}

fn header(kind: &str, description: &str) -> ReferenceOr<Header> {
    ReferenceOr::Item(Header {
        description: Some(description.to_owned()),
        style: HeaderStyle::Simple,
        required: true,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(SchemaObject {
            json_schema: json_schema!({"type": kind}),
            example: None,
            external_docs: None,
        }),
        example: None,
        examples: iter::empty().collect(),
        extensions: iter::empty().collect(),
    })
}

/// Describes refusals by what they really answer.
pub(super) fn refuses<'t, P: Into<Problem>>(
    problems: impl IntoIterator<Item = P>,
) -> impl FnOnce(TransformOperation<'t>) -> TransformOperation<'t> {
    move |mut docs| {
        for problem in problems {
            add_refusal(docs.inner_mut(), &problem.into());
        }
        docs
    }
}

fn add_refusal(operation: &mut Operation, problem: &Problem) {
    let responses = &mut operation.responses.get_or_insert_default().responses;
    let status = StatusCode::Code(problem.status().as_u16());
    let described = responses
        .entry(status)
        .or_insert_with(|| ReferenceOr::Item(refusal(problem)));
    let example = Example {
        summary: Some(problem.detail().to_owned()),
        value: Some(json!(problem.document(Some("5f0c6b5e-6f0c-4c1b-9d8e-2a1f6c0b7d3e")))),
        ..Example::default()
    };
    if let ReferenceOr::Item(response) = described
        && let Some(media) = response.content.get_mut(problem::MEDIA_TYPE)
    {
        media
            .examples
            .insert(problem.code().to_owned(), ReferenceOr::Item(example));
    }
}

fn refusal(problem: &Problem) -> Response {
    let json_schema = json_schema!({"$ref": PROBLEM_SCHEMA});
    let schema = Some(SchemaObject {
        json_schema,
        example: None,
        external_docs: None,
    });
    let mut response = Response {
        description: problem.status().canonical_reason().unwrap_or_default().to_owned(),
        ..Response::default()
    };
    response.content.insert(
        problem::MEDIA_TYPE.to_owned(),
        MediaType {
            schema,
            ..MediaType::default()
        },
    );
    response
}

/// Adds what follows from an operation's method and body, whichever operation it is.
pub(super) fn complete(item: &mut PathItem) {
    let (reading, changing) = operations(item);
    for operation in reading {
        complete_operation(operation, false);
    }
    for operation in changing {
        complete_operation(operation, true);
    }
}

fn complete_operation(operation: &mut Operation, changes: bool) {
    let mut problems = Vec::new();
    if changes {
        problems.push(Problem::cross_origin());
    }
    if operation.request_body.is_some() {
        problems.extend([
            Problem::malformed("malformed_json", "The body is not valid JSON (line 1, column 1)"),
            too_large(),
            timed_out(),
            Problem::unsupported_media_type("application/json"),
        ]);
    }
    if operation.request_body.is_some() || operation.parameters.iter().any(is_query) {
        problems.push(auth::Error::invalid_field("email", "required", "This field is required.").into());
    }
    problems.extend([
        ambiguous_authorization(),
        Problem::internal("an example"),
        auth::Error::Busy.into(),
    ]);
    for problem in problems {
        add_refusal(operation, &problem);
    }
}

fn is_query(parameter: &ReferenceOr<Parameter>) -> bool {
    matches!(parameter, ReferenceOr::Item(Parameter::Query { .. }))
}

type Operations<'item> = Vec<&'item mut Operation>;

/// The operations of a path: those that read, and those that change.
fn operations(item: &mut PathItem) -> (Operations<'_>, Operations<'_>) {
    let reading = item.get.iter_mut().collect();
    let changing = [&mut item.post, &mut item.patch, &mut item.delete]
        .into_iter()
        .flatten()
        .collect();
    (reading, changing)
}

/// Turns the description of a canonical operation into that of an alias.
pub(super) fn rename(item: &mut PathItem, alias: &Alias) {
    let (reading, changing) = operations(item);
    for operation in reading.into_iter().chain(changing) {
        let id = operation.operation_id.take().unwrap_or_default();
        operation.operation_id = Some(format!("{id}_at{}", identifier(alias.path)));
        operation.tags = vec![TEMPLATES.to_owned()];
        let Alias {
            canonical, template, ..
        } = alias;
        operation.description = Some(format!("As `{canonical}`, for clients of template {template}."));
    }
}

/// `/users/{id}` as a part of an operation's id, which must be unique and should be a name in any language. A trailing
/// slash counts, since both spellings are documented.
fn identifier(path: &str) -> String {
    path.chars()
        .filter_map(|char| match char {
            '/' | '-' => Some('_'),
            char if char.is_ascii_alphanumeric() => Some(char),
            _ => None,
        })
        .collect()
}

/// The document as it is served.
pub(super) fn finish(api: &OpenApi, access_cookie: &str) -> Value {
    let mut document = json!(api);
    document["components"]["securitySchemes"] = security_schemes(access_cookie);
    examples::complete(&mut document);
    document
}

/// The document before its paths are put in.
pub(super) fn blank() -> OpenApi {
    // What is referred to by name must be known by it.
    in_context(|context| context.schema.subschema_for::<ProblemDocument>());
    OpenApi {
        info: Info {
            title: "Vestibule".to_owned(),
            summary: Some("A self-hosted sign-in server".to_owned()),
            description: Some(DESCRIPTION.to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            license: Some(License {
                name: "MIT".to_owned(),
                identifier: Some("MIT".to_owned()),
                ..License::default()
            }),
            ..Info::default()
        },
        tags: TAGS.map(tag).to_vec(),
        ..OpenApi::default()
    }
}

const DESCRIPTION: &str = "\
Sign-up, sign-in, password reset, and sessions with short-lived access tokens and rotating refresh tokens.

Every error is a problem document (RFC 9457): compare `code`, show `detail`. Lists are `{items, next_cursor}` here, and \
plain arrays with a `Link` header at the templates' paths. Unknown fields are ignored. Every path also answers with a \
trailing slash.";

fn tag((name, description): (&str, &str)) -> Tag {
    Tag {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        ..Tag::default()
    }
}

/// Ways to say who one is. `/token` is a log-in that Swagger UI's "Authorize" knows how to use.
fn security_schemes(access_cookie: &str) -> Value {
    json!({
        OAUTH2: {
            "type": "oauth2",
            "description": "A username or email address, and the password. The client fields stay empty.",
            "flows": {"password": {"tokenUrl": "/token", "refreshUrl": "/api/auth/refresh", "scopes": {}}},
        },
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token from a log-in or a refresh. It wins over cookies.",
        },
        COOKIE: {
            "type": "apiKey",
            "in": "cookie",
            "name": access_cookie,
            "description": "Set by a log-in, and renewed on the way by the refresh token's cookie.",
        },
    })
}
