//! Beside a server, beside each other, and cut short.

use std::time::Duration;

use super::{assert_told, import, many};
use crate::support::{Place, Server, both_engines};

both_engines![
    a_running_server_goes_on_beside_an_import,
    imports_that_run_at_once_bring_each_user_over_once,
    an_import_that_is_killed_is_finished_by_the_next,
];

/// So many users, of whom none needs to be hashed.
async fn a_running_server_goes_on_beside_an_import(place: Place) {
    let file = many(&place, 3000);
    let server = place.start().await;
    let importing = {
        let place = place.clone();
        tokio::spawn(async move { import(&place, &file, &[]).await })
    };
    let mut signed_up = 0;
    while !importing.is_finished() || signed_up == 0 {
        let ann = server.user(&format!("ann{signed_up}@example.com")).await;
        assert!(ann.is_signed_in().await);
        signed_up += 1;
    }
    let told = importing.await.unwrap().expect_success();
    assert_told(&told, "Imported 3000 users, 0 were here already, 0 skipped");
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 3000 + signed_up);
    // It knows them at once.
    server.log_in("user2999@example.com").await;
}

async fn imports_that_run_at_once_bring_each_user_over_once(place: Place) {
    let file = many(&place, 1200);
    // The database is there, so that no more than the imports run at once.
    place.start().await.stop().await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (place, file) = (place.clone(), file.clone());
        running.spawn(async move { import(&place, &file, &[]).await.expect_success().stdout });
    }
    let told = running.join_all().await;
    let server = place.start().await;
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1200, "{told:?}");
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM imports WHERE user_id IS NOT NULL")
            .await,
        1200
    );
}

async fn an_import_that_is_killed_is_finished_by_the_next(place: Place) {
    let file = many(&place, 5000);
    let server = place.start().await;
    assert_whole(&server).await;
    for round in 1..=4 {
        place
            .vestibule_killed(&["user", "import", &file], Duration::from_millis(250 * round))
            .await;
        assert_whole(&server).await;
    }
    let there = server.count("SELECT COUNT(*) FROM users").await;
    let told = import(&place, &file, &[]).await.expect_success();
    assert_told(
        &told,
        &format!("Imported {} users, {there} were here already, 0 skipped", 5000 - there),
    );
    assert_whole(&server).await;
}

/// Every imported user is there with all that belongs to them.
async fn assert_whole(server: &Server) {
    let users = server.count("SELECT COUNT(*) FROM users").await;
    let imports =
        "SELECT COUNT(*) FROM imports i INNER JOIN users u ON u.id = i.user_id WHERE u.external_id IS NOT NULL";
    assert_eq!(server.count(imports).await, users);
}
