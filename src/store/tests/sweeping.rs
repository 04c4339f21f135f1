use super::*;

#[tokio::test]
async fn events_are_deleted_by_age_the_oldest_first() {
    for Fixture { store, .. } in fixtures().await {
        let mut tx = store.begin().await.unwrap();
        for age in [3, 1, 2, 0] {
            let at = NOW.minus(Duration::from_secs(age));
            let event = EventRow {
                at,
                ..event(&age.to_string(), None)
            };
            tx.insert_event(&event).await.unwrap();
        }
        assert_eq!(
            tx.delete_old_events(NOW.minus(Duration::from_secs(4)), 10)
                .await
                .unwrap(),
            0
        );
        assert_eq!(tx.delete_old_events(NOW, 2).await.unwrap(), 2);
        assert_eq!(
            tx.delete_old_events(NOW.minus(Duration::from_secs(1)), 10)
                .await
                .unwrap(),
            1
        );
        tx.commit().await.unwrap();
        let filter = EventFilter {
            limit: 10,
            ..EventFilter::default()
        };
        let left = store.list_events(&filter).await.unwrap();
        let left: Vec<&str> = left.iter().map(|row| row.event.event.as_str()).collect();
        assert_eq!(left, ["0"]);
    }
}

#[tokio::test]
async fn tokens_go_before_their_sessions() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let (over, other) = (add_session(&store, ada.id).await, add_session(&store, ada.id).await);
        let mut tx = store.begin().await.unwrap();
        for number in 0..3 {
            tx.insert_refresh_token(&format!("token {number}"), over.id, NOW)
                .await
                .unwrap();
        }
        assert_eq!(tx.delete_tokens_of_expired_sessions(after(99), 10).await.unwrap(), 0);
        assert_eq!(tx.delete_tokens_of_expired_sessions(after(100), 3).await.unwrap(), 3);
        assert!(tx.has_session(over.id).await.unwrap() && tx.has_session(other.id).await.unwrap());
        assert_eq!(tx.delete_tokens_of_expired_sessions(after(100), 10).await.unwrap(), 2);
        assert_eq!(tx.delete_expired_sessions(after(100), 10).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn who_waits_is_found_until_somebody_comes() {
    for Fixture { store, .. } in fixtures().await {
        let emails = [
            "waits",
            "waits longer",
            "verifies",
            "signs in",
            "moves",
            "has a role",
            "is disabled",
            "has a link",
        ];
        let mut users = Vec::new();
        for (number, email) in (0..).zip(emails) {
            let newcomer = user(email);
            let waits_since = NOW.minus(Duration::from_secs(number));
            let mut tx = store.begin().await.unwrap();
            tx.insert_user_who_waits(&newcomer, Some(waits_since)).await.unwrap();
            tx.commit().await.unwrap();
            users.push(newcomer);
        }
        add_user(&store, "waits for nothing").await;
        let mut tx = store.begin().await.unwrap();
        assert!(tx.update_email_verified(users[2].id, "verifies", NOW).await.unwrap());
        assert!(tx.admit_log_in(users[3].id, "hash", "hash", NOW).await.unwrap());
        assert!(tx.update_email(users[4].id, "new", "new", NOW).await.unwrap());
        assert!(tx.insert_role(users[5].id, "editor").await.unwrap());
        assert!(tx.update_disabled(users[6].id, Some(NOW), NOW).await.unwrap());
        tx.insert_link_token(&link("hash", users[7].id)).await.unwrap();
        tx.commit().await.unwrap();
        let found = async |since, now, limit| store.list_waiting_users(since, now, limit).await.unwrap();
        assert_eq!(found(NOW, NOW, 10).await, [users[1].id, users[0].id]);
        assert_eq!(found(NOW, NOW, 1).await, [users[1].id]);
        assert_eq!(found(NOW.minus(Duration::from_secs(1)), NOW, 10).await, [users[1].id]);
        assert_eq!(found(NOW, after(10), 10).await, [users[7].id, users[1].id, users[0].id]);

        // Who was found is given up only if they still wait.
        let mut tx = store.begin().await.unwrap();
        for (number, account) in users.iter().enumerate() {
            let given_up = tx.update_deleted_if_waiting(account.id, NOW, NOW).await.unwrap();
            assert_eq!(given_up, number < 2, "{}", account.email);
        }
        drop(tx);

        // Whom an admin lets in again is not removed the moment after.
        let mut tx = store.begin().await.unwrap();
        assert!(tx.update_disabled(users[6].id, None, NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(found(NOW, NOW, 10).await, [users[1].id, users[0].id]);
    }
}

#[tokio::test]
async fn who_is_to_be_deleted_is_nobody_any_more_and_found_until_they_are_gone() {
    for Fixture { store, .. } in fixtures().await {
        let (ada, bob) = (
            add_user(&store, "ada@example.com").await,
            add_user(&store, "bob@example.com").await,
        );
        let mut tx = store.begin().await.unwrap();
        assert!(tx.insert_role(ada.id, "admin").await.unwrap());
        assert!(tx.update_deleted(ada.id, NOW).await.unwrap());
        assert_eq!(tx.find_user(ada.id).await.unwrap(), None);
        assert_eq!(tx.lock_user(ada.id).await.unwrap(), None);
        assert_eq!(tx.count_active_holders("admin").await.unwrap(), 0);
        tx.commit().await.unwrap();
        for role in [None, Some("admin".to_owned())] {
            let filter = UserFilter {
                limit: 10,
                ..UserFilter::default()
            };
            let listed = store
                .list_users(&UserFilter {
                    role: role.clone(),
                    ..filter
                })
                .await
                .unwrap();
            let rest: &[UserRow] = if role.is_none() { slice::from_ref(&bob) } else { &[] };
            assert_eq!(listed, rest);
        }
        // Nothing that was theirs is kept from others while the row is there.
        assert_eq!(store.find_user_by_email("ada@example.com").await.unwrap(), None);
        let namesake = add_user(&store, "ada@example.com").await;
        let mut tx = store.begin().await.unwrap();
        assert!(tx.delete_user(namesake.id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(store.list_deleted_users(10).await.unwrap(), [ada.id]);
        let mut tx = store.begin().await.unwrap();
        assert!(tx.delete_user(ada.id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(store.list_deleted_users(10).await.unwrap(), []);
    }
}
