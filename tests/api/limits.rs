//! How often a stranger may try, where from, and who is not in the way of whom.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    Actor, ApiClient, Browser, HTML, MINUTE, NEW_PASSWORD, PASSWORD, Place, Process, Reply, Server, both_engines,
    field_value, in_parallel, one_engine,
};

both_engines![
    each_network_has_a_budget_for_each_kind_of_try,
    what_a_try_is_about_has_a_budget_wherever_it_comes_from,
    the_budget_of_an_account_is_one_for_all_servers_and_outlives_them,
    of_all_who_try_at_once_no_more_than_the_budget_pass,
    whether_there_is_an_account_makes_no_difference,
    a_right_password_costs_nothing_and_a_wrong_one_is_not_forgiven_for_it,
    a_known_device_goes_on_while_strangers_are_refused,
    a_known_device_has_a_budget_of_its_own_and_no_more,
    a_known_device_is_a_stranger_at_other_accounts,
    a_new_password_makes_strangers_of_all_but_the_device_that_chose_it,
    nobody_can_flood_a_mailbox_by_signing_up,
    having_passwords_judged_is_limited_by_network_alone,
    a_form_comes_back_with_the_time_to_wait,
    the_audit_log_says_once_that_a_limit_was_reached,
    a_session_is_refreshed_so_often_and_no_more,
    a_browser_that_is_not_renewed_for_a_while_stays_signed_in,
    what_is_over_is_swept,
    without_limits_nobody_is_refused_and_no_device_is_known,
];

one_engine![
    sqlite: Sqlite,
    what_is_refused_costs_no_hash,
    what_a_busy_server_turns_away_is_no_try,
    the_api_tells_what_it_limits,
    the_devices_cookie_is_guarded,
    the_log_says_once_that_a_limit_was_reached,
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

/// A browser that signed in to the account, and out again.
async fn known_browser(server: &Server, identifier: &str) -> Browser {
    let browser = server.browser();
    try_with(&browser, identifier, PASSWORD).await.expect(200);
    browser.post("/api/auth/logout").await.expect(200);
    assert!(browser.jar.get("device").is_some());
    browser
}

const THREE_TRIES: [(&str, &str); 1] = [("LIMIT_TRIES_PER_ACCOUNT", "3/3m")];

async fn sign_up_with_username(server: &Server, username: &str) {
    let email = format!("{username}@example.com");
    let body = json!({"email": email, "username": username, "password": PASSWORD});
    server.anonymous().post(REGISTER).json(body).await.expect(201);
}

async fn a_known_device_goes_on_while_strangers_are_refused(place: Place) {
    let server = limited(&place, &THREE_TRIES).await;
    sign_up_with_username(&server, "ann").await;
    let known = known_browser(&server, "ann").await;
    for identifier in ["ann", "ann@example.com"] {
        attack(&server, identifier).await;
        let stranger = try_with(&server.browser(), identifier, PASSWORD).await;
        assert_refused(&stranger, "a stranger", "account", (3, 180), 60);
        // By either name, as often as they like.
        for _ in 0..5 {
            try_with(&known, identifier, PASSWORD).await.expect(200);
        }
    }
    // By the page, too.
    known.post("/api/auth/logout").await.expect(200);
    let page = known
        .send("/form/log_in", &[("username", "ann"), ("password", PASSWORD)])
        .await;
    page.says("Profile");
    // And for as long as half a year.
    server.advance(179 * 24 * 60 * MINUTE);
    attack(&server, "ann").await;
    try_with(&known, "ann", PASSWORD).await.expect(200);
    server.advance(181 * 24 * 60 * MINUTE);
    attack(&server, "ann").await;
    try_with(&known, "ann", PASSWORD)
        .await
        .expect_problem(429, "too_many_requests");
}

async fn a_known_device_has_a_budget_of_its_own_and_no_more(place: Place) {
    let server = limited(&place, &THREE_TRIES).await;
    sign_up_with_username(&server, "ann").await;
    let (laptop, phone) = (known_browser(&server, "ann").await, known_browser(&server, "ann").await);
    // By one name or the other is the same.
    for identifier in ["ann", "ann@example.com", "ann"] {
        try_with(&laptop, identifier, "wrong").await.expect(401);
    }
    for identifier in ["ann", "ann@example.com"] {
        let refused = try_with(&laptop, identifier, PASSWORD).await;
        assert_refused(&refused, "the laptop", "device", (3, 180), 60);
    }
    try_with(&phone, "ann", PASSWORD).await.expect(200);
    log_in(&server, "ann", PASSWORD).await.expect(200);
    server.advance(MINUTE);
    try_with(&laptop, "ann", PASSWORD).await.expect(200);
    // A log-in is no way to a second budget.
    for _ in 0..3 {
        try_with(&phone, "ann", "wrong").await.expect(401);
        server.advance(1);
    }
    try_with(&phone, "ann", PASSWORD)
        .await
        .expect_problem(429, "too_many_requests");
}

async fn a_known_device_is_a_stranger_at_other_accounts(place: Place) {
    let server = limited(&place, &THREE_TRIES).await;
    for name in ["ann", "bob"] {
        sign_up_with_username(&server, name).await;
        attack(&server, name).await;
        server.advance(3 * MINUTE);
    }
    let known = known_browser(&server, "ann").await;
    attack(&server, "bob").await;
    let refused = try_with(&known, "bob", PASSWORD).await;
    assert_refused(&refused, "Ann's device at Bob's account", "account", (3, 180), 60);

    // What nobody here made is nothing.
    attack(&server, "ann").await;
    let proof = known.jar.get("device").unwrap();
    for forged in [
        String::new(),
        "v1.AAAA".to_owned(),
        "x".repeat(4000),
        proof[..proof.len() - 1].to_owned(),
        proof.replacen("v1.", "v2.", 1),
    ] {
        let browser = server.browser();
        browser.jar.set("device", &forged);
        let refused = try_with(&browser, "ann", PASSWORD).await;
        refused.expect_problem(429, "too_many_requests");
    }

    // A living room's browser is known at both.
    server.advance(3 * MINUTE);
    try_with(&known, "bob", PASSWORD).await.expect(200);
    for name in ["ann", "bob"] {
        attack(&server, name).await;
        try_with(&known, name, PASSWORD).await.expect(200);
    }
}

async fn a_new_password_makes_strangers_of_all_but_the_device_that_chose_it(place: Place) {
    let server = limited(&place, &THREE_TRIES).await;
    sign_up_with_username(&server, "ann").await;
    let (old, laptop) = (known_browser(&server, "ann").await, server.browser());
    try_with(&laptop, "ann", PASSWORD).await.expect(200);
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    laptop.post("/api/auth/me/password").json(change).await.expect(200);
    attack(&server, "ann").await;
    let refused = try_with(&old, "ann", NEW_PASSWORD).await;
    assert_refused(&refused, "a device of the old password", "account", (3, 180), 60);
    try_with(&laptop, "ann", NEW_PASSWORD).await.expect(200);

    // Under attack, with no device that is known: a mailed link is a way in, by the page or by the API.
    for (count, by_page) in [(1, true), (2, false)] {
        attack(&server, "ann").await;
        let new = server.browser();
        new.post(FORGOT)
            .json(json!({"email": "ann@example.com"}))
            .await
            .expect(200);
        let link = server
            .links("ann@example.com", "/reset-password", count)
            .await
            .remove(0);
        let password = format!("{NEW_PASSWORD}-{count}");
        if by_page {
            let fields = [("token", link.as_str()), ("new_password", &password)];
            new.send("/form/finish_reset", &fields)
                .await
                .says("Your password is changed.");
        } else {
            let body = json!({"token": link, "new_password": password});
            new.post("/api/auth/reset-password").json(body).await.expect(200);
        }
        let stranger = try_with(&server.browser(), "ann", &password).await;
        stranger.expect_problem(429, "too_many_requests");
        try_with(&new, "ann", &password).await.expect(200);
        try_with(&laptop, "ann", &password)
            .await
            .expect_problem(429, "too_many_requests");
        server.advance(3 * MINUTE);
    }
}

async fn nobody_can_flood_a_mailbox_by_signing_up(place: Place) {
    const EXISTS: &str = "SELECT COUNT(*) FROM outbox WHERE kind = 'account_exists'";
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

async fn a_form_comes_back_with_the_time_to_wait(place: Place) {
    let few = [("LIMIT_TRIES_PER_ACCOUNT", "3/3m"), ("LIMIT_MAILS_PER_ADDRESS", "1/1h")];
    let server = limited(&place, &few).await;
    server.sign_up("ann@example.com").await;
    attack(&server, "ann@example.com").await;
    let browser = server.browser();
    let fields = [
        ("username", "ann@example.com"),
        ("password", PASSWORD),
        ("remember", "true"),
        ("next", "/products"),
    ];
    let back = browser.submit("/form/log_in", &fields).await.expect_see_other();
    assert_eq!(back, "/login?next=%2Fproducts");
    let page = browser.open(&back).await.expect_page(200);
    let html = page
        .says("This was tried too often. Wait 60 seconds, and try again.")
        .text();
    assert!(html.contains("<title>Error: Sign in · Vestibule</title>"), "{html}");
    assert_eq!(html.matches("role=\"alert\"").count(), 1, "{html}");
    assert_eq!(field_value(&html, "username").as_deref(), Some("ann@example.com"));
    assert!(!html.contains(PASSWORD), "{html}");

    browser
        .send("/form/request_reset", &[("email", "ann@example.com")])
        .await;
    let page = browser
        .send("/form/request_reset", &[("email", "ann@example.com")])
        .await;
    let html = page
        .says("This was tried too often. Wait 60 minutes, and try again.")
        .text();
    assert_eq!(field_value(&html, "email").as_deref(), Some("ann@example.com"));

    // A program that sends the form is told as by the API.
    let form = json!({"username": "ann@example.com", "password": PASSWORD});
    let program = server.anonymous().post("/form/log_in").json(&form).await;
    assert_refused(&program, "a program's form", "account", (3, 180), 60);
    assert_eq!(
        program.json(),
        without_oauth(log_in(&server, "ann@example.com", PASSWORD).await.json())
    );

    // A browser at a path of the templates', which has no form of ours to come back to.
    let login = server.browser().post("/login").header("accept", HTML);
    let page = login
        .form(&[("username", "ann@example.com"), ("password", PASSWORD)])
        .await;
    assert_eq!(page.header("retry-after"), Some("60"));
    assert!(page.header("ratelimit").is_some());
    page.expect_page(429)
        .says("Too many tries")
        .says("This was tried too often. Wait 60 seconds, and try again.");
}

fn without_oauth(mut problem: Value) -> Value {
    for member in ["error", "error_description"] {
        problem.as_object_mut().unwrap().remove(member);
    }
    problem
}

async fn the_audit_log_says_once_that_a_limit_was_reached(place: Place) {
    let few = [("LIMIT_TRIES_PER_ACCOUNT", "2/2m"), ("LIMIT_TRIES_PER_NETWORK", "4/4m")];
    let server = limited(&place, &few).await;
    let events = async || {
        let sql = "SELECT event || ' ' || outcome || ' ' || client_address FROM audit_events WHERE event = 'log_in' ORDER BY id";
        let events: Vec<String> = sqlx::query_scalar(sql).fetch_all(server.database()).await.unwrap();
        events
    };
    let wrong = "log_in invalid_credentials 192.0.2.1".to_owned();
    let refused = "log_in too_many_requests 192.0.2.1".to_owned();
    let guess = async |identifier: &str| {
        let request = log_in(&server, identifier, "wrong").header("x-forwarded-for", "192.0.2.1");
        request.await.status
    };
    // Two pass, two find the account's limit reached, and all others the network's.
    for number in 0..10 {
        let status = guess("ann").await;
        assert_eq!(status == 429, number >= 2);
    }
    let expected = [&wrong, &wrong, &refused, &refused];
    assert_eq!(events().await.iter().collect::<Vec<_>>(), expected);
    // While any of it is used it is the same attack; after that, another.
    server.advance(MINUTE);
    for status in [401, 429, 429] {
        assert_eq!(guess("ann").await, status);
    }
    assert_eq!(events().await.len(), 5);
    server.advance(10 * MINUTE);
    for status in [401, 401, 429, 429] {
        assert_eq!(guess("ann").await, status);
    }
    assert_eq!(events().await.len(), 8);
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

async fn what_is_refused_costs_no_hash(place: Place) {
    // Of a price that nothing else here comes near.
    let dear = [
        ("ARGON2_MEMORY_KIB", "65536"),
        ("ARGON2_PASSES", "4"),
        ("LIMIT_TRIES_PER_ACCOUNT", "3/3m"),
        ("LIMIT_TRIES_PER_NETWORK", "10/1h"),
    ];
    let server = limited(&place, &dear).await;
    let time = async |identifier: &str, status: u16| {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let started = Instant::now();
            log_in(&server, identifier, "wrong").await.expect(status);
            best = best.min(started.elapsed());
        }
        best
    };
    let hashed = time("ann", 401).await;
    let by_account = time("ann", 429).await;
    assert!(by_account < hashed / 4, "hashed {hashed:?}, by account {by_account:?}");
    for identifier in ["bob", "cid", "dan", "eve"] {
        log_in(&server, identifier, "wrong").await.expect(401);
    }
    let by_network = time("fay", 429).await;
    assert!(by_network < hashed / 4, "hashed {hashed:?}, by network {by_network:?}");
}

/// Whoever fills the queue before the hashing threads must not use up, by that, what others may try.
async fn what_a_busy_server_turns_away_is_no_try(place: Place) {
    let dear = [
        ("ARGON2_MEMORY_KIB", "65536"),
        ("ARGON2_PASSES", "4"),
        ("LIMIT_TRIES_PER_ACCOUNT", "3/1d"),
        ("LIMIT_TRIES_PER_NETWORK", "1000/1s"),
    ];
    let server = limited(&place, &dear).await;
    let people = people(&server).await;
    let mut strangers = JoinSet::new();
    // Enough for all threads and their queues, and for some to be turned away.
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for stranger in 0..34 * threads + 10 {
        let anonymous = server.anonymous();
        strangers.spawn(async move {
            for number in 0.. {
                let body = json!({"username": format!("nobody{stranger}x{number}"), "password": "wrong"});
                let network = format!("10.{}.{}.{}", stranger >> 8, stranger & 255, number % 256);
                anonymous
                    .post(LOG_IN)
                    .json(body)
                    .header("x-forwarded-for", network)
                    .await;
            }
        });
    }
    let tries: [(&str, Try); 4] = [
        ("log_in", |people, subject| {
            let body = json!({"username": format!("somebody{subject}"), "password": "wrong"});
            people[0].anonymous.post(LOG_IN).json(body)
        }),
        ("sign_up", |people, subject| {
            let body = json!({"email": format!("new{subject}@example.com"), "password": PASSWORD});
            people[0].anonymous.post(REGISTER).json(body)
        }),
        ("change_email", |people, subject| {
            let body = json!({"new_email": format!("new{subject}@example.org"), "password": PASSWORD});
            people[0].post("/api/auth/me/email").json(body)
        }),
        ("change_password", |people, _| {
            let body = json!({"current_password": PASSWORD, "new_password": "short"});
            people[1].post("/api/auth/me/password").json(body)
        }),
    ];
    for (name, attempt) in tries {
        let (mut subject, mut turned_away) = (0, 0);
        while turned_away < 4 {
            let reply = attempt(&people, subject).header("x-forwarded-for", "192.0.2.1").await;
            if reply.status == 503 {
                assert!(reply.header("retry-after").is_some(), "{name}");
                turned_away += 1;
            } else {
                // There was room by chance: what was tried counts, and the next is about somebody else.
                assert_ne!(reply.status, 429, "{name}: {}", reply.text());
                (subject, turned_away) = (subject + 1, 0);
            }
        }
    }
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

async fn the_api_tells_what_it_limits(place: Place) {
    let server = place.start().await;
    let document = server.anonymous().get("/openapi.json").await.expect(200).json();
    for (method, path) in [
        ("post", LOG_IN),
        ("post", "/token"),
        ("post", REFRESH),
        ("post", REGISTER),
        ("post", FORGOT),
        ("post", RESEND),
        ("post", "/api/auth/verify-email"),
        ("post", "/api/auth/reset-password"),
        ("post", "/api/auth/me/password"),
        ("post", "/api/auth/me/email"),
        ("delete", "/api/auth/me"),
        ("post", STRENGTH),
    ] {
        let refusal = &document["paths"][path][method]["responses"]["429"];
        for name in ["Retry-After", "RateLimit", "RateLimit-Policy"] {
            assert!(
                refusal["headers"][name]["description"].is_string(),
                "{method} {path}: {refusal}"
            );
        }
        let example = &refusal["content"]["application/problem+json"]["examples"]["too_many_requests"]["value"];
        assert_eq!(example["status"], 429, "{method} {path}: {refusal}");
    }
    let unlimited = &document["paths"]["/api/auth/logout"]["post"]["responses"];
    assert!(unlimited["401"].is_object() && unlimited.get("429").is_none());
}

async fn a_session_is_refreshed_so_often_and_no_more(place: Place) {
    let server = limited(&place, &[]).await;
    let mut ann = server.user("ann@example.com").await;
    let mut elsewhere = server.log_in("ann@example.com").await;
    let first = ann.refresh_token.clone();
    let show = async |token: &str| server.anonymous().post(REFRESH).bearer(token).await;
    for _ in 0..30 {
        // A retry counts as what it retries.
        let before = ann.refresh_token.clone();
        ann.refresh().await;
        show(&before).await.expect(200);
    }
    for _ in 0..3 {
        assert_refused(&show(&ann.refresh_token).await, "refresh", "session", (60, 600), 10);
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM refresh_tokens").await, 32);
    let recorded = "SELECT COUNT(*) FROM audit_events WHERE event = 'refresh' AND outcome = 'too_many_requests'";
    assert_eq!(server.count(recorded).await, 1);
    elsewhere.refresh().await;
    assert!(ann.is_signed_in().await);
    server.advance(10);
    ann.refresh().await;
    assert_refused(&show(&ann.refresh_token).await, "refresh", "session", (60, 600), 10);
    // Who has stolen a token is found out none the less.
    server.advance(1);
    show(&first).await.expect_problem(401, "refresh_token_reused");
    assert!(!ann.is_signed_in().await);
}

async fn a_browser_that_is_not_renewed_for_a_while_stays_signed_in(place: Place) {
    let server = limited(&place, &[]).await;
    let browser = server.user_with_browser("ann@example.com").await;
    for _ in 0..60 {
        browser.jar.remove("access_token");
        browser.get("/users/me").await.expect(200).cookie("refresh_token");
    }
    browser.jar.remove("access_token");
    let held = browser.jar.get("refresh_token");
    for _ in 0..3 {
        assert!(browser.get("/users/me").await.expect(200).cookies().is_empty());
        browser.get("/profile").await.expect(200);
    }
    let change = json!({"name": "Ann"});
    let changed = browser.patch("/api/auth/me").json(change).await.expect(200);
    assert_eq!(changed.json()["name"], "Ann");
    let refused = browser.post(REFRESH).await;
    assert_refused(&refused, "refresh by cookie", "session", (60, 600), 10);
    assert!(refused.cookies().is_empty());
    assert_eq!(browser.jar.get("refresh_token"), held);
    server.advance(10 * MINUTE);
    browser.get("/users/me").await.expect(200).cookie("refresh_token");
    assert_ne!(browser.jar.get("refresh_token"), held);
}

async fn the_devices_cookie_is_guarded(place: Place) {
    let variables = [
        ("PUBLIC_URL", "https://auth.example.com"),
        ("COOKIE_DOMAIN", "example.com"),
    ];
    let server = limited(&place, &variables).await;
    server.sign_up("ann@example.com").await;
    let cookie = log_in(&server, "ann@example.com", PASSWORD)
        .await
        .expect(200)
        .cookie("__Host-device");
    for name in ["HttpOnly", "Secure"] {
        assert!(cookie.attribute(name).is_some(), "{cookie:?}");
    }
    assert_eq!(cookie.attribute("SameSite"), Some("Lax"));
    assert_eq!(cookie.attribute("Path"), Some("/"));
    assert_eq!(cookie.attribute("Domain"), None);
    assert_eq!(cookie.attribute("Max-Age"), Some("15552000"));
    assert!(
        cookie.value.starts_with("v1.") && cookie.value.len() < 400,
        "{}",
        cookie.value.len()
    );
}

async fn the_log_says_once_that_a_limit_was_reached(place: Place) {
    let process = Process::start(&place, &[("RATE_LIMITS", "on"), ("LIMIT_TRIES_PER_ACCOUNT", "2/1h")]).await;
    for status in [401, 401, 429, 429, 429] {
        let body = json!({"username": "ann@example.com", "password": "wrong"});
        process.anonymous().post(LOG_IN).json(body).await.expect(status);
    }
    let output = process.output();
    let lines: Vec<&str> = output.lines().filter(|line| line.contains("too many tries")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("log_in") && lines[0].contains("account"),
        "{lines:?}"
    );
    assert!(!output.contains("ann@example.com"), "{output}");
}
