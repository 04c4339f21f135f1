use crate::support::{Actor, PASSWORD, Place, both_engines, one_engine};

both_engines![a_healthy_server_says_so];

one_engine![postgres: Postgres, without_its_database_it_lives_but_is_not_ready];

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
