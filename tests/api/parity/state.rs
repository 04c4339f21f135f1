//! All that is stored, told in names rather than in ids, so that what two servers made can be compared.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Actor, NEW_PASSWORD, PASSWORD, Server};

/// Lines of text, each about one thing that is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) things: Vec<String>,
    pub(super) events: Vec<String>,
    password_hashes: BTreeMap<String, String>,
}

/// Random ids and hashes are left out of what can be new; what was there before has the same ids everywhere.
const THINGS: [&str; 8] = [
    "SELECT 'account ' || email || ' username=' || COALESCE(username, '') || ' name=' || COALESCE(name, '') \
     || ' verified=' || COALESCE(email_verified_at, 0) || ' disabled=' || COALESCE(disabled_at, 0) \
     || ' last_login=' || COALESCE(last_login_at, 0) || ' created=' || created_at || ' updated=' || updated_at FROM users",
    "SELECT 'role ' || email || ' ' || role FROM user_roles JOIN users ON id = user_id",
    "SELECT 'session ' || email || ' ' || COALESCE(client_address, '') || ' ' || COALESCE(user_agent, '') || ' begun=' \
     || s.created_at || ' used=' || last_used_at || ' expires=' || expires_at || ' dies=' || dies_at || ' idle=' \
     || idle_seconds || ' remembered=' || remembered FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.expires_at > 0",
    "SELECT 'refresh token ' || email || ' ' || COALESCE(user_agent, '') || ' used=' || COALESCE(used_at, 0) \
     FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id \
     WHERE s.expires_at > 0",
    "SELECT 'place ' || email || ' ' || device || ' ' || network || ' ' || last_at FROM places JOIN users ON id = user_id",
    "SELECT 'link ' || kind || ' ' || u.email || ' ' || l.email || ' until=' || expires_at \
     FROM link_tokens l JOIN users u ON u.id = l.user_id",
    "SELECT 'product ' || p.name || ' (' || COALESCE(description, '') || ') ' || email || ' created=' || p.created_at \
     || ' updated=' || p.updated_at FROM products p JOIN users u ON u.id = owner_id",
    "SELECT 'mail ' || kind || ' ' || address || ' ' || COALESCE(email, '-') || ' ' || parameters || ' ' || state \
     || ' attempts=' || attempts FROM outbox o LEFT JOIN users u ON u.id = o.user_id",
];

const EVENTS: &str = "SELECT 'event ' || event || ': ' || outcome || ', about ' || COALESCE(u.email, user_id, '-') || ', by ' \
     || COALESCE(a.email, actor_id, '-') || ', on a device: ' || CASE WHEN session_id IS NULL THEN 'no' ELSE 'yes' END \
     || ', from ' || COALESCE(client_address, '-') || ' ' || COALESCE(user_agent, '-') || ', ' \
     || CASE WHEN event = 'create_product' THEN 'the new product' ELSE COALESCE(detail, '-') END \
     FROM audit_events e LEFT JOIN users u ON u.id = e.user_id LEFT JOIN users a ON a.id = e.actor_id";

impl State {
    /// What `server` stores once its mail is done, and which password those accounts have whose hash was not there
    /// `before`.
    pub(super) async fn of(server: &Server, before: Option<&Self>) -> Self {
        server.mail_is_done().await;
        let mut things = Vec::new();
        for sql in THINGS {
            things.extend(rows(server, sql).await);
        }
        let events = rows(server, EVENTS).await;
        let hashes = "SELECT email || ' ' || password_hash FROM users";
        let hashes = rows(server, hashes).await;
        let hashes = hashes.iter().map(|row| row.split_once(' ').expect("two columns"));
        let hashes: BTreeMap<String, String> = hashes
            .map(|(email, hash)| (email.to_owned(), hash.to_owned()))
            .collect();
        for (email, hash) in &hashes {
            // An address can move, and the password with it.
            if before.is_some_and(|before| !before.password_hashes.values().any(|known| known == hash)) {
                things.push(format!("password {email} {}", which_password(server, email).await));
            }
        }
        Self {
            things,
            events,
            password_hashes: hashes,
        }
    }
}

async fn rows(server: &Server, sql: &'static str) -> Vec<String> {
    let rows = sqlx::query_scalar(sql).fetch_all(server.database()).await;
    let mut rows: Vec<String> = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.sort();
    rows
}

/// By how each of the passwords that it may have is answered.
async fn which_password(server: &Server, email: &str) -> String {
    let mut statuses = Vec::new();
    for password in [PASSWORD, NEW_PASSWORD] {
        let body = json!({"username": email, "password": password});
        let reply = server.anonymous().post("/api/auth/login").json(body).await;
        statuses.push(reply.status.to_string());
    }
    statuses.join(" ")
}
