//! Every test runs on SQLite, and on PostgreSQL too when `TEST_POSTGRES_URL` names a server: there each has a schema of
//! its own.

use std::{collections::HashSet, env, fs, slice, time::Duration};

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{engine::Engine, *};
use crate::{
    clock::Timestamp,
    id::{EventId, MessageId, ProductId, SessionId, UserId},
};

mod imports;
mod limits;
mod lists;
mod opening;
mod outbox;
mod places;
mod plans;
mod sessions;
mod sweeping;
mod transactions;
mod users;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

struct Fixture {
    location: Location,
    store: Store,
    _directory: TempDir,
}

async fn sqlite() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(directory.path().join("data").join("vestibule #1?%41.db"));
    let store = Store::open(&location).await.unwrap();
    Fixture {
        location,
        store,
        _directory: directory,
    }
}

async fn raw(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.unwrap()
}

/// An empty schema, as the location of a database.
async fn schema() -> Option<String> {
    let url = env::var("TEST_POSTGRES_URL").ok()?;
    let schema = format!("test_{}", Uuid::new_v4().simple());
    let mut connection = raw(&url).await;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}")))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{separator}options[search_path]={schema}"))
}

async fn fixtures() -> Vec<Fixture> {
    let mut fixtures = vec![sqlite().await];
    if let Some(url) = schema().await {
        let location = Location::Postgres(url);
        let store = Store::open(&location).await.unwrap();
        fixtures.push(Fixture {
            location,
            store,
            _directory: tempfile::tempdir().unwrap(),
        });
    }
    fixtures
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn user(email: &str) -> UserRow {
    UserRow {
        id: UserId::new(NOW),
        email: email.to_owned(),
        email_key: email.to_lowercase(),
        username: None,
        username_key: None,
        name: None,
        password_hash: "hash".to_owned(),
        roles: Vec::new(),
        email_verified_at: None,
        disabled_at: None,
        external_id: None,
        last_login_at: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn session(user: UserId) -> SessionRow {
    SessionRow {
        id: SessionId::new(NOW),
        user_id: user,
        created_at: NOW,
        last_used_at: NOW,
        expires_at: after(100),
        dies_at: after(1000),
        idle_seconds: 100,
        remembered: true,
        client_address: Some("192.0.2.1".to_owned()),
        user_agent: None,
    }
}

fn link(hash: &str, user: UserId) -> LinkTokenRow {
    LinkTokenRow {
        hash: hash.to_owned(),
        kind: "reset".to_owned(),
        user_id: user,
        email: "ada@example.com".to_owned(),
        created_at: NOW,
        expires_at: after(10),
    }
}

fn message(user: Option<UserId>) -> MessageRow {
    MessageRow {
        id: MessageId::new(NOW),
        kind: "verify".to_owned(),
        user_id: user,
        address: "ada@example.com".to_owned(),
        parameters: "{}".to_owned(),
        state: MessageState::Waiting,
        due_at: NOW,
        attempts: 0,
        last_error: None,
        created_at: NOW,
        finished_at: None,
    }
}

fn event(name: &str, user: Option<UserId>) -> EventRow {
    EventRow {
        id: EventId::new(NOW),
        at: NOW,
        event: name.to_owned(),
        outcome: "success".to_owned(),
        user_id: user,
        actor_id: None,
        session_id: None,
        client_address: None,
        user_agent: None,
        detail: None,
    }
}

fn product(name: &str, owner: UserId) -> ProductRow {
    ProductRow {
        id: ProductId::new(NOW),
        name: name.to_owned(),
        description: None,
        owner_id: owner,
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn insert(store: &Store, user: &UserRow) -> Result<(), InsertError> {
    let mut tx = store.begin().await?;
    tx.insert_user(user).await?;
    Ok(tx.commit().await?)
}

async fn add_user(store: &Store, email: &str) -> UserRow {
    let user = user(email);
    insert(store, &user).await.unwrap();
    user
}

async fn add_session(store: &Store, user: UserId) -> SessionRow {
    let session = session(user);
    let mut tx = store.begin().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.insert_refresh_token(&format!("token of {}", session.id), session.id, NOW)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    session
}
