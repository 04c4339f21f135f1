use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use vestibule::auth;

use crate::support::{Actor, ApiClient, MINUTE, Place, Process, Server, both_engines, jwt_header};

both_engines![
    a_new_key_is_published_before_it_signs,
    an_old_key_is_kept_until_its_last_token_has_expired,
    keys_outlive_a_restart,
    keys_are_rotated_by_age,
    no_valid_token_is_refused_while_keys_rotate_under_two_servers,
    a_key_that_leaked_is_replaced_at_once,
    the_command_line_rotates_beside_a_running_server,
    a_key_replaced_by_command_ends_its_tokens_within_seconds,
    unknown_keys_are_looked_for_at_a_bounded_rate,
    private_keys_are_sealed_in_the_database,
    another_sealing_key_is_refused_at_the_start,
    an_unknown_algorithm_is_named_at_the_start,
];

fn kid(token: &str) -> String {
    jwt_header(token)["kid"].as_str().unwrap().to_owned()
}

async fn published(server: &Server) -> BTreeSet<String> {
    let set = server
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .expect(200)
        .json();
    set["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn rotate(server: &Server, now: bool) {
    server
        .app()
        .auth()
        .rotate_signing_keys(&auth::Actor::Operator, now)
        .await
        .expect("a new key");
}

async fn a_new_key_is_published_before_it_signs(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    let old = kid(&ann.access_token);
    assert_eq!(published(&server).await, BTreeSet::from([old.clone()]));
    rotate(&server, false).await;
    let both = published(&server).await;
    assert_eq!(both.len(), 2, "published at once");
    ann.refresh().await;
    assert_eq!(
        kid(&ann.access_token),
        old,
        "others may still have a copy without the new one"
    );
    server.advance(11 * MINUTE);
    ann.refresh().await;
    let new = kid(&ann.access_token);
    assert_ne!(new, old);
    assert!(both.contains(&new));
    assert!(ann.is_signed_in().await);
}

async fn an_old_key_is_kept_until_its_last_token_has_expired(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    let old = kid(&ann.access_token);
    rotate(&server, false).await;
    server.advance(10 * MINUTE - 1);
    // The last second in which the old key signs.
    ann.refresh().await;
    assert_eq!(kid(&ann.access_token), old);
    server.advance(15 * MINUTE - 1);
    assert!(ann.is_signed_in().await);
    assert!(published(&server).await.contains(&old));
    server.advance(60 * MINUTE);
    assert_eq!(published(&server).await.len(), 1, "nobody needs it any more");
}

async fn keys_outlive_a_restart(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let before = published(&server).await;
    server.stop().await;
    let server = place.start().await;
    assert_eq!(published(&server).await, before);
    server
        .anonymous()
        .get("/users/me")
        .bearer(&ann.access_token)
        .await
        .expect(200);
}

async fn keys_are_rotated_by_age(place: Place) {
    let server = place.start().await;
    let before = published(&server).await;
    server.stop().await;
    place.clock().advance(Duration::from_hours(24 * 91));
    let server = place.start().await;
    let after = published(&server).await;
    assert_eq!(after.len(), 2);
    assert!(after.is_superset(&before));
    server.advance(60 * MINUTE);
    assert!(published(&server).await.is_disjoint(&before));
    server.user("ann@example.com").await;
}

/// Refreshes at one server and uses the token at both, over and over, until told to stop.
async fn work(
    mut client: ApiClient,
    servers: Vec<crate::support::Anonymous>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) {
    let mut round = 0;
    while !stop.load(Ordering::SeqCst) {
        client.anonymous = servers[round % servers.len()].clone();
        client.refresh().await;
        for server in &servers {
            client.anonymous = server.clone();
            client.get("/users/me").await.expect(200);
        }
        round += 1;
        done.fetch_add(1, Ordering::SeqCst);
    }
}

async fn no_valid_token_is_refused_while_keys_rotate_under_two_servers(place: Place) {
    const WORKERS: usize = 3;
    let servers = [place.start().await, place.start().await];
    let stop = Arc::new(AtomicBool::new(false));
    let rounds: [Arc<AtomicUsize>; WORKERS] = std::array::from_fn(|_| Arc::default());
    let mut workers = tokio::task::JoinSet::new();
    for (number, rounds) in rounds.iter().enumerate() {
        let client = servers[0].user(&format!("user{number}@example.com")).await;
        let doors = servers.iter().map(Server::anonymous).collect();
        workers.spawn(work(client, doors, stop.clone(), rounds.clone()));
    }
    let first = published(&servers[0]).await;
    for minute in 0..80 {
        if minute % 13 == 0 {
            rotate(&servers[(minute / 13) % 2], false).await;
        }
        servers[0].advance(MINUTE);
        // Every worker has gone round with this minute's clock before the next, so that no token is older than two.
        for rounds in &rounds {
            let goal = rounds.load(Ordering::SeqCst) + 2;
            while rounds.load(Ordering::SeqCst) < goal {
                if let Some(ended) = workers.try_join_next() {
                    ended.expect("no token was refused");
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(worker) = workers.join_next().await {
        worker.expect("no token was refused");
    }
    assert!(published(&servers[0]).await.is_disjoint(&first), "the keys did rotate");
}

async fn a_key_that_leaked_is_replaced_at_once(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    let old = kid(&ann.access_token);
    rotate(&server, true).await;
    assert!(!published(&server).await.contains(&old));
    ann.get("/users/me").await.expect_any_problem(401);
    ann.refresh().await;
    assert_ne!(kid(&ann.access_token), old);
    assert!(ann.is_signed_in().await);
}

async fn the_command_line_rotates_beside_a_running_server(place: Place) {
    let process = Process::start(&place, &[]).await;
    let anonymous = process.anonymous();
    let body = json!({"email": "ann@example.com", "password": crate::support::PASSWORD});
    anonymous.post("/api/auth/register").json(&body).await.expect(201);
    let log_in = async || {
        let answer = anonymous.post("/api/auth/login").json(&body).await.expect(200).json();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let token = log_in().await;
    place.vestibule(&["keys", "rotate"]).await.expect_success();
    anonymous.get("/users/me").bearer(&token).await.expect(200);
    anonymous.get("/users/me").bearer(&log_in().await).await.expect(200);
    let listed = place.vestibule(&["keys", "list"]).await.expect_success();
    assert!(listed.stdout.contains(&kid(&token)), "{}", listed.stdout);
    assert_eq!(listed.stdout.matches("EdDSA").count(), 2, "{}", listed.stdout);
}

async fn a_key_replaced_by_command_ends_its_tokens_within_seconds(place: Place) {
    let process = Process::start(&place, &[]).await;
    let anonymous = process.anonymous();
    let body = json!({"email": "ann@example.com", "password": crate::support::PASSWORD});
    anonymous.post("/api/auth/register").json(&body).await.expect(201);
    let tokens = anonymous.post("/api/auth/login").json(&body).await.expect(200).json();
    let (old, refresh) = (
        tokens["access_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
    );
    place.vestibule(&["keys", "rotate", "--now"]).await.expect_success();
    // Nothing names the new key to the server: whoever has the old one does not let it know.
    let started = std::time::Instant::now();
    while anonymous.get("/users/me").bearer(old).await.status == 200 {
        assert!(started.elapsed() < Duration::from_secs(15), "the old key is still good");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anonymous.get("/users/me").bearer(old).await.expect_any_problem(401);
    let tokens = anonymous
        .post("/api/auth/refresh")
        .bearer(refresh)
        .await
        .expect(200)
        .json();
    let new = tokens["access_token"].as_str().unwrap();
    assert_ne!(kid(new), kid(old));
    anonymous.get("/users/me").bearer(new).await.expect(200);
}

async fn unknown_keys_are_looked_for_at_a_bounded_rate(place: Place) {
    let servers = [place.start().await, place.start().await];
    let token = servers[0].user("ann@example.com").await.access_token;
    rotate(&servers[0], true).await;
    let fresh = servers[0].log_in("ann@example.com").await.access_token;
    // A stranger's made-up key makes the other server look, and find the new one.
    let mut header = jwt_header(&token);
    header["kid"] = json!("made-up");
    let forged = crate::support::forge(&header, &crate::support::jwt_claims(&token), |_| vec![0; 64]);
    for _ in 0..3 {
        servers[1]
            .anonymous()
            .get("/users/me")
            .bearer(&forged)
            .await
            .expect_problem(401, "token_invalid");
    }
    servers[1].anonymous().get("/users/me").bearer(&fresh).await.expect(200);
}

async fn private_keys_are_sealed_in_the_database(place: Place) {
    let server = place.start().await;
    let sealed: Vec<String> = sqlx::query_scalar("SELECT sealed_private FROM signing_keys")
        .fetch_all(server.database())
        .await
        .unwrap();
    assert_eq!(sealed.len(), 1);
    // PKCS#8 begins with a SEQUENCE: "MC…" or "MF…" in base64, "30" in hex.
    for start in ["MC", "MF", "30", "-----BEGIN"] {
        assert!(!sealed[0].starts_with(start), "{}", sealed[0]);
    }
    let other = Place::start(&place).await;
    rotate(&other, false).await;
    let distinct = server
        .count("SELECT COUNT(DISTINCT sealed_private) FROM signing_keys")
        .await;
    assert_eq!(distinct, 2);
}

async fn another_sealing_key_is_refused_at_the_start(place: Place) {
    place.start().await.stop().await;
    let other = [("SEALING_KEY", "another-sealing-key-of-Qx7vRb2Lm9Tz4Nw8")];
    let error = place.try_start(&other).await.expect_err("the keys cannot be opened");
    let text = format!("{error:#}");
    assert!(text.contains("SEALING_KEY"), "{text}");
    place.start().await;
}

async fn an_unknown_algorithm_is_named_at_the_start(place: Place) {
    let server = place.start().await;
    sqlx::query("UPDATE signing_keys SET algorithm = 'ES512'")
        .execute(server.database())
        .await
        .unwrap();
    server.stop().await;
    let error = place.try_start(&[]).await.expect_err("the key cannot be used");
    let text = format!("{error:#}");
    assert!(text.contains("ES512") && !text.contains("SEALING_KEY"), "{text}");
}
