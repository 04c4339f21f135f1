//! What strangers look for on every server, and do not find on this one.

use reqwest::Method;
use serde_json::json;

use crate::support::{Actor, Place, both_engines, one_engine, send_bytes};

both_engines![nobody_is_there_before_somebody_signs_up];

// None of them comes near the database.
one_engine![
    sqlite: Sqlite,
    no_file_of_the_machine_is_served,
    methods_that_nobody_uses_are_refused_and_nothing_is_echoed,
    a_message_ends_where_its_encoding_says_and_not_its_length,
];

async fn nobody_is_there_before_somebody_signs_up(place: Place) {
    let server = place.start().await;
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 0);
    for (name, password) in [
        ("admin", "admin"),
        ("admin@example.com", "admin"),
        ("root", "root"),
        ("sa", "sa"),
        ("vestibule", "vestibule"),
        ("admin", "password"),
    ] {
        let body = json!({"username": name, "password": password});
        let reply = server.anonymous().post("/api/auth/login").json(body).await;
        reply.expect_problem(401, "invalid_credentials");
    }
}

async fn no_file_of_the_machine_is_served(place: Place) {
    let server = place.start().await;
    // All of these are there, in the directory that the server works with.
    for name in [".git/HEAD", ".env", "mail/index.html"] {
        let file = place.directory().join(name);
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        std::fs::write(file, "secret-of-the-machine").expect("a file");
    }
    let paths = [
        "/.git/HEAD",
        "/.git",
        "/.env",
        "/.svn/entries",
        "/vestibule.db",
        "/data/vestibule.db",
        "/sealing.key",
        "/mail/index.html",
        "/Cargo.toml",
        "/assets",
        "/assets/",
        "/assets/../.env",
        "/assets/..%2f.env",
        "/assets/%2e%2e/.env",
        "/docs/../.env",
        "/docs/..%2f..%2f.env",
        "//.env",
        "/..%5c.env",
        "/public/vestibule.js",
        "/index.html",
        "/server-status",
        "/debug/pprof",
        "/actuator/env",
        "/metrics/../.env",
    ];
    for path in paths {
        // As it is: a client of good manners would take the dots out.
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:8000\r\nConnection: close\r\n\r\n");
        let answer = send_bytes(server.address(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(!answer.contains("secret-of-the-machine"), "{path}: {answer}");
    }
}

async fn methods_that_nobody_uses_are_refused_and_nothing_is_echoed(place: Place) {
    let server = place.start().await;
    for method in ["TRACE", "PUT", "PROPFIND", "DEBUG"] {
        for path in [
            "/",
            "/login",
            "/api/auth/me",
            "/api/auth/login",
            "/form/log_in",
            "/nothing",
        ] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let request = server.anonymous().request(method.clone(), path);
            let reply = request.header("cookie", "access_token=cookie-of-somebody").await;
            assert!([404, 405].contains(&reply.status), "{method} {path}: {}", reply.status);
            let answer = format!("{:?}{}", reply.headers, reply.text());
            assert!(!answer.contains("cookie-of-somebody"), "{method} {path}: {answer}");
        }
    }
}

/// RFC 9112, section 6.3: where both are sent, a proxy in front that went by the other would see other requests than this
/// server does.
async fn a_message_ends_where_its_encoding_says_and_not_its_length(place: Place) {
    let server = place.start().await;
    let body = json!({"email": "nobody@example.com"}).to_string();
    let head = "POST /api/auth/forgot-password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let next = "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for length in [3, body.len(), 1000] {
        let both = format!("{head}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n");
        let message = format!("{both}{:x}\r\n{body}\r\n0\r\n\r\n{next}", body.len());
        let answer = send_bytes(server.address(), message.as_bytes()).await;
        // Whether the connection is kept after such a message or not (RFC 9112 section 6.3 has it closed): what is answered
        // is what its encoding says, and a part of the body never.
        assert!(answer.starts_with("HTTP/1.1 200 "), "{length}: {answer}");
        let answers = answer.matches("HTTP/1.1 ").count();
        assert_eq!(answer.matches("HTTP/1.1 200 ").count(), answers, "{length}: {answer}");
    }
    for encoding in ["xchunked", "chunked, identity", "identity, gzip"] {
        let message = format!(
            "{head}Transfer-Encoding: {encoding}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n{next}",
            body.len()
        );
        let answer = send_bytes(server.address(), message.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{encoding}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{encoding}: {answer}");
    }
}
