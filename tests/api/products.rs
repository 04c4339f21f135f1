use serde_json::{Value, json};

use crate::support::{Actor, Place, both_engines};

both_engines![
    a_product_is_made_and_read,
    any_user_reads_and_only_the_owner_or_an_admin_changes,
    lists_come_in_pages_and_as_plain_arrays,
    a_plain_array_is_whole_up_to_two_hundred,
    a_user_lists_their_own_items,
    a_product_is_changed_and_deleted,
    bad_products_are_refused,
    products_need_a_user,
    the_example_can_be_switched_off,
];

const PRODUCTS: &str = "/api/products";

async fn a_product_is_made_and_read(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    for path in [PRODUCTS, "/product/", "/product"] {
        let body = json!({"name": "Lamp 🌷", "description": "It <shines>", "owner_id": "x", "id": "x", "price": 3});
        let made = ann.post(path).json(body).await.expect(201).json();
        let mut members: Vec<&String> = made.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(
            members,
            ["created_at", "description", "id", "name", "owner_id", "updated_at"]
        );
        assert_eq!(made["name"], "Lamp 🌷");
        assert_eq!(made["description"], "It <shines>");
        assert_eq!(made["owner_id"], ann.user_id);
        assert_eq!(made["created_at"], "2026-03-01T12:00:00Z");
        let id = made["id"].as_str().unwrap();
        for read in [format!("{PRODUCTS}/{id}"), format!("/product/{id}")] {
            assert_eq!(ann.get(&read).await.expect(200).json(), made);
        }
    }
    let bare = ann
        .post(PRODUCTS)
        .json(json!({"name": "Chair"}))
        .await
        .expect(201)
        .json();
    assert_eq!(bare["description"], Value::Null);
}

async fn any_user_reads_and_only_the_owner_or_an_admin_changes(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let bob = server.user("bob@example.com").await;
    let made = ann
        .post(PRODUCTS)
        .json(json!({"name": "Lamp"}))
        .await
        .expect(201)
        .json();
    let path = format!("{PRODUCTS}/{}", made["id"].as_str().unwrap());
    assert_eq!(bob.get(&path).await.expect(200).json(), made);
    bob.patch(&path)
        .json(json!({"name": "Bob's"}))
        .await
        .expect_problem(403, "forbidden");
    bob.delete(&path).await.expect_problem(403, "forbidden");
    assert_eq!(ann.get(&path).await.json(), made);
    let changed = admin
        .patch(&path)
        .json(json!({"name": "Kept"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&changed["name"], &changed["owner_id"]),
        (&json!("Kept"), &json!(ann.user_id))
    );
    admin.delete(&path).await.expect_success();
    ann.get(&path).await.expect_problem(404, "not_found");
}

async fn lists_come_in_pages_and_as_plain_arrays(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    for number in 0..5 {
        ann.post(PRODUCTS)
            .json(json!({"name": format!("Lamp {number}")}))
            .await
            .expect(201);
    }
    let mut names = Vec::new();
    let mut path = format!("{PRODUCTS}?limit=2");
    loop {
        let reply = ann.get(&path).await;
        names.extend(reply.items().iter().map(|product| product["name"].clone()));
        let Some(cursor) = reply.json()["next_cursor"].as_str().map(ToOwned::to_owned) else {
            break;
        };
        path = format!("{PRODUCTS}?limit=2&cursor={cursor}");
    }
    let mut sorted = names.clone();
    sorted.sort_by_key(ToString::to_string);
    assert_eq!(
        sorted,
        (0..5).map(|number| json!(format!("Lamp {number}"))).collect::<Vec<_>>()
    );
    for path in ["/product/", "/product"] {
        let list = ann.get(path).await.expect(200).json();
        assert_eq!(list.as_array().expect("a plain array").len(), 5);
    }
    for query in ["limit=0", "limit=x", "cursor=x", "cursor=%00"] {
        ann.get(&format!("{PRODUCTS}?{query}")).await.expect_refusal();
    }
}

async fn a_plain_array_is_whole_up_to_two_hundred(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    for number in 0..51 {
        let product = json!({"name": format!("Lamp {number}")});
        ann.post(PRODUCTS).json(product).await.expect(201);
    }
    for path in ["/product/", "/users/me/items"] {
        let reply = ann.get(path).await.expect(200);
        assert_eq!(reply.json().as_array().expect("a plain array").len(), 51, "{path}");
        assert_eq!(reply.header("link"), None, "{path}");
        let reply = ann.get(&format!("{path}?limit=50")).await.expect(200);
        assert!(
            reply.header("link").expect("a next page").contains("rel=\"next\""),
            "{path}"
        );
    }
    assert_eq!(ann.get(PRODUCTS).await.items().len(), 50);
}

async fn a_user_lists_their_own_items(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let bob = server.user("bob@example.com").await;
    ann.post(PRODUCTS).json(json!({"name": "Lamp"})).await.expect(201);
    bob.post(PRODUCTS).json(json!({"name": "Chair"})).await.expect(201);
    let items = ann.get("/users/me/items").await.expect(200).json();
    let items = items.as_array().expect("a plain array");
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["name"], "Lamp");
}

async fn a_product_is_changed_and_deleted(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let made = ann
        .post(PRODUCTS)
        .json(json!({"name": "Lamp", "description": "old"}))
        .await
        .expect(201)
        .json();
    let path = format!("{PRODUCTS}/{}", made["id"].as_str().unwrap());
    server.advance(60);
    let changed = ann
        .patch(&path)
        .json(json!({"name": "Lantern", "owner_id": "x"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&changed["name"], &changed["description"]),
        (&json!("Lantern"), &json!("old"))
    );
    assert_eq!(changed["owner_id"], ann.user_id);
    assert_eq!(changed["created_at"], made["created_at"]);
    assert_eq!(changed["updated_at"], "2026-03-01T12:01:00Z");
    let changed = ann
        .patch(&path)
        .json(json!({"description": null}))
        .await
        .expect(200)
        .json();
    assert_eq!(changed["description"], Value::Null);
    let cleared = ann.patch(&path).json(json!({"name": null})).await;
    assert_eq!(cleared.expect_invalid_field("name"), "wrong_type");
    ann.delete(&path).await.expect_success();
    ann.delete(&path).await.expect_problem(404, "not_found");
    ann.patch(&path)
        .json(json!({"name": "x"}))
        .await
        .expect_problem(404, "not_found");
}

async fn bad_products_are_refused(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let before = server.snapshot().await;
    let long = "x".repeat(10_000);
    for bad in ["", "   ", "a\u{0}b", long.as_str()] {
        ann.post(PRODUCTS)
            .json(json!({"name": bad}))
            .await
            .expect_invalid_field("name");
    }
    ann.post(PRODUCTS)
        .json(json!({"name": "x", "description": "a\u{0}b"}))
        .await
        .expect_invalid_field("description");
    ann.post(PRODUCTS).json(json!({})).await.expect_invalid_field("name");
    ann.post(PRODUCTS)
        .json(json!({"name": null}))
        .await
        .expect_invalid_field("name");
    for bad in ["x", "%00", "1", "🌷"] {
        ann.get(&format!("{PRODUCTS}/{bad}")).await.expect_refusal();
        ann.get(&format!("/product/{bad}")).await.expect_refusal();
    }
    assert_eq!(server.snapshot().await, before);
}

async fn products_need_a_user(place: Place) {
    let server = place.start().await;
    for path in [PRODUCTS, "/product/", "/product", "/users/me/items"] {
        server
            .anonymous()
            .get(path)
            .await
            .expect_problem(401, "not_authenticated");
    }
    let body = json!({"name": "Lamp"});
    server
        .anonymous()
        .post(PRODUCTS)
        .json(&body)
        .await
        .expect_problem(401, "not_authenticated");
    server
        .anonymous()
        .post("/product/")
        .json(&body)
        .await
        .expect_problem(401, "not_authenticated");
}

async fn the_example_can_be_switched_off(place: Place) {
    let server = place.start_with(&[("PRODUCTS", "false")]).await;
    let ann = server.user("ann@example.com").await;
    for path in [PRODUCTS, "/product/", "/product", "/users/me/items"] {
        ann.get(path).await.expect_problem(404, "not_found");
    }
    let document = server.anonymous().get("/openapi.json").await.expect(200).json();
    let paths = document["paths"].as_object().unwrap();
    assert!(
        paths
            .keys()
            .all(|path| !path.contains("product") && !path.contains("items")),
        "{:?}",
        paths.keys()
    );
}
