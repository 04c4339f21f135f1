use super::*;

#[tokio::test]
async fn an_opened_database_answers_and_opens_again_with_what_was_in_it() {
    for Fixture {
        store,
        location,
        _directory,
    } in fixtures().await
    {
        store.ping().await.unwrap();
        let ada = add_user(&store, "ada@example.com").await;
        store.close().await;
        assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
        let store = Store::open(&location).await.unwrap();
        assert_eq!(store.find_user(ada.id).await.unwrap(), Some(ada));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_migrate_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut locations = vec![Location::Sqlite(directory.path().join("vestibule.db"))];
    locations.extend(schema().await.map(Location::Postgres));
    for location in locations {
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let location = location.clone();
            tasks.spawn(async move { Store::open(&location).await.map(drop) });
        }
        for opened in tasks.join_all().await {
            opened.unwrap();
        }
    }
}

/// A database as it was before the migration `version`.
async fn before_migration(location: &Location, version: i64) -> AnyConnection {
    let mut connection = match location {
        Location::Sqlite(path) => raw(&format!("sqlite:{}?mode=rwc", path.display())).await,
        Location::Postgres(url) => raw(url).await,
    };
    let before = sqlx::migrate!().iter().filter(|migration| migration.version < version);
    let mut migrator = sqlx::migrate::Migrator::with_migrations(before.cloned().collect());
    migrator.dangerous_set_table_name("vestibule_migrations");
    migrator.run_direct(None, &mut connection, false).await.unwrap();
    connection
}

#[tokio::test]
async fn of_an_older_versions_accounts_those_that_signed_up_and_never_came_wait() {
    let directory = tempfile::tempdir().unwrap();
    let mut locations = vec![Location::Sqlite(directory.path().join("vestibule.db"))];
    locations.extend(schema().await.map(Location::Postgres));
    for location in locations {
        let mut connection = before_migration(&location, 6).await;
        let [waits, verified, came, invited, numbered, imported] = [(); 6].map(|()| UserId::new(NOW));
        let now = NOW.unix_seconds();
        let rows = [
            (waits, "'hash', NULL, NULL, NULL"),
            (verified, "'hash', 1, NULL, NULL"),
            (came, "'hash', NULL, 1, NULL"),
            (invited, "'', NULL, NULL, NULL"),
            (numbered, "'hash', NULL, NULL, '7'"),
            (imported, "'hash', NULL, NULL, NULL"),
        ];
        for (user, row) in rows {
            let insert = format!(
                "INSERT INTO users (id, email, email_key, password_hash, email_verified_at, last_login_at, external_id, \
                 created_at, updated_at) VALUES ('{user}', '{user}', '{user}', {row}, {now}, {now})"
            );
            let inserted = sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut connection).await;
            inserted.unwrap();
        }
        let import =
            format!("INSERT INTO imports (source_key, address_key, user_id) VALUES ('from', 'there', '{imported}')");
        let inserted = sqlx::raw_sql(AssertSqlSafe(import)).execute(&mut connection).await;
        inserted.unwrap();
        connection.close().await.unwrap();

        let store = Store::open(&location).await.unwrap();
        assert_eq!(store.list_waiting_users(NOW, NOW, 10).await.unwrap(), [waits]);
        let before = NOW.minus(Duration::from_secs(1));
        assert_eq!(store.list_waiting_users(before, NOW, 10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_outbox_of_an_older_version_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut locations = vec![Location::Sqlite(directory.path().join("vestibule.db"))];
    locations.extend(schema().await.map(Location::Postgres));
    for location in locations {
        let mut connection = before_migration(&location, 3).await;
        let (ada, row) = (UserId::new(NOW), message(None));
        let rows = format!(
            "INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at) \
             VALUES ('{ada}', 'ada@example.com', 'ada@example.com', 'hash', 0, 0); \
             INSERT INTO outbox (id, kind, user_id, address, parameters, state, due_at, attempts, created_at) \
             VALUES ('{}', 'verify', '{ada}', 'ada@example.com', '{{}}', 'waiting', {now}, 0, {now})",
            row.id,
            now = NOW.unix_seconds(),
        );
        sqlx::raw_sql(AssertSqlSafe(rows))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();

        let store = Store::open(&location).await.unwrap();
        let kept = MessageRow {
            user_id: Some(ada),
            ..row
        };
        assert_eq!(store.find_message(kept.id).await.unwrap(), Some(kept.clone()));
        let mut tx = store.begin().await.unwrap();
        assert!(tx.delete_user(ada).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(store.find_message(kept.id).await.unwrap().unwrap().user_id, None);
    }
}

/// Makes the `users` table of another application, with a row in it.
async fn foreign(location: &Location) -> AnyConnection {
    let mut connection = match location {
        Location::Sqlite(path) => {
            fs::write(path, "").unwrap();
            raw(&format!("sqlite:{}?mode=rw", path.display())).await
        }
        Location::Postgres(url) => raw(url).await,
    };
    let tables = "CREATE TABLE users (id BIGINT PRIMARY KEY, email TEXT); INSERT INTO users VALUES (1, 'ada'); \
                  CREATE TABLE items (id BIGINT)";
    sqlx::raw_sql(tables).execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn a_database_of_another_application_is_refused_by_name_and_left_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth.db");
    let mut locations = vec![Location::Sqlite(path.clone())];
    locations.extend(schema().await.map(Location::Postgres));
    for location in locations {
        let mut connection = foreign(&location).await;
        let before = fs::read(&path).unwrap();
        let refused = Store::open(&location).await.unwrap_err();
        let text = refused.to_string();
        let OpenError::Foreign { tables, .. } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(tables, ["items", "users"]);
        assert!(
            text.contains("items, users")
                && text.contains("vestibule user import --from ")
                && text.contains("--table users`"),
            "{text}"
        );
        let left = sqlx::query("SELECT email FROM users")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    for Fixture {
        store,
        location,
        _directory,
    } in fixtures().await
    {
        let copy = "INSERT INTO vestibule_migrations SELECT 9999, description, installed_on, success, checksum, \
                    execution_time FROM vestibule_migrations WHERE version = 1";
        let mut writer = store.writer.acquire().await.unwrap();
        sqlx::raw_sql(copy).execute(&mut *writer).await.unwrap();
        let refused = Store::open(&location).await.unwrap_err();
        assert!(matches!(refused, OpenError::Newer { version: 9999 }), "{refused:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_and_a_directory_that_cannot_be_made_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    let notes = "These are notes, and quite long enough for a header of a hundred bytes. ".repeat(9);
    fs::write(&path, &notes).unwrap();
    let refused = Store::open(&Location::Sqlite(path.clone())).await.unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::Database {
                source: Error::Unexpected(_),
                ..
            }
        ),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), notes);
    let refused = Store::open(&Location::Sqlite(path.join("vestibule.db")))
        .await
        .unwrap_err();
    assert!(matches!(refused, OpenError::Directory { .. }), "{refused:?}");
}

#[tokio::test]
#[cfg(unix)]
async fn the_file_its_log_and_its_directory_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let Fixture {
        location: Location::Sqlite(path),
        store,
        _directory,
    } = sqlite().await
    else {
        panic!()
    };
    add_user(&store, "ada@example.com").await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
        files += 1;
    }
    assert_eq!(files, 3);
}

async fn pragmas(connection: &mut AnyConnection, names: &[&str]) -> Vec<String> {
    let mut values = Vec::new();
    for name in names {
        let row = sqlx::query(AssertSqlSafe(format!("PRAGMA {name}")))
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        values.push(
            row.try_get::<String, _>(0)
                .unwrap_or_else(|_| row.get::<i64, _>(0).to_string()),
        );
    }
    values
}

#[tokio::test]
async fn every_connection_to_sqlite_is_set_to_be_durable_and_to_check_references() {
    let Fixture { store, _directory, .. } = sqlite().await;
    let names = [
        "journal_mode",
        "synchronous",
        "foreign_keys",
        "busy_timeout",
        "query_only",
        "temp_store",
    ];
    let mut readers = Vec::new();
    for _ in 0..store.reader.size() {
        let mut reader = store.reader.acquire().await.unwrap();
        assert_eq!(pragmas(&mut reader, &names).await, ["wal", "2", "1", "5000", "1", "2"]);
        readers.push(reader);
    }
    let mut writer = store.writer.acquire().await.unwrap();
    assert_eq!(pragmas(&mut writer, &names).await, ["wal", "2", "1", "5000", "0", "2"]);
    assert_eq!(pragmas(&mut writer, &["secure_delete"]).await, ["1"]);
}
