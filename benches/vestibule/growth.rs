//! A database that has grown: what the operations of every day cost when millions of rows lie about.

use std::{
    fmt,
    fs::{self, File},
    path::Path,
};

use anyhow::Context;
use serde_json::json;
use sqlx::{AnyPool, AssertSqlSafe, Row};
use uuid::Uuid;
use vestibule::{
    clock::{Clock, SystemClock},
    id::{SessionId, UserId},
    token::{AccessSettings, AccessTokens, KeyRing, RefreshToken, Subject},
};

use crate::{
    CLIENTS, HS256,
    client::{Connection, Visitor, get, post},
    floors::pool,
    process::Process,
    site::{PASSWORD, READY, log_in_as},
};

/// How many accounts each client goes round. All of them lie apart from each other in the tables and their indexes.
const ROUND: usize = 250;

/// For the connection that fills the tables, while nobody else is there and nothing would be lost.
const FILLING: &str = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; \
                       PRAGMA temp_store = MEMORY;";

/// The account whose password all the others get.
const FIRST: &str = "first@example.com";

/// How much there is in a database.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Accounts, with three sessions and ten events of the audit log each.
    pub(crate) users: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} users", self.users)
    }
}

/// Clients of a server on a database of some size.
pub(crate) struct Grown {
    pub(crate) size: Size,
    pub(crate) reading: Vec<Visitor>,
    pub(crate) refreshing: Vec<Visitor>,
    pub(crate) logging_in: Vec<Visitor>,
}

impl Grown {
    /// Makes the database in `directory` and starts a server on it.
    pub(crate) async fn open(directory: &Path, size: Size) -> anyhow::Result<(Self, Process)> {
        fs::create_dir_all(directory)?;
        let mut process = start(directory)?;
        process.first_answer(READY).await?;
        let mut connection = Connection::open(process.address()).await?;
        let account = post("/api/auth/register", &json!({ "email": FIRST, "password": PASSWORD }));
        connection.exchange(&account).await?.success()?;
        process.stop().await?;

        let tables = pool(&directory.join("vestibule.db"), 1, FILLING)?;
        fill(&tables, size).await?;
        let chains = begin_chains(&tables, size).await?;
        tables.close().await;

        let mut process = start(directory)?;
        process.first_answer(READY).await?;
        let address = process.address();
        let tokens = tokens();
        let (mut reading, mut refreshing, mut logging_in) = (Vec::new(), Vec::new(), Vec::new());
        for round in chains.chunks(ROUND) {
            let read = |chain: &Chain| anyhow::Ok(get("/users/me", Some(&chain.access(&tokens)?)));
            let requests = round.iter().map(read).collect::<anyhow::Result<_>>()?;
            reading.push(Visitor::sending(address, requests));
            refreshing.push(Visitor::refreshing(
                address,
                round.iter().map(|chain| chain.refresh.clone()).collect(),
            ));
            let log_in = |chain: &Chain| log_in_as(&chain.email, PASSWORD);
            logging_in.push(Visitor::sending(address, round.iter().map(log_in).collect()));
        }
        let clients = Self {
            size,
            reading,
            refreshing,
            logging_in,
        };
        Ok((clients, process))
    }
}

fn start(directory: &Path) -> anyhow::Result<Process> {
    // With a secret that the bench knows, so that it can issue tokens of any session itself.
    Process::vestibule(directory, &HS256, File::create(directory.join("log"))?.into())
}

/// Rows of the age and the shape that use would have left, by statements of the bench's own: through the API they would
/// take days.
async fn fill(tables: &AnyPool, Size { users }: Size) -> anyhow::Result<()> {
    let now = SystemClock.now().unix_seconds();
    let (sessions, events) = (users * 3, users * 10);
    let indexes = sqlx::query("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        .fetch_all(tables)
        .await?;
    // Sorted once at the end, rather than kept sorted row by row.
    for index in &indexes {
        let name: String = index.try_get("name")?;
        run(tables, format!("DROP INDEX {name}")).await?;
    }
    run(
        tables,
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users}) \
             INSERT INTO users (id, email, email_key, username, username_key, name, password_hash, email_verified_at, \
             created_at, updated_at) SELECT printf('01890000-0000-7000-8000-%012x', i), \
             printf('user-%d@example.com', i), printf('user-%d@example.com', i), printf('user-%d', i), \
             printf('user-%d', i), printf('User number %d', i), \
             (SELECT password_hash FROM users WHERE email_key = '{FIRST}'), {now}, {now}, {now} FROM n"
        ),
    )
    .await?;
    run(
        tables,
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {sessions}) \
             INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, dies_at, idle_seconds, remembered, \
             client_address, user_agent) SELECT printf('01890000-0000-7000-9000-%012x', i), \
             printf('01890000-0000-7000-8000-%012x', i * 7919 % {users} + 1), {now}, {now}, {now} + 604800, \
             {now} + 2592000, 604800, 1, '203.0.113.7', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0' FROM n"
        ),
    )
    .await?;
    run(
        tables,
        format!(
            "INSERT INTO refresh_tokens (hash, session_id, issued_at) \
             SELECT lower(hex(randomblob(32))), id, {now} FROM sessions"
        ),
    )
    .await?;
    run(
        tables,
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {events}) \
             INSERT INTO audit_events (id, at, event, outcome, user_id, session_id, client_address, user_agent) \
             SELECT printf('01890000-0000-7000-a000-%012x', i), {now}, 'log_in', 'success', \
             printf('01890000-0000-7000-8000-%012x', i * 31 % {users} + 1), \
             printf('01890000-0000-7000-9000-%012x', i % {sessions} + 1), '203.0.113.7', \
             'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0' FROM n"
        ),
    )
    .await?;
    for index in &indexes {
        run(tables, index.try_get("sql")?).await?;
    }
    Ok(())
}

async fn run(tables: &AnyPool, statement: String) -> anyhow::Result<()> {
    let said = statement.clone();
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(tables)
        .await
        .context(said)?;
    Ok(())
}

/// A session of somebody's, and what its device holds.
struct Chain {
    user: UserId,
    session: SessionId,
    email: String,
    refresh: String,
}

impl Chain {
    fn access(&self, tokens: &AccessTokens) -> anyhow::Result<String> {
        let subject = Subject {
            user: self.user,
            session: self.session,
            roles: &[],
        };
        Ok(tokens.issue(&subject, SystemClock.now())?.token)
    }
}

/// Gives sessions from all over the table refresh tokens that the bench knows.
async fn begin_chains(tables: &AnyPool, Size { users }: Size) -> anyhow::Result<Vec<Chain>> {
    let mut chains = Vec::new();
    let wanted = CLIENTS * ROUND;
    for place in 0..wanted {
        let id = format!("01890000-0000-7000-9000-{:012x}", place * (users * 3) / wanted + 1);
        let refresh = RefreshToken::generate();
        sqlx::query("UPDATE refresh_tokens SET hash = $2 WHERE session_id = $1")
            .bind(id.as_str())
            .bind(refresh.hash().as_str().to_owned())
            .execute(tables)
            .await?;
        let row =
            sqlx::query("SELECT u.id, u.email FROM sessions s INNER JOIN users u ON u.id = s.user_id WHERE s.id = $1")
                .bind(id.as_str())
                .fetch_one(tables)
                .await?;
        let user: String = row.try_get(0)?;
        chains.push(Chain {
            user: user.parse::<Uuid>()?.into(),
            session: id.parse::<Uuid>()?.into(),
            email: row.try_get(1)?,
            refresh: refresh.expose().to_owned(),
        });
    }
    Ok(chains)
}

/// What issues as the server does.
fn tokens() -> AccessTokens {
    let settings = AccessSettings {
        issuer: "http://localhost:8000".to_owned(),
        audience: None,
        life: std::time::Duration::from_hours(1),
    };
    let [_, (_, secret)] = HS256;
    AccessTokens::new(settings, KeyRing::shared_secret(secret))
}
