//! What whoever watches the server is told.
#![expect(clippy::float_cmp, reason = "counts are whole numbers, which a float holds exactly")]

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Actor, Anonymous, Place, Process, Relay, both_engines, free_address, one_engine, send_bytes};

both_engines![
    what_happens_is_counted_and_nobody_is_named,
    what_the_database_holds_is_counted_every_few_seconds,
    they_are_apart_from_the_site_and_off_unless_asked_for,
];

one_engine![postgres: Postgres, a_database_that_falls_silent_does_not_silence_them];

const METRICS: (&str, &str) = ("METRICS_ADDR", "127.0.0.1:9464");

fn requests(route: &str, method: &str, status: u16) -> String {
    format!("vestibule_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}")
}

async fn what_happens_is_counted_and_nobody_is_named(place: Place) {
    let server = place.start_with(&[METRICS]).await;
    let before = server.metrics().await;
    assert_eq!(before.value("vestibule_log_ins_total{outcome=\"success\"}"), 0.0);
    assert_eq!(
        before.value("vestibule_log_ins_total{outcome=\"invalid_credentials\"}"),
        0.0
    );
    assert_eq!(before.sum("vestibule_http_requests_total"), 0.0);

    let ann = server.user("ann@example.com").await;
    let anonymous = server.anonymous();
    let wrong = json!({"email": "ann@example.com", "password": "not her password"});
    anonymous.post("/token").json(&wrong).await.expect(401);
    let browser = server.browser();
    let fields = [("username", "nobody@example.com"), ("password", "nothing")];
    browser.submit("/form/log_in", &fields).await.expect(303);
    ann.get(&format!("/api/users/{}", ann.user_id)).await.expect(200);
    ann.get(&format!("/users/{}/", ann.user_id)).await.expect(200);
    anonymous.get("/secret-of-ann?token=of-ann").await.expect(404);
    send_bytes(
        server.address(),
        b"BREW /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;

    let metrics = server.metrics().await;
    for (sample, count) in [
        (requests("/api/auth/register", "POST", 201), 1.0),
        (requests("/api/auth/login", "POST", 200), 1.0),
        (requests("/token", "POST", 401), 1.0),
        (requests("/form/log_in", "POST", 303), 1.0),
        (requests("/api/users/{id}", "GET", 200), 1.0),
        (requests("/users/{id}", "GET", 200), 1.0),
        (requests("-", "GET", 404), 1.0),
        (requests("/login", "other", 405), 1.0),
    ] {
        assert_eq!(metrics.value(&sample), count, "{sample}");
    }
    let (all, timed) = (
        "vestibule_http_requests_total",
        "vestibule_http_request_duration_seconds_count",
    );
    assert_eq!(metrics.sum(all), metrics.sum(timed));
    assert_eq!(metrics.value("vestibule_log_ins_total{outcome=\"success\"}"), 1.0);
    assert_eq!(
        metrics.value("vestibule_log_ins_total{outcome=\"invalid_credentials\"}"),
        2.0
    );
    let version = format!("vestibule_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(metrics.value(&version), 1.0);
    assert_eq!(metrics.value("vestibule_hashing_jobs{state=\"waiting\"}"), 0.0);
    assert!(metrics.value("vestibule_hashing_jobs_limit") >= 33.0);
    assert!(metrics.sum("vestibule_database_connections") >= 1.0, "{}", metrics.text);
    assert!(
        metrics.sum("vestibule_database_connections_limit") >= 5.0,
        "{}",
        metrics.text
    );
    for personal in ["ann@", "of-ann", "nobody@", &ann.user_id, "BREW", "127.0.0.1"] {
        assert!(!metrics.text.contains(personal), "{personal} in {}", metrics.text);
    }
}

async fn what_the_database_holds_is_counted_every_few_seconds(place: Place) {
    let server = place.start_with(&[METRICS]).await;
    let ann = server.user("ann@example.com").await;
    server.mail_is_done().await;
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("vestibule_database_up"), 1.0);
    assert_eq!(metrics.value("vestibule_sessions"), 1.0);
    assert_eq!(metrics.value("vestibule_outbox_messages{state=\"sent\"}"), 1.0);
    for state in ["waiting", "sending", "failed", "dropped"] {
        let sample = format!("vestibule_outbox_messages{{state=\"{state}\"}}");
        assert_eq!(metrics.value(&sample), 0.0);
    }
    server.log_in("ann@example.com").await;
    assert_eq!(server.metrics().await.value("vestibule_sessions"), 1.0, "told again");
    server.advance(5);
    assert_eq!(server.metrics().await.value("vestibule_sessions"), 2.0);
    ann.post("/api/auth/logout").await.expect(200);
    server.advance(5);
    assert_eq!(server.metrics().await.value("vestibule_sessions"), 1.0);
    // One that is over is not live, also before it is swept away.
    server.advance(31 * crate::support::DAY);
    assert_eq!(server.metrics().await.value("vestibule_sessions"), 0.0);
}

async fn they_are_apart_from_the_site_and_off_unless_asked_for(place: Place) {
    let server = place.start().await;
    assert_eq!(server.app().metrics_address(), None);
    server.anonymous().get("/metrics").await.expect(404);
    server.stop().await;

    let server = place.start_with(&[METRICS]).await;
    server.anonymous().get("/metrics").await.expect(404);
    let watcher = Anonymous::at(server.app().metrics_address().unwrap());
    for path in ["/", "/login", "/api/auth/me", "/health/live"] {
        watcher.get(path).await.expect(404);
    }
    watcher.post("/metrics").await.expect(405);
    // A page whose name was made to resolve to this machine.
    watcher
        .get("/metrics")
        .header("host", "page.example:9464")
        .await
        .expect(421);
    watcher
        .get("/metrics")
        .header("host", "localhost:9464")
        .await
        .expect(200);
    server.stop().await;

    let taken = Process::start(&place, &[]).await;
    let (address, port) = (taken.address().to_string(), free_address().port().to_string());
    let variables = [("METRICS_ADDR", address.as_str()), ("PORT", &port)];
    let said = place.vestibule_with(&[], &variables, "").await.expect_failure().stderr;
    assert!(said.contains("choose another METRICS_ADDR"), "{said}");
    for address in ["9464", "localhost:9464", "127.0.0.1:0"] {
        let finished = place.vestibule_with(&[], &[("METRICS_ADDR", address)], "").await;
        assert!(
            finished.expect_failure().stderr.contains("METRICS_ADDR must be"),
            "{address}"
        );
    }
}

async fn a_database_that_falls_silent_does_not_silence_them(place: Place) {
    let relay = Relay::start(place.database_url()).await;
    let server = place.start_with(&[("DATABASE_URL", relay.url()), METRICS]).await;
    server.sign_up("ann@example.com").await;
    server.advance(5);
    assert_eq!(server.metrics().await.value("vestibule_database_up"), 1.0);
    relay.freeze();
    server.advance(5);
    for _ in 0..3 {
        let asked = Instant::now();
        let metrics = server.metrics().await;
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert_eq!(metrics.value("vestibule_database_up"), 0.0);
        assert_eq!(metrics.find("vestibule_sessions"), None, "nothing that may not be so");
        assert_eq!(metrics.value(&requests("/api/auth/register", "POST", 201)), 1.0);
    }
    relay.forget();
    for _ in 0..30 {
        server.advance(5);
        if server.metrics().await.value("vestibule_database_up") == 1.0 {
            return;
        }
    }
    panic!("the database is back, and not counted");
}
