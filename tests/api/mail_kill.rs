//! What was acknowledged arrives, however often the server is killed.

use std::{collections::HashMap, time::Duration};

use serde_json::json;
use sqlx::{AnyPool, any::AnyPoolOptions};

use crate::support::{Actor, MailServer, PASSWORD, Place, Process, Security, both_engines};

both_engines![every_acknowledged_message_arrives_though_the_server_is_killed_again_and_again];

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
    sqlx::any::install_default_drivers();
    let database = AnyPoolOptions::new()
        .connect_lazy(place.database_url())
        .expect("a pool");
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
    for _ in 0..2000 {
        if unfinished(&database).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut letters: HashMap<String, usize> = HashMap::new();
    for letter in mail.received() {
        *letters.entry(letter.to).or_default() += 1;
    }
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
