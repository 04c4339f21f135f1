use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::*;

#[tokio::test]
async fn a_transaction_with_a_failed_statement_takes_no_more_and_does_not_commit() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let mut tx = store.begin().await.unwrap();
        tx.insert_event(&event("sign_up", Some(ada.id))).await.unwrap();
        tx.insert_user(&user("ada@example.com")).await.unwrap_err();
        assert!(matches!(tx.find_user(ada.id).await, Err(Error::Aborted)));
        assert!(matches!(tx.commit().await, Err(Error::Aborted)));
        assert_eq!(store.list_events_of(ada.id).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_transaction_that_is_dropped_never_happened() {
    for Fixture { store, .. } in fixtures().await {
        let ada = user("ada@example.com");
        let mut tx = store.begin().await.unwrap();
        tx.insert_user(&ada).await.unwrap();
        drop(tx);
        assert_eq!(store.find_user(ada.id).await.unwrap(), None);
        assert_eq!(add_user(&store, "ada@example.com").await.email, ada.email);
    }
}

#[tokio::test]
async fn what_follows_a_commit_is_not_done_without_one() {
    for Fixture { store, .. } in fixtures().await {
        let done = Arc::new(AtomicU32::new(0));
        let follow = || {
            let done = Arc::clone(&done);
            move || {
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut tx = store.begin().await.unwrap();
        tx.insert_user(&user("ada@example.com")).await.unwrap();
        tx.after_commit(follow());
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        tx.insert_user(&user("ada@example.com")).await.unwrap();
        tx.after_commit(follow());
        tx.insert_user(&user("ada@example.com")).await.unwrap_err();
        tx.commit().await.unwrap_err();
        let mut tx = store.begin().await.unwrap();
        tx.insert_user(&user("ada@example.com")).await.unwrap();
        tx.after_commit(follow());
        assert_eq!(done.load(Ordering::Relaxed), 0);
        tx.commit().await.unwrap();
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn readers_go_on_while_a_transaction_writes_and_see_it_once_it_has_committed() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let mut tx = store.begin().await.unwrap();
        tx.update_profile(ada.id, Some("Ada"), None, NOW).await.unwrap();
        for _ in 0..20 {
            let read = tokio::time::timeout(Duration::from_millis(500), store.find_user(ada.id))
                .await
                .unwrap();
            assert_eq!(read.unwrap().unwrap().name, None);
        }
        tx.commit().await.unwrap();
        assert_eq!(
            store.find_user(ada.id).await.unwrap().unwrap().name.as_deref(),
            Some("Ada")
        );
    }
}

#[tokio::test]
async fn a_write_that_cannot_be_made_now_is_told_apart_from_a_mistake() {
    let Fixture { store, _directory, .. } = sqlite().await;
    let refused = sqlx::query("DELETE FROM users")
        .execute(&mut *store.reader.acquire().await.unwrap())
        .await
        .map_err(Error::from);
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let mistaken = sqlx::query("DELETE FROM nothing")
        .execute(&mut *store.writer.acquire().await.unwrap())
        .await
        .map_err(Error::from);
    assert!(matches!(mistaken, Err(Error::Unexpected(_))), "{mistaken:?}");
}

#[tokio::test]
async fn who_waits_for_a_transaction_whose_client_has_vanished_gets_its_turn() {
    for Fixture { store, .. } in fixtures().await {
        // On SQLite a client is this process, which does not vanish alone.
        if store.engine == Engine::Sqlite {
            continue;
        }
        let ada = add_user(&store, "ada@example.com").await;
        let mut vanished = store.begin().await.unwrap();
        vanished.lock_user(ada.id).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.lock_user(ada.id).await.unwrap(), Some(ada));
        tx.commit().await.unwrap();
        assert!(matches!(vanished.commit().await, Err(Error::Unavailable(_))));
    }
}

/// Runs a statement on the one connection that writes to a SQLite file.
async fn tell_writer(store: &Store, statement: &'static str) {
    let mut writer = store.writer.acquire().await.unwrap();
    sqlx::raw_sql(statement).execute(&mut *writer).await.unwrap();
    writer.keep();
}

#[tokio::test]
async fn a_full_disk_is_said_and_so_is_room() {
    let Fixture { store, _directory, .. } = sqlite().await;
    let mut added = 0;
    // No more pages than there are. The connection that met the limit is let go, and the next one has none.
    tell_writer(&store, "PRAGMA max_page_count = 1").await;
    store.ping().await.unwrap();
    let full = loop {
        match insert(&store, &user(&format!("user{added}@example.com"))).await {
            Ok(()) => added += 1,
            Err(error) => break error,
        }
        assert!(added < 10_000, "there is no end of room");
    };
    assert!(matches!(full, InsertError::Failed(Error::Unavailable(_))), "{full:?}");
    assert!(store.watch.refuses_changes());
    store.ping().await.unwrap();
    assert!(!store.watch.refuses_changes());
    add_user(&store, "ada@example.com").await;
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_said_until_it_may_be_written() {
    let Fixture { store, _directory, .. } = sqlite().await;
    store.ping().await.unwrap();
    for _ in 0..2 {
        tell_writer(&store, "PRAGMA query_only = ON").await;
        let refused = insert(&store, &user("ada@example.com")).await;
        assert!(
            matches!(refused, Err(InsertError::Failed(Error::Unavailable(_)))),
            "{refused:?}"
        );
        tell_writer(&store, "PRAGMA query_only = ON").await;
        assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
        // The connection that could not write is gone, and the next one can.
        store.ping().await.unwrap();
    }
    add_user(&store, "ada@example.com").await;
}
