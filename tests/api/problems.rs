//! The shape of refusals, which both new and old clients read.

use reqwest::Method;
use serde_json::json;

use crate::support::{Actor, PASSWORD, Place, both_engines};

both_engines![
    a_refusal_is_a_problem_document_with_a_detail,
    fields_are_named_with_code_and_message,
    every_required_field_that_is_missing_is_named,
    token_endpoints_speak_oauth_too,
    a_path_that_is_not_there_is_a_problem_too,
    a_method_that_is_not_there_names_those_that_are,
    another_content_type_is_not_supported,
    a_compressed_body_is_not_supported,
    a_body_that_is_no_object_is_told_so_in_the_words_of_json,
    two_authorizations_are_refused,
    paths_answer_with_and_without_a_trailing_slash,
    every_answer_has_a_request_id,
];

async fn a_refusal_is_a_problem_document_with_a_detail(place: Place) {
    let server = place.start().await;
    let reply = server.anonymous().get("/users/me").await;
    let problem = reply.expect_problem(401, "not_authenticated");
    assert_eq!(problem["title"], "Unauthorized");
    assert_eq!(problem["detail"], "Not authenticated");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

async fn fields_are_named_with_code_and_message(place: Place) {
    let server = place.start().await;
    let reply = server
        .anonymous()
        .post("/register")
        .json(json!({"email": "x", "password": "x"}))
        .await;
    let problem = reply.expect_problem(422, "invalid_fields");
    let errors = problem["errors"].as_array().unwrap();
    assert!(errors.len() >= 2, "{problem}");
    for error in errors {
        let mut members: Vec<&String> = error.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["code", "field", "message"]);
    }
}

async fn every_required_field_that_is_missing_is_named(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    for (method, path, required) in [
        (Method::POST, "/api/auth/register", &["email", "password"][..]),
        (Method::POST, "/register", &["email", "password"]),
        (Method::POST, "/api/auth/login", &["username", "password"]),
        (Method::POST, "/api/auth/reset-password", &["token", "new_password"]),
        (
            Method::POST,
            "/api/auth/me/password",
            &["current_password", "new_password"],
        ),
        (Method::POST, "/api/auth/me/email", &["password", "new_email"]),
        (Method::DELETE, "/api/auth/me", &["password"]),
        (Method::POST, "/api/products", &["name"]),
        (
            Method::POST,
            "/form/change_password",
            &["current_password", "new_password"],
        ),
    ] {
        let reply = ann.request(method, path).json(json!({})).await;
        let problem = reply.expect_problem(422, "invalid_fields");
        let errors = problem["errors"].as_array().unwrap();
        let named: Vec<&str> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
        assert_eq!(named, required, "{path}: {problem}");
        assert!(
            errors.iter().all(|error| error["code"] == "required"),
            "{path}: {problem}"
        );
    }
    let reply = ann.post("/api/auth/me/password").json(json!({"new_password": 1})).await;
    assert_eq!(reply.expect_invalid_field("new_password"), "wrong_type");
    ann.post("/api/auth/me/password")
        .body("application/json", "{")
        .await
        .expect_problem(400, "malformed_json");
}

async fn token_endpoints_speak_oauth_too(place: Place) {
    let server = place.start().await;
    let wrong = json!({"username": "nobody@example.com", "password": PASSWORD});
    for path in ["/api/auth/login", "/token", "/auth/login", "/login"] {
        let problem = server.anonymous().post(path).json(&wrong).await.expect_any_problem(401);
        assert_eq!(problem["error"], "invalid_grant", "{path}");
        assert!(problem["error_description"].is_string(), "{path}");
        let problem = server
            .anonymous()
            .post(path)
            .body("application/json", "{")
            .await
            .expect_any_problem(400);
        assert_eq!(problem["error"], "invalid_request", "{path}");
    }
    for path in ["/api/auth/refresh", "/auth/refresh"] {
        let reply = server.anonymous().post(path).json(json!({"refresh_token": "x"})).await;
        assert_eq!(reply.expect_any_problem(401)["error"], "invalid_grant", "{path}");
    }
    let elsewhere = server.anonymous().get("/users/me").await.expect_any_problem(401);
    assert_eq!(elsewhere.get("error"), None);
}

async fn a_path_that_is_not_there_is_a_problem_too(place: Place) {
    let server = place.start().await;
    for path in [
        "/nothing",
        "/api",
        "/api/",
        "/api/nothing",
        "/users/me/nothing",
        "/auth/nothing",
    ] {
        server.anonymous().get(path).await.expect_problem(404, "not_found");
    }
}

async fn a_method_that_is_not_there_names_those_that_are(place: Place) {
    let server = place.start().await;
    for (method, path, allowed) in [
        (Method::GET, "/api/auth/register", "POST"),
        (Method::GET, "/token", "POST"),
        (Method::DELETE, "/api/auth/login", "POST"),
        (Method::PUT, "/api/auth/me", "PATCH"),
        (Method::POST, "/health/live", "GET"),
        (Method::DELETE, "/.well-known/jwks.json", "GET"),
        (Method::PUT, "/users/", "GET"),
    ] {
        let reply = server.anonymous().request(method, path).await;
        reply.expect_problem(405, "method_not_allowed");
        let allow = reply.header("allow").unwrap_or_default();
        assert!(allow.contains(allowed), "{path}: Allow: {allow}");
    }
}

async fn another_content_type_is_not_supported(place: Place) {
    let server = place.start().await;
    let body = json!({"email": "ann@example.com", "password": PASSWORD}).to_string();
    for path in ["/api/auth/register", "/api/auth/login", "/api/auth/forgot-password"] {
        let reply = server.anonymous().post(path).body("text/plain", body.clone()).await;
        reply.expect_any_problem(415);
    }
    // Parameters and other JSON types are as good.
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        let reply = server
            .anonymous()
            .post("/api/auth/forgot-password")
            .body(kind, r#"{"email": "x@example.com"}"#);
        reply.await.expect(200);
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 0);
}

async fn paths_answer_with_and_without_a_trailing_slash(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    for path in [
        "/api/auth/me",
        "/users/me",
        "/current-user",
        "/users",
        "/api/users",
        "/product",
        "/api/products",
        "/users/me/items",
        "/api/auth/sessions",
        "/api/audit",
        "/api/mail",
        "/health/live",
        "/health/ready",
        "/openapi.json",
        "/docs",
        "/redoc",
        "/.well-known/jwks.json",
        "/dev/mail",
    ] {
        admin.get(path).await.expect(200);
        admin.get(&format!("{path}/")).await.expect(200);
    }
    let body = json!({"username": "admin@example.com", "password": PASSWORD});
    for path in ["/token", "/token/", "/login/", "/auth/login/", "/api/auth/login/"] {
        server.anonymous().post(path).json(&body).await.expect(200);
    }
    let list = admin.get("/users/?limit=1").await.expect(200).json();
    assert_eq!(list.as_array().unwrap().len(), 1, "the query is kept");
}

async fn every_answer_has_a_request_id(place: Place) {
    let server = place.start().await;
    let mut seen = Vec::new();
    for path in ["/health/live", "/users/me", "/nothing", "/openapi.json"] {
        let reply = server.anonymous().get(path).await;
        let id = reply
            .header("x-request-id")
            .unwrap_or_else(|| panic!("{path}: no x-request-id"))
            .to_owned();
        assert!(!id.is_empty() && !seen.contains(&id), "{path}: {id}");
        seen.push(id);
    }
    // What a client names itself is not taken over unseen into the log.
    let reply = server
        .anonymous()
        .get("/health/live")
        .header("x-request-id", "x\" y=z")
        .await;
    assert_ne!(reply.header("x-request-id"), Some("x\" y=z"));
}

async fn a_compressed_body_is_not_supported(place: Place) {
    let server = place.start().await;
    let body = json!({"email": "ann@example.com"});
    for path in ["/api/auth/forgot-password", "/api/auth/login", "/api/auth/refresh"] {
        let request = server.anonymous().post(path).json(&body);
        let reply = request.header("content-encoding", "gzip").await;
        reply.expect_problem(415, "unsupported_content_encoding");
    }
    let request = server.anonymous().post("/api/auth/forgot-password").json(&body);
    request.header("content-encoding", "identity").await.expect(200);
}

async fn a_body_that_is_no_object_is_told_so_in_the_words_of_json(place: Place) {
    let server = place.start().await;
    for path in ["/api/auth/register", "/token", "/api/auth/refresh"] {
        for body in ["null", "\"x\"", "1", "[]"] {
            let reply = server.anonymous().post(path).body("application/json", body).await;
            let problem = reply.expect_any_problem(422);
            assert_eq!(problem["errors"][0]["message"], "The body must be a JSON object.");
        }
    }
}

async fn two_authorizations_are_refused(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let reply = ann.get("/users/me").header("authorization", "Basic Og==").await;
    reply.expect_problem(400, "ambiguous_authorization");
}
