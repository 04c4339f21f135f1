//! Who the client is when proxies are in between.

use serde_json::json;

use crate::support::{Actor, PASSWORD, Place, Process, both_engines, one_engine};

both_engines![only_a_trusted_proxy_says_who_the_client_is];

one_engine![sqlite: Sqlite, a_proxy_that_is_not_named_is_warned_of_once];

async fn only_a_trusted_proxy_says_who_the_client_is(place: Place) {
    let cases = [
        ("", [("x-forwarded-for", "192.0.2.1")].as_slice(), "127.0.0.1"),
        ("10.0.0.0/8", &[("x-forwarded-for", "192.0.2.1")], "127.0.0.1"),
        ("127.0.0.1", &[], "127.0.0.1"),
        (
            "127.0.0.1",
            &[("x-forwarded-for", "203.0.113.9, 192.0.2.1")],
            "192.0.2.1",
        ),
        (
            "127.0.0.0/8, 10.0.0.0/8",
            &[(
                "forwarded",
                "for=203.0.113.9, for=\"[2001:db8::1]:4711\";proto=https, for=10.0.0.2",
            )],
            "2001:db8::1",
        ),
        (
            "127.0.0.1",
            &[("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "192.0.2.1")],
            "127.0.0.1",
        ),
        ("127.0.0.1", &[("x-real-ip", "192.0.2.1")], "127.0.0.1"),
    ];
    for (number, (trusted, headers, address)) in cases.into_iter().enumerate() {
        let server = place.start_with(&[("TRUSTED_PROXIES", trusted)]).await;
        let email = format!("ann{number}@example.com");
        server.sign_up(&email).await;
        let browser = server.browser();
        let mut log_in = browser.post("/api/auth/login");
        for (name, value) in headers {
            log_in = log_in.header(name, value);
        }
        log_in
            .json(json!({"email": email, "password": PASSWORD}))
            .await
            .expect(200);
        let sessions = browser.get("/api/auth/sessions").await.items();
        assert_eq!(sessions[0]["client_address"], address, "{trusted:?} {headers:?}");
        server.stop().await;
    }
}

async fn a_proxy_that_is_not_named_is_warned_of_once(place: Place) {
    let process = Process::start(&place, &[]).await;
    for number in 0..10 {
        let request = process.anonymous().post("/api/auth/login");
        let request = request.header("x-forwarded-for", format!("192.0.2.{number}"));
        request
            .json(json!({"username": "ann", "password": "wrong"}))
            .await
            .expect(401);
    }
    let output = process.output();
    let warnings: Vec<&str> = output.lines().filter(|line| line.contains("TRUSTED_PROXIES")).collect();
    assert_eq!(warnings.len(), 1, "{output}");
    assert!(
        warnings[0].contains("WARN") && warnings[0].contains("127.0.0.1"),
        "{warnings:?}"
    );
}
