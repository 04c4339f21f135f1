use super::*;

#[tokio::test]
async fn pages_of_events_run_from_the_newest_backwards_by_user_and_name() {
    for Fixture { store, .. } in fixtures().await {
        let (ada, bob) = (UserId::new(NOW), UserId::new(NOW));
        let events = [
            event("log_in", Some(ada)),
            event("log_out", Some(ada)),
            event("log_in", Some(bob)),
            EventRow {
                actor_id: Some(bob),
                session_id: Some(SessionId::new(NOW)),
                ..event("log_in", Some(ada))
            },
            event("log_in", None),
        ];
        let mut tx = store.begin().await.unwrap();
        for event in &events {
            tx.insert_event(event).await.unwrap();
        }
        tx.commit().await.unwrap();
        let page = async |filter: EventFilter| {
            let listed = store.list_events(&EventFilter { limit: 2, ..filter }).await.unwrap();
            listed.into_iter().map(|listed| listed.event).collect::<Vec<_>>()
        };
        let log_in = || Some("log_in".to_owned());
        let [first, second, third, fourth, fifth] = events;
        assert_eq!(page(EventFilter::default()).await, [fifth.clone(), fourth.clone()]);
        assert_eq!(
            page(EventFilter {
                before: Some(fourth.id),
                ..EventFilter::default()
            })
            .await,
            [third.clone(), second.clone()]
        );
        assert_eq!(
            page(EventFilter {
                user: Some(ada),
                ..EventFilter::default()
            })
            .await,
            [fourth.clone(), second.clone()]
        );
        assert_eq!(
            page(EventFilter {
                event: log_in(),
                before: Some(fourth.id),
                ..EventFilter::default()
            })
            .await,
            [third, first.clone()]
        );
        let both = EventFilter {
            user: Some(ada),
            event: log_in(),
            ..EventFilter::default()
        };
        assert_eq!(page(both).await, [fourth.clone(), first.clone()]);
        assert_eq!(store.list_events_of(ada).await.unwrap(), [fourth, second, first]);
    }
}

#[tokio::test]
async fn an_event_names_its_users_for_as_long_as_they_have_an_account() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let bob = add_user(&store, "bob@example.com").await;
        let mut tx = store.begin().await.unwrap();
        tx.insert_event(&EventRow {
            actor_id: Some(bob.id),
            ..event("update_user", Some(ada.id))
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let names = async || {
            let filter = EventFilter {
                limit: 1,
                ..EventFilter::default()
            };
            let listed = store.list_events(&filter).await.unwrap().remove(0);
            (listed.user_email, listed.actor_email)
        };
        assert_eq!(names().await, (Some(ada.email.clone()), Some(bob.email)));
        let mut tx = store.begin().await.unwrap();
        tx.delete_user(bob.id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(names().await, (Some(ada.email), None));
    }
}

#[tokio::test]
async fn products_are_listed_by_owner_and_changed_by_id() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let bob = add_user(&store, "bob@example.com").await;
        let products = [
            product("Lamp", ada.id),
            product("Desk", bob.id),
            product("Chair", ada.id),
        ];
        let mut tx = store.begin().await.unwrap();
        for product in &products {
            tx.insert_product(product).await.unwrap();
        }
        assert!(
            tx.update_product(products[1].id, "Table", Some("Oak"), after(1))
                .await
                .unwrap()
        );
        assert!(
            !tx.update_product(ProductId::new(NOW), "Table", None, NOW)
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        let [lamp, desk, chair] = products;
        let table = ProductRow {
            name: "Table".to_owned(),
            description: Some("Oak".to_owned()),
            updated_at: after(1),
            ..desk
        };
        let page = async |filter: ProductFilter| {
            store
                .list_products(&ProductFilter { limit: 2, ..filter })
                .await
                .unwrap()
        };
        assert_eq!(page(ProductFilter::default()).await, [lamp.clone(), table.clone()]);
        assert_eq!(
            page(ProductFilter {
                after: Some(table.id),
                ..ProductFilter::default()
            })
            .await,
            slice::from_ref(&chair)
        );
        assert_eq!(
            page(ProductFilter {
                owner: Some(ada.id),
                ..ProductFilter::default()
            })
            .await,
            [lamp, chair]
        );
        assert_eq!(store.find_product(table.id).await.unwrap().as_ref(), Some(&table));
        let mut tx = store.begin().await.unwrap();
        assert!(tx.delete_product(table.id).await.unwrap());
        assert!(!tx.delete_product(table.id).await.unwrap());
    }
}

#[tokio::test]
async fn signing_keys_are_listed_in_the_order_of_their_use_and_deleted_when_they_ended() {
    for Fixture { store, .. } in fixtures().await {
        let key = |kid: &str, signs_from| SigningKeyRow {
            kid: kid.to_owned(),
            algorithm: "EdDSA".to_owned(),
            sealed_private: "sealed".to_owned(),
            created_at: NOW,
            signs_from,
            verifies_until: None,
        };
        let (new, old) = (key("a", after(10)), key("b", NOW));
        let mut tx = store.begin().await.unwrap();
        tx.insert_signing_key(&new).await.unwrap();
        tx.insert_signing_key(&old).await.unwrap();
        assert!(tx.update_signing_key_end("b", after(20)).await.unwrap());
        assert!(!tx.update_signing_key_end("c", after(20)).await.unwrap());
        tx.commit().await.unwrap();
        let old = SigningKeyRow {
            verifies_until: Some(after(20)),
            ..old
        };
        assert_eq!(store.list_signing_keys().await.unwrap(), [old, new.clone()]);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.delete_signing_keys_ended(after(19)).await.unwrap(), 0);
        assert_eq!(tx.delete_signing_keys_ended(after(20)).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(store.list_signing_keys().await.unwrap(), [new]);
    }
}
