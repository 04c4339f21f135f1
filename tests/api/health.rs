use std::{
    fs,
    future::IntoFuture,
    time::{Duration, Instant},
};

use crate::support::{Actor, Engine, PASSWORD, Place, Process, Relay, both_engines, in_parallel, one_engine};

both_engines![a_healthy_server_says_so, the_command_tells_by_its_status];

one_engine![
    sqlite: Sqlite,
    a_database_that_is_taken_away_is_noticed,
];

one_engine![
    postgres: Postgres,
    without_its_database_it_lives_but_is_not_ready,
    no_request_fails_once_a_restarted_database_is_back,
    a_database_that_falls_silent_is_not_waited_for,
];

async fn a_healthy_server_says_so(place: Place) {
    let server = place.start().await;
    for path in ["/health/live", "/health/ready"] {
        let reply = server.anonymous().get(path).await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
    // A monitor of another host, and a browser with stale cookies, are answered too.
    let reply = server.anonymous().get("/health/live").header("host", "10.0.0.7:8000");
    reply.header("cookie", "access_token=x").await.expect(200);
}

async fn the_command_tells_by_its_status(place: Place) {
    let process = Process::start(&place, &[("HOST", "0.0.0.0")]).await;
    let port = process.address().port().to_string();
    let health = async || {
        let variables = [("HOST", "0.0.0.0"), ("PORT", port.as_str())];
        place.vestibule_with(&["health"], &variables, "").await
    };
    assert_eq!(health().await.expect_success().stdout, "ready\n");
    if place.engine() == Engine::Postgres {
        place.drop_database().await;
        let said = health().await.expect_failure().stderr;
        assert!(said.contains("is not ready") && said.contains("503"), "{said}");
    }
    process.kill();
    let said = health().await.expect_failure().stderr;
    assert!(said.contains("does not answer"), "{said}");
}

async fn a_database_that_is_taken_away_is_noticed(place: Place) {
    let process = Process::start(&place, &[]).await;
    let file = |name: &str| place.directory().join(name);
    let ready = || process.anonymous().get("/health/ready").into_future();
    let is_told = || process.output().matches("deleted, moved or replaced").count();
    ready().await.expect(200);

    fs::rename(file("vestibule.db"), file("elsewhere.db")).expect("it is there");
    ready().await.expect_problem(503, "unavailable");
    assert_eq!(is_told(), 1, "{}", process.output());
    fs::copy(file("elsewhere.db"), file("vestibule.db")).expect("a copy");
    ready().await.expect_problem(503, "unavailable");
    fs::rename(file("elsewhere.db"), file("vestibule.db")).expect("it is there");
    ready().await.expect(200);

    fs::remove_file(file("vestibule.db")).expect("it is there");
    ready().await.expect_problem(503, "unavailable");
    process.anonymous().get("/health/live").await.expect(200);
    let output = process.output();
    assert!(
        output.contains("ERROR") && output.contains("stop the server"),
        "{output}"
    );
}

async fn without_its_database_it_lives_but_is_not_ready(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    place.drop_database().await;
    server.anonymous().get("/health/live").await.expect(200);
    server.anonymous().get("/health/ready").await.expect_any_problem(503);
    ann.get("/users/me").await.expect_problem(503, "unavailable");
    let body = serde_json::json!({"email": "ann@example.com", "password": PASSWORD});
    let reply = server.anonymous().post("/api/auth/login").json(body).await;
    let problem = reply.expect_problem(503, "unavailable");
    assert!(
        !problem.to_string().contains("vestibule_test"),
        "nothing of the inside: {problem}"
    );
}

async fn no_request_fails_once_a_restarted_database_is_back(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let body = serde_json::json!({"email": "ann@example.com", "password": PASSWORD});
    for _ in 0..3 {
        // Every connection that the server may have is in use once.
        for reply in in_parallel(40, || ann.get("/users/me").into_future()).await {
            reply.expect(200);
        }
        place.end_connections().await;
        server.anonymous().get("/health/ready").await.expect(200);
        place.end_connections().await;
        server.anonymous().post("/api/auth/login").json(&body).await.expect(200);
        place.end_connections().await;
        for _ in 0..12 {
            ann.get("/users/me").await.expect(200);
        }
        let name = serde_json::json!({"name": "Ann"});
        ann.patch("/api/auth/me").json(name).await.expect(200);
    }
}

async fn a_database_that_falls_silent_is_not_waited_for(place: Place) {
    let relay = Relay::start(place.database_url()).await;
    let server = place.start_with(&[("DATABASE_URL", relay.url())]).await;
    let ann = server.user("ann@example.com").await;
    server.anonymous().get("/health/ready").await.expect(200);

    relay.freeze();
    let started = Instant::now();
    let waiting = tokio::spawn(ann.get("/users/me").into_future());
    for _ in 0..3 {
        let asked = Instant::now();
        server
            .anonymous()
            .get("/health/ready")
            .await
            .expect_problem(503, "unavailable");
        assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    }
    waiting.await.unwrap().expect_problem(503, "unavailable");
    assert!(started.elapsed() < Duration::from_secs(16), "{:?}", started.elapsed());

    // What was asked before is for ever without an answer, as after a failover that nobody was told of.
    relay.forget();
    server.anonymous().get("/health/ready").await.expect(200);
    ann.get("/users/me").await.expect(200);
    server.log_in("ann@example.com").await;
}
