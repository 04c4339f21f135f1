//! A clock that jumps: a machine that starts with a wrong one and is set right, forward or back.
//!
//! What was written by a clock that was ahead holds no longer than if it were written now, and is in nobody's way.

use serde_json::json;

use crate::support::{
    Actor, ApiClient, DAY, HOUR, MINUTE, MailServer, NEW_PASSWORD, PASSWORD, Place, Reply, Security, Server, Step,
    Trick, both_engines, jwt_header,
};

both_engines![
    a_year_later_everything_is_over_and_may_begin_anew,
    nobody_is_signed_out_by_a_clock_set_back,
    a_session_begun_by_a_clock_that_was_ahead_lives_no_longer_than_others,
    a_session_of_half_a_day_lives_no_longer_by_a_clock_that_was_a_day_ahead,
    a_token_of_the_future_is_not_accepted,
    a_clock_set_back_opens_no_replay_window,
    a_link_of_the_future_is_over,
    a_letter_does_not_wait_for_the_clock_to_be_there_again,
    a_later_change_of_the_future_does_not_outdo_todays_letters,
    limits_do_not_outlast_the_clock_that_set_them,
    a_key_of_the_future_signs_at_once_and_is_replaced,
];

const YEAR: u64 = 365 * DAY;

async fn refresh(server: &Server, token: &str) -> Reply {
    server.anonymous().post("/api/auth/refresh").bearer(token).await
}

async fn ask_for_reset(server: &Server, email: &str) {
    let body = json!({"email": email});
    server
        .anonymous()
        .post("/api/auth/forgot-password")
        .json(body)
        .await
        .expect(200);
}

async fn reset(server: &Server, token: &str) -> Reply {
    let body = json!({"token": token, "new_password": NEW_PASSWORD});
    server.anonymous().post("/api/auth/reset-password").json(body).await
}

/// What housekeeping does each minute.
async fn keep_house(server: &Server) {
    let auth = server.app().auth();
    auth.erase_successors().await.expect("erased");
    auth.load_signing_keys().await.expect("keys");
    auth.sweep().await.expect("swept");
    auth.follow_the_clock().await.expect("put right");
}

fn kid(client: &ApiClient) -> String {
    jwt_header(&client.access_token)["kid"]
        .as_str()
        .expect("a name")
        .to_owned()
}

async fn published(server: &Server) -> String {
    server
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .expect(200)
        .text()
}

async fn a_year_later_everything_is_over_and_may_begin_anew(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let link = server.reset_link("ann@example.com").await;
    server.mail_is_done().await;
    server.advance(YEAR);
    ann.get("/users/me").await.expect_any_problem(401);
    refresh(&server, &ann.refresh_token)
        .await
        .expect_problem(401, "refresh_token_invalid");
    reset(&server, &link).await.expect_problem(400, "link_invalid");

    let again = server.log_in("ann@example.com").await;
    keep_house(&server).await;
    assert!(again.is_signed_in().await);
    let old = kid(&again);
    assert_eq!(
        kid(&server.log_in("ann@example.com").await),
        old,
        "the new key is published first"
    );
    server.advance(11 * MINUTE);
    let mut new = server.log_in("ann@example.com").await;
    assert_ne!(kid(&new), old, "a key of more than a year ago signs no more");
    new.refresh().await;
    assert!(new.is_signed_in().await);
    let link = server.links("ann@example.com", "/reset-password", 1).await.remove(0);
    assert!(!link.is_empty());
    ask_for_reset(&server, "ann@example.com").await;
    let links = server.links("ann@example.com", "/reset-password", 2).await;
    let fresh = links.iter().find(|other| **other != link).expect("another link");
    reset(&server, fresh).await.expect(200);
}

async fn nobody_is_signed_out_by_a_clock_set_back(place: Place) {
    let server = place.start().await;
    for (number, back) in [HOUR, YEAR].into_iter().enumerate() {
        let mut ann = server.user(&format!("ann{number}@example.com")).await;
        let browser = server.user_with_browser(&format!("bob{number}@example.com")).await;
        server.mail_is_done().await;
        server.set_back(back);
        for _ in 0..2 {
            // A page renews what it needs; a program does when it is told to.
            browser.get("/api/auth/me").await.expect(200);
            ann.refresh().await;
            assert!(ann.is_signed_in().await);
            keep_house(&server).await;
            server.advance(MINUTE);
        }
        server.log_in(&format!("ann{number}@example.com")).await;
    }
}

async fn a_session_begun_by_a_clock_that_was_ahead_lives_no_longer_than_others(place: Place) {
    let server = place.start().await;
    server.advance(YEAR);
    let mut used = server.user("ann@example.com").await;
    let unused = server.user("bob@example.com").await;
    server.mail_is_done().await;
    server.set_back(YEAR);
    // One is used before anybody has put it right, the other is not.
    used.refresh().await;
    keep_house(&server).await;
    let today: i64 = server.count("SELECT MAX(last_used_at) FROM sessions").await;
    assert_eq!(today, server.count("SELECT MIN(last_used_at) FROM sessions").await);
    server.advance(7 * DAY - HOUR);
    used.refresh().await;
    server.advance(HOUR);
    refresh(&server, &unused.refresh_token)
        .await
        .expect_problem(401, "refresh_token_invalid");
    for days in [6, 6, 6, 4] {
        server.advance(days * DAY);
        used.refresh().await;
    }
    // Thirty days in any case.
    server.advance(DAY);
    refresh(&server, &used.refresh_token)
        .await
        .expect_problem(401, "refresh_token_invalid");
}

async fn a_session_of_half_a_day_lives_no_longer_by_a_clock_that_was_a_day_ahead(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    server.mail_is_done().await;
    server.advance(DAY);
    let body = json!({"email": "ann@example.com", "password": PASSWORD, "remember": false});
    let tokens = server
        .anonymous()
        .post("/api/auth/login")
        .json(body)
        .await
        .expect(200)
        .json();
    server.mail_is_done().await;
    server.set_back(DAY);
    keep_house(&server).await;
    server.advance(12 * HOUR);
    refresh(&server, tokens["refresh_token"].as_str().expect("a token"))
        .await
        .expect_problem(401, "refresh_token_invalid");
}

async fn a_token_of_the_future_is_not_accepted(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    server.mail_is_done().await;
    server.set_back(MINUTE);
    assert!(ann.is_signed_in().await, "clocks of two machines may be as far apart");
    for back in [HOUR, YEAR] {
        server.set_back(back);
        ann.get("/users/me").await.expect_problem(401, "token_expired");
        ann.refresh().await;
        assert!(ann.is_signed_in().await);
        server.advance(15 * MINUTE);
        ann.get("/users/me").await.expect_problem(401, "token_expired");
        ann.refresh().await;
    }
}

async fn a_clock_set_back_opens_no_replay_window(place: Place) {
    let server = place.start().await;
    for (number, back) in [MINUTE, HOUR, YEAR].into_iter().enumerate() {
        let mut ann = server.user(&format!("ann{number}@example.com")).await;
        let stolen = ann.refresh_token.clone();
        ann.refresh().await;
        server.mail_is_done().await;
        server.set_back(back);
        refresh(&server, &stolen)
            .await
            .expect_problem(401, "refresh_token_reused");
        refresh(&server, &ann.refresh_token)
            .await
            .expect_problem(401, "refresh_token_invalid");

        let mut bob = server.user(&format!("bob{number}@example.com")).await;
        bob.refresh().await;
        server.mail_is_done().await;
        server.set_back(back);
        keep_house(&server).await;
        let sealed = "SELECT COUNT(*) FROM refresh_tokens WHERE sealed_successor IS NOT NULL";
        assert_eq!(server.count(sealed).await, 0, "what was sealed is erased");
    }
}

async fn a_link_of_the_future_is_over(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let old = server.reset_link("ann@example.com").await;
    server.mail_is_done().await;
    for back in [HOUR, YEAR] {
        server.set_back(back);
        reset(&server, &old).await.expect_problem(400, "link_invalid");
    }
    ask_for_reset(&server, "ann@example.com").await;
    let links = server.links("ann@example.com", "/reset-password", 2).await;
    let new = links.iter().find(|link| **link != old).expect("another link");
    reset(&server, new).await.expect(200);
    server.log_in_with("ann@example.com", NEW_PASSWORD).await;
}

async fn a_letter_does_not_wait_for_the_clock_to_be_there_again(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    mail.play(Step::Rcpt, Trick::Say("451 4.7.1 come back later"));
    let server = place
        .start_with(&[("SMTP_URL", &mail.url("")), ("MAIL_FROM", "no-reply@acme.example")])
        .await;
    server.sign_up("ann@example.com").await;
    server.message_is("ann@example.com", "waiting", 1).await;
    server.set_back(YEAR);
    keep_house(&server).await;
    server.app().mail().wake();
    server.message_is("ann@example.com", "sent", 2).await;
    assert_eq!(mail.letters("ann@example.com", 1).await.len(), 1);
}

async fn a_later_change_of_the_future_does_not_outdo_todays_letters(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    ann.post("/api/auth/me/password").json(body).await.expect_success();
    server.mail_is_done().await;
    server.set_back(YEAR);
    let link = server.reset_link("ann@example.com").await;
    let body = json!({"token": link, "new_password": PASSWORD});
    server
        .anonymous()
        .post("/api/auth/reset-password")
        .json(body)
        .await
        .expect(200);
    server.log_in("ann@example.com").await;
}

async fn limits_do_not_outlast_the_clock_that_set_them(place: Place) {
    let server = place
        .start_with(&[
            ("RATE_LIMITS", "on"),
            ("LIMIT_TRIES_PER_ACCOUNT", "2/1h"),
            ("LIMIT_TRIES_PER_NETWORK", "4/1h"),
        ])
        .await;
    let log_in = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        server.anonymous().post("/api/auth/login").json(body).await
    };
    server.sign_up("ann@example.com").await;
    for (jump, seconds) in [("back", HOUR), ("back", YEAR), ("forward", YEAR)] {
        for email in ["ann@example.com", "bob@example.com"] {
            log_in(email, "wrong").await.expect(401);
            log_in(email, "wrong").await.expect(401);
        }
        log_in("ann@example.com", PASSWORD)
            .await
            .expect_problem(429, "too_many_requests");
        server.mail_is_done().await;
        if jump == "back" {
            server.set_back(seconds + 1);
        } else {
            server.advance(seconds);
        }
        log_in("ann@example.com", PASSWORD).await.expect(200);
        // What was used of either is back when it would have been.
        server.advance(HOUR);
    }
}

async fn a_key_of_the_future_signs_at_once_and_is_replaced(place: Place) {
    place.clock().advance(std::time::Duration::from_secs(YEAR));
    let server = place.start().await;
    server.set_back(YEAR);
    let ann = server.user("ann@example.com").await;
    assert!(ann.is_signed_in().await);
    let old = kid(&ann);
    assert!(published(&server).await.contains(&old));

    keep_house(&server).await;
    let both = published(&server).await;
    keep_house(&server).await;
    assert_eq!(published(&server).await, both, "one successor is enough");
    assert_eq!(both.matches("\"kid\"").count(), 2, "{both}");
    assert_eq!(
        kid(&server.log_in("ann@example.com").await),
        old,
        "the new one is published first"
    );
    server.advance(11 * MINUTE);
    let new = server.log_in("ann@example.com").await;
    assert_ne!(kid(&new), old);
    assert!(
        ann.is_signed_in().await,
        "what the old one signed is good until it expires"
    );
    server.mail_is_done().await;
    server.advance(HOUR);
    assert!(!published(&server).await.contains(&old));
    server.log_in("ann@example.com").await;
}
