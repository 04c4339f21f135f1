use super::*;

fn place(device: &str, last_at: Timestamp) -> PlaceRow {
    PlaceRow {
        device: device.to_owned(),
        network: "192.0.2.0/24".to_owned(),
        last_at,
    }
}

#[tokio::test]
async fn a_place_is_known_until_it_was_not_seen_for_long() {
    for Fixture { store, .. } in fixtures().await {
        let (ada, bob) = (add_user(&store, "ada").await, add_user(&store, "bob").await);
        let mut tx = store.begin().await.unwrap();
        let curl = place("curl", after(5));
        assert!(!tx.update_place(ada.id, &curl, NOW).await.unwrap());
        tx.insert_place(ada.id, &place("curl", NOW), 10).await.unwrap();
        assert!(!tx.update_place(bob.id, &curl, after(0)).await.unwrap());
        assert!(!tx.update_place(ada.id, &curl, NOW).await.unwrap(), "too long ago");
        assert!(
            tx.update_place(ada.id, &curl, NOW.minus(Duration::from_secs(1)))
                .await
                .unwrap()
        );
        // Again, as by a process that did not find it.
        tx.insert_place(ada.id, &place("curl", after(7)), 10).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.list_places(ada.id).await.unwrap(), [place("curl", after(7))]);
        assert_eq!(store.list_places(bob.id).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_latest_places_are_kept() {
    for Fixture { store, .. } in fixtures().await {
        let (ada, bob) = (add_user(&store, "ada").await, add_user(&store, "bob").await);
        let mut tx = store.begin().await.unwrap();
        tx.insert_place(bob.id, &place("a", NOW), 2).await.unwrap();
        for (seconds, device) in (0..).zip(["a", "b", "c", "d"]) {
            tx.insert_place(ada.id, &place(device, after(seconds)), 2)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let kept = [place("d", after(3)), place("c", after(2))];
        assert_eq!(store.list_places(ada.id).await.unwrap(), kept);

        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.delete_old_places(after(2), 1).await.unwrap(), 1, "the oldest");
        assert_eq!(tx.delete_old_places(after(2), 10).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(store.list_places(bob.id).await.unwrap(), []);
        assert_eq!(store.list_places(ada.id).await.unwrap(), [place("d", after(3))]);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.delete_places(ada.id).await.unwrap(), 1);
    }
}
