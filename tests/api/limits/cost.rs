//! What a refusal costs: the server next to nothing, and whoever it was too busy for no try.

use std::{
    num::NonZeroUsize,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;

use super::{LOG_IN, REGISTER, TRIES, Try, assert_passes, assert_refused, limited, log_in, people};
use crate::support::{Actor, PASSWORD, Place, one_engine};

one_engine![
    sqlite: Sqlite,
    what_is_refused_costs_no_hash,
    what_a_busy_server_turns_away_is_no_try,
];

one_engine![postgres: Postgres, what_a_network_is_refused_is_looked_up_nowhere];

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

/// What strangers may try: whoever is signed in is looked up before it is known what they want.
fn tries_of_strangers() -> impl Iterator<Item = (&'static str, Try)> {
    let signed_in = ["change_email", "change_password", "delete_account"];
    let tries = TRIES.into_iter().map(|(name, _, attempt)| (name, attempt));
    tries.filter(move |(name, _)| !signed_in.contains(name))
}

/// A flood of tries must not become a flood of queries.
async fn what_a_network_is_refused_is_looked_up_nowhere(place: Place) {
    let few = [("LIMIT_TRIES_PER_NETWORK", "3/1m"), ("LIMIT_MAILS_PER_NETWORK", "3/1m")];
    let server = limited(&place, &few).await;
    let people = people(&server).await;
    let from = async |network: &str, attempt: Try, subject: u32| {
        attempt(&people, subject).header("x-forwarded-for", network).await
    };
    for (name, attempt) in tries_of_strangers() {
        for subject in 0..3 {
            assert_passes(&from("192.0.2.1", attempt, subject).await, name);
        }
        // The first refusal is put on record, and the others are not.
        assert_refused(&from("192.0.2.1", attempt, 3).await, name, "network", (3, 60), 20);
    }
    place.refuse_connections(true).await;
    place.end_connections().await;
    for (name, attempt) in tries_of_strangers() {
        let refused = from("192.0.2.1", attempt, 4).await;
        assert_refused(&refused, name, "network", (3, 60), 20);
        let admitted = from("192.0.2.2", attempt, 4).await;
        admitted.expect_problem(503, "unavailable");
    }
    place.refuse_connections(false).await;
    for (name, attempt) in tries_of_strangers() {
        assert_passes(&from("192.0.2.2", attempt, 5).await, name);
    }
}
