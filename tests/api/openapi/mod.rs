//! The API's own description: complete, true to what is served, and readable offline.

mod examples;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::examples::example_of;
use crate::support::{Actor, Place, Server, both_engines, one_engine};

one_engine![
    sqlite: Sqlite,
    every_route_is_described,
    every_described_route_is_served,
    every_operation_tells_its_answers_and_problems,
    authorize_works_by_the_password_flow,
    protected_operations_say_so,
    references_lead_somewhere,
    operations_have_names_of_their_own,
    the_pages_need_nothing_from_elsewhere,
];

both_engines![the_documented_sign_up_is_accepted];

/// Section by section, every route there is.
const ROUTES: &[(&str, &str)] = &[
    ("post", "/api/auth/register"),
    ("post", "/auth/register"),
    ("post", "/register"),
    ("post", "/users/"),
    ("post", "/api/auth/login"),
    ("post", "/token"),
    ("post", "/auth/login"),
    ("post", "/login"),
    ("post", "/api/auth/refresh"),
    ("post", "/auth/refresh"),
    ("post", "/api/auth/logout"),
    ("post", "/auth/logout"),
    ("get", "/api/auth/me"),
    ("get", "/users/me"),
    ("get", "/current-user"),
    ("patch", "/api/auth/me"),
    ("delete", "/api/auth/me"),
    ("get", "/api/auth/me/export"),
    ("post", "/api/auth/me/password"),
    ("post", "/api/auth/me/email"),
    ("get", "/api/auth/sessions"),
    ("delete", "/api/auth/sessions"),
    ("delete", "/api/auth/sessions/{id}"),
    ("post", "/api/auth/forgot-password"),
    ("post", "/auth/forgot-password"),
    ("post", "/api/auth/reset-password"),
    ("post", "/auth/change-password"),
    ("post", "/api/auth/verify-email"),
    ("post", "/api/auth/resend-verification"),
    ("get", "/api/users"),
    ("get", "/users/"),
    ("get", "/api/users/{id}"),
    ("get", "/users/{id}"),
    ("patch", "/api/users/{id}"),
    ("delete", "/api/users/{id}"),
    ("post", "/api/users/{id}/logout"),
    ("post", "/api/users/{id}/reset-password"),
    ("get", "/api/audit"),
    ("post", "/api/products"),
    ("get", "/api/products"),
    ("post", "/product/"),
    ("get", "/product/"),
    ("get", "/product/{id}"),
    ("get", "/api/products/{id}"),
    ("patch", "/api/products/{id}"),
    ("delete", "/api/products/{id}"),
    ("get", "/users/me/items"),
    ("post", "/api/auth/password-strength"),
    ("post", "/api/csp-report"),
    ("get", "/api/mail"),
    ("post", "/api/mail/{id}/resend"),
    ("get", "/api/auth/forward"),
    ("get", "/.well-known/jwks.json"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
];

const OPEN: &[&str] = &[
    "/api/auth/register",
    "/auth/register",
    "/register",
    "/api/auth/login",
    "/token",
    "/auth/login",
    "/login",
    "/api/auth/forgot-password",
    "/auth/forgot-password",
    "/api/auth/reset-password",
    "/auth/change-password",
    "/api/auth/verify-email",
    "/api/auth/resend-verification",
    "/api/auth/password-strength",
    "/api/csp-report",
    "/.well-known/jwks.json",
    "/openapi.json",
    "/health/live",
    "/health/ready",
    "/docs",
    "/redoc",
    "/dev/mail",
    "/dev/mail.json",
];

async fn document(server: &Server) -> Value {
    let reply = server.anonymous().get("/openapi.json").await.expect(200);
    assert!(reply.header("content-type").unwrap().starts_with("application/json"));
    reply.json()
}

/// All operations as (method, path, operation).
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in ["get", "post", "put", "patch", "delete"] {
            if let Some(operation) = item.get(method) {
                all.push((method.to_owned(), path.clone(), operation.clone()));
            }
        }
    }
    all
}

/// Follows `$ref`s until there is something.
fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str() {
        let pointer = reference
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{reference} leads outside"));
        value = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{reference} leads nowhere"));
    }
    value
}

async fn every_route_is_described(place: Place) {
    let server = place.start().await;
    let document = document(&server).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let described: BTreeSet<(String, String)> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| (method, path.trim_end_matches('/').to_owned()))
        .collect();
    let missing: Vec<_> = ROUTES
        .iter()
        .filter(|(method, path)| !described.contains(&((*method).to_owned(), path.trim_end_matches('/').to_owned())))
        .collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
}

async fn every_described_route_is_served(place: Place) {
    let server = place.start().await;
    for (method, path, _) in operations(&document(&server).await) {
        let concrete = path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057");
        let method = method.to_uppercase().parse().unwrap();
        let reply = server.anonymous().request(method, &concrete).await;
        assert!(reply.status != 404 && reply.status != 405, "{path}: {}", reply.status);
    }
}

async fn every_operation_tells_its_answers_and_problems(place: Place) {
    let server = place.start().await;
    let document = document(&server).await;
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        assert!(
            !operation["summary"].as_str().unwrap_or_default().is_empty(),
            "{name}: no summary"
        );
        let answers = operation["responses"]
            .as_object()
            .unwrap_or_else(|| panic!("{name}: no responses"));
        assert!(
            answers
                .keys()
                .any(|status| status.starts_with('2') || status.starts_with('3')),
            "{name}: {answers:?}"
        );
        for (status, answer) in answers {
            let answer = resolve(&document, answer);
            assert!(answer["description"].is_string(), "{name} {status}: no description");
            if status.starts_with('4') || status.starts_with('5') {
                assert!(
                    answer["content"]["application/problem+json"].is_object(),
                    "{name} {status}: {answer}"
                );
            }
        }
        let open =
            OPEN.contains(&path.trim_end_matches('/')) || (method == "post" && path.trim_end_matches('/') == "/users");
        if !open && !path.ends_with("/logout") {
            assert!(answers.contains_key("401"), "{name}: no 401");
        }
        if operation["requestBody"].is_object() && !path.ends_with("csp-report") {
            assert!(answers.contains_key("422"), "{name}: no 422");
            assert!(
                answers.contains_key("413") || answers.contains_key("default"),
                "{name}: no 413"
            );
        }
    }
}

async fn authorize_works_by_the_password_flow(place: Place) {
    let server = place.start().await;
    let document = document(&server).await;
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .expect("security schemes");
    let flow = schemes
        .values()
        .find(|scheme| scheme["type"] == "oauth2")
        .expect("an OAuth2 scheme");
    let url = flow["flows"]["password"]["tokenUrl"].as_str().expect("a token URL");
    assert!(
        url == "/token" || url == "token" || url.ends_with(":8000/token"),
        "{url}"
    );
    assert!(
        flow["flows"]["password"]["scopes"].is_object(),
        "required by OpenAPI, even if empty"
    );
    // What Swagger UI sends when the button is pressed.
    server.sign_up("ann@example.com").await;
    let fields = [
        ("grant_type", "password"),
        ("username", "ann@example.com"),
        ("password", crate::support::PASSWORD),
    ];
    let token = server
        .browser()
        .post("/token")
        .form(&fields)
        .header("x-requested-with", "XMLHttpRequest")
        .await;
    assert_eq!(token.expect(200).json()["token_type"], "bearer");
    // The dialog shows them in the order of their names.
    assert_eq!(schemes.keys().min().map(String::as_str), Some("OAuth2PasswordBearer"));
    assert!(
        schemes
            .values()
            .any(|scheme| scheme["type"] == "apiKey" && scheme["in"] == "cookie"),
        "{schemes:?}"
    );
}

async fn protected_operations_say_so(place: Place) {
    let server = place.start().await;
    let document = document(&server).await;
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .expect("security schemes");
    for (method, path, operation) in operations(&document) {
        let short = path.trim_end_matches('/');
        let needs = operation["security"]
            .as_array()
            .or(document["security"].as_array())
            .cloned()
            .unwrap_or_default();
        if OPEN.contains(&short) || (method == "post" && short == "/users") {
            assert!(
                needs.iter().all(|need| need == &json!({})),
                "{method} {path} is open to anyone: {needs:?}"
            );
        } else {
            assert!(!needs.is_empty(), "{method} {path} says nothing of security");
        }
        for name in needs.iter().filter_map(Value::as_object).flat_map(|need| need.keys()) {
            assert!(schemes.contains_key(name), "{method} {path} needs the unknown {name}");
        }
    }
}

async fn references_lead_somewhere(place: Place) {
    fn walk(document: &Value, value: &Value) {
        if value["$ref"].is_string() {
            resolve(document, value);
        }
        match value {
            Value::Object(members) => members.values().for_each(|member| walk(document, member)),
            Value::Array(items) => items.iter().for_each(|item| walk(document, item)),
            _ => {}
        }
    }
    let server = place.start().await;
    let document = document(&server).await;
    walk(&document, &document);
}

async fn operations_have_names_of_their_own(place: Place) {
    let server = place.start().await;
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document(&server).await) {
        let name = operation["operationId"]
            .as_str()
            .unwrap_or_else(|| panic!("{method} {path}: no operationId"));
        assert!(
            names.insert(name.to_owned()),
            "{method} {path}: {name} is taken, and generators need it unique"
        );
    }
}

/// What a page asks a browser to load.
fn loads(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for marker in [
        "src=\"",
        "src='",
        "href=\"",
        "href='",
        "url: \"",
        "url(\"",
        "url('",
        "spec-url=\"",
        "spec-url='",
    ] {
        let quote = marker.chars().last().unwrap();
        for rest in page.split(marker).skip(1) {
            found.extend(rest.split(quote).next().map(ToOwned::to_owned));
        }
    }
    found
}

async fn the_pages_need_nothing_from_elsewhere(place: Place) {
    let server = place.start().await;
    for path in ["/docs", "/redoc"] {
        let reply = server.anonymous().get(path).await.expect(200);
        assert!(reply.header("content-type").unwrap().starts_with("text/html"));
        let page = reply.text();
        assert!(page.contains("/openapi.json"), "{path} does not name the document");
        // The scripts that stand inside hold addresses that nobody loads.
        let around = page
            .split("<script")
            .map(|part| part.split_once("</script>").map_or(part, |(_, after)| after));
        let starts = page.split("<script").skip(1).filter_map(|part| part.split('>').next());
        let tags: Vec<&str> = around.chain(starts).collect();
        let tags = tags.join("\n");
        for url in loads(&tags) {
            if url.starts_with('#') || url.starts_with("data:") {
                continue;
            }
            assert!(!url.contains("//"), "{path} loads {url}");
            let asset = if url.starts_with('/') { url } else { format!("/{url}") };
            let reply = server.anonymous().get(&asset).await;
            assert_eq!(reply.status, 200, "{path} loads {asset}");
        }
    }
}

async fn the_documented_sign_up_is_accepted(place: Place) {
    let server = place.start().await;
    let document = document(&server).await;
    let media = &document["paths"]["/api/auth/register"]["post"]["requestBody"]["content"]["application/json"];
    let example = example_of(&document, media).expect("an example of a sign-up");
    server
        .anonymous()
        .post("/api/auth/register")
        .json(example)
        .await
        .expect(201);
}
