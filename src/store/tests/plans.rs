use crate::store::{audit, limits, links, outbox, products, sessions, users};

use super::*;

/// What runs on each request, page or tick, with the types of its arguments.
const HOT: [(&str, &str); 31] = [
    (users::FIND_BY_ID, "text"),
    (users::FIND_BY_EMAIL, "text"),
    (users::FIND_BY_USERNAME, "text"),
    (users::LIST, "text, bigint, boolean, text, text"),
    (users::LIST_BY_ROLE, "text, bigint, boolean, text, text, text"),
    (sessions::FIND_USER_OF_LIVE, "text, bigint"),
    (sessions::FIND_REFRESH_TOKEN, "text, bigint"),
    (sessions::LIST, "text, bigint"),
    (sessions::COUNT_LIVE, "bigint"),
    (sessions::ERASE_SUCCESSORS, "bigint"),
    (sessions::DELETE_EXPIRED, "bigint, bigint"),
    (sessions::DELETE_ALL, "text, text"),
    (links::FIND, "text, text, bigint"),
    (links::CONSUME, "text, text, bigint"),
    (links::LIST, "text"),
    (links::DELETE_EXPIRED, "bigint, bigint"),
    (links::DELETE_ALL, "text, text"),
    (limits::FIND, "text"),
    (limits::NOTE, "text, bigint"),
    (limits::GIVE_BACK, "text, bigint"),
    (limits::DELETE_WHOLE, "bigint, bigint"),
    (outbox::LIST, "text, bigint"),
    (outbox::LIST_BY_STATE, "text, bigint, text"),
    (outbox::LIST_BY_USER, "text, bigint"),
    (outbox::ERASE_ALL, "text, text, bigint"),
    (outbox::DELETE_FINISHED, "bigint, bigint"),
    (audit::LIST, "text, bigint"),
    (audit::LIST_BY_USER, "text, bigint, text"),
    (audit::LIST_BY_EVENT, "text, bigint, text"),
    (products::LIST, "text, bigint"),
    (products::LIST_BY_OWNER, "text, bigint, text"),
];

async fn explain(engine: Engine, connections: &Connections, statement: &str, types: &str) -> String {
    let mut connection = connections.acquire().await.unwrap();
    let explain = match engine {
        Engine::Sqlite => format!("EXPLAIN QUERY PLAN {statement}"),
        Engine::Postgres => {
            // An empty table is always scanned, unless that is forbidden; and a plan for given arguments would not show
            // what a statement that is prepared once comes to.
            let prepare = format!(
                "DEALLOCATE ALL; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; \
                 PREPARE hot ({types}) AS {statement}"
            );
            sqlx::raw_sql(AssertSqlSafe(prepare))
                .execute(&mut *connection)
                .await
                .unwrap();
            format!(
                "EXPLAIN EXECUTE hot({})",
                vec!["NULL"; types.split(',').count()].join(", ")
            )
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
                "text, text, bigint, text, text, bigint, text, text",
            ),
        ];
        let statements = HOT.into_iter().chain(of_engine);
        for (statement, types) in statements.flat_map(|(text, types)| text.split("; ").map(move |one| (one, types))) {
            let plan = explain(store.engine, &store.reader, statement, types).await;
            let scans = plan.lines().any(|line| {
                let line = line.trim_start_matches(['-', '>', ' ']);
                // SQLite calls a walk through the rows of a page, already cut, a scan too.
                (line.starts_with("SCAN ") && line != "SCAN u") || line.starts_with("Seq Scan")
            });
            assert!(!scans && !plan.is_empty(), "{statement}\n{plan}");
        }
    }
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
