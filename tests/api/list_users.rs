use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Actor, Admin, PASSWORD, Place, Server, both_engines};

both_engines![
    admins_list_users_and_nobody_else_does,
    the_template_paths_give_a_plain_array,
    pages_cover_everyone_once_in_order,
    a_page_is_stable_while_users_come,
    a_search_finds_parts_of_addresses_usernames_and_names,
    a_search_takes_its_words_literally,
    roles_and_states_filter,
    queries_that_cannot_be_are_refused,
];

async fn house_of(server: &Server, people: usize) -> Admin {
    let admin = server.admin("admin@example.com").await;
    for number in 0..people {
        server.sign_up(&format!("user{number:02}@example.com")).await;
    }
    admin
}

fn emails(users: &[Value]) -> Vec<&str> {
    users.iter().map(|user| user["email"].as_str().unwrap()).collect()
}

async fn admins_list_users_and_nobody_else_does(place: Place) {
    let server = place.start().await;
    let admin = house_of(&server, 2).await;
    let reply = admin.get("/api/users").await;
    let users = reply.items();
    assert_eq!(
        emails(&users),
        ["admin@example.com", "user00@example.com", "user01@example.com"]
    );
    assert_eq!(users[0]["roles"], json!(["admin"]));
    assert_eq!(reply.json()["next_cursor"], Value::Null);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(!reply.text().contains("argon2"));

    let user = server.log_in("user00@example.com").await;
    for path in ["/api/users", "/users/", "/users"] {
        user.get(path).await.expect_problem(403, "forbidden");
        server
            .anonymous()
            .get(path)
            .await
            .expect_problem(401, "not_authenticated");
    }
}

async fn the_template_paths_give_a_plain_array(place: Place) {
    let server = place.start().await;
    let admin = house_of(&server, 2).await;
    for path in ["/users/", "/users"] {
        let list = admin.get(path).await.expect(200).json();
        assert_eq!(list.as_array().expect("a plain array").len(), 3, "{path}");
    }
}

async fn pages_cover_everyone_once_in_order(place: Place) {
    let server = place.start().await;
    let admin = house_of(&server, 6).await;
    let mut seen = Vec::new();
    let mut path = "/api/users?limit=3".to_owned();
    for expected in [3, 3, 1] {
        let reply = admin.get(&path).await;
        let users = reply.items();
        assert_eq!(users.len(), expected);
        seen.extend(users.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        match reply.json()["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/users?limit=3&cursor={cursor}"),
            None => assert_eq!(expected, 1, "only the last page has no next"),
        }
    }
    assert!(seen.is_sorted());
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 7);
}

async fn a_page_is_stable_while_users_come(place: Place) {
    let server = place.start().await;
    let admin = house_of(&server, 3).await;
    let first = admin.get("/api/users?limit=2").await.json();
    server.sign_up("late@example.com").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = admin.get(&format!("/api/users?limit=2&cursor={cursor}")).await.items();
    assert_eq!(emails(&second), ["user01@example.com", "user02@example.com"]);
}

async fn a_search_finds_parts_of_addresses_usernames_and_names(place: Place) {
    let server = place.start().await;
    let admin = house_of(&server, 1).await;
    let body =
        json!({"email": "rose@garden.example", "username": "Petal.7", "name": "Rose Thornfield", "password": PASSWORD});
    server
        .anonymous()
        .post("/api/auth/register")
        .json(body)
        .await
        .expect(201);
    for q in ["rose", "ROSE", "garden", "petal", "PETAL.7", "thornfield", "Thorn"] {
        let found = admin.get(&format!("/api/users?q={q}")).await.items();
        assert_eq!(emails(&found), ["rose@garden.example"], "{q}");
    }
    assert!(admin.get("/api/users?q=nobody").await.items().is_empty());
    assert_eq!(
        admin.get("/api/users?q=").await.items().len(),
        3,
        "an empty search is none"
    );
}

async fn a_search_takes_its_words_literally(place: Place) {
    let server = place.start().await;
    let admin = house_of(&server, 3).await;
    for q in ["%25", "user_0", "%5C", "'", "%22", "user%250%25", "a%27%20OR%201=1--"] {
        let found = admin.get(&format!("/api/users?q={q}")).await.items();
        assert!(found.is_empty(), "{q}: {found:?}");
    }
    let body = json!({"email": "under_score@example.com", "name": "100% O'Hara \\ Sons", "password": PASSWORD});
    server
        .anonymous()
        .post("/api/auth/register")
        .json(body)
        .await
        .expect(201);
    for q in ["under_", "100%25", "O%27Hara", "%5C"] {
        assert_eq!(admin.get(&format!("/api/users?q={q}")).await.items().len(), 1, "{q}");
    }
}

async fn roles_and_states_filter(place: Place) {
    let server = place.start().await;
    let admin = house_of(&server, 3).await;
    let all = admin.get("/api/users").await.items();
    let path = |index: usize| format!("/api/users/{}", all[index]["id"].as_str().unwrap());
    admin
        .patch(&path(1))
        .json(json!({"roles": ["editor"]}))
        .await
        .expect(200);
    admin
        .patch(&path(2))
        .json(json!({"roles": ["editor", "admin"]}))
        .await
        .expect(200);
    admin
        .patch(&path(3))
        .json(json!({"is_active": false}))
        .await
        .expect(200);
    let found = admin.get("/api/users?role=editor").await.items();
    assert_eq!(emails(&found), ["user00@example.com", "user01@example.com"]);
    assert_eq!(
        found[1]["roles"],
        json!(["admin", "editor"]),
        "a filter hides no other role"
    );
    let found = admin.get("/api/users?role=admin&limit=1").await.items();
    assert_eq!(emails(&found), ["admin@example.com"]);
    let found = admin.get("/api/users?status=disabled").await.items();
    assert_eq!(emails(&found), ["user02@example.com"]);
    assert_eq!(admin.get("/api/users?status=active").await.items().len(), 3);
    assert!(
        admin
            .get("/api/users?status=disabled&role=editor")
            .await
            .items()
            .is_empty()
    );
    let found = admin.get("/api/users?status=active&role=editor&q=user01").await.items();
    assert_eq!(emails(&found), ["user01@example.com"]);
}

async fn queries_that_cannot_be_are_refused(place: Place) {
    let server = place.start().await;
    let admin = house_of(&server, 1).await;
    for query in [
        "limit=0",
        "limit=-1",
        "limit=1.5",
        "limit=many",
        "limit=99999999999999999999",
        "limit=1000000",
        "cursor=x",
        "cursor=%00",
        "cursor=%F0%9F%8C%B7",
        "cursor=1%27%20OR%20%271%27=%271",
        "status=asleep",
        "q=%00",
        "q=%FF",
        "role=%00",
    ] {
        let reply = admin.get(&format!("/api/users?{query}")).await;
        if query.starts_with("q=") || query.starts_with("role=") {
            // Text that nobody's name can hold finds nobody, or is refused.
            assert!(
                reply.status == 200 || reply.status == 400 || reply.status == 422,
                "{query}: {}",
                reply.text()
            );
        } else {
            assert!(
                [400, 422].contains(&reply.status),
                "{query}: {} {}",
                reply.status,
                reply.text()
            );
            reply.expect_refusal();
        }
    }
}
