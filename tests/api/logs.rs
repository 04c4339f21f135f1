//! What the running binary writes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Actor, NEW_PASSWORD, PASSWORD, Place, Process, both_engines};

both_engines![
    every_line_of_a_request_carries_its_id,
    there_is_one_line_for_each_request,
    no_secret_is_ever_written,
];

/// Works the server through what its users do, good and bad; gives every secret that came by and the ids of the
/// requests.
async fn exercise(process: &Process) -> (BTreeSet<String>, Vec<String>) {
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
    let user = json!({"email": "ann@example.com", "password": PASSWORD});
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
            .json(json!({"email": "ann@example.com"}))
            .await
            .expect(200),
    );
    let mails = loop {
        let mails = anonymous.get("/dev/mail.json").await.expect(200);
        if mails.text().matches("reset-password?token=").count() > 0 {
            break mails.text();
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

async fn every_line_of_a_request_carries_its_id(place: Place) {
    let mut process = Process::start(&place, &[("LOG_FORMAT", "json")]).await;
    let (_, ids) = exercise(&process).await;
    process.terminate();
    process.ended();
    let output = process.output();
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        // What is said of a request is said inside its span.
        let of_a_request = line["target"].as_str().is_some_and(|target| target.contains("::web"));
        assert!(!of_a_request || line.to_string().contains("request_id"), "{line}");
    }
    for id in ids {
        assert!(output.contains(&id), "nothing about {id} in {output}");
    }
}

async fn there_is_one_line_for_each_request(place: Place) {
    for format in ["text", "json"] {
        let mut process = Process::start(&place, &[("LOG_FORMAT", format)]).await;
        let mut ids = Vec::new();
        for path in ["/health/live", "/users/me", "/nothing?token=secret-of-the-query"] {
            let reply = process.anonymous().get(path).await;
            ids.push(reply.header("x-request-id").unwrap().to_owned());
        }
        process.terminate();
        process.ended();
        let output = process.output();
        for id in &ids[1..] {
            let lines: Vec<&str> = output.lines().filter(|line| line.contains(id.as_str())).collect();
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(
                lines[0].contains("GET") && (lines[0].contains("401") || lines[0].contains("404")),
                "{lines:?}"
            );
        }
        assert!(!output.contains("secret-of-the-query"), "{output}");
    }
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
            let (secrets, _) = exercise(&process).await;
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
