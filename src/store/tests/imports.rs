use super::*;

fn imported(name: &str) -> ImportedUserRow {
    ImportedUserRow {
        user: UserRow {
            username: Some(name.to_owned()),
            username_key: Some(name.to_owned()),
            roles: vec!["editor".to_owned(), "guest".to_owned()],
            external_id: Some(name.to_owned()),
            ..user(&format!("{name}@example.com"))
        },
        source_key: format!("source {name}"),
        address_key: format!("address {name}"),
    }
}

async fn import(store: &Store, users: &[ImportedUserRow]) -> Result<(), InsertError> {
    let mut tx = store.begin().await?;
    tx.insert_imported_users(users).await?;
    Ok(tx.commit().await?)
}

#[tokio::test]
async fn more_users_than_one_statement_takes_are_written_with_their_roles() {
    for Fixture { store, .. } in fixtures().await {
        let users: Vec<ImportedUserRow> = (0..250).map(|number| imported(&format!("user{number}"))).collect();
        import(&store, &users).await.unwrap();
        for known in [&users[0], &users[99], &users[100], &users[249]] {
            assert_eq!(
                store.find_user(known.user.id).await.unwrap().as_ref(),
                Some(&known.user)
            );
        }
        let sources: Vec<&str> = users.iter().map(|user| user.source_key.as_str()).collect();
        let found = store
            .list_imports(&[&sources[..], &["source nobody"]].concat())
            .await
            .unwrap();
        assert_eq!(found.len(), 250);
        let first = ImportRow {
            source_key: users[0].source_key.clone(),
            address_key: users[0].address_key.clone(),
            user_id: Some(users[0].user.id),
        };
        assert!(found.contains(&first));
        let taken = store
            .list_taken_addresses(&["user7@example.com", "nobody@example.com"])
            .await;
        assert_eq!(taken.unwrap(), ["user7@example.com"]);
        assert_eq!(
            store.list_taken_usernames(&["user7", "nobody"]).await.unwrap(),
            ["user7"]
        );
        assert_eq!(store.list_taken_usernames(&[]).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_address_that_is_taken_leaves_nothing_of_the_batch() {
    for Fixture { store, .. } in fixtures().await {
        import(&store, &[imported("ada")]).await.unwrap();
        let mut again = imported("bob");
        again.user.email_key = "ada@example.com".to_owned();
        let refused = import(&store, &[imported("cleo"), again, imported("dan")]).await;
        assert!(matches!(refused, Err(InsertError::EmailTaken)), "{refused:?}");
        let taken = store.list_taken_usernames(&["cleo", "bob", "dan"]).await.unwrap();
        assert_eq!(taken, Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_import_outlives_its_user_without_the_address_and_may_have_another() {
    for Fixture { store, .. } in fixtures().await {
        let ada = imported("ada");
        import(&store, std::slice::from_ref(&ada)).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.erase_import_of(ada.user.id).await.unwrap();
        assert!(tx.delete_user(ada.user.id).await.unwrap());
        tx.commit().await.unwrap();
        let left = &store.list_imports(&["source ada"]).await.unwrap()[0];
        assert_eq!((left.user_id, left.address_key.as_str()), (None, ""));

        let mut anew = imported("ada");
        anew.user.id = UserId::new(after(1));
        import(&store, std::slice::from_ref(&anew)).await.unwrap();
        assert_eq!(
            store.list_imports(&["source ada"]).await.unwrap()[0].user_id,
            Some(anew.user.id)
        );

        // One that is there is not taken over by another import of the same user.
        let mut other = imported("eve");
        other.source_key = "source ada".to_owned();
        import(&store, &[other]).await.unwrap_err();
        assert_eq!(
            store.list_imports(&["source ada"]).await.unwrap()[0].user_id,
            Some(anew.user.id)
        );
        assert_eq!(
            store.list_taken_usernames(&["eve"]).await.unwrap(),
            Vec::<String>::new()
        );
    }
}
