//! Whoever steals the database, by its disk, a backup or a query, finds nothing in it that lets anyone in.

use std::collections::BTreeSet;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use sqlx::{AnyPool, AssertSqlSafe, Row};
use tokio::task::JoinSet;
use vestibule::token::SealingKey;

use crate::support::{
    Actor, Anonymous, Engine, NEW_PASSWORD, PASSWORD, Place, Reply, Request, SECRET_KEY, Server, both_engines, forge,
    hmac_sha256, jwt_claims, jwt_header, settings,
};

both_engines![nothing_in_a_stolen_database_signs_anyone_in];

/// More than the house of this test holds, and few enough for each to be tried in every way.
const AT_MOST: usize = 400;

/// What is tried at once.
const HANDS: usize = 4;

async fn nothing_in_a_stolen_database_signs_anyone_in(place: Place) {
    let server = place.start().await;
    let by_secret = place
        .start_with(&[("ALGORITHM", "HS256"), ("SECRET_KEY", SECRET_KEY)])
        .await;
    let admin = server.admin("admin@example.com").await;
    let browser = server.user_with_browser("ann@example.com").await;
    let mut bob = server.user("bob@example.com").await;
    let reset = server.reset_link("bob@example.com").await;
    let verification = server.verification_link("ann@example.com").await;
    // No time passes from here on: the window in which the old token gives this successor again stays open.
    bob.refresh().await;
    server.mail_is_done().await;
    let thief = Thief {
        server: server.anonymous(),
        by_secret: by_secret.anonymous(),
        token: admin.access_token.clone(),
        token_by_secret: by_secret.log_in("admin@example.com").await.access_token,
    };
    let before = server.snapshot().await;

    let loot = steal(&server).await;
    assert!(loot.len() <= AT_MOST, "{} values are too many to try", loot.len());
    let loot: Vec<String> = loot.into_iter().collect();
    let mut hands = JoinSet::new();
    for share in loot.chunks(loot.len().div_ceil(HANDS)) {
        let (thief, share) = (thief.clone(), share.to_vec());
        hands.spawn(async move {
            for value in share {
                for (way, reply) in thief.tries(&value).await {
                    assert!(reply.status >= 400, "{value} is good as {way}");
                    reply.expect_refusal();
                }
            }
        });
    }
    hands.join_all().await;
    assert_eq!(server.snapshot().await, before);

    // The thief knows the trade: with what is not in the database, each way leads in.
    let session = browser.jar.get("refresh_token").expect("a cookie");
    let private_key = open_signing_key(&server).await;
    for (secret, ways) in [
        (bob.access_token.as_str(), vec!["access cookie", "access token"]),
        (session.as_str(), vec!["refresh cookie", "refresh token"]),
        (verification.as_str(), vec!["verification link"]),
        (reset.as_str(), vec!["reset link"]),
        (PASSWORD, vec!["password"]),
        (private_key.as_str(), vec!["private key"]),
        (SECRET_KEY, vec!["secret key"]),
    ] {
        let tries = thief.tries(secret).await;
        let good: BTreeSet<&str> = tries
            .iter()
            .filter(|(_, reply)| reply.status < 300)
            .map(|(way, _)| *way)
            .collect();
        assert_eq!(good.into_iter().collect::<Vec<_>>(), ways);
    }
}

/// Every value of every row, as text; of SQLite, from a copy of its files as they lie there.
async fn steal(server: &Server) -> BTreeSet<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let copy = match server.place.engine() {
        Engine::Sqlite => {
            for name in ["vestibule.db", "vestibule.db-wal"] {
                let from = server.place.directory().join(name);
                std::fs::copy(from, directory.path().join(name)).expect("a copy");
            }
            let file = directory.path().join("vestibule.db");
            let url = format!("sqlite:{}", file.display());
            AnyPool::connect(&url).await.expect("the copy")
        }
        Engine::Postgres => server.database().clone(),
    };
    // What a thief would hope for is there.
    for sql in [
        "SELECT COUNT(*) FROM sessions WHERE remembered = 1 AND expires_at > 0",
        "SELECT COUNT(*) FROM refresh_tokens WHERE sealed_successor IS NOT NULL",
        "SELECT COUNT(*) FROM link_tokens WHERE kind = 'reset_password'",
        "SELECT COUNT(*) FROM signing_keys",
    ] {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&copy).await.expect("a count");
        assert!(count > 0, "{sql}");
    }
    let mut loot = BTreeSet::new();
    for (table, column) in columns(server.place.engine(), &copy).await {
        let value = match server.place.engine() {
            Engine::Sqlite => {
                format!("CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE CAST({column} AS TEXT) END")
            }
            Engine::Postgres => format!("CAST({column} AS TEXT)"),
        };
        let sql = format!("SELECT DISTINCT {value} AS value FROM {table} WHERE {column} IS NOT NULL");
        let values: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&copy)
            .await
            .expect("values");
        loot.extend(values);
    }
    if server.place.engine() == Engine::Sqlite {
        copy.close().await;
    }
    loot
}

/// Every column of every table.
async fn columns(engine: Engine, database: &AnyPool) -> Vec<(String, String)> {
    let sql = match engine {
        Engine::Sqlite => {
            "SELECT m.name AS in_table, c.name AS name FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table'"
        }
        Engine::Postgres => {
            "SELECT table_name::text AS in_table, column_name::text AS name FROM information_schema.columns \
             WHERE table_schema = 'public'"
        }
    };
    let rows = sqlx::query(sql).fetch_all(database).await.expect("columns");
    rows.iter().map(|row| (row.get("in_table"), row.get("name"))).collect()
}

/// The server's private key in base64, as whoever has the sealing key too could have it.
async fn open_signing_key(server: &Server) -> String {
    let (kid, sealed): (String, String) = sqlx::query_as("SELECT kid, sealed_private FROM signing_keys")
        .fetch_one(server.database())
        .await
        .expect("a key");
    let settings = settings(&server.place);
    let (_, secret) = settings
        .iter()
        .find(|(name, _)| name == "SEALING_KEY")
        .expect("it is set");
    let opened = SealingKey::from_secret(secret).open(&format!("signing key {kid}"), &sealed);
    general_purpose::URL_SAFE_NO_PAD.encode(opened.expect("a private key"))
}

/// Somebody who knows the house and its people, and has no secret of theirs.
#[derive(Clone)]
struct Thief {
    server: Anonymous,
    /// Another server in the same place, which signs with a shared secret.
    by_secret: Anonymous,
    /// A token of an admin's live session at either: all of it may be known but how to sign it anew.
    token: String,
    token_by_secret: String,
}

impl Thief {
    /// Every way in, and what became of it.
    async fn tries(&self, value: &str) -> Vec<(&'static str, Reply)> {
        let mut replies = Vec::new();
        let post = |path: &str, body: Value| self.server.post(path).json(body);
        // A stored hash is as long as the token without its prefix.
        for token in [value.to_owned(), format!("vst_rt_{value}")] {
            let body = json!({"refresh_token": token});
            replies.push(("refresh token", post("/api/auth/refresh", body).await));
        }
        for token in [value.to_owned(), format!("vst_lt_{value}")] {
            let body = json!({"token": token});
            replies.push(("verification link", post("/api/auth/verify-email", body).await));
            let body = json!({"token": token, "new_password": NEW_PASSWORD});
            replies.push(("reset link", post("/api/auth/reset-password", body).await));
        }
        let body = json!({"email": "admin@example.com", "password": value});
        replies.push(("password", post("/api/auth/login", body).await));
        if HeaderValue::from_str(value).is_ok() {
            replies.push(("access token", self.me().bearer(value).await));
            for (way, name) in [("access cookie", "access_token"), ("refresh cookie", "refresh_token")] {
                replies.push((way, self.me().header("cookie", format!("{name}={value}")).await));
            }
        }
        for key in keys(value) {
            let forged = sign(&self.token_by_secret, "HS256", hmac_sha256(&key));
            let me = self.by_secret.get("/api/auth/me").bearer(&forged);
            replies.push(("secret key", me.await));
            let confused = sign(&self.token, "HS256", hmac_sha256(&key));
            replies.push(("secret key where there is none", self.me().bearer(&confused).await));
            for pair in key_pairs(&key) {
                let forged = sign(&self.token, "EdDSA", |message| pair.sign(message).as_ref().to_vec());
                replies.push(("private key", self.me().bearer(&forged).await));
            }
        }
        replies
    }

    fn me(&self) -> Request {
        self.server.get("/api/auth/me")
    }
}

/// The claims of `token` under another signature.
fn sign(token: &str, algorithm: &str, by: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let mut header = jwt_header(token);
    header["alg"] = json!(algorithm);
    forge(&header, &jwt_claims(token), by)
}

/// The value as a key, as it is and decoded.
fn keys(value: &str) -> BTreeSet<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let bare = value.strip_prefix("v1.").unwrap_or(value);
    let decoded = GeneralPurpose::new(&URL_SAFE, lenient).decode(bare);
    let keys = [Some(value.as_bytes().to_vec()), decoded.ok()];
    keys.into_iter().flatten().filter(|key| !key.is_empty()).collect()
}

/// What may be a private key: the whole in PKCS#8, or a seed at either end.
fn key_pairs(key: &[u8]) -> Vec<Ed25519KeyPair> {
    let seeds = [key.first_chunk::<32>(), key.last_chunk::<32>()];
    let seeds: BTreeSet<&[u8; 32]> = seeds.into_iter().flatten().collect();
    let seeds = seeds.into_iter().map(|seed| Ed25519KeyPair::from_seed_unchecked(seed));
    seeds
        .chain([Ed25519KeyPair::from_pkcs8(key)])
        .filter_map(Result::ok)
        .collect()
}
