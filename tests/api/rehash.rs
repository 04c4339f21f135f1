//! Passwords that were hashed elsewhere, or with other parameters, are taken over at a good log-in.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::json;

use crate::support::{Actor, PASSWORD, Place, Server, both_engines};

both_engines![
    bcrypt_hashes_are_taken_over,
    bcrypt_reads_seventy_two_bytes,
    hashes_of_passlib_and_django_are_taken_over,
    argon2_of_other_parameters_is_hashed_anew,
    a_current_hash_is_left_alone,
    a_wrong_password_changes_no_hash,
    a_hash_that_would_cost_too_much_is_not_tried,
    a_hash_that_is_none_lets_nobody_in,
];

const EMAIL: &str = "ann@example.com";

/// Of the usual password, by libxcrypt.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuumiB0ODioEy5xUwpPgdnn8nHWZjVqatm";

async fn assert_taken_over(server: &Server, hash: &str) {
    server.set_password_hash(EMAIL, hash).await;
    server.refuses_log_in(EMAIL, "not-the-password").await;
    assert_eq!(
        server.password_hash(EMAIL).await,
        hash,
        "a wrong password changes nothing"
    );
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let reply = server.anonymous().post("/api/auth/login").json(body).await;
    assert_eq!(reply.status, 200, "{hash}");
    let now = server.password_hash(EMAIL).await;
    assert!(now.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{now}");
    server.log_in(EMAIL).await;
    assert_eq!(server.password_hash(EMAIL).await, now, "and only once");
}

async fn bcrypt_hashes_are_taken_over(place: Place) {
    let server = place.start().await;
    server.sign_up(EMAIL).await;
    for version in ["2a", "2b", "2y"] {
        assert_taken_over(&server, &BCRYPT.replace("2b", version)).await;
    }
}

async fn bcrypt_reads_seventy_two_bytes(place: Place) {
    let server = place.start().await;
    server.sign_up(EMAIL).await;
    let long = "Plum tractor 94 orbit, ".repeat(4);
    assert!(long.len() > 72);
    // libxcrypt's hash of the long one, and of its first 72 bytes.
    server
        .set_password_hash(EMAIL, "$2b$04$abcdefghijklmnopqrstuuicT3CdyBM2cLKSywtJYg9aDZTEE/zju")
        .await;
    server.log_in_with(EMAIL, &long).await;
    // From now on every byte counts.
    server.refuses_log_in(EMAIL, &long[..72]).await;
    server.log_in_with(EMAIL, &long).await;
}

async fn hashes_of_passlib_and_django_are_taken_over(place: Place) {
    let server = place.start().await;
    server.sign_up(EMAIL).await;
    for hash in [
        "$pbkdf2-sha256$29000$MDEyMzQ1Njc4OWFiY2RlZg$y2LJ8Jo039oznio.MjH4HlWPjOeMnacD4zt4bi/fxwg",
        "pbkdf2_sha256$29000$saltsaltsalt$I1n0DBAQjKCX9IR1ZjdKsl2Zdj0LH6l1o1LDw6jzIGk=",
        "$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$SrNLsW7TD5qTxDy0g9h1/TKQ7dGu5JhOGLCKruY6tCE",
        "scrypt$16384$saltsaltsalt$8$1$\
         q/Ul8skJjVG0e2M7vImwqxHlYduFa6vXM7VhrNHb2f6JPxg77jQ06L8MacbS1c0BP5GGIVbktowUluH5lESpOw==",
    ] {
        assert_taken_over(&server, hash).await;
    }
}

fn argon2_hash(algorithm: Algorithm, memory: u32, passes: u32, lanes: u32) -> String {
    let parameters = Params::new(memory, passes, lanes, None).unwrap();
    let mut blocks = vec![argon2::Block::default(); parameters.block_count()];
    let salt = b"0123456789abcdef";
    let mut tag = [0; 32];
    Argon2::new(algorithm, Version::V0x13, parameters)
        .hash_password_into_with_memory(PASSWORD.as_bytes(), salt, &mut tag, &mut blocks)
        .unwrap();
    let [salt, tag] = [STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag)];
    format!("${algorithm}$v=19$m={memory},t={passes},p={lanes}${salt}${tag}")
}

async fn argon2_of_other_parameters_is_hashed_anew(place: Place) {
    let server = place.start().await;
    server.sign_up(EMAIL).await;
    for (memory, passes, lanes) in [(16, 1, 1), (8, 2, 1), (64, 1, 4), (65536, 3, 4)] {
        assert_taken_over(&server, &argon2_hash(Algorithm::Argon2id, memory, passes, lanes)).await;
    }
}

async fn a_current_hash_is_left_alone(place: Place) {
    let server = place.start().await;
    server.sign_up(EMAIL).await;
    let before = server.password_hash(EMAIL).await;
    server.log_in(EMAIL).await;
    assert_eq!(server.password_hash(EMAIL).await, before);
    // The price went up: the next log-in pays it.
    let dearer = place
        .start_with(&[("ARGON2_MEMORY_KIB", "20000"), ("ARGON2_PASSES", "2")])
        .await;
    dearer.log_in(EMAIL).await;
    let now = server.password_hash(EMAIL).await;
    assert!(now.starts_with("$argon2id$v=19$m=20000,t=2,p=1$"), "{now}");
}

async fn a_wrong_password_changes_no_hash(place: Place) {
    let server = place.start().await;
    server.sign_up(EMAIL).await;
    server.set_password_hash(EMAIL, BCRYPT).await;
    for wrong in [
        "",
        " ",
        &PASSWORD.to_uppercase(),
        &format!("{PASSWORD} "),
        &PASSWORD[..20],
    ] {
        let body = json!({"email": EMAIL, "password": wrong});
        let reply = server.anonymous().post("/api/auth/login").json(body).await;
        reply.expect_refusal();
    }
    assert_eq!(server.password_hash(EMAIL).await, BCRYPT);
}

async fn a_hash_that_would_cost_too_much_is_not_tried(place: Place) {
    let server = place.start().await;
    server.sign_up(EMAIL).await;
    for hash in [
        "$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        "$pbkdf2-sha256$4000000000$MDEyMzQ1Njc4OWFiY2RlZg$y2LJ8Jo039oznio.MjH4HlWPjOeMnacD4zt4bi/fxwg",
        "pbkdf2_sha256$4000000000$saltsaltsalt$I1n0DBAQjKCX9IR1ZjdKsl2Zdj0LH6l1o1LDw6jzIGk=",
        "$scrypt$ln=31,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$SrNLsW7TD5qTxDy0g9h1/TKQ7dGu5JhOGLCKruY6tCE",
        "scrypt$1073741824$saltsaltsalt$8$1$I1n0DBAQjKCX9IR1ZjdKsl2Zdj0LH6l1o1LDw6jzIGk=",
        "$argon2id$v=19$m=4194304,t=1000,p=1$MDEyMzQ1Njc4OWFiY2RlZg$I1n0DBAQjKCX9IR1ZjdKsl2Zdj0LH6l1o1LDw6jzIGk",
    ] {
        server.set_password_hash(EMAIL, hash).await;
        let started = std::time::Instant::now();
        let body = json!({"email": EMAIL, "password": PASSWORD});
        let reply = server.anonymous().post("/api/auth/login").json(body).await;
        reply.expect_problem(401, "invalid_credentials");
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{hash}");
    }
}

async fn a_hash_that_is_none_lets_nobody_in(place: Place) {
    let server = place.start().await;
    server.sign_up(EMAIL).await;
    for hash in [
        "",
        "!",
        "*",
        PASSWORD,
        "$2b$04$short",
        "$argon2id$",
        "$pbkdf2-sha256$$$",
        "scrypt$$$$$",
        "🌷",
    ] {
        server.set_password_hash(EMAIL, hash).await;
        for password in [PASSWORD, "", hash] {
            let body = json!({"email": EMAIL, "password": password});
            server
                .anonymous()
                .post("/api/auth/login")
                .json(body)
                .await
                .expect_refusal();
        }
    }
}
