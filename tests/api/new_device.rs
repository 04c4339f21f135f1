//! A sign-in from a device that is new to the account is told to its owner.

use serde_json::json;

use crate::support::{Actor, DAY, NEW_PASSWORD, PASSWORD, Place, Server, both_engines};

both_engines![
    a_sign_in_from_a_new_device_or_network_is_told_to_the_owner,
    a_browser_that_is_known_is_no_news_wherever_it_is,
    a_new_password_makes_every_place_new_but_its_own,
    nobody_can_flood_a_mailbox_by_signing_in,
    few_places_are_remembered_and_none_for_ever,
];

const LOG_IN: &str = "/api/auth/login";
const LETTERS: &str = "SELECT COUNT(*) FROM outbox WHERE kind = 'new_sign_in'";
const PLACES: &str = "SELECT COUNT(*) FROM places";

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const NEXT_FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
const CURL: &str = "curl/8.14.1";

/// Behind a proxy that can speak for anybody.
async fn start(place: &Place, variables: &[(&str, &str)]) -> Server {
    let proxy = [("TRUSTED_PROXIES", "127.0.0.1")];
    let variables: Vec<_> = proxy.into_iter().chain(variables.iter().copied()).collect();
    place.start_with(&variables).await
}

async fn sign_in(actor: &impl Actor, password: &str, device: &str, address: &str) {
    actor
        .post(LOG_IN)
        .header("user-agent", device)
        .header("x-forwarded-for", address)
        .json(json!({"email": "ann@example.com", "password": password}))
        .await
        .expect(200);
}

async fn a_sign_in_from_a_new_device_or_network_is_told_to_the_owner(place: Place) {
    let server = start(&place, &[]).await;
    server.sign_up("ann@example.com").await;
    let program = server.anonymous();
    // A wrong password is nobody's sign-in.
    let wrong = json!({"email": "ann@example.com", "password": "not-the-password"});
    program.post(LOG_IN).json(wrong).await.expect(401);
    assert_eq!(server.count(PLACES).await, 0);
    // The first is as expected, and so is an update of the program at another address of the provider.
    sign_in(&program, PASSWORD, FIREFOX, "198.51.100.7").await;
    sign_in(&program, PASSWORD, NEXT_FIREFOX, "198.51.100.201").await;
    assert_eq!(server.count(LETTERS).await, 0);

    sign_in(&program, PASSWORD, CURL, "198.51.100.7").await;
    assert_eq!(server.count(LETTERS).await, 1);
    let mail = server.mails("ann@example.com", 2).await.remove(0);
    assert!(mail.subject.contains("New sign-in"), "{}", mail.subject);
    for said in [
        "1 March 2026, 12:00 UTC",
        "curl, network address 198.51.100.7",
        "/profile",
    ] {
        assert!(mail.text.contains(said), "no {said} in {}", mail.text);
        assert!(mail.html.contains(said), "no {said} in {}", mail.html);
    }

    sign_in(&program, PASSWORD, FIREFOX, "203.0.113.5").await;
    assert_eq!(server.count(LETTERS).await, 2);
    for (device, address) in [
        (FIREFOX, "198.51.100.9"),
        (CURL, "198.51.100.9"),
        (FIREFOX, "203.0.113.5"),
    ] {
        sign_in(&program, PASSWORD, device, address).await;
    }
    assert_eq!(server.count(LETTERS).await, 2, "each is known by now");
}

async fn a_browser_that_is_known_is_no_news_wherever_it_is(place: Place) {
    let server = start(&place, &[("RATE_LIMITS", "on")]).await;
    server.sign_up("ann@example.com").await;
    let browser = server.browser();
    sign_in(&browser, PASSWORD, FIREFOX, "198.51.100.7").await;
    sign_in(&browser, PASSWORD, NEXT_FIREFOX, "2001:db8::7").await;
    assert_eq!((server.count(LETTERS).await, server.count(PLACES).await), (0, 1));
    sign_in(&server.browser(), PASSWORD, FIREFOX, "2001:db8::8").await;
    assert_eq!((server.count(LETTERS).await, server.count(PLACES).await), (1, 2));
}

async fn a_new_password_makes_every_place_new_but_its_own(place: Place) {
    let server = start(&place, &[]).await;
    let ann = server.user("ann@example.com").await;
    let program = server.anonymous();
    sign_in(&program, PASSWORD, CURL, "198.51.100.7").await;
    sign_in(&program, PASSWORD, CURL, "198.51.100.7").await;
    assert_eq!(server.count(LETTERS).await, 1);

    ann.post("/api/auth/me/password")
        .header("user-agent", FIREFOX)
        .header("x-forwarded-for", "203.0.113.5")
        .json(json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD}))
        .await
        .expect_success();
    sign_in(&program, NEW_PASSWORD, FIREFOX, "203.0.113.5").await;
    assert_eq!(server.count(LETTERS).await, 1);
    sign_in(&program, NEW_PASSWORD, CURL, "198.51.100.7").await;
    assert_eq!(server.count(LETTERS).await, 2);

    let reset = server.reset_link("ann@example.com").await;
    program
        .post("/api/auth/reset-password")
        .header("user-agent", FIREFOX)
        .header("x-forwarded-for", "192.0.2.9")
        .json(json!({"token": reset, "new_password": PASSWORD}))
        .await
        .expect(200);
    sign_in(&program, PASSWORD, FIREFOX, "192.0.2.9").await;
    assert_eq!(server.count(LETTERS).await, 2);
    sign_in(&program, PASSWORD, FIREFOX, "203.0.113.5").await;
    assert_eq!(server.count(LETTERS).await, 3);
}

async fn nobody_can_flood_a_mailbox_by_signing_in(place: Place) {
    let few = [("RATE_LIMITS", "on"), ("LIMIT_MAILS_PER_ADDRESS", "2/1h")];
    let server = start(&place, &few).await;
    server.sign_up("ann@example.com").await;
    for number in 0..6 {
        sign_in(&server.anonymous(), PASSWORD, CURL, &format!("198.51.{number}.1")).await;
    }
    assert_eq!(server.count(LETTERS).await, 2);
}

async fn few_places_are_remembered_and_none_for_ever(place: Place) {
    let server = start(&place, &[]).await;
    server.sign_up("ann@example.com").await;
    let program = server.anonymous();
    for number in 0..25 {
        server.mail_is_done().await;
        server.advance(1);
        sign_in(&program, PASSWORD, CURL, &format!("198.51.{number}.1")).await;
    }
    assert_eq!((server.count(LETTERS).await, server.count(PLACES).await), (24, 20));
    // The latest are among them, and the first is not.
    sign_in(&program, PASSWORD, CURL, "198.51.24.1").await;
    assert_eq!(server.count(LETTERS).await, 24);
    sign_in(&program, PASSWORD, CURL, "198.51.0.1").await;
    assert_eq!(server.count(LETTERS).await, 25);

    server.mail_is_done().await;
    server.advance(179 * DAY);
    sign_in(&program, PASSWORD, CURL, "198.51.24.1").await;
    assert_eq!(server.count(LETTERS).await, 25);
    server.mail_is_done().await;
    server.advance(DAY);
    server.app().auth().sweep().await.unwrap();
    assert_eq!(server.count(PLACES).await, 1, "the one that was seen again");
    let letters = server.count(LETTERS).await;
    sign_in(&program, PASSWORD, CURL, "198.51.24.1").await;
    assert_eq!(server.count(LETTERS).await, letters);
    sign_in(&program, PASSWORD, CURL, "198.51.0.1").await;
    assert_eq!(server.count(LETTERS).await, letters + 1);
}
