use std::{collections::BTreeMap, sync::Arc};

use crate::{
    app::Services,
    auth::{Auth, Client, LogIn, SignUp},
    clock::ManualClock,
    config::Config,
    store::{audit, limits, links, outbox, places, products, sessions, users},
};

use super::*;

/// What runs on each request, page or tick, with the types of its arguments.
const HOT: [(&str, &str); 53] = [
    (users::FIND_BY_ID, "text"),
    (users::FIND_BY_EMAIL, "text"),
    (users::FIND_BY_USERNAME, "text"),
    (users::LIST, "text, bigint, text, text, text"),
    (users::LIST_BY_ROLE, "text, bigint, text, text, text, text"),
    (sessions::FIND_USER_OF_LIVE, "text, bigint"),
    (sessions::FIND_REFRESH_TOKEN, "text, bigint"),
    (sessions::LIST, "text, bigint, bigint, text, bigint"),
    (sessions::LIST_NEWEST, "text, bigint, text, bigint"),
    (sessions::COUNT_LIVE_OF_USER, "text, bigint"),
    (sessions::COUNT_LIVE, "bigint"),
    (sessions::ERASE_SUCCESSORS, "bigint"),
    (sessions::ERASE_SUCCESSORS_AHEAD, "bigint"),
    (sessions::BRING_BACK, "bigint, bigint, bigint, bigint, bigint"),
    (sessions::BRING_UNREMEMBERED_BACK, "bigint, bigint, bigint, bigint"),
    (sessions::DELETE_EXPIRED, "bigint, bigint"),
    (sessions::DELETE_TOKENS_OF_EXPIRED, "bigint, bigint"),
    (sessions::DELETE_EXPIRED_OF_USER, "text, bigint, bigint"),
    (sessions::DELETE_TOKENS_OF_EXPIRED_OF_USER, "text, bigint, bigint"),
    (sessions::END, "text"),
    (sessions::END_OF_USER, "text, text"),
    (sessions::END_ALL_OF_USER, "text, text"),
    (users::FIND_WAITING, "bigint, bigint, bigint"),
    (users::GIVE_UP_WAITING, "text, bigint, bigint"),
    (users::FIND_DELETED, "bigint"),
    (places::LIST, "text"),
    (places::UPDATE, "text, text, text, bigint, bigint"),
    (places::DELETE_SURPLUS, "text, bigint"),
    (places::DELETE_ALL, "text"),
    (places::DELETE_OLD, "bigint, bigint"),
    (links::FIND, "text, text, bigint, bigint"),
    (links::CONSUME, "text, text, bigint, bigint"),
    (links::LIST, "text"),
    (links::DELETE_EXPIRED, "bigint, bigint"),
    (links::DELETE_ALL, "text, text"),
    (limits::FIND, "text"),
    (limits::SPEND, "text, bigint, bigint, bigint, bigint, bigint"),
    (limits::NOTE, "text, bigint"),
    (limits::GIVE_BACK, "text, bigint"),
    (limits::DELETE_WHOLE, "bigint, bigint"),
    (outbox::LIST, "text, bigint"),
    (outbox::LIST_BY_STATE, "text, bigint, text"),
    (outbox::LIST_BY_USER, "text, bigint"),
    (outbox::BRING_FORWARD, "bigint, bigint"),
    (outbox::ERASE_ALL, "text, text, bigint"),
    (outbox::DELETE_FINISHED, "bigint, bigint"),
    (audit::LIST, "text, bigint"),
    (audit::LIST_BY_USER, "text, bigint, text"),
    (audit::LIST_BY_EVENT, "text, bigint, text"),
    (audit::DELETE_OLD, "bigint, bigint"),
    (products::LIST, "text, bigint"),
    (products::LIST_BY_OWNER, "text, bigint, text"),
    (products::DELETE_BY_OWNER, "text, bigint"),
];

/// Fails where the statement reads a table from one end to the other.
async fn assert_no_scan(store: &Store, statement: &str, types: &str) {
    let plan = explain(store.engine, &store.reader, statement, types).await;
    let scans = plan.lines().any(|line| {
        let line = line.trim_start_matches(['-', '>', ' ']);
        // SQLite calls a walk through the rows of a page, already cut, a scan too.
        let is_page = line == "SCAN u" && [users::LIST, users::LIST_BY_ROLE].contains(&statement);
        // One row, which holds what was asked for.
        let is_question = ["SCAN CONSTANT ROW", "SCAN asked"].contains(&line);
        (line.starts_with("SCAN ") && !is_page && !is_question) || line.starts_with("Seq Scan")
    });
    // What only adds a row is no plan to SQLite.
    let planned = !plan.is_empty() || statement.starts_with("INSERT");
    assert!(!scans && planned, "{statement}\n{plan}");
}

async fn explain(engine: Engine, connections: &Connections, statement: &str, types: &str) -> String {
    let mut connection = connections.acquire().await.unwrap();
    let explain = match engine {
        Engine::Sqlite => format!("EXPLAIN QUERY PLAN {statement}"),
        Engine::Postgres => {
            // An empty table is always scanned, unless that is forbidden; and a plan for given arguments would not show
            // what a statement that is prepared once comes to.
            let (types, nulls) = match types {
                "" => (String::new(), String::new()),
                types => {
                    let nulls = vec!["NULL"; types.split(',').count()].join(", ");
                    (format!("({types})"), format!("({nulls})"))
                }
            };
            let prepare = format!(
                "DEALLOCATE ALL; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; \
                 PREPARE hot {types} AS {statement}"
            );
            sqlx::raw_sql(AssertSqlSafe(prepare))
                .execute(&mut *connection)
                .await
                .unwrap();
            format!("EXPLAIN EXECUTE hot {nulls}")
        }
    };
    let rows = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let column = if engine == Engine::Sqlite {
        "detail"
    } else {
        "QUERY PLAN"
    };
    rows.iter()
        .map(|row| row.get::<String, _>(column))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn no_hot_statement_scans_a_table() {
    for Fixture { store, .. } in fixtures().await {
        let of_engine = [
            (store.engine.claim_message(), "bigint, bigint"),
            (
                store.engine.exchange_refresh_token(),
                "text, text, bigint, text, text, bigint, text, text, bigint",
            ),
        ];
        let statements = HOT.into_iter().chain(of_engine);
        for (statement, types) in statements.flat_map(|(text, types)| text.split("; ").map(move |one| (one, types))) {
            assert_no_scan(&store, statement, types).await;
        }
    }
}

/// What the store's connections have run, with the types of its arguments. SQLite cannot be asked, but runs the same.
async fn statements_run(store: &Store) -> BTreeMap<String, String> {
    const PREPARED: &str = "SELECT statement, CAST(parameter_types AS TEXT) AS types FROM pg_prepared_statements \
                            WHERE statement !~ '^(BEGIN|COMMIT|ROLLBACK)' AND statement !~ 'pg_prepared_statements'";
    let mut connections = Vec::new();
    for _ in 0..store.writer.size() {
        connections.push(store.writer.acquire().await.unwrap());
    }
    let mut statements = BTreeMap::new();
    for mut connection in connections {
        let rows = sqlx::query(PREPARED).fetch_all(&mut *connection).await.unwrap();
        statements.extend(rows.iter().map(|row| {
            let types: String = row.get("types");
            (row.get("statement"), types.trim_matches(['{', '}']).to_owned())
        }));
    }
    statements
}

/// Signs up and in, from a new device and a known one, with a right password and a wrong one; refreshes, and again with the
/// same token; and asks who is there.
async fn sign_in_and_stay(auth: &Auth) {
    let password = "plum-Tractor-94-orbit";
    let newcomer = SignUp {
        email: "ada@example.com".to_owned(),
        username: Some("ada".to_owned()),
        name: None,
        password: password.to_owned().into(),
    };
    let mut client = Client::new(Some([192, 0, 2, 1].into()), Some("a browser"));
    auth.sign_up(newcomer, &client).await.unwrap();
    for (identifier, password) in [
        ("ada@example.com", password),
        ("ada", password),
        ("ada", "wrong"),
        ("nobody", "wrong"),
    ] {
        let attempt = LogIn {
            identifier: identifier.to_owned(),
            password: password.to_owned().into(),
            remember: true,
            replaces: None,
        };
        let Ok(signed_in) = auth.log_in(attempt, &client).await else {
            continue;
        };
        client.device = signed_in.device;
        for _ in 0..2 {
            let refreshed = auth.refresh(signed_in.refresh.expose(), &client).await.unwrap();
            auth.authenticate(&refreshed.access.token).await.unwrap();
        }
    }
}

#[tokio::test]
async fn nothing_that_runs_for_a_log_in_a_refresh_or_a_request_scans_a_table() {
    let Some(url) = schema().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let variables = [
        ("DATA_DIR", directory.path().to_str().unwrap()),
        ("DATABASE_URL", &url),
        ("SEALING_KEY", "Zk3vQ9rLx7TnB2mWc5YhJd8FsGa4UePq-sealing"),
    ];
    let mut config = Config::from_variables(variables).unwrap();
    (config.argon2_memory_kib, config.argon2_passes) = (8, 1);
    let services = Services::open(&config, Arc::new(ManualClock::at(NOW))).await.unwrap();
    sign_in_and_stay(&services.auth).await;

    let run = statements_run(services.store()).await;
    for known in [
        users::FIND_BY_EMAIL,
        users::FIND_BY_USERNAME,
        sessions::FIND_USER_OF_LIVE,
        sessions::FIND_REFRESH_TOKEN,
        limits::FIND,
        limits::SPEND,
        Engine::Postgres.exchange_refresh_token(),
    ] {
        assert!(run.contains_key(known), "{known} was not run, but {run:#?}");
    }
    let other = sqlite().await;
    // There are two or three keys, which a table's one page holds.
    for (statement, types) in run.iter().filter(|(statement, _)| !statement.contains("signing_keys")) {
        assert_no_scan(services.store(), statement, types).await;
        let same = if *statement == Engine::Postgres.exchange_refresh_token() {
            Engine::Sqlite.exchange_refresh_token()
        } else {
            statement
        };
        for one in same.split("; ") {
            assert_no_scan(&other.store, one, types).await;
        }
    }
    services.close().await;
}

#[tokio::test]
async fn a_statement_is_prepared_once_for_each_connection() {
    for Fixture { store, .. } in fixtures().await {
        let mut connection = store.reader.acquire().await.unwrap();
        for _ in 0..3 {
            let query = sqlx::query(sessions::FIND_USER_OF_LIVE)
                .bind(SessionId::new(NOW))
                .bind(NOW);
            query.fetch_all(&mut *connection).await.unwrap();
        }
        // SQLite cannot be asked; the same call caches there.
        if store.engine == Engine::Postgres {
            let query = sqlx::query("SELECT name FROM pg_prepared_statements WHERE statement = $1")
                .bind(sessions::FIND_USER_OF_LIVE);
            assert_eq!(query.fetch_all(&mut *connection).await.unwrap().len(), 1);
        }
    }
}
