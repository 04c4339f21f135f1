//! What the running binary writes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::{Connection, Row};

use crate::support::{Actor, NEW_PASSWORD, PASSWORD, Place, Process, both_engines, one_engine};

both_engines![
    every_line_of_a_request_carries_its_id,
    there_is_one_line_for_each_request,
    no_secret_is_ever_written,
    each_entry_of_the_audit_log_is_a_line_too,
];

one_engine![postgres: Postgres, so_does_every_line_of_one_that_fails];

/// Works the server through what its users do, good and bad; gives every secret that came by and the ids of the
/// requests.
async fn exercise(process: &Process, email: &str) -> (BTreeSet<String>, Vec<String>) {
    let anonymous = process.anonymous();
    let mut secrets = BTreeSet::from([PASSWORD.to_owned(), NEW_PASSWORD.to_owned()]);
    let mut ids = Vec::new();
    let mut take = |reply: crate::support::Reply| {
        ids.push(reply.header("x-request-id").expect("a request id").to_owned());
        for cookie in reply.cookies().into_iter().filter(|cookie| !cookie.is_removal()) {
            secrets.insert(cookie.value);
        }
        serde_json::from_slice::<Value>(&reply.body).unwrap_or_default()
    };
    let user = json!({"email": email, "password": PASSWORD});
    take(anonymous.post("/register").json(&user).await.expect(201));
    let tokens = take(anonymous.post("/login").json(&user).await.expect(200));
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    take(anonymous.get("/users/me").bearer(&access).await.expect(200));
    take(
        anonymous
            .get("/users/me")
            .header("cookie", format!("refresh_token={refresh}"))
            .await
            .expect(200),
    );
    take(anonymous.post("/auth/refresh").bearer(&refresh).await.expect(200));
    take(
        anonymous
            .get("/users/me")
            .bearer("nonsense-token-of-somebody")
            .await
            .expect(401),
    );
    take(
        anonymous
            .post("/login")
            .json(json!({"email": NEW_PASSWORD, "password": PASSWORD}))
            .await
            .expect(401),
    );
    take(
        anonymous
            .post("/auth/forgot-password")
            .json(json!({"email": email}))
            .await
            .expect(200),
    );
    let mails = loop {
        let mails = anonymous.get("/dev/mail.json").await.expect(200).json();
        let to_user = mails
            .as_array()
            .unwrap()
            .iter()
            .filter(|mail| mail["to"].to_string().contains(email));
        let texts: String = to_user.map(|mail| mail["text"].to_string()).collect();
        if texts.contains("reset-password?token=") {
            break texts;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let link = mails.split("reset-password?token=").nth(1).unwrap();
    let link: String = link
        .chars()
        .take_while(|char| char.is_ascii_alphanumeric() || "_-".contains(*char))
        .collect();
    // Followed by a mail scanner, with the token in the query, and by its owner.
    take(anonymous.get(&format!("/reset-password?token={link}")).await);
    take(
        anonymous
            .get(&format!("/api/auth/reset-password?token={link}&access_token={access}"))
            .await,
    );
    let body = json!({"token": link, "new_password": NEW_PASSWORD});
    take(anonymous.post("/auth/change-password").json(body).await.expect(200));
    take(
        anonymous
            .post("/login")
            .body("application/json", format!("{{\"password\": \"{PASSWORD}\""))
            .await
            .expect(400),
    );
    secrets.extend([access, refresh, link, "nonsense-token-of-somebody".to_owned()]);
    (secrets, ids)
}

/// What is said while no request is answered: at the start and the end, by the mail worker and by housekeeping.
const OF_NO_REQUEST: &[&str] = &[
    "the database is ",
    "listening on http://",
    "the site is at ",
    "mail goes to the built-in mailbox at ",
    "stopping",
    "the outbox cannot be worked on",
    "worked on a message",
    "cannot erase used successors",
    "cannot look at the signing keys",
    "cannot sweep",
    "audit",
    "load_signing_keys: audit",
];

/// What a line says, and the id of the request that it is said of.
fn read_line(format: &str, line: &str) -> (String, Option<String>) {
    if format == "json" {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let id = line["spans"][0]["request_id"].as_str().map(str::to_owned);
        return (line["message"].as_str().expect("a message").to_owned(), id);
    }
    // The time and the level, then the request if there is one, perhaps with its operation, then the message.
    let rest = line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
    let Some((id, message)) = rest
        .strip_prefix("request{request_id=\"")
        .and_then(|rest| rest.split_once("\"}:"))
    else {
        return (rest, None);
    };
    let (_operation, message) = message.split_once(' ').expect("a message");
    (message.to_owned(), Some(id.to_owned()))
}

#[track_caller]
fn assert_every_line_has_its_id(format: &str, output: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for line in output.lines() {
        let (message, id) = read_line(format, line);
        match id {
            Some(id) => drop(ids.insert(id)),
            None => assert!(OF_NO_REQUEST.iter().any(|start| message.starts_with(start)), "{line}"),
        }
    }
    ids
}

async fn every_line_of_a_request_carries_its_id(place: Place) {
    for (format, email) in [("text", "ann@example.com"), ("json", "bob@example.com")] {
        let mut process = Process::start(&place, &[("LOG_FORMAT", format)]).await;
        let (_, answered) = exercise(&process, email).await;
        process.terminate();
        process.ended();
        let output = process.output();
        let written = assert_every_line_has_its_id(format, &output);
        for id in answered {
            assert!(written.contains(&id), "nothing about {id} in {output}");
        }
    }
}

async fn so_does_every_line_of_one_that_fails(place: Place) {
    for format in ["text", "json"] {
        let mut process = Process::start(&place, &[("LOG_FORMAT", format)]).await;
        let anonymous = process.anonymous();
        anonymous.get("/health/ready").await.expect(200);
        place.refuse_connections(true).await;
        place.end_connections().await;
        let failed = anonymous.get("/health/ready").await;
        failed.expect_problem(503, "unavailable");
        place.refuse_connections(false).await;
        process.terminate();
        process.ended();
        let output = process.output();
        let id = failed.header("x-request-id").expect("a request id");
        assert!(assert_every_line_has_its_id(format, &output).contains(id), "{output}");
        assert!(
            output.contains("ERROR") && output.contains("request failed"),
            "{output}"
        );
    }
}

async fn there_is_one_line_for_each_request(place: Place) {
    for format in ["text", "json"] {
        let mut process = Process::start(&place, &[("LOG_FORMAT", format)]).await;
        let mut answered = Vec::new();
        for (path, status) in [
            ("/health/live", 200),
            ("/users/me", 401),
            ("/nothing?token=secret-of-the-query", 404),
        ] {
            let reply = process.anonymous().get(path).await.expect(status);
            answered.push((reply.header("x-request-id").unwrap().to_owned(), status));
        }
        process.terminate();
        process.ended();
        let output = process.output();
        for (id, status) in answered {
            let lines: Vec<&str> = output.lines().filter(|line| line.contains(&id)).collect();
            assert_eq!(lines.len(), 1, "{lines:?}");
            let status = match format {
                "json" => format!("\"status\":{status}"),
                _ => format!("status={status}"),
            };
            assert!(lines[0].contains("GET") && lines[0].contains(&status), "{lines:?}");
        }
        assert!(!output.contains("secret-of-the-query"), "{output}");
    }
}

/// What a line and an entry say alike.
const FIELDS: [&str; 9] = [
    "id",
    "event",
    "outcome",
    "user_id",
    "actor_id",
    "session_id",
    "client_address",
    "user_agent",
    "detail",
];

async fn each_entry_of_the_audit_log_is_a_line_too(place: Place) {
    let mut process = Process::start(&place, &[("LOG_FORMAT", "json")]).await;
    exercise(&process, "ann@example.com").await;
    let anonymous = process.anonymous();
    let request = anonymous.post("/login").header("user-agent", "Lamp/7 \"event\": \"x\"");
    let body = json!({"email": "ann@example.com", "password": NEW_PASSWORD});
    let tokens = request.json(body).await.expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    let profile = anonymous.patch("/api/auth/me").bearer(access);
    profile.json(json!({"name": "Ann"})).await.expect(200);
    process.terminate();
    process.ended();

    let output = process.output();
    let lines = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines = lines.filter(|line| line["message"] == "audit");
    let mut said: Vec<Vec<String>> = lines
        .map(|line| {
            FIELDS
                .map(|field| line[field].as_str().unwrap_or_default().to_owned())
                .to_vec()
        })
        .collect();
    let stored = format!(
        "SELECT {} FROM audit_events",
        FIELDS
            .map(|field| format!("COALESCE({field}, '') AS {field}"))
            .join(", ")
    );
    sqlx::any::install_default_drivers();
    let mut database = sqlx::AnyConnection::connect(place.database_url()).await.unwrap();
    let stored = sqlx::query(sqlx::AssertSqlSafe(stored))
        .fetch_all(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    let mut stored: Vec<Vec<String>> = stored
        .iter()
        .map(|row| (0..FIELDS.len()).map(|place| row.get(place)).collect())
        .collect();
    said.sort();
    stored.sort();
    assert_eq!(said, stored);
    let events: BTreeSet<&str> = said.iter().map(|fields| fields[1].as_str()).collect();
    for event in ["sign_up", "log_in", "request_reset", "finish_reset", "update_profile"] {
        assert!(events.contains(event), "no {event} in {events:?}");
    }
    assert!(!output.contains("ann@example.com"), "{output}");
}

async fn no_secret_is_ever_written(place: Place) {
    for (format, level) in [("text", "info"), ("json", "trace")] {
        // The most talkative that an operator can make it, at which libraries say what they send and store.
        let process = Process::start(&place, &[("LOG_FORMAT", format), ("RUST_LOG", level)]).await;
        let anonymous = process.anonymous();
        if format == "json" {
            let body = json!({"email": "again@example.com", "password": PASSWORD});
            anonymous.post("/register").json(body).await.expect(201);
        } else {
            let (secrets, _) = exercise(&process, "ann@example.com").await;
            let output = process.output();
            for secret in secrets {
                assert!(!output.contains(&secret), "{secret} in {output}");
            }
        }
        let output = process.output();
        for secret in [
            PASSWORD,
            NEW_PASSWORD,
            "vst_rt_",
            "vst_lt_",
            "$argon2",
            "Zk3vQ9rLx7TnB2mWc5YhJd8FsGa4UePq-sealing",
        ] {
            assert!(!output.contains(secret), "{secret} at level {level}");
        }
    }
}
