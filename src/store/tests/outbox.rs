use super::*;

#[tokio::test]
async fn workers_that_claim_at_once_never_get_the_same_message() {
    for Fixture { store, .. } in fixtures().await {
        let mut tx = store.begin().await.unwrap();
        for _ in 0..20 {
            tx.insert_message(&message(None)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..5 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut claimed = Vec::new();
                loop {
                    let mut tx = store.begin().await.unwrap();
                    let message = tx.claim_message(NOW, after(60)).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    tx.commit().await.unwrap();
                    match message {
                        Some(message) => claimed.push(message.id),
                        None => return claimed,
                    }
                }
            });
        }
        let claimed: Vec<MessageId> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(claimed.len(), 20);
        assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), 20);
    }
}

#[tokio::test]
async fn a_message_is_claimed_when_due_postponed_finished_and_sent_again() {
    for Fixture { store, .. } in fixtures().await {
        let first = message(None);
        let later = MessageRow {
            due_at: after(5),
            ..message(None)
        };
        let mut tx = store.begin().await.unwrap();
        tx.insert_message(&later).await.unwrap();
        tx.insert_message(&first).await.unwrap();
        let claimed = tx.claim_message(NOW, after(60)).await.unwrap().unwrap();
        let expected = MessageRow {
            state: MessageState::Sending,
            due_at: after(60),
            attempts: 1,
            ..first.clone()
        };
        assert_eq!(claimed, expected);
        assert_eq!(tx.claim_message(NOW, after(60)).await.unwrap(), None);
        assert!(!tx.requeue_message(first.id, NOW).await.unwrap());
        assert!(tx.postpone_message(first.id, after(10), Some("refused")).await.unwrap());
        assert!(!tx.postpone_message(first.id, after(10), None).await.unwrap());
        assert_eq!(
            tx.claim_message(after(9), after(70)).await.unwrap().map(|row| row.id),
            Some(later.id)
        );
        assert_eq!(tx.claim_message(after(9), after(70)).await.unwrap(), None);
        let again = tx.claim_message(after(10), after(70)).await.unwrap().unwrap();
        assert_eq!(
            (again.id, again.attempts, again.last_error.as_deref()),
            (first.id, 2, Some("refused"))
        );
        // The worker vanished: its claim runs out, and another one takes the message.
        assert_eq!(tx.claim_message(after(69), after(99)).await.unwrap(), None);
        assert!(
            tx.finish_message(later.id, MessageState::Dropped, None, after(69))
                .await
                .unwrap()
        );
        assert_eq!(
            tx.claim_message(after(70), after(99)).await.unwrap().map(|row| row.id),
            Some(first.id)
        );
        assert!(
            tx.finish_message(first.id, MessageState::Failed, Some("gone"), after(71))
                .await
                .unwrap()
        );
        assert!(
            !tx.finish_message(first.id, MessageState::Sent, None, after(72))
                .await
                .unwrap()
        );
        assert_eq!(tx.claim_message(after(500), after(999)).await.unwrap(), None);
        tx.commit().await.unwrap();

        let failed = MessageFilter {
            state: Some(MessageState::Failed),
            limit: 5,
            before: None,
        };
        let listed = store.list_messages(&failed).await.unwrap();
        assert_eq!(listed, [store.find_message(first.id).await.unwrap().unwrap()]);
        assert_eq!(
            (listed[0].finished_at, listed[0].last_error.as_deref()),
            (Some(after(71)), Some("gone"))
        );
        let page = MessageFilter {
            limit: 5,
            before: Some(later.id),
            state: None,
        };
        assert_eq!(store.list_messages(&page).await.unwrap(), listed);

        let mut tx = store.begin().await.unwrap();
        assert!(tx.requeue_message(first.id, after(80)).await.unwrap());
        let resent = tx.claim_message(after(80), after(99)).await.unwrap().unwrap();
        assert_eq!((resent.id, resent.attempts, resent.finished_at), (first.id, 1, None));
    }
}

#[tokio::test]
async fn only_messages_that_have_long_been_finished_are_deleted_and_the_oldest_first() {
    for Fixture { store, .. } in fixtures().await {
        let finished = [MessageState::Sent, MessageState::Failed, MessageState::Dropped];
        let mut ids = Vec::new();
        let mut tx = store.begin().await.unwrap();
        for (state, at) in finished.into_iter().zip([3, 1, 2]) {
            let row = MessageRow {
                state,
                finished_at: Some(after(at)),
                ..message(None)
            };
            tx.insert_message(&row).await.unwrap();
            ids.push(row.id);
        }
        let waiting = message(None);
        tx.insert_message(&waiting).await.unwrap();
        assert_eq!(tx.delete_finished_messages(after(1), 10).await.unwrap(), 0);
        assert_eq!(tx.delete_finished_messages(after(4), 1).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(store.find_message(ids[1]).await.unwrap(), None);

        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.delete_finished_messages(after(3), 10).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let page = MessageFilter {
            limit: 9,
            ..MessageFilter::default()
        };
        let left: Vec<MessageId> = store
            .list_messages(&page)
            .await
            .unwrap()
            .iter()
            .map(|row| row.id)
            .collect();
        assert_eq!(left, [waiting.id, ids[0]]);
    }
}

#[tokio::test]
async fn messages_outlive_their_user_without_saying_who_that_was() {
    for Fixture { store, .. } in fixtures().await {
        let (ada, bob) = (
            add_user(&store, "ada@example.com").await,
            add_user(&store, "bob@example.com").await,
        );
        let failed = MessageRow {
            state: MessageState::Failed,
            last_error: Some("550 <ada@example.com>".to_owned()),
            finished_at: Some(after(1)),
            ..message(Some(ada.id))
        };
        let waiting = MessageRow {
            last_error: Some("451 <ada@example.com>".to_owned()),
            ..message(Some(ada.id))
        };
        let sending = message(Some(ada.id));
        let another = message(Some(bob.id));
        let mut tx = store.begin().await.unwrap();
        for row in [&failed, &sending] {
            tx.insert_message(row).await.unwrap();
        }
        tx.claim_message(NOW, after(60)).await.unwrap().unwrap();
        for row in [&waiting, &another] {
            tx.insert_message(row).await.unwrap();
        }
        assert_eq!(tx.erase_messages_of(ada.id, "gone", after(5)).await.unwrap(), 3);
        assert!(tx.delete_user(ada.id).await.unwrap());
        // The worker that has it in hand comes too late.
        assert!(!tx.postpone_message(sending.id, after(9), Some("451")).await.unwrap());
        assert!(
            !tx.finish_message(sending.id, MessageState::Sent, None, after(9))
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();

        for (id, state, error, at) in [
            (failed.id, MessageState::Failed, None, 1),
            (waiting.id, MessageState::Dropped, Some("gone"), 5),
            (sending.id, MessageState::Dropped, Some("gone"), 5),
        ] {
            let row = store.find_message(id).await.unwrap().unwrap();
            assert_eq!((row.user_id, row.address.as_str()), (None, ""));
            assert_eq!(row.parameters, "{}");
            assert_eq!((row.state, row.last_error.as_deref()), (state, error));
            assert_eq!((row.created_at, row.finished_at), (NOW, Some(after(at))));
        }
        assert_eq!(store.find_message(another.id).await.unwrap(), Some(another));
    }
}
