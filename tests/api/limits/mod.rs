//! How often a stranger may try, where from, and who is not in the way of whom.

mod cost;
mod devices;
mod sessions;
mod told;

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::support::{
    Actor, ApiClient, Browser, MINUTE, NEW_PASSWORD, PASSWORD, Place, Reply, Server, both_engines, in_parallel,
};

both_engines![
    each_network_has_a_budget_for_each_kind_of_try,
    what_a_try_is_about_has_a_budget_wherever_it_comes_from,
    the_budget_of_an_account_is_one_for_all_servers_and_outlives_them,
    of_all_who_try_at_once_no_more_than_the_budget_pass,
    whether_there_is_an_account_makes_no_difference,
    a_right_password_costs_nothing_and_a_wrong_one_is_not_forgiven_for_it,
    nobody_can_flood_a_mailbox_by_signing_up,
    a_mailbox_is_one_however_its_address_is_marked,
    having_passwords_judged_is_limited_by_network_alone,
    what_is_over_is_swept,
    without_limits_nobody_is_refused_and_no_device_is_known,
];

const LOG_IN: &str = "/api/auth/login";
const REFRESH: &str = "/api/auth/refresh";
const REGISTER: &str = "/api/auth/register";
const FORGOT: &str = "/api/auth/forgot-password";
const RESEND: &str = "/api/auth/resend-verification";
const STRENGTH: &str = "/api/auth/password-strength";

/// Limits that no test reaches unless it says otherwise, and a proxy that can speak for anybody.
const USUAL: [(&str, &str); 6] = [
    ("RATE_LIMITS", "on"),
    ("TRUSTED_PROXIES", "127.0.0.1"),
    ("LIMIT_TRIES_PER_ACCOUNT", "1000/1m"),
    ("LIMIT_TRIES_PER_NETWORK", "1000/1m"),
    ("LIMIT_MAILS_PER_ADDRESS", "1000/1m"),
    ("LIMIT_MAILS_PER_NETWORK", "1000/1m"),
];

async fn limited(place: &Place, variables: &[(&str, &str)]) -> Server {
    let usual = USUAL
        .into_iter()
        .filter(|(name, _)| variables.iter().all(|(other, _)| other != name));
    let variables: Vec<_> = usual.chain(variables.iter().copied()).collect();
    place.start_with(&variables).await
}

/// A try that is about the subject of this number, by one of two people where somebody has to be signed in.
type Try = fn(&[ApiClient; 2], u32) -> crate::support::Request;

/// All that is limited, and by what name its subject is.
const TRIES: [(&str, &str, Try); 9] = [
    ("log_in", "account", |people, subject| {
        let body = json!({"username": format!("nobody{subject}"), "password": "wrong"});
        people[0].anonymous.post(LOG_IN).json(body)
    }),
    ("sign_up", "address", |people, subject| {
        let body = json!({"email": format!("new{subject}@example.com"), "password": PASSWORD});
        people[0].anonymous.post(REGISTER).json(body)
    }),
    ("request_reset", "address", |people, subject| {
        let body = json!({"email": format!("nobody{subject}@example.com")});
        people[0].anonymous.post(FORGOT).json(body)
    }),
    ("resend_verification", "address", |people, subject| {
        let body = json!({"email": format!("nobody{subject}@example.com")});
        people[0].anonymous.post(RESEND).json(body)
    }),
    ("verify_email", "link", |people, subject| {
        let body = json!({"token": made_up_link(subject)});
        people[0].anonymous.post("/api/auth/verify-email").json(body)
    }),
    ("finish_reset", "link", |people, subject| {
        let body = json!({"token": made_up_link(subject), "new_password": NEW_PASSWORD});
        people[0].anonymous.post("/api/auth/reset-password").json(body)
    }),
    ("change_email", "address", |people, subject| {
        let body = json!({"new_email": format!("new{subject}@example.org"), "password": PASSWORD});
        people[0].post("/api/auth/me/email").json(body)
    }),
    ("change_password", "account", |people, subject| {
        let body = json!({"current_password": "wrong", "new_password": NEW_PASSWORD});
        by_turns(people, subject).post("/api/auth/me/password").json(body)
    }),
    ("delete_account", "account", |people, subject| {
        let body = json!({"password": "wrong"});
        by_turns(people, subject).delete("/api/auth/me").json(body)
    }),
];

fn by_turns(people: &[ApiClient; 2], subject: u32) -> &ApiClient {
    &people[usize::try_from(subject % 2).unwrap()]
}

/// Of the form of one that was mailed.
fn made_up_link(number: u32) -> String {
    format!("vst_lt_{number:0>42}A")
}

async fn people(server: &Server) -> [ApiClient; 2] {
    [
        server.user("ann@example.com").await,
        server.user("bob@example.com").await,
    ]
}

#[track_caller]
fn assert_passes(reply: &Reply, what: &str) {
    assert_ne!(reply.status, 429, "{what}: {}", reply.text());
    assert!(reply.status < 500, "{what}: {}", reply.text());
}

/// A 429 of the limit `policy`, of `count` in so many seconds, with that time to wait.
#[track_caller]
fn assert_refused(reply: &Reply, what: &str, policy: &str, (count, seconds): (u32, u64), wait: u64) {
    let problem = reply.expect_problem(429, "too_many_requests");
    let header = |name: &str| reply.header(name).unwrap_or_default().to_owned();
    assert_eq!(header("retry-after"), wait.to_string(), "{what}: {problem}");
    assert_eq!(header("ratelimit"), format!("\"{policy}\";r=0;t={wait}"), "{what}");
    assert_eq!(
        header("ratelimit-policy"),
        format!("\"{policy}\";q={count};w={seconds}"),
        "{what}"
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("{wait} second")), "{what}: {detail}");
}

async fn each_network_has_a_budget_for_each_kind_of_try(place: Place) {
    let few = [("LIMIT_TRIES_PER_NETWORK", "3/1m"), ("LIMIT_MAILS_PER_NETWORK", "3/1m")];
    let server = limited(&place, &few).await;
    let people = people(&server).await;
    for (name, _, attempt) in TRIES {
        let subjects = AtomicU32::new(0);
        let from = async |network: &str| {
            let subject = subjects.fetch_add(1, Ordering::Relaxed);
            attempt(&people, subject).header("x-forwarded-for", network).await
        };
        for _ in 0..3 {
            assert_passes(&from("192.0.2.1").await, name);
        }
        assert_refused(&from("192.0.2.1").await, name, "network", (3, 60), 20);
        assert_passes(&from("192.0.2.2").await, name);
        assert_passes(&from("203.0.113.1, 192.0.2.2").await, name);

        for host in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"] {
            assert_passes(&from(host).await, name);
        }
        assert_refused(&from("2001:db8::3").await, name, "network", (3, 60), 20);
        assert_passes(&from("2001:db8:0:1::1").await, name);

        server.advance(20);
        assert_passes(&from("192.0.2.1").await, name);
        assert_refused(&from("192.0.2.1").await, name, "network", (3, 60), 20);
        server.advance(MINUTE);
    }
}

async fn what_a_try_is_about_has_a_budget_wherever_it_comes_from(place: Place) {
    let few = [
        ("LIMIT_TRIES_PER_ACCOUNT", "3/3m"),
        ("LIMIT_MAILS_PER_ADDRESS", "3/3m"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "600"),
    ];
    let server = limited(&place, &few).await;
    let people = people(&server).await;
    for (name, policy, attempt) in TRIES {
        let networks = AtomicU32::new(0);
        let about = async |subject: u32| {
            let network = format!("198.51.100.{}", networks.fetch_add(1, Ordering::Relaxed));
            attempt(&people, subject).header("x-forwarded-for", network).await
        };
        for _ in 0..3 {
            assert_passes(&about(1).await, name);
        }
        assert_refused(&about(1).await, name, policy, (3, 180), 60);
        assert_passes(&about(2).await, name);
        server.advance(60);
        assert_passes(&about(1).await, name);
        assert_refused(&about(1).await, name, policy, (3, 180), 60);
        server.advance(3 * MINUTE);
    }
}

/// A log-in with this password, from a network of its own.
fn log_in(server: &Server, identifier: &str, password: &str) -> crate::support::Request {
    let body = json!({"username": identifier, "password": password});
    server.anonymous().post(LOG_IN).json(body)
}

/// Strangers guess until they are refused.
async fn attack(server: &Server, identifier: &str) {
    for number in 0..50 {
        let network = format!("198.51.100.{number}");
        let reply = log_in(server, identifier, "wrong")
            .header("x-forwarded-for", network)
            .await;
        if reply.status == 429 {
            return;
        }
        reply.expect(401);
    }
    panic!("nobody is refused");
}

/// A log-in with a browser's cookies.
async fn try_with(browser: &Browser, identifier: &str, password: &str) -> Reply {
    let body = json!({"username": identifier, "password": password});
    browser.post(LOG_IN).json(body).await
}

async fn the_budget_of_an_account_is_one_for_all_servers_and_outlives_them(place: Place) {
    let few = [("LIMIT_TRIES_PER_ACCOUNT", "4/4m"), ("LIMIT_TRIES_PER_NETWORK", "4/4m")];
    let (one, other) = (limited(&place, &few).await, limited(&place, &few).await);
    one.sign_up("ann@example.com").await;
    for server in [&one, &other, &one, &other] {
        log_in(server, "ann@example.com", "wrong").await.expect(401);
    }
    for server in [&one, &other] {
        let refused = log_in(server, "Ann@Example.com", PASSWORD).await;
        assert_refused(&refused, "the same account", "account", (4, 240), 60);
    }
    one.stop().await;
    other.stop().await;
    let later = limited(&place, &few).await;
    log_in(&later, "ann@example.com", PASSWORD)
        .await
        .expect_problem(429, "too_many_requests");
    later.advance(MINUTE);
    log_in(&later, "ann@example.com", PASSWORD).await.expect(200);
}

async fn of_all_who_try_at_once_no_more_than_the_budget_pass(place: Place) {
    let server = limited(&place, &[("LIMIT_TRIES_PER_ACCOUNT", "5/10m")]).await;
    let anonymous = server.anonymous();
    let replies = in_parallel(20, || {
        let body = json!({"username": "ann@example.com", "password": "wrong"});
        let request = anonymous.post(LOG_IN).json(body);
        async move { request.await }
    });
    let replies = replies.await;
    let count = |status| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!((count(401), count(429)), (5, 15));
}

async fn whether_there_is_an_account_makes_no_difference(place: Place) {
    let few = [("LIMIT_TRIES_PER_ACCOUNT", "3/3m"), ("LIMIT_MAILS_PER_ADDRESS", "3/3m")];
    let server = limited(&place, &few).await;
    let body = json!({"email": "ann@example.com", "username": "ann", "password": PASSWORD});
    server.anonymous().post(REGISTER).json(body).await.expect(201);
    for (path, field, identifiers) in [
        (LOG_IN, "username", ["ann@example.com", "nobody@example.com"]),
        (LOG_IN, "username", ["ann", "nobody"]),
        (LOG_IN, "username", ["ann", "what can name nobody"]),
        (FORGOT, "email", ["ann@example.com", "nobody@example.com"]),
        (RESEND, "email", ["ann@example.com", "nobody@example.com"]),
    ] {
        for number in 0..5 {
            let mut replies = Vec::new();
            for identifier in identifiers {
                let body = json!({field: identifier, "password": "wrong"});
                replies.push(server.anonymous().post(path).json(body).await);
            }
            assert_eq!(replies[0].status == 429, number >= 3, "{path} {number}");
            assert_eq!(replies[0].observable(), replies[1].observable(), "{path} {number}");
        }
        server.advance(3 * MINUTE);
    }
    // Who was tried is not for whoever steals the database to read.
    for name in ["ann", "nobody", "log_in", "request_reset"] {
        let rows: Vec<String> = sqlx::query_scalar("SELECT name FROM limits")
            .fetch_all(server.database())
            .await
            .unwrap();
        assert!(
            rows.len() >= 5 && rows.iter().all(|row| !row.contains(name) && row.len() == 43),
            "{rows:?}"
        );
    }
}

async fn a_right_password_costs_nothing_and_a_wrong_one_is_not_forgiven_for_it(place: Place) {
    let server = limited(&place, &[("LIMIT_TRIES_PER_ACCOUNT", "3/3m")]).await;
    let ann = server.user("ann@example.com").await;
    for _ in 0..10 {
        log_in(&server, "ann@example.com", PASSWORD).await.expect(200);
        let change = json!({"current_password": PASSWORD, "new_password": "short"});
        let change = ann.post("/api/auth/me/password").json(change);
        assert_eq!(change.await.expect_invalid_field("new_password"), "password_too_short");
    }
    for _ in 0..2 {
        log_in(&server, "ann@example.com", "wrong").await.expect(401);
    }
    log_in(&server, "ann@example.com", PASSWORD).await.expect(200);
    log_in(&server, "ann@example.com", "wrong").await.expect(401);
    log_in(&server, "ann@example.com", PASSWORD)
        .await
        .expect_problem(429, "too_many_requests");
    // The owner, who is signed in, is in nobody's way and nobody in theirs.
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    ann.post("/api/auth/me/password").json(change).await.expect(200);
}

async fn nobody_can_flood_a_mailbox_by_signing_up(place: Place) {
    const EXISTS: &str = "SELECT COUNT(*) FROM outbox WHERE kind = 'account_unverified'";
    let few = [
        ("PRIVATE_SIGNUP", "true"),
        ("LIMIT_MAILS_PER_ADDRESS", "2/1h"),
        ("LIMIT_TRIES_PER_ACCOUNT", "6/6m"),
    ];
    let server = limited(&place, &few).await;
    let mut answers = Vec::new();
    for number in 0..8 {
        let body = json!({"email": "ann@example.com", "password": PASSWORD});
        let reply = server.anonymous().post(REGISTER).json(body).await;
        if number < 6 {
            answers.push(reply.expect(201).observable());
        } else {
            reply.expect_problem(429, "too_many_requests");
        }
    }
    // Also the first, which made the account.
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(server.count(EXISTS).await, 2);
    server.advance(30 * MINUTE);
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    server.anonymous().post(REGISTER).json(body).await.expect(201);
    assert_eq!(server.count(EXISTS).await, 3);
}

async fn a_mailbox_is_one_however_its_address_is_marked(place: Place) {
    let server = limited(
        &place,
        &[("LIMIT_MAILS_PER_ADDRESS", "3/1h"), ("LIMIT_TRIES_PER_ACCOUNT", "4/4m")],
    )
    .await;
    let forgot = async |email: String| {
        let body = json!({"email": email});
        server.anonymous().post("/api/auth/forgot-password").json(body).await
    };
    for number in 0..3 {
        forgot(format!("ann+{number}@example.com")).await.expect(200);
    }
    let refused = forgot("ann@example.com".to_owned()).await;
    refused.expect_problem(429, "too_many_requests");
    forgot("annabel+1@example.com".to_owned()).await.expect(200);
    forgot("+1@example.com".to_owned()).await.expect(200);
    forgot("+2@example.com".to_owned()).await.expect(200);
    let sign_up = async |number: u32| {
        let body = json!({"email": format!("ben+{number}@example.com"), "password": PASSWORD});
        server.anonymous().post(REGISTER).json(body).await
    };
    for number in 0..4 {
        sign_up(number).await.expect(201);
    }
    sign_up(4).await.expect_problem(429, "too_many_requests");
    // Whoever signs in is known by the whole address.
    log_in(&server, "ben+1@example.com", PASSWORD).await.expect(200);
}

async fn what_is_over_is_swept(place: Place) {
    const LIMITS: &str = "SELECT COUNT(*) FROM limits";
    let server = limited(&place, &[("LIMIT_TRIES_PER_ACCOUNT", "10/10m")]).await;
    for identifier in ["ann", "bob"] {
        log_in(&server, identifier, "wrong").await.expect(401);
    }
    server.advance(30);
    log_in(&server, "bob", "wrong").await.expect(401);
    server.app().auth().sweep_limits().await.unwrap();
    assert_eq!(server.count(LIMITS).await, 2);
    server.advance(60);
    server.app().auth().sweep_limits().await.unwrap();
    assert_eq!(server.count(LIMITS).await, 1);
    server.advance(60);
    server.app().auth().sweep_limits().await.unwrap();
    assert_eq!(server.count(LIMITS).await, 0);
}

async fn without_limits_nobody_is_refused_and_no_device_is_known(place: Place) {
    let server = place
        .start_with(&[("RATE_LIMITS", "off"), ("LIMIT_TRIES_PER_NETWORK", "1/1h")])
        .await;
    server.sign_up("ann@example.com").await;
    for _ in 0..70 {
        log_in(&server, "ann@example.com", "wrong").await.expect(401);
    }
    let browser = server.browser();
    try_with(&browser, "ann@example.com", PASSWORD).await.expect(200);
    assert_eq!(browser.jar.get("device"), None);
    assert_eq!(server.count("SELECT COUNT(*) FROM limits").await, 0);
}

async fn having_passwords_judged_is_limited_by_network_alone(place: Place) {
    let server = limited(&place, &[("LIMIT_TRIES_PER_NETWORK", "2/1m")]).await;
    let anonymous = server.anonymous();
    let judge = async |network: &str| {
        let body = json!({"password": "correct umbrella staple", "email": "ann@example.com"});
        let request = anonymous.post(STRENGTH).json(body);
        request.header("x-forwarded-for", network).await
    };
    for _ in 0..20 {
        assert_eq!(judge("192.0.2.1").await.expect(200).json()["accepted"], true);
    }
    assert_refused(&judge("192.0.2.1").await, "judging", "network", (20, 60), 3);
    judge("192.0.2.2").await.expect(200);
    let from_there = log_in(&server, "ann@example.com", "wrong").header("x-forwarded-for", "192.0.2.1");
    from_there.await.expect(401);
    server.advance(3);
    judge("192.0.2.1").await.expect(200);
    let failures = "SELECT COUNT(*) FROM audit_events WHERE outcome <> 'success'";
    assert_eq!(server.count(failures).await, 1, "the log-in");
}
