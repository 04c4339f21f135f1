//! Every call that the five templates' READMEs document, as written there: an existing client need not change.
//!
//! What differs is deliberate: a reset token is mailed instead of returned, listing users needs an admin, ids are UUIDs.

use serde_json::{Value, json};

use crate::support::{Actor, Anonymous, Place, SECRET_KEY, Server, both_engines, jwt_claims, jwt_header};

both_engines![
    template_000_httpx,
    template_001_requests,
    template_001_http,
    template_002_requests,
    template_002_fetch,
    template_002_curl,
    template_002_http,
    template_003_http,
    template_004_curl,
    the_templates_statuses_are_kept,
];

/// How the templates' readers would set Vestibule up: their algorithm, with a secret that is one, and their bad
/// passwords let in.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("ALGORITHM", "HS256"),
    ("SECRET_KEY", SECRET_KEY),
    ("PASSWORD_MIN_LENGTH", "4"),
    ("PASSWORD_MIN_SCORE", "0"),
];

async fn post_json(client: &Anonymous, path: &str, body: Value) -> Value {
    client.post(path).json(body).await.expect_success().json()
}

fn access_token(answer: &Value) -> &str {
    assert_eq!(answer["token_type"], "bearer");
    answer["access_token"].as_str().expect("an access token")
}

async fn template_000_httpx(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let client = server.anonymous();
    let user = json!({"email": "admin@example.com", "username": "admin", "password": "your_password"});
    post_json(&client, "/register", user).await;
    calls_of_000(&server).await;
}

/// What the README's client calls once there is an account, and so do those below.
pub(crate) async fn calls_of_000(server: &Server) {
    let client = server.anonymous();
    let fields = [("username", "admin"), ("password", "your_password")];
    let answer = client.post("/token").form(&fields).await.expect(200).json();
    let token = access_token(&answer);
    let me = client.get("/users/me").bearer(token).await.expect(200).json();
    assert_eq!(me["username"], "admin");
    let items = client.get("/users/me/items").bearer(token).await.expect(200).json();
    assert_eq!(items, json!([]));
}

async fn template_001_requests(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let client = server.anonymous();
    let user = json!({"email": "newuser@example.com", "username": "newuser", "password": "password123"});
    post_json(&client, "/api/auth/register", user).await;
    calls_of_001(&server).await;
}

pub(crate) async fn calls_of_001(server: &Server) {
    let client = server.anonymous();
    let fields = [("username", "newuser@example.com"), ("password", "password123")];
    let answer = client.post("/api/auth/login").form(&fields).await.expect(200).json();
    let token = access_token(&answer);
    let me = client.get("/api/auth/me").bearer(token).await.expect(200).json();
    assert_eq!(me["email"], "newuser@example.com");
}

async fn template_001_http(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let client = server.anonymous();
    let body = "{\n  \"email\": \"user@example.com\",\n  \"username\": \"username\",\n  \
                \"password\": \"securepassword123\"\n}";
    client
        .post("/api/auth/register")
        .body("application/json", body)
        .await
        .expect_success();
    let form = "username=user@example.com&password=securepassword123";
    let login = client
        .post("/api/auth/login")
        .body("application/x-www-form-urlencoded", form)
        .await
        .expect(200)
        .json();
    client
        .get("/api/auth/me")
        .bearer(access_token(&login))
        .await
        .expect(200);
    let refresh = login["refresh_token"].as_str().unwrap();
    let answer = client
        .post("/api/auth/refresh")
        .bearer(refresh)
        .await
        .expect(200)
        .json();
    client
        .get("/api/auth/me")
        .bearer(access_token(&answer))
        .await
        .expect(200);
}

async fn template_002_requests(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let client = server.anonymous();
    let user = json!({"email": "john@example.com", "password": "securepassword123"});
    let created = post_json(&client, "/auth/register", user).await;
    assert_eq!(created["msg"], "user created");
    calls_of_002(&server).await;
}

pub(crate) async fn calls_of_002(server: &Server) {
    let client = server.anonymous();
    let user = json!({"email": "john@example.com", "password": "securepassword123"});
    // A `requests` session keeps the cookie, and sends neither Origin nor Sec-Fetch-Site.
    let tokens = post_json(&client, "/auth/login", user).await;
    assert!(tokens["refresh_token"].is_string());
    let me = client
        .get("/users/me")
        .bearer(access_token(&tokens))
        .await
        .expect(200)
        .json();
    assert_eq!(me["email"], "john@example.com");
    let cookie = format!("refresh_token={}", tokens["refresh_token"].as_str().unwrap());
    let refreshed = client.post("/auth/refresh").header("cookie", cookie).await.expect(200);
    access_token(&refreshed.json());
    assert!(refreshed.cookie("refresh_token").attribute("HttpOnly").is_some());

    post_json(&client, "/auth/forgot-password", json!({"email": "john@example.com"})).await;
    let token = server.links("john@example.com", "/reset-password", 1).await.remove(0);
    let body = json!({"token": token, "new_password": "newSecurePassword123"});
    let changed = post_json(&client, "/auth/change-password", body).await;
    assert_eq!(changed, json!({"msg": "Password changed successfully"}));
    post_json(
        &client,
        "/auth/login",
        json!({"email": "john@example.com", "password": "newSecurePassword123"}),
    )
    .await;
}

async fn template_002_fetch(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let user = json!({"username": "johndoe", "email": "john@example.com", "password": "securepassword123"});
    post_json(&server.anonymous(), "/auth/register", user).await;
    // From a page, so with what a browser adds.
    let browser = server.browser();
    let body = json!({"username": "johndoe", "password": "securepassword123"});
    let tokens = browser.post("/auth/login").json(body).await.expect(200).json();
    let me = browser
        .get("/users/me")
        .bearer(access_token(&tokens))
        .await
        .expect(200)
        .json();
    assert_eq!(me["username"], "johndoe");
}

async fn template_002_curl(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let client = server.anonymous();
    let body = r#"{"username": "johndoe", "email": "john@example.com", "password": "securepassword123"}"#;
    client
        .post("/auth/register")
        .body("application/json", body)
        .await
        .expect_success();
    let body = r#"{"username": "johndoe", "password": "securepassword123"}"#;
    let tokens = client
        .post("/auth/login")
        .body("application/json", body)
        .await
        .expect(200)
        .json();
    client.get("/users/me").bearer(access_token(&tokens)).await.expect(200);
}

async fn template_002_http(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let browser = server.browser();
    let user = json!({"email": "john@example.com", "password": "securepassword123"});
    browser.post("/auth/register").json(&user).await.expect_success();
    browser.post("/auth/login").json(&user).await.expect(200);
    let refreshed = browser.post("/auth/refresh").await.expect(200).json();
    access_token(&refreshed);
    assert_eq!(refreshed.get("refresh_token"), None);
    let out = browser.post("/auth/logout").await.expect(200).json();
    assert_eq!(out, json!({"msg": "logged out"}));
    browser.post("/auth/refresh").await.expect_any_problem(401);
}

async fn template_003_http(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let client = server.anonymous();
    for (path, email) in [("/users/", "hamed@example.com"), ("/users", "other@example.com")] {
        let user = json!({"name": "hamed", "email": email, "password": "1234"});
        let created = post_json(&client, path, user).await;
        assert_eq!(created["name"], "hamed");
        assert!(created["id"].is_string());
    }
    calls_of_003(&server).await;
}

pub(crate) async fn calls_of_003(server: &Server) {
    let client = server.anonymous();
    // FastAPI's OAuth2PasswordRequestForm; the README shows no body.
    let fields = [("username", "hamed@example.com"), ("password", "1234")];
    let answer = client.post("/login").form(&fields).await.expect(200).json();
    let token = access_token(&answer);

    let claims = jwt_claims(token);
    assert_eq!(jwt_header(token)["alg"], "HS256");
    let me = client.get("/current-user").bearer(token).await.expect(200).json();
    assert_eq!(claims["user_id"], me["id"], "the template's services read user_id");
    assert!(claims["exp"].is_number() && claims["iat"].is_number());

    let product = client
        .post("/product/")
        .bearer(token)
        .json(json!({"name": "Lamp", "description": "x"}))
        .await;
    let product = product.expect_success().json();
    let list = client.get("/product/").bearer(token).await.expect(200).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    let path = format!("/product/{}", product["id"].as_str().unwrap());
    assert_eq!(client.get(&path).bearer(token).await.expect(200).json(), product);

    let path = format!("/users/{}", me["id"].as_str().unwrap());
    assert_eq!(
        client.get(&path).bearer(token).await.expect(200).json()["email"],
        "hamed@example.com"
    );
    client
        .get("/users/")
        .bearer(token)
        .await
        .expect_problem(403, "forbidden");
    let admin = server.admin("admin@example.com").await;
    assert_eq!(
        admin.get("/users/").await.expect(200).json().as_array().unwrap().len(),
        3
    );
}

async fn template_004_curl(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let client = server.anonymous();
    let body = r#"{"email":"user@example.com","username":"user123","password":"secure_password"}"#;
    client
        .post("/register")
        .body("application/json", body)
        .await
        .expect_success();
    calls_of_004(&server).await;
}

pub(crate) async fn calls_of_004(server: &Server) {
    let client = server.anonymous();
    let form = "username=user123&password=secure_password";
    let answer = client
        .post("/token")
        .body("application/x-www-form-urlencoded", form)
        .await
        .expect(200)
        .json();
    let me = client
        .get("/users/me")
        .bearer(access_token(&answer))
        .await
        .expect(200)
        .json();
    assert_eq!(me["username"], "user123");
}

async fn the_templates_statuses_are_kept(place: Place) {
    let server = place.start_with(&SETTINGS).await;
    let client = server.anonymous();
    let user = json!({"email": "user@example.com", "username": "user123", "password": "secure_password"});
    post_json(&client, "/register", user.clone()).await;
    let taken = client.post("/register").json(user).await;
    assert_eq!(taken.json()["detail"], "Email already registered");
    let wrong = client
        .post("/token")
        .form(&[("username", "user123"), ("password", "x")])
        .await
        .expect(401);
    assert_eq!(wrong.json()["detail"], "Invalid credentials");
    let expired = server.log_in_with("user@example.com", "secure_password").await;
    server.advance(15 * 60);
    let expired = expired.get("/users/me").await.expect(401);
    assert!(
        expired.json()["detail"]
            .as_str()
            .unwrap()
            .to_lowercase()
            .contains("expired")
    );
    let malformed = client.get("/users/me").bearer("x").await.expect(401);
    assert!(malformed.header("www-authenticate").unwrap().starts_with("Bearer"));
}
