//! Who and what there is before anything is tried.

use std::sync::Arc;

use serde_json::json;

use super::{operation::Who, state::State};
use crate::support::{Actor, ApiClient, Browser, PASSWORD, Place, Server};

/// A prepared database, and what a test needs to know of it. Its people have all that an operation can be about: Ann has
/// not verified her address, is signed in on two devices, has open links of each kind, and a product; Bob has verified
/// his, and is an editor; Dan is disabled; Eve has the address that Bob asked for; the admin is the only one. The
/// tries at one more are used up.
pub(super) struct Scene {
    pub(super) place: Place,
    pub(super) before: Arc<State>,
    nobody: Browser,
    ended: Browser,
    ann: Browser,
    bob: Browser,
    admin: Browser,
    pub(super) ann_id: String,
    pub(super) bob_id: String,
    pub(super) dan_id: String,
    pub(super) admin_id: String,
    /// The session of Ann's other device.
    pub(super) ann_phone: String,
    pub(super) bob_session: String,
    pub(super) ann_product: String,
    pub(super) bob_product: String,
    pub(super) ann_verify_link: String,
    pub(super) ann_new_address_link: String,
    pub(super) ann_reset_link: String,
    /// Of an address that somebody else has by now.
    pub(super) bob_new_address_link: String,
    pub(super) used_verify_link: String,
    pub(super) used_reset_link: String,
    /// A message that was sent.
    pub(super) message: String,
}

impl Scene {
    pub(super) async fn prepare(place: Place) -> Self {
        let server = place.start().await;
        let admin = server.admin("admin@example.com").await;
        let ann = sign_up(&server, "ann", "Ann").await;
        let bob = sign_up(&server, "bob", "Bob").await;
        let dan = sign_up(&server, "dan", "Dan").await;

        let grant = admin.patch(&format!("/api/users/{}", bob.user_id));
        grant.json(json!({"roles": ["editor"]})).await.expect(200);
        let used_verify_link = server.verification_link("bob@example.com").await;
        post(&server, "/api/auth/verify-email", &json!({"token": used_verify_link})).await;
        let used_reset_link = server.reset_link("dan@example.com").await;
        let reset = json!({"token": used_reset_link, "new_password": PASSWORD});
        post(&server, "/api/auth/reset-password", &reset).await;
        let disable = admin.patch(&format!("/api/users/{}", dan.user_id));
        disable.json(json!({"is_active": false})).await.expect(200);

        let change = json!({"new_email": "ann@new.example", "password": PASSWORD});
        ann.post("/api/auth/me/email").json(change).await.expect(200);
        let change = json!({"new_email": "eve@example.com", "password": PASSWORD});
        bob.post("/api/auth/me/email").json(change).await.expect(200);
        let bob_new_address_link = server.verification_link("eve@example.com").await;
        sign_up(&server, "eve", "Eve").await;

        let mails = admin.get("/api/mail").await.items();
        let sent = mails
            .iter()
            .find(|mail| mail["state"] == "sent" && mail["address"] == "bob@example.com");
        let message = text(&sent.expect("a letter to Bob")["id"]);
        let ended = signed_in(&server, "ann", "Ended").await;
        let elsewhere = ended.moved_to(server.anonymous());
        elsewhere.post("/api/auth/logout").await.expect(200);
        use_up_tries(&place).await;
        let mut scene = Self {
            nobody: server.browser(),
            ended,
            ann_phone: current_session(&signed_in(&server, "ann", "Phone").await).await,
            ann: signed_in(&server, "ann", "Laptop").await,
            bob_session: current_session(&bob).await,
            bob: signed_in(&server, "bob", "Laptop").await,
            admin: signed_in(&server, "admin@example.com", "Laptop").await,
            ann_product: product(&ann, "Desk lamp").await,
            bob_product: product(&bob, "Floor lamp").await,
            ann_verify_link: server.verification_link("ann@example.com").await,
            ann_new_address_link: server.verification_link("ann@new.example").await,
            ann_reset_link: server.reset_link("ann@example.com").await,
            admin_id: admin.user_id.clone(),
            ann_id: ann.user_id,
            bob_id: bob.user_id,
            dan_id: dan.user_id,
            bob_new_address_link,
            used_verify_link,
            used_reset_link,
            message,
            before: Arc::default(),
            place,
        };
        scene.before = Arc::new(State::of(&server, None).await);
        // Nobody may be connected to a database that is copied.
        server.database().close().await;
        server.stop().await;
        scene
    }

    pub(super) fn browser(&self, who: Who) -> &Browser {
        match who {
            Who::Nobody => &self.nobody,
            Who::Ended => &self.ended,
            Who::Ann => &self.ann,
            Who::Bob => &self.bob,
            Who::Admin => &self.admin,
        }
    }
}

async fn sign_up(server: &Server, username: &str, name: &str) -> ApiClient {
    let email = format!("{username}@example.com");
    let body = json!({"email": email, "username": username, "name": name, "password": PASSWORD});
    post(server, "/api/auth/register", &body).await;
    server.log_in(&email).await
}

async fn post(server: &Server, path: &str, body: &serde_json::Value) {
    server.anonymous().post(path).json(body).await.expect_success();
}

/// Of an account that there is not, as by any other: until a server that minds is asked, that is no matter.
async fn use_up_tries(place: &Place) {
    let server = place.start_with(&[("RATE_LIMITS", "on")]).await;
    let log_in = json!({"username": "tried@example.com", "password": PASSWORD});
    while server.anonymous().post("/api/auth/login").json(&log_in).await.status != 429 {}
    server.database().close().await;
    server.stop().await;
}

async fn signed_in(server: &Server, username: &str, device: &str) -> Browser {
    let browser = server.browser();
    let request = browser.post("/api/auth/login").header("user-agent", device);
    let body = json!({"username": username, "password": PASSWORD});
    request.json(body).await.expect(200);
    browser
}

async fn current_session(actor: &impl Actor) -> String {
    let sessions = actor.get("/api/auth/sessions").await.items();
    let current = sessions.iter().find(|session| session["current"] == true);
    text(&current.expect("the session that asks")["id"])
}

async fn product(owner: &ApiClient, name: &str) -> String {
    let body = json!({"name": name, "description": "Brass"});
    text(&owner.post("/api/products").json(body).await.expect(201).json()["id"])
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("text").to_owned()
}
