use std::collections::HashMap;

use super::*;

/// Uses a session's first token; whether that could be done.
async fn exchange(tx: &mut Tx, session: &SessionRow) -> bool {
    let hash = format!("token of {}", session.id);
    let successor = format!("successor of {hash}");
    let exchanged = tx.exchange_refresh_token(&hash, "sealed", &successor, session);
    exchanged.await.unwrap()
}

async fn live(store: &Store, user: UserId, now: Timestamp) -> Vec<SessionRow> {
    let filter = SessionFilter {
        user,
        before: None,
        limit: 10,
    };
    store.list_sessions(filter, now).await.unwrap()
}

#[tokio::test]
async fn a_live_session_is_found_with_its_user_until_it_expires() {
    for Fixture { store, .. } in fixtures().await {
        let ada = UserRow {
            username: Some("Ada".to_owned()),
            username_key: Some("ada".to_owned()),
            name: Some("Ada Lovelace".to_owned()),
            email_verified_at: Some(after(1)),
            external_id: Some("7".to_owned()),
            created_at: after(2),
            updated_at: after(3),
            ..user("ada@example.com")
        };
        insert(&store, &ada).await.unwrap();
        let session = add_session(&store, ada.id).await;
        let find = async |session, now| store.find_user_of_live_session(session, now).await.unwrap();
        let found = find(session.id, after(99)).await.unwrap();
        assert_eq!(
            (found.id, found.email, found.username),
            (ada.id, ada.email, ada.username)
        );
        assert_eq!((found.name, found.roles), (ada.name, ada.roles));
        assert_eq!(found.email_verified_at, ada.email_verified_at);
        assert_eq!(
            (found.disabled_at, found.external_id),
            (ada.disabled_at, ada.external_id)
        );
        assert_eq!((found.created_at, found.updated_at), (ada.created_at, ada.updated_at));
        assert_eq!(find(session.id, after(100)).await, None);
        assert_eq!(find(SessionId::new(NOW), NOW).await, None);

        let mut tx = store.begin().await.unwrap();
        tx.update_disabled(ada.id, Some(NOW), NOW).await.unwrap();
        for role in ["editor", "admin"] {
            tx.insert_role(ada.id, role).await.unwrap();
        }
        let session = SessionRow {
            last_used_at: after(50),
            expires_at: after(150),
            client_address: None,
            user_agent: Some("curl".to_owned()),
            ..session
        };
        assert!(exchange(&mut tx, &session).await);
        tx.commit().await.unwrap();
        let user = find(session.id, after(149)).await.unwrap();
        assert_eq!(user.disabled_at, Some(NOW));
        assert_eq!(user.roles, ["admin", "editor"]);
        assert_eq!(live(&store, ada.id, after(149)).await, slice::from_ref(&session));
    }
}

#[tokio::test]
async fn sessions_end_one_by_one_or_all_but_one() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let bob = add_user(&store, "bob@example.com").await;
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(add_session(&store, ada.id).await);
        }
        let of_bob = add_session(&store, bob.id).await;
        let mut tx = store.begin().await.unwrap();
        sessions[0].last_used_at = after(1);
        assert!(exchange(&mut tx, &sessions[0]).await);
        tx.commit().await.unwrap();
        let listed: Vec<SessionId> = live(&store, ada.id, NOW).await.iter().map(|row| row.id).collect();
        assert_eq!(listed, [sessions[0].id, sessions[3].id, sessions[2].id, sessions[1].id]);

        let second = SessionFilter {
            user: ada.id,
            before: Some((NOW, sessions[3].id)),
            limit: 1,
        };
        let second = store.list_sessions(second, NOW).await.unwrap();
        assert_eq!(second, slice::from_ref(&sessions[2]));
        let newest = store
            .list_newest_sessions(ada.id, sessions[1].id, NOW, 2)
            .await
            .unwrap();
        assert_eq!(newest, [sessions[1].clone(), sessions[0].clone()]);
        assert_eq!(store.count_live_sessions_of(ada.id, NOW).await.unwrap(), 4);

        let mut tx = store.begin().await.unwrap();
        assert!(!tx.end_session_of(bob.id, sessions[0].id).await.unwrap());
        assert!(tx.end_session_of(ada.id, sessions[0].id).await.unwrap());
        assert!(tx.end_session(sessions[1].id).await.unwrap());
        assert!(!tx.end_session(sessions[1].id).await.unwrap());
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert!(!exchange(&mut tx, &sessions[1]).await);
        assert!(matches!(tx.commit().await, Err(Error::Aborted)));
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.end_sessions(ada.id, Some(sessions[2].id)).await.unwrap(), 1);
        assert_eq!(tx.end_sessions(ada.id, None).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(live(&store, ada.id, NOW).await, []);
        assert_eq!(live(&store, bob.id, NOW).await, [of_bob]);
        assert_eq!(live(&store, bob.id, after(100)).await, []);

        assert_eq!(store.count_live_sessions(NOW).await.unwrap(), 1);
        let personal =
            "SELECT id FROM sessions WHERE expires_at = 0 AND (client_address IS NOT NULL OR user_agent IS NOT NULL)";
        assert!(store.rows(sqlx::query(personal)).await.unwrap().is_empty());

        let mut tx = store.begin().await.unwrap();
        assert!(!tx.has_session(sessions[2].id).await.unwrap());
        assert_eq!(
            tx.delete_expired_sessions(after(100), 10).await.unwrap(),
            0,
            "tokens first"
        );
        assert_eq!(tx.delete_tokens_of_expired_sessions(after(99), 10).await.unwrap(), 5);
        assert_eq!(tx.delete_expired_sessions(after(99), 10).await.unwrap(), 4);
        assert_eq!(tx.delete_tokens_of_expired_sessions(after(100), 10).await.unwrap(), 1);
        assert_eq!(tx.delete_expired_sessions(after(100), 10).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_refresh_token_is_used_once_however_many_try_at_once() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let device = add_session(&store, ada.id).await;
        let hash = format!("token of {}", device.id);
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let (store, hash) = (store.clone(), hash.clone());
            let device = SessionRow {
                last_used_at: after(number),
                ..device.clone()
            };
            tasks.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let (sealed, successor) = (format!("sealed {number}"), format!("successor {number}"));
                let won = tx
                    .exchange_refresh_token(&hash, &sealed, &successor, &device)
                    .await
                    .unwrap();
                assert_eq!(tx.commit().await.is_ok(), won);
                won.then_some(number)
            });
        }
        let winners: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
        let [winner] = winners[..] else { panic!("{winners:?}") };

        let presented = store.find_refresh_token(&hash, NOW).await.unwrap().unwrap();
        assert_eq!(presented.token.used_at, Some(after(winner)));
        assert_eq!(presented.token.sealed_successor, Some(format!("sealed {winner}")));
        assert_eq!(presented.token.issued_at, NOW);
        let device = SessionRow {
            last_used_at: after(winner),
            ..device
        };
        assert_eq!((presented.session, presented.user), (device.clone(), ada.clone()));
        for number in 0..8 {
            let successor = store.find_refresh_token(&format!("successor {number}"), NOW).await;
            let expected = (number == winner).then(|| PresentedRefreshToken {
                token: RefreshTokenRow {
                    hash: format!("successor {number}"),
                    session_id: device.id,
                    issued_at: after(number),
                    used_at: None,
                    sealed_successor: None,
                },
                session: device.clone(),
                user: ada.clone(),
            });
            assert_eq!(successor.unwrap(), expected);
        }
        assert_eq!(store.find_refresh_token(&hash, after(100)).await.unwrap(), None);

        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.erase_successors(after(winner)).await.unwrap(), 0);
        assert_eq!(tx.erase_successors(after(winner + 1)).await.unwrap(), 1);
        assert_eq!(tx.erase_successors(after(winner + 1)).await.unwrap(), 0);
        tx.commit().await.unwrap();
        let erased = store.find_refresh_token(&hash, NOW).await.unwrap().unwrap();
        assert_eq!(
            (erased.token.used_at, erased.token.sealed_successor),
            (Some(after(winner)), None)
        );
    }
}

#[tokio::test]
async fn a_link_is_consumed_once_however_many_follow_it_at_once() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let row = link("hash", ada.id);
        let mut tx = store.begin().await.unwrap();
        tx.insert_link_token(&row).await.unwrap();
        assert_eq!(tx.consume_link_token("hash", "verify", NOW).await.unwrap(), None);
        assert_eq!(tx.consume_link_token("hash", "reset", after(10)).await.unwrap(), None);
        assert_eq!(tx.consume_link_token("other", "reset", NOW).await.unwrap(), None);
        tx.commit().await.unwrap();
        let listed = store.list_link_tokens_of(ada.id).await.unwrap();
        assert_eq!(
            listed,
            [LinkTokenRow {
                hash: String::new(),
                ..row.clone()
            }]
        );

        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let consumed = tx.consume_link_token("hash", "reset", NOW).await.unwrap();
                tx.commit().await.unwrap();
                consumed
            });
        }
        let consumed: Vec<LinkTokenRow> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(consumed, [row]);
        assert_eq!(store.list_link_tokens_of(ada.id).await.unwrap(), []);
    }
}

#[tokio::test]
async fn links_are_deleted_by_kind_and_by_age() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let mut tx = store.begin().await.unwrap();
        for hash in ["a", "b", "c"] {
            tx.insert_link_token(&link(hash, ada.id)).await.unwrap();
        }
        tx.insert_link_token(&LinkTokenRow {
            kind: "verify".to_owned(),
            ..link("d", ada.id)
        })
        .await
        .unwrap();
        assert_eq!(tx.delete_link_tokens(ada.id, "verify").await.unwrap(), 1);
        assert_eq!(tx.delete_expired_link_tokens(after(9), 10).await.unwrap(), 0);
        assert_eq!(tx.delete_expired_link_tokens(after(10), 2).await.unwrap(), 2);
        assert_eq!(tx.delete_link_tokens(ada.id, "reset").await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_session_of_the_future_goes_on_from_now_and_no_further_than_it_lives() {
    for Fixture { store, .. } in fixtures().await {
        let ada = user("ada@example.com");
        insert(&store, &ada).await.unwrap();
        let (idle, max) = (Duration::from_hours(7 * 24), Duration::from_hours(30 * 24));
        let week = idle.as_secs();
        let (now, ahead) = (after(1000), after(1300));
        let mut expected = Vec::new();
        for (remembered, idle_seconds, last_used_at, expires_at, dies_at, brought) in [
            (false, 600, 2000, 2600, 9000, (1000, 1600, 9000)),
            (false, 600, 2000, 2100, 2100, (1000, 1600, 2100)),
            (false, 600, 1400, 1500, 1500, (1000, 1500, 1500)),
            (false, 600, 2000, 2600, week * 9, (1000, 1600, 1000 + week * 30 / 7)),
            (true, week, 2000, 2000 + week, week * 2, (1000, 1000 + week, week * 2)),
            // As another machine may write that is not quite as late.
            (false, 600, 1300, 1900, 9000, (1300, 1900, 9000)),
            // Ended.
            (false, 600, 2000, 0, 9000, (2000, 0, 9000)),
        ] {
            let session = SessionRow {
                id: SessionId::new(NOW),
                user_id: ada.id,
                created_at: NOW,
                last_used_at: after(last_used_at),
                expires_at: if expires_at == 0 {
                    Timestamp::from_unix_seconds(0)
                } else {
                    after(expires_at)
                },
                dies_at: after(dies_at),
                idle_seconds: i64::try_from(idle_seconds).unwrap(),
                remembered,
                client_address: None,
                user_agent: None,
            };
            let mut tx = store.begin().await.unwrap();
            tx.insert_session(&session).await.unwrap();
            tx.commit().await.unwrap();
            expected.push((session.id, brought));
        }
        let mut tx = store.begin().await.unwrap();
        let brought = tx.bring_sessions_back(now, ahead, idle, max, 10).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(brought, 5);
        let found: HashMap<_, _> = live(&store, ada.id, now)
            .await
            .into_iter()
            .map(|session| (session.id, session))
            .collect();
        for (id, (last_used_at, expires_at, dies_at)) in expected {
            let times = found
                .get(&id)
                .map(|row| (row.last_used_at, row.expires_at, row.dies_at));
            let expected = (expires_at > 0).then(|| (after(last_used_at), after(expires_at), after(dies_at)));
            assert_eq!(times, expected);
        }
    }
}
