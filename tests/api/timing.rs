//! Whether somebody has an account here cannot be told from how long an answer takes either.

use serde_json::{Value, json};

use crate::support::{Actor, PASSWORD, Place, Server, Times, both_engines, rank_sum_z};

both_engines![
    forgot_password_takes_as_long_for_nobody,
    resend_verification_takes_as_long_for_nobody,
    a_private_sign_up_takes_as_long_with_an_address_that_is_taken,
    a_wrong_password_takes_as_long_for_nobody,
    a_password_takes_as_long_where_there_is_none,
    a_wrong_password_takes_as_long_where_the_user_is_disabled,
    what_takes_longer_is_told_apart,
];

/// Nobody slows who asks so often, or else that would be timed.
async fn start(place: &Place, more: &[(&str, &str)]) -> Server {
    place.start_with(&[&[("RATE_LIMITS", "off")], more].concat()).await
}

/// A request whose answer is read and let go, whatever it is.
fn post(server: &Server, path: &'static str, body: Value) -> impl Future<Output = ()> + Send + use<> {
    let request = server.anonymous().post(path).json(body);
    async move { drop(request.await) }
}

/// Times `path` with a body and with another; both are answered alike, to the byte.
async fn compare(server: &Server, path: &'static str, status: u16, one: &Value, other: &Value) -> Times {
    let mut answers = Vec::new();
    for body in [one, other] {
        let request = server.anonymous().post(path).json(body.clone());
        answers.push(request.await.expect(status).observable());
    }
    assert_eq!(answers[0], answers[1]);
    let time = |body: &Value| {
        let body = body.clone();
        move |_| post(server, path, body.clone())
    };
    Times::measure(time(one), time(other)).await
}

async fn forgot_password_takes_as_long_for_nobody(place: Place) {
    let server = start(&place, &[]).await;
    server.sign_up("ann@example.com").await;
    let (ann, nobody) = (json!({"email": "ann@example.com"}), json!({"email": "bob@example.com"}));
    let times = compare(&server, "/api/auth/forgot-password", 200, &ann, &nobody).await;
    times.assert_alike("forgot-password");
}

async fn resend_verification_takes_as_long_for_nobody(place: Place) {
    let server = start(&place, &[]).await;
    server.sign_up("ann@example.com").await;
    let (ann, nobody) = (json!({"email": "ann@example.com"}), json!({"email": "bob@example.com"}));
    let times = compare(&server, "/api/auth/resend-verification", 200, &ann, &nobody).await;
    times.assert_alike("resend-verification");
}

async fn a_private_sign_up_takes_as_long_with_an_address_that_is_taken(place: Place) {
    // With limits, as it is unless they are turned off: the row that an account takes to write is outweighed by the one
    // that counts the letters to an owner.
    let server = start(
        &place,
        &[
            ("PRIVATE_SIGNUP", "true"),
            ("RATE_LIMITS", "on"),
            ("LIMIT_TRIES_PER_ACCOUNT", "100000/1d"),
            ("LIMIT_TRIES_PER_NETWORK", "100000/1d"),
            ("LIMIT_MAILS_PER_ADDRESS", "100000/1d"),
            ("LIMIT_MAILS_PER_NETWORK", "100000/1d"),
        ],
    )
    .await;
    let sign_up = |number: usize| {
        let body = json!({"email": format!("ann{number:04}@example.com"), "password": PASSWORD});
        post(&server, "/api/auth/register", body)
    };
    let answer = async || {
        let body = json!({"email": "ann9999@example.com", "password": PASSWORD});
        let request = server.anonymous().post("/api/auth/register").json(body);
        request.await.expect(201).observable()
    };
    assert_eq!(answer().await, answer().await);
    let times = Times::measure(|_| sign_up(9999), sign_up).await;
    // Each new address has its account.
    let users = server.count("SELECT COUNT(*) FROM users").await;
    assert_eq!(usize::try_from(users), Ok(1 + times.drawn()));
    times.assert_alike("private sign-up");
}

async fn a_wrong_password_takes_as_long_for_nobody(place: Place) {
    let server = start(&place, &[]).await;
    server.sign_up("ann@example.com").await;
    let wrong = |email: &str| json!({"email": email, "password": "not-the-password"});
    let (ann, nobody) = (wrong("ann@example.com"), wrong("bob@example.com"));
    let times = compare(&server, "/api/auth/login", 401, &ann, &nobody).await;
    times.assert_alike("a wrong password");
}

async fn a_password_takes_as_long_where_there_is_none(place: Place) {
    let server = start(&place, &[]).await;
    server.sign_up("ann@example.com").await;
    server.sign_up("bob@example.com").await;
    server.set_password_hash("bob@example.com", "").await;
    let wrong = |email: &str| json!({"email": email, "password": "not-the-password"});
    let (ann, invited) = (wrong("ann@example.com"), wrong("bob@example.com"));
    let times = compare(&server, "/api/auth/login", 401, &ann, &invited).await;
    times.assert_alike("a password where there is none");
}

async fn a_wrong_password_takes_as_long_where_the_user_is_disabled(place: Place) {
    let server = start(&place, &[]).await;
    server.sign_up("bob@example.com").await;
    server.sign_up("ann@example.com").await;
    place
        .execute("UPDATE users SET disabled_at = 1 WHERE email = 'bob@example.com'")
        .await;
    let wrong = |email: &str| json!({"email": email, "password": "not-the-password"});
    let (ann, disabled) = (wrong("ann@example.com"), wrong("bob@example.com"));
    let times = compare(&server, "/api/auth/login", 401, &ann, &disabled).await;
    times.assert_alike("a wrong password of a disabled user");
}

/// The same measurement of what is not hidden: an answer that asks the database nothing.
async fn what_takes_longer_is_told_apart(place: Place) {
    let server = start(&place, &[]).await;
    let ask = |email: &'static str| post(&server, "/api/auth/forgot-password", json!({"email": email}));
    let times = Times::measure(|_| ask("bob@example.com"), |_| ask("bob")).await;
    let z = rank_sum_z(&times.one, &times.other);
    assert!(z > 5.0, "{z}");
}
