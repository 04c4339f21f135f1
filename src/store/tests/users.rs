use super::*;

#[tokio::test]
async fn a_user_is_read_back_as_it_was_written_with_its_roles_in_order() {
    for Fixture { store, .. } in fixtures().await {
        let full = UserRow {
            username: Some("Ada".to_owned()),
            username_key: Some("ada".to_owned()),
            name: Some("Ada Lovelace".to_owned()),
            roles: vec!["admin".to_owned(), "editor".to_owned()],
            email_verified_at: Some(NOW),
            disabled_at: Some(after(1)),
            external_id: Some("17".to_owned()),
            last_login_at: Some(after(2)),
            ..user("Ada@example.com")
        };
        let mut tx = store.begin().await.unwrap();
        tx.insert_user(&UserRow {
            roles: Vec::new(),
            ..full.clone()
        })
        .await
        .unwrap();
        assert!(tx.insert_role(full.id, "editor").await.unwrap());
        assert!(tx.insert_role(full.id, "admin").await.unwrap());
        assert!(!tx.insert_role(full.id, "admin").await.unwrap());
        assert_eq!(tx.find_user(full.id).await.unwrap().as_ref(), Some(&full));
        tx.commit().await.unwrap();

        assert_eq!(store.find_user(full.id).await.unwrap().as_ref(), Some(&full));
        assert_eq!(
            store.find_user_by_email("ada@example.com").await.unwrap().as_ref(),
            Some(&full)
        );
        assert_eq!(store.find_user_by_username("ada").await.unwrap().as_ref(), Some(&full));
        assert_eq!(store.find_user_by_email("Ada@example.com").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_taken_address_or_username_is_told_apart_from_a_failure() {
    for Fixture { store, .. } in fixtures().await {
        let named = UserRow {
            username: Some("Ada".to_owned()),
            username_key: Some("ada".to_owned()),
            ..user("ada@example.com")
        };
        let other = add_user(&store, "bob@example.com").await;
        insert(&store, &named).await.unwrap();

        let taken = insert(&store, &user("ADA@example.com")).await;
        assert!(matches!(taken, Err(InsertError::EmailTaken)), "{taken:?}");
        let taken = insert(
            &store,
            &UserRow {
                id: UserId::new(NOW),
                email_key: "x".to_owned(),
                ..named.clone()
            },
        )
        .await;
        assert!(matches!(taken, Err(InsertError::UsernameTaken)), "{taken:?}");
        let same_id = insert(
            &store,
            &UserRow {
                id: named.id,
                ..user("eve@example.com")
            },
        )
        .await;
        assert!(
            matches!(same_id, Err(InsertError::Failed(Error::Unexpected(_)))),
            "{same_id:?}"
        );

        let mut tx = store.begin().await.unwrap();
        let taken = tx.update_profile(other.id, None, Some(("ADA", "ada")), NOW).await;
        assert!(matches!(taken, Err(InsertError::UsernameTaken)), "{taken:?}");
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        let taken = tx
            .update_email(other.id, "Ada@example.com", "ada@example.com", NOW)
            .await;
        assert!(matches!(taken, Err(InsertError::EmailTaken)), "{taken:?}");
    }
}

#[tokio::test]
async fn the_changes_of_a_user_say_whether_they_found_it() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let nobody = UserId::new(NOW);
        let mut tx = store.begin().await.unwrap();
        assert!(
            tx.update_profile(ada.id, Some("Ada"), Some(("Ada", "ada")), after(1))
                .await
                .unwrap()
        );
        assert!(!tx.update_profile(nobody, None, None, NOW).await.unwrap());
        assert!(
            tx.update_email_verified(ada.id, "ada@example.com", after(2))
                .await
                .unwrap()
        );
        assert!(!tx.update_email_verified(ada.id, "old@example.com", NOW).await.unwrap());
        assert!(
            tx.update_email(ada.id, "Ada@example.org", "ada@example.org", after(3))
                .await
                .unwrap()
        );
        assert!(tx.update_password(ada.id, "new", after(4)).await.unwrap());
        assert!(!tx.update_password(nobody, "new", NOW).await.unwrap());
        assert!(tx.update_disabled(ada.id, Some(after(5)), after(5)).await.unwrap());
        assert!(!tx.admit_log_in(ada.id, "new", "newer", after(6)).await.unwrap());
        assert!(tx.update_disabled(ada.id, None, after(7)).await.unwrap());
        assert!(!tx.admit_log_in(ada.id, "hash", "newer", after(8)).await.unwrap());
        assert!(tx.admit_log_in(ada.id, "new", "newer", after(9)).await.unwrap());
        let changed = tx.find_user(ada.id).await.unwrap().unwrap();
        assert_eq!(
            changed,
            UserRow {
                email: "Ada@example.org".to_owned(),
                email_key: "ada@example.org".to_owned(),
                username: Some("Ada".to_owned()),
                username_key: Some("ada".to_owned()),
                name: Some("Ada".to_owned()),
                password_hash: "newer".to_owned(),
                email_verified_at: Some(after(3)),
                last_login_at: Some(after(9)),
                updated_at: after(7),
                ..ada.clone()
            }
        );
        assert!(tx.delete_user(ada.id).await.unwrap());
        assert!(!tx.delete_user(ada.id).await.unwrap());
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn everything_of_a_deleted_user_goes_with_it_except_what_happened() {
    for Fixture { store, .. } in fixtures().await {
        let ada = add_user(&store, "ada@example.com").await;
        let bob = add_user(&store, "bob@example.com").await;
        let device = add_session(&store, ada.id).await;
        let mut tx = store.begin().await.unwrap();
        tx.insert_role(ada.id, "admin").await.unwrap();
        for owner in [ada.id, bob.id] {
            tx.insert_link_token(&link(&format!("link of {owner}"), owner))
                .await
                .unwrap();
            tx.insert_message(&message(Some(owner))).await.unwrap();
            tx.insert_event(&event("log_in", Some(owner))).await.unwrap();
            tx.insert_product(&product("Lamp", owner)).await.unwrap();
        }
        tx.delete_user(ada.id).await.unwrap();
        tx.commit().await.unwrap();

        assert_eq!(store.find_user_of_live_session(device.id, NOW).await.unwrap(), None);
        let left: i64 = store
            .rows(sqlx::query("SELECT COUNT(*) AS n FROM refresh_tokens"))
            .await
            .unwrap()[0]
            .get("n");
        assert_eq!(left, 0);
        assert_eq!(store.list_link_tokens_of(ada.id).await.unwrap(), []);
        assert_eq!(store.list_messages_of(ada.id).await.unwrap(), []);
        assert_eq!(
            store
                .list_products(&ProductFilter {
                    limit: 9,
                    ..ProductFilter::default()
                })
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(store.list_messages_of(bob.id).await.unwrap().len(), 1);
        assert_eq!(store.list_events_of(ada.id).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn pages_of_users_follow_each_other_and_count_users_rather_than_roles() {
    for Fixture { store, .. } in fixtures().await {
        let mut ids = Vec::new();
        for number in 0..5 {
            let user = add_user(&store, &format!("user{number}@example.com")).await;
            let mut tx = store.begin().await.unwrap();
            tx.insert_role(user.id, "editor").await.unwrap();
            if number % 2 == 0 {
                tx.insert_role(user.id, "admin").await.unwrap();
            } else {
                tx.update_disabled(user.id, Some(NOW), NOW).await.unwrap();
            }
            tx.commit().await.unwrap();
            ids.push(user.id);
        }
        let page = async |filter: UserFilter| -> Vec<UserId> {
            store
                .list_users(&UserFilter { limit: 2, ..filter })
                .await
                .unwrap()
                .iter()
                .map(|user| user.id)
                .collect()
        };
        let admin = || Some("admin".to_owned());
        assert_eq!(page(UserFilter::default()).await, ids[..2]);
        assert_eq!(
            page(UserFilter {
                after: Some(ids[1]),
                ..UserFilter::default()
            })
            .await,
            ids[2..4]
        );
        assert_eq!(
            page(UserFilter {
                after: Some(ids[3]),
                ..UserFilter::default()
            })
            .await,
            ids[4..]
        );
        assert_eq!(
            page(UserFilter {
                status: Some(UserStatus::Disabled),
                ..UserFilter::default()
            })
            .await,
            [ids[1], ids[3]]
        );
        assert_eq!(
            page(UserFilter {
                status: Some(UserStatus::Active),
                ..UserFilter::default()
            })
            .await,
            [ids[0], ids[2]]
        );
        assert_eq!(
            page(UserFilter {
                role: admin(),
                ..UserFilter::default()
            })
            .await,
            [ids[0], ids[2]]
        );
        assert_eq!(
            page(UserFilter {
                role: admin(),
                after: Some(ids[2]),
                ..UserFilter::default()
            })
            .await,
            [ids[4]]
        );
        assert_eq!(
            page(UserFilter {
                role: admin(),
                status: Some(UserStatus::Disabled),
                ..UserFilter::default()
            })
            .await,
            []
        );
        let both = page(UserFilter {
            role: admin(),
            q: Some("USER4".to_owned()),
            ..UserFilter::default()
        })
        .await;
        assert_eq!(both, [ids[4]]);
        let first = store
            .list_users(&UserFilter {
                limit: 1,
                ..UserFilter::default()
            })
            .await
            .unwrap();
        assert_eq!(first[0].roles, ["admin", "editor"]);
    }
}

#[tokio::test]
async fn users_are_listed_by_whether_they_may_be_used() {
    for Fixture { store, .. } in fixtures().await {
        for (email, password, disabled) in [
            ("ann@example.com", "hash", None),
            ("bob@example.com", UserRow::NO_PASSWORD, None),
            ("cleo@example.com", "hash", Some(NOW)),
            ("dora@example.com", UserRow::NO_PASSWORD, Some(NOW)),
        ] {
            let row = UserRow {
                password_hash: password.to_owned(),
                disabled_at: disabled,
                ..user(email)
            };
            insert(&store, &row).await.unwrap();
        }
        for (status, expected) in [
            (UserStatus::Active, &["ann@example.com"][..]),
            (UserStatus::Pending, &["bob@example.com"]),
            (UserStatus::Disabled, &["cleo@example.com", "dora@example.com"]),
        ] {
            let filter = UserFilter {
                status: Some(status),
                limit: 9,
                ..UserFilter::default()
            };
            let found = store.list_users(&filter).await.unwrap();
            let emails: Vec<&str> = found.iter().map(|user| user.email.as_str()).collect();
            assert_eq!(emails, expected);
            assert!(found.iter().all(|user| user.status() == status), "{status:?}");
        }
    }
}

#[tokio::test]
async fn a_search_takes_its_text_literally_and_ignores_case() {
    for Fixture { store, .. } in fixtures().await {
        for (email, name) in [
            ("a_b@example.com", "Ada Lovelace"),
            ("axb@example.com", "100% Bob!"),
            ("carol@example.com", "Élodie"),
            ("back\\slash@example.com", "D'Arcy"),
        ] {
            insert(
                &store,
                &UserRow {
                    name: Some(name.to_owned()),
                    ..user(email)
                },
            )
            .await
            .unwrap();
        }
        for (q, expected) in [
            ("a_b", vec!["a_b@example.com"]),
            ("A_B@EXAMPLE", vec!["a_b@example.com"]),
            ("lovelace", vec!["a_b@example.com"]),
            ("%", vec!["axb@example.com"]),
            ("bob!", vec!["axb@example.com"]),
            ("Élodie", vec!["carol@example.com"]),
            ("LODIE", vec!["carol@example.com"]),
            ("k\\s", vec!["back\\slash@example.com"]),
            ("d'a", vec!["back\\slash@example.com"]),
            ("nobody", vec![]),
        ] {
            let filter = UserFilter {
                q: Some(q.to_owned()),
                limit: 10,
                ..UserFilter::default()
            };
            let found = store.list_users(&filter).await.unwrap();
            let emails: Vec<&str> = found.iter().map(|user| user.email.as_str()).collect();
            assert_eq!(emails, expected, "{q}");
        }
    }
}

#[tokio::test]
async fn the_last_of_two_administrators_to_step_down_sees_that_it_is_the_last() {
    for Fixture { store, .. } in fixtures().await {
        let mut admins = Vec::new();
        for email in ["ada@example.com", "bob@example.com"] {
            let admin = UserRow {
                roles: vec!["admin".to_owned()],
                ..user(email)
            };
            insert(&store, &admin).await.unwrap();
            admins.push(admin.id);
        }
        let mut tasks = JoinSet::new();
        for admin in admins {
            let store = store.clone();
            tasks.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                tx.lock_admins().await.unwrap();
                let last = tx.count_active_holders("admin").await.unwrap() == 1;
                if !last {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    tx.update_disabled(admin, Some(NOW), NOW).await.unwrap();
                    tx.commit().await.unwrap();
                }
                last
            });
        }
        let mut refused = tasks.join_all().await;
        refused.sort_unstable();
        assert_eq!(refused, [false, true]);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.count_active_holders("admin").await.unwrap(), 1);
    }
}

#[test]
fn debug_output_holds_neither_hashes_nor_passwords() {
    let ada = UserRow {
        password_hash: "$argon2id$secret".to_owned(),
        ..user("ada@example.com")
    };
    let text = format!("{ada:?} {:?}", Location::Postgres("postgres://u:secret@h/d".to_owned()));
    assert!(!text.contains("secret") && !text.contains("ada@"), "{text}");
}
