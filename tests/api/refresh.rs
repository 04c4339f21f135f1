use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Actor, DAY, PASSWORD, Place, Reply, Server, both_engines, in_parallel};

both_engines![
    a_refresh_token_is_exchanged_for_its_successor,
    the_token_is_taken_from_field_form_bearer_or_cookie,
    the_field_comes_before_the_bearer_and_the_bearer_before_the_cookie,
    by_cookie_the_new_token_travels_in_the_cookie_only,
    a_retry_within_ten_seconds_gets_the_same_successor,
    the_sealed_successor_is_erased,
    reuse_after_the_window_ends_the_session_and_tells_the_user,
    the_successor_dies_with_its_session_on_reuse,
    twenty_parallel_refreshes_leave_one_live_successor,
    two_servers_on_one_database_agree_on_the_successor,
    a_session_dies_after_seven_days_unused,
    use_keeps_a_session_alive_but_not_beyond_thirty_days,
    what_is_not_a_refresh_token_is_refused,
    an_access_token_does_not_refresh,
    an_inactive_user_cannot_refresh,
    roles_are_read_anew,
];

const REFRESH: &str = "/api/auth/refresh";
const SEALED: &str = "SELECT COUNT(*) FROM refresh_tokens WHERE sealed_successor IS NOT NULL";

async fn refresh(server: &Server, token: &str) -> Reply {
    server.anonymous().post(REFRESH).bearer(token).await
}

fn successor(reply: &Reply) -> String {
    reply.json()["refresh_token"]
        .as_str()
        .expect("a refresh token")
        .to_owned()
}

async fn a_refresh_token_is_exchanged_for_its_successor(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    for path in [REFRESH, "/auth/refresh"] {
        let ann = server.log_in(&ann.email).await;
        let reply = server
            .anonymous()
            .post(path)
            .bearer(&ann.refresh_token)
            .await
            .expect(200);
        let answer = reply.json();
        assert_eq!(answer["token_type"], "bearer");
        assert_eq!(answer["expires_in"], 900);
        assert_ne!(answer["access_token"], ann.access_token);
        assert_ne!(answer["refresh_token"], ann.refresh_token);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let me = server
            .anonymous()
            .get("/api/auth/me")
            .bearer(answer["access_token"].as_str().unwrap())
            .await;
        me.expect(200);
        refresh(&server, &successor(&reply)).await.expect(200);
    }
}

async fn the_token_is_taken_from_field_form_bearer_or_cookie(place: Place) {
    let server = place.start().await;
    let anonymous = server.anonymous();
    server.sign_up("ann@example.com").await;
    let fresh = async || server.log_in("ann@example.com").await.refresh_token;
    let token = fresh().await;
    anonymous
        .post(REFRESH)
        .json(json!({"refresh_token": token}))
        .await
        .expect(200);
    let token = fresh().await;
    anonymous
        .post(REFRESH)
        .form(&[("grant_type", "refresh_token"), ("refresh_token", &token)])
        .await
        .expect(200);
    let token = fresh().await;
    anonymous.post(REFRESH).bearer(&token).await.expect(200);
    let token = fresh().await;
    anonymous
        .post(REFRESH)
        .header("authorization", format!("bearer {token}"))
        .await
        .expect(200);
    let token = fresh().await;
    anonymous
        .post(REFRESH)
        .header("cookie", format!("refresh_token={token}"))
        .await
        .expect(200);
}

async fn the_field_comes_before_the_bearer_and_the_bearer_before_the_cookie(place: Place) {
    let server = place.start().await;
    let anonymous = server.anonymous();
    let by_field = server.user("field@example.com").await;
    let by_bearer = server.user("bearer@example.com").await;
    let by_cookie = server.user("cookie@example.com").await;
    let cookie = format!("refresh_token={}", by_cookie.refresh_token);
    let whose = async |reply: Reply| {
        let token = reply.expect(200).json()["access_token"].as_str().unwrap().to_owned();
        anonymous.get("/api/auth/me").bearer(&token).await.expect(200).json()["email"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let all = anonymous
        .post(REFRESH)
        .bearer(&by_bearer.refresh_token)
        .header("cookie", &cookie);
    let all = all.json(json!({"refresh_token": by_field.refresh_token}));
    assert_eq!(whose(all.await).await, "field@example.com");
    let two = anonymous
        .post(REFRESH)
        .bearer(&by_bearer.refresh_token)
        .header("cookie", &cookie);
    assert_eq!(whose(two.await).await, "bearer@example.com");
    // An access token as Bearer has not the refresh prefix: the cookie is meant.
    let one = anonymous
        .post(REFRESH)
        .bearer(&by_bearer.access_token)
        .header("cookie", &cookie);
    assert_eq!(whose(one.await).await, "cookie@example.com");
}

async fn by_cookie_the_new_token_travels_in_the_cookie_only(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let old = browser.jar.get("refresh_token").unwrap();
    let reply = browser.post(REFRESH).await.expect(200);
    assert_eq!(reply.json().get("refresh_token"), None, "a script could read it");
    let new = browser.jar.get("refresh_token").unwrap();
    assert_ne!(new, old);
    assert!(!reply.text().contains(&new));
    browser.post(REFRESH).await.expect(200);
}

async fn a_retry_within_ten_seconds_gets_the_same_successor(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let first = successor(&refresh(&server, &ann.refresh_token).await.expect(200));
    server.advance(9);
    let retry = successor(&refresh(&server, &ann.refresh_token).await.expect(200));
    assert_eq!(first, retry);
    // Even when the successor was used meanwhile, by the tab that was quicker.
    let next = successor(&refresh(&server, &first).await.expect(200));
    let late = refresh(&server, &ann.refresh_token).await.expect(200);
    assert_eq!(successor(&late), first);
    refresh(&server, &next).await.expect(200);
}

async fn the_sealed_successor_is_erased(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let successor = successor(&refresh(&server, &ann.refresh_token).await.expect(200));
    assert_eq!(server.count(SEALED).await, 1);
    let stored: String = sqlx::query_scalar("SELECT sealed_successor FROM refresh_tokens WHERE used_at IS NOT NULL")
        .fetch_one(server.database())
        .await
        .unwrap();
    assert!(!stored.contains(&successor), "sealed, not stored");
    server.advance(11);
    // By the housekeeping, which goes by the machine's clock.
    for _ in 0..200 {
        if server.count(SEALED).await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("still there");
}

async fn reuse_after_the_window_ends_the_session_and_tells_the_user(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let mails_before = server.mails("ann@example.com", 1).await.len();
    let successor = successor(&refresh(&server, &ann.refresh_token).await.expect(200));
    server.advance(11);
    let reply = refresh(&server, &ann.refresh_token).await;
    let problem = reply.expect_problem(401, "refresh_token_reused");
    assert_eq!(problem["error"], "invalid_grant");
    refresh(&server, &successor)
        .await
        .expect_problem(401, "refresh_token_invalid");
    ann.get("/api/auth/me").await.expect_problem(401, "session_ended");

    let mails = server.mails("ann@example.com", mails_before + 1).await;
    assert!(
        !mails[0].text.contains("vst_"),
        "no token in the notice: {}",
        mails[0].text
    );
    let events = server.events(&admin).await;
    let reuse = events.iter().find(|event| event.to_string().contains("reuse"));
    let reuse = reuse.unwrap_or_else(|| panic!("no event of the reuse among {events:?}"));
    assert_eq!(reuse["user_id"], ann.user_id);
}

async fn the_successor_dies_with_its_session_on_reuse(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    let stolen = ann.refresh_token.clone();
    ann.refresh().await;
    server.advance(60);
    ann.refresh().await;
    server.advance(60);
    refresh(&server, &stolen)
        .await
        .expect_problem(401, "refresh_token_reused");
    refresh(&server, &ann.refresh_token)
        .await
        .expect_problem(401, "refresh_token_invalid");
    // Another device is not concerned.
    assert!(server.log_in("ann@example.com").await.is_signed_in().await);
    assert_eq!(
        server.count("SELECT COUNT(*) FROM sessions WHERE expires_at > 0").await,
        1
    );
}

async fn twenty_parallel_refreshes_leave_one_live_successor(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let replies = in_parallel(20, || {
        let request = server.anonymous().post(REFRESH).bearer(&ann.refresh_token);
        async move { request.await }
    });
    let replies = replies.await;
    let successors: BTreeSet<String> = replies.into_iter().map(|reply| successor(&reply.expect(200))).collect();
    assert_eq!(successors.len(), 1, "every tab holds the same token");
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL")
            .await,
        1
    );
    assert_eq!(server.count("SELECT COUNT(*) FROM sessions").await, 1);
    server.advance(60);
    refresh(&server, successors.first().unwrap()).await.expect(200);
}

async fn two_servers_on_one_database_agree_on_the_successor(place: Place) {
    let servers = [place.start().await, place.start().await];
    let ann = servers[0].user("ann@example.com").await;
    let mut running = tokio::task::JoinSet::new();
    for round in 0..20 {
        let request = servers[round % 2].anonymous().post(REFRESH).bearer(&ann.refresh_token);
        running.spawn(async move { request.await });
    }
    let replies = running.join_all().await;
    let successors: BTreeSet<String> = replies.into_iter().map(|reply| successor(&reply.expect(200))).collect();
    assert_eq!(successors.len(), 1);
    assert_eq!(
        servers[0]
            .count("SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL")
            .await,
        1
    );
}

async fn a_session_dies_after_seven_days_unused(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    server.advance(7 * DAY - 1);
    ann.refresh().await;
    server.advance(7 * DAY);
    refresh(&server, &ann.refresh_token)
        .await
        .expect_problem(401, "refresh_token_invalid");
}

async fn use_keeps_a_session_alive_but_not_beyond_thirty_days(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    for _ in 0..4 {
        server.advance(6 * DAY);
        ann.refresh().await;
    }
    server.advance(6 * DAY - 1);
    ann.refresh().await;
    server.advance(1);
    refresh(&server, &ann.refresh_token)
        .await
        .expect_problem(401, "refresh_token_invalid");
    ann.get("/api/auth/me").await.expect_any_problem(401);
}

async fn what_is_not_a_refresh_token_is_refused(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let before = server.snapshot().await;
    let flipped: String = {
        let mut characters: Vec<char> = ann.refresh_token.chars().collect();
        let place = characters.len() / 2;
        characters[place] = if characters[place] == 'A' { 'B' } else { 'A' };
        characters.into_iter().collect()
    };
    let truncated = &ann.refresh_token[..ann.refresh_token.len() - 1];
    let extended = format!("{}A", ann.refresh_token);
    let link = format!("vst_lt_{}", &ann.refresh_token["vst_rt_".len()..]);
    for bad in [
        "",
        "x",
        "vst_rt_",
        "🌷",
        "vst_rt_\u{0}",
        &flipped,
        truncated,
        &extended,
        &link,
    ] {
        let reply = server
            .anonymous()
            .post(REFRESH)
            .json(json!({"refresh_token": bad}))
            .await;
        let problem = reply.expect_any_problem(401);
        assert_eq!(problem["error"], "invalid_grant", "{bad:?}: {problem}");
    }
    server
        .anonymous()
        .post(REFRESH)
        .await
        .expect_problem(401, "not_authenticated");
    assert_eq!(server.snapshot().await, before);
}

async fn an_access_token_does_not_refresh(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    ann.post(REFRESH).await.expect_any_problem(401);
    let body = json!({"refresh_token": ann.access_token});
    server
        .anonymous()
        .post(REFRESH)
        .json(body)
        .await
        .expect_problem(401, "refresh_token_invalid");
    // Nor does a refresh token open anything.
    let me = server.anonymous().get("/api/auth/me").bearer(&ann.refresh_token).await;
    me.expect_any_problem(401);
}

async fn an_inactive_user_cannot_refresh(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let path = format!("/api/users/{}", ann.user_id);
    admin.patch(&path).json(json!({"is_active": false})).await.expect(200);
    let reply = refresh(&server, &ann.refresh_token).await;
    assert!([400, 401].contains(&reply.status), "{}", reply.text());
    reply.expect_any_problem(reply.status);
}

async fn roles_are_read_anew(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let mut ann = server.user("ann@example.com").await;
    admin
        .patch(&format!("/api/users/{}", ann.user_id))
        .json(json!({"roles": ["editor"]}))
        .await
        .expect(200);
    ann.refresh().await;
    assert_eq!(
        crate::support::jwt_claims(&ann.access_token)["roles"],
        json!(["editor"])
    );
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    server.anonymous().post("/api/auth/login").json(body).await.expect(200);
}
