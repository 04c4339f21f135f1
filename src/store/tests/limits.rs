use crate::quota::{Quota, in_milliseconds};

use super::*;

const THREE: Quota = Quota::new(3, Duration::from_mins(3));

async fn spend(store: &Store, now: Timestamp) -> bool {
    let mut tx = store.begin().await.unwrap();
    let spent = tx.spend_limit("door", THREE, now).await.unwrap();
    tx.commit().await.unwrap();
    spent
}

#[tokio::test]
async fn a_limit_is_what_its_quota_says_at_every_step() {
    for Fixture { store, .. } in fixtures().await {
        let mut whole_at = None;
        // Also before the clock that wrote the row, and long after.
        for seconds in [0, 0, 0, 0, 59, 60, 60, 61, 200, 1000, 1000, 1000, 1000, 500, 500] {
            let now = after(seconds);
            let spent = spend(&store, now).await;
            let decided = THREE.spend(whole_at, in_milliseconds(now));
            assert_eq!(spent, decided.is_ok(), "after {seconds} s");
            whole_at = decided.ok().or(whole_at);
            let found = store.find_limit("door").await.unwrap().unwrap();
            assert_eq!(Some(found.whole_at_ms), whole_at, "after {seconds} s");
        }
        assert_eq!(store.find_limit("another door").await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_come_at_once_no_more_than_the_quota_pass() {
    for Fixture { store, .. } in fixtures().await {
        let mut tasks = JoinSet::new();
        for _ in 0..12 {
            let store = store.clone();
            tasks.spawn(async move { spend(&store, NOW).await });
        }
        let passed = tasks.join_all().await.into_iter().filter(|passed| *passed).count();
        assert_eq!(passed, 3);
    }
}

#[tokio::test]
async fn what_is_given_back_can_be_used_again() {
    for Fixture { store, .. } in fixtures().await {
        for _ in 0..3 {
            assert!(spend(&store, NOW).await);
        }
        assert!(!spend(&store, NOW).await);
        let mut tx = store.begin().await.unwrap();
        tx.give_back_limit("door", THREE).await.unwrap();
        tx.give_back_limit("another door", THREE).await.unwrap();
        tx.commit().await.unwrap();
        assert!(spend(&store, NOW).await);
        assert!(!spend(&store, NOW).await);
    }
}

#[tokio::test]
async fn a_refusal_is_noted_once_until_all_is_back() {
    for Fixture { store, .. } in fixtures().await {
        let note = async |now| {
            let mut tx = store.begin().await.unwrap();
            let is_first = tx.note_limit("door", now).await.unwrap();
            tx.commit().await.unwrap();
            is_first
        };
        assert!(!note(NOW).await, "nothing was used");
        spend(&store, NOW).await;
        assert!(note(NOW).await);
        assert!(!note(NOW).await);
        spend(&store, after(59)).await;
        assert!(!note(after(59)).await, "it was not whole in between");
        spend(&store, after(1000)).await;
        assert_eq!(store.find_limit("door").await.unwrap().unwrap().noted_at, None);
        assert!(note(after(1000)).await);
    }
}

#[tokio::test]
async fn limits_that_are_whole_again_are_swept_in_batches() {
    for Fixture { store, .. } in fixtures().await {
        let mut tx = store.begin().await.unwrap();
        for (name, seconds) in [("a", 0), ("b", 1), ("c", 2), ("d", 3)] {
            assert!(tx.spend_limit(name, THREE, after(seconds)).await.unwrap());
        }
        assert_eq!(tx.delete_whole_limits(after(62), 2).await.unwrap(), 2);
        assert_eq!(tx.delete_whole_limits(after(62), 2).await.unwrap(), 1);
        assert_eq!(tx.delete_whole_limits(after(62), 2).await.unwrap(), 0);
        tx.commit().await.unwrap();
        assert!(store.find_limit("d").await.unwrap().is_some());
    }
}
