//! What the same machine can do at most: each floor does one part of what an operation cannot do without, and nothing
//! else. The closer an operation comes to its floor, the less everything around it costs.

use std::{
    fs,
    net::SocketAddr,
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use argon2::{Algorithm as Argon2Algorithm, Argon2, Block, Params, Version};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Html,
    routing,
};
use sqlx::{AnyPool, Row, any::AnyPoolOptions};
use tokio::net::TcpListener;
use vestibule::{
    clock::{Clock, SystemClock, Timestamp},
    config::Config,
    id::{SessionId, UserId},
    token::{
        AccessClaims, AccessSettings, AccessTokens, Algorithm, GeneratedKey, KeyMaterial, KeyRing, RefreshToken,
        RefreshTokenHash, Subject,
    },
};

use crate::measure::{Round, Window, Work};

/// The argument that makes this program a server of floors.
pub(crate) const ARGUMENT: &str = "--floors";

/// The path of a token for `algorithm`, to show to the other two.
pub(crate) fn token_path(algorithm: Algorithm) -> String {
    format!("/{algorithm}/token")
}

/// Floor 1: verify the token, answer a constant.
pub(crate) fn verify_path(algorithm: Algorithm) -> String {
    format!("/{algorithm}/verify")
}

/// Floor 2: verify the token, read one row by its key, answer a constant.
pub(crate) fn read_path(algorithm: Algorithm) -> String {
    format!("/{algorithm}/read")
}

/// The floor of a page: answer the bytes of [`PAGE`] from memory.
pub(crate) const PAGE_PATH: &str = "/page";

/// The file in the floors' directory that holds a page of the server's.
pub(crate) const PAGE: &str = "page.html";

/// The pragmas that matter to speed, as the store sets them for the connections that read.
const READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; \
                      PRAGMA cache_size = -2048; PRAGMA query_only = ON;";

/// The same for the one that writes.
const WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                      PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048; \
                      PRAGMA secure_delete = ON;";

pub(crate) fn pool(path: &Path, connections: u32, setup: &'static str) -> anyhow::Result<AnyPool> {
    sqlx::any::install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move { sqlx::raw_sql(setup).execute(connection).await.map(drop) })
        })
        .connect_lazy(&format!("sqlite:{}?mode=rwc", path.display()))?;
    Ok(pool)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Serves the floors that are handlers, until it is told to stop.
pub(crate) async fn serve(address: SocketAddr, directory: &Path) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let path = directory.join("floors.db");
    let user = UserId::new(SystemClock.now());
    fill(&path, user).await?;
    // As many as the store opens.
    let reader = pool(&path, u32::try_from(cores())?.clamp(4, 8), READER)?;
    let page = Bytes::from(fs::read(directory.join(PAGE))?);
    let mut app = Router::new().route(PAGE_PATH, routing::get(|| std::future::ready(Html(page))));
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let floor = Floor {
            tokens: Arc::new(tokens(algorithm)?),
            user,
            reader: reader.clone(),
        };
        let routes = Router::new()
            .route(&token_path(algorithm), routing::get(issue))
            .route(&verify_path(algorithm), routing::get(verify))
            .route(&read_path(algorithm), routing::get(read))
            .with_state(floor);
        app = app.merge(routes);
    }
    Ok(axum::serve(listener, app).await?)
}

async fn fill(path: &Path, user: UserId) -> anyhow::Result<()> {
    let writer = pool(path, 1, WRITER)?;
    sqlx::raw_sql("CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL, created_at BIGINT NOT NULL)")
        .execute(&writer)
        .await?;
    sqlx::query("INSERT INTO users (id, email, created_at) VALUES ($1, $2, $3)")
        .bind(user.to_string())
        .bind("somebody@example.com")
        .bind(SystemClock.now().unix_seconds())
        .execute(&writer)
        .await?;
    writer.close().await;
    Ok(())
}

fn tokens(algorithm: Algorithm) -> anyhow::Result<AccessTokens> {
    let settings = AccessSettings {
        issuer: "http://localhost:8000".to_owned(),
        audience: (algorithm != Algorithm::Hs256).then(|| "http://localhost:8000".to_owned()),
        life: Duration::from_mins(15),
    };
    let ring = if algorithm == Algorithm::Hs256 {
        KeyRing::shared_secret("a floor's secret is as long as any other's")
    } else {
        let key = GeneratedKey::generate(algorithm)?;
        KeyRing::asymmetric(vec![KeyMaterial {
            kid: key.kid,
            algorithm,
            pkcs8: key.private,
            signs_from: Timestamp::from_unix_seconds(0),
            verifies_until: None,
        }])?
    };
    Ok(AccessTokens::new(settings, ring))
}

#[derive(Clone)]
struct Floor {
    tokens: Arc<AccessTokens>,
    user: UserId,
    reader: AnyPool,
}

impl Floor {
    fn claims(&self, headers: &HeaderMap) -> Option<AccessClaims> {
        let token = headers
            .get(header::AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")?;
        self.tokens.verify(token, SystemClock.now()).ok()
    }
}

const CONSTANT: &str = "verified";

async fn issue(State(floor): State<Floor>) -> Result<String, StatusCode> {
    let now = SystemClock.now();
    let subject = Subject {
        user: floor.user,
        session: SessionId::new(now),
        roles: &[],
    };
    let issued = floor.tokens.issue(&subject, now);
    issued
        .map(|access| access.token)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn verify(State(floor): State<Floor>, headers: HeaderMap) -> Result<&'static str, StatusCode> {
    floor.claims(&headers).map(|_| CONSTANT).ok_or(StatusCode::UNAUTHORIZED)
}

async fn read(State(floor): State<Floor>, headers: HeaderMap) -> Result<&'static str, StatusCode> {
    let claims = floor.claims(&headers).ok_or(StatusCode::UNAUTHORIZED)?;
    let found = read_row(&floor.reader, claims.sub).await;
    match found.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)? {
        Some(_) => Ok(CONSTANT),
        None => Err(StatusCode::UNAUTHORIZED),
    }
}

async fn read_row(reader: &AnyPool, user: UserId) -> sqlx::Result<Option<(String, i64)>> {
    let row = sqlx::query("SELECT email, created_at FROM users WHERE id = $1")
        .bind(user.to_string())
        .fetch_optional(reader)
        .await?;
    row.map(|row| Ok((row.try_get("email")?, row.try_get("created_at")?)))
        .transpose()
}

/// Floor 3: a durable transaction that rotates one row. Without HTTP, since nothing but the disk bounds it; as many
/// wait for the one connection that writes as there are clients of the server, so that both have the same queue.
pub(crate) struct Rotation {
    writer: AnyPool,
    hash: RefreshTokenHash,
}

impl Rotation {
    /// Rotations of `count` rows of one database in `directory`.
    pub(crate) async fn of_rows(count: usize, directory: &Path) -> anyhow::Result<Vec<Self>> {
        let writer = pool(&directory.join("rotation.db"), 1, WRITER)?;
        sqlx::raw_sql("CREATE TABLE tokens (hash TEXT NOT NULL PRIMARY KEY, issued_at BIGINT NOT NULL)")
            .execute(&writer)
            .await?;
        let mut rotations = Vec::new();
        for _ in 0..count {
            let hash = RefreshToken::generate().hash();
            sqlx::query("INSERT INTO tokens (hash, issued_at) VALUES ($1, 0)")
                .bind(hash.as_str())
                .execute(&writer)
                .await?;
            rotations.push(Self {
                writer: writer.clone(),
                hash,
            });
        }
        Ok(rotations)
    }
}

impl Work for Rotation {
    async fn begin(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    async fn once(&mut self) -> anyhow::Result<()> {
        let successor = RefreshToken::generate().hash();
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let rotated = sqlx::query("UPDATE tokens SET hash = $2, issued_at = $3 WHERE hash = $1")
            .bind(self.hash.as_str())
            .bind(successor.as_str())
            .bind(SystemClock.now().unix_seconds())
            .execute(&mut *transaction)
            .await?;
        ensure!(rotated.rows_affected() == 1, "the row to rotate is gone");
        transaction.commit().await?;
        self.hash = successor;
        Ok(())
    }
}

/// Floor 4: argon2id with the server's parameters and nothing else, on as many threads as there are cores, each in
/// memory of its own that it keeps.
pub(crate) fn hash_passwords(window: Window) -> anyhow::Result<Round> {
    let config = Config::from_variables([])?;
    let params = Params::new(config.argon2_memory_kib, config.argon2_passes, 1, None)?;
    let (opens, closes) = window.bounds();
    let threads: Vec<_> = (0..cores())
        .map(|_| {
            let params = params.clone();
            thread::spawn(move || hash_until(params, opens, closes))
        })
        .collect();
    let mut times = Vec::new();
    for thread in threads {
        times.extend(thread.join().ok().context("a hashing thread panicked")??);
    }
    Round::new(times, window)
}

fn hash_until(params: Params, opens: Instant, closes: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut memory = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Argon2Algorithm::Argon2id, Version::V0x13, params);
    let (password, salt, mut tag) = (b"correct horse battery staple", [7; 16], [0; 32]);
    let mut times = Vec::new();
    let mut started = Instant::now();
    while started < closes {
        argon2.hash_password_into_with_memory(password, &salt, &mut tag, &mut memory)?;
        let finished = Instant::now();
        if (opens..closes).contains(&finished) {
            times.push(finished - started);
        }
        started = finished;
    }
    Ok(times)
}
