//! What was acknowledged arrives, however often the server is killed, and once, however many servers there are.

use std::{collections::HashMap, time::Duration};

use serde_json::json;
use sqlx::{AnyPool, any::AnyPoolOptions};

use vestibule::clock::{Clock, SystemClock};

use crate::support::{Actor, MINUTE, MailServer, PASSWORD, Place, Process, Security, Step, Trick, both_engines};

both_engines![
    every_acknowledged_message_arrives_though_the_server_is_killed_again_and_again,
    of_two_servers_one_sends_each_message,
    what_a_killed_server_had_in_hand_is_another_servers_when_its_lease_is_over,
];

const ROUNDS: u64 = 8;
const REQUESTS: u64 = 8;

async fn start(place: &Place, mail: &MailServer) -> Process {
    let url = mail.url("");
    let variables = [
        ("SMTP_URL", url.as_str()),
        ("MAIL_FROM", "no-reply@acme.example"),
        // What is least to be hashed.
        ("ARGON2_MEMORY_KIB", "7168"),
        ("ARGON2_PASSES", "5"),
    ];
    Process::start(place, &variables).await
}

/// Waits until every message is done with.
async fn all_sent(database: &AnyPool) {
    for _ in 0..2000 {
        if unfinished(database).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} messages are left", unfinished(database).await);
}

/// How many letters each reader got.
fn letters_by_reader(mail: &MailServer) -> HashMap<String, usize> {
    let mut letters = HashMap::new();
    for letter in mail.received() {
        *letters.entry(letter.to).or_default() += 1;
    }
    letters
}

fn database_of(place: &Place) -> AnyPool {
    sqlx::any::install_default_drivers();
    let options = AnyPoolOptions::new();
    options.connect_lazy(place.database_url()).expect("a pool")
}

/// What a dead server had in hand is given back when its lease is over: now, rather than in five minutes.
async fn let_leases_run_out(database: &AnyPool) -> i64 {
    sqlx::query("UPDATE outbox SET due_at = 0 WHERE finished_at IS NULL")
        .execute(database)
        .await
        .expect("the outbox");
    unfinished(database).await
}

async fn unfinished(database: &AnyPool) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM outbox WHERE finished_at IS NULL")
        .fetch_one(database)
        .await
        .expect("a count")
}

async fn every_acknowledged_message_arrives_though_the_server_is_killed_again_and_again(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    start(&place, &mail).await.kill();
    let database = database_of(&place);
    let mut acknowledged = Vec::new();
    let mut in_hand = 0;
    for round in 0..ROUNDS {
        let process = start(&place, &mail).await;
        let mut asked = tokio::task::JoinSet::new();
        for number in 0..REQUESTS {
            let anonymous = process.anonymous();
            asked.spawn(async move {
                let email = format!("user{round}.{number}@example.com");
                let body = json!({"email": email, "password": PASSWORD});
                let status = anonymous.post("/api/auth/register").json(body).status().await;
                (status == Some(201)).then_some(email)
            });
        }
        // In another moment each time, while some are asked for, some are under way and some have arrived.
        let mut answered = 0;
        while answered <= round
            && let Some(email) = asked.join_next().await
        {
            answered += 1;
            acknowledged.extend(email.expect("a request"));
        }
        tokio::time::sleep(Duration::from_millis(round * 3)).await;
        process.kill();
        acknowledged.extend(asked.join_all().await.into_iter().flatten());
        in_hand += let_leases_run_out(&database).await;
    }
    let _process = start(&place, &mail).await;
    all_sent(&database).await;
    let letters = letters_by_reader(&mail);
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|email| !letters.contains_key(*email))
        .collect();
    assert!(lost.is_empty(), "{lost:?} of {acknowledged:?}");
    assert!(!acknowledged.is_empty());
    let duplicates: usize = letters.values().map(|count| count - 1).sum();
    eprintln!(
        "{:?}: {} acknowledged, {in_hand} unsent or in hand at {ROUNDS} kills, {} readers, {duplicates} duplicates",
        place.engine(),
        acknowledged.len(),
        letters.len(),
    );
}

async fn of_two_servers_one_sends_each_message(place: Place) {
    const EACH: usize = 12;
    let mail = MailServer::start(&place, Security::Plain).await;
    let servers = [start(&place, &mail).await, start(&place, &mail).await];
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..EACH {
        for (server, process) in servers.iter().enumerate() {
            let anonymous = process.anonymous();
            asked.spawn(async move { anonymous.sign_up(&format!("user{server}.{number}@example.com")).await });
        }
    }
    assert_eq!(asked.join_all().await.len(), 2 * EACH);
    all_sent(&database_of(&place)).await;
    let letters = letters_by_reader(&mail);
    assert_eq!(letters.len(), 2 * EACH, "{letters:?}");
    assert!(letters.values().all(|count| *count == 1), "{letters:?}");
    for process in &servers {
        assert!(process.output().contains("worked on a message"), "both were at it");
    }
}

async fn what_a_killed_server_had_in_hand_is_another_servers_when_its_lease_is_over(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    mail.play(Step::Content, Trick::Hold);
    let process = start(&place, &mail).await;
    process.anonymous().sign_up("ann@example.com").await;
    mail.holds(1).await;
    process.kill();

    // The other one's clock shows what the dead one's did.
    let ahead = SystemClock.now().since(place.clock().now());
    place.clock().advance(ahead);
    let url = mail.url("");
    let server = place
        .start_with(&[("SMTP_URL", &url), ("MAIL_FROM", "no-reply@acme.example")])
        .await;
    for (email, minutes) in [("bob@example.com", 3), ("carol@example.com", 2)] {
        server.sign_up(email).await;
        server.message_is(email, "sent", 1).await;
        assert!(
            !letters_by_reader(&mail).contains_key("ann@example.com"),
            "it is in hand"
        );
        server.advance(minutes * MINUTE);
    }
    server.app().mail().wake();
    server.message_is("ann@example.com", "sent", 2).await;
    assert!(letters_by_reader(&mail).values().all(|count| *count == 1));
}
