//! The server that production starts, in this process, with time in the test's hands.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use sqlx::{AnyPool, Row, any::AnyPoolOptions};
use vestibule::{
    app::{self, App, Services},
    config::Config,
};

use super::{
    Actor, Admin, Anonymous, ApiClient, Browser, PASSWORD, PUBLIC_URL, Place,
    mail::{self, Mail},
    metrics::Metrics,
};

/// Beside the variables that operators have: how long each step of a delivery may take.
pub(crate) const SMTP_STEP_SECONDS: &str = "(SMTP step seconds)";

pub(crate) struct Server {
    pub(crate) place: Place,
    app: App,
    anonymous: Anonymous,
    database: AnyPool,
}

/// The least that makes a test's server its own.
pub(crate) fn settings(place: &Place) -> Vec<(String, String)> {
    [
        ("HOST", "127.0.0.1"),
        ("PUBLIC_URL", PUBLIC_URL),
        ("DATA_DIR", place.directory().to_str().expect("a path of text")),
        ("DATABASE_URL", place.database_url()),
        ("SEALING_KEY", "Zk3vQ9rLx7TnB2mWc5YhJd8FsGa4UePq-sealing"),
        // All that a test does comes from one address.
        ("RATE_LIMITS", "off"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

impl Place {
    pub(crate) async fn start(&self) -> Server {
        self.start_with(&[]).await
    }

    /// Starts a server with these variables besides, or instead of, the usual ones.
    pub(crate) async fn start_with(&self, variables: &[(&str, &str)]) -> Server {
        let app = self.try_start(variables).await.expect("the server starts");
        Server {
            place: self.clone(),
            anonymous: Anonymous::at(app.address()),
            app,
            database: self.pool(),
        }
    }

    pub(crate) async fn try_start(&self, variables: &[(&str, &str)]) -> anyhow::Result<App> {
        Ok(app::start(self.config(variables)?, self.clock().clone()).await?)
    }

    /// The operations alone, without anybody who does something by themself.
    pub(crate) async fn services(&self) -> Services {
        let config = self.config(&[]).expect("a configuration");
        let opened = Services::open(&config, self.clock().clone()).await;
        opened.expect("the database opens")
    }

    fn config(&self, variables: &[(&str, &str)]) -> anyhow::Result<Config> {
        let usual = settings(self);
        let usual = usual.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let usual = usual.filter(|(name, _)| !variables.iter().any(|(other, _)| other == name));
        let mut config = Config::from_variables(usual.chain(variables.iter().copied()))?;
        // What an operator may not choose, for good reasons, and a test must: any free port.
        config.port = 0;
        if let Some(address) = &mut config.metrics_addr {
            address.set_port(0);
        }
        if let Some(smtp) = &mut config.smtp {
            let limit = variables.iter().find(|(name, _)| *name == SMTP_STEP_SECONDS);
            let seconds = limit.map_or(20, |(_, seconds)| seconds.parse().expect("a number"));
            smtp.step_limit = Duration::from_secs(seconds);
        }
        // Hashing at a production's price would be most of the time that the tests take.
        if !variables.iter().any(|(name, _)| name.starts_with("ARGON2")) {
            (config.argon2_memory_kib, config.argon2_passes) = (8, 1);
        }
        Ok(config)
    }

    fn pool(&self) -> AnyPool {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().max_connections(2);
        options.connect_lazy(self.database_url()).expect("a pool")
    }

    /// What a query counts.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let count = sqlx::query_scalar(sql).fetch_one(&self.pool()).await;
        count.expect("a count")
    }
}

impl Server {
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// The database, behind the server's back.
    pub(crate) fn database(&self) -> &AnyPool {
        &self.database
    }

    /// Its metrics, as a monitor reads them.
    pub(crate) async fn metrics(&self) -> Metrics {
        let address = self.app.metrics_address().expect("METRICS_ADDR");
        let reply = Anonymous::at(address).get("/metrics").await.expect(200);
        assert_eq!(
            reply.header("content-type"),
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        Metrics::parse(&reply.text())
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.place.clock().advance(Duration::from_secs(seconds));
    }

    /// Sets the clock back.
    pub(crate) fn set_back(&self, seconds: u64) {
        self.place.clock().set_back(Duration::from_secs(seconds));
    }

    pub(crate) async fn stop(self) {
        self.app.stop().await;
    }

    pub(crate) fn anonymous(&self) -> Anonymous {
        self.anonymous.clone()
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.anonymous())
    }

    /// Signs `email` up with the usual password; gives the user.
    pub(crate) async fn sign_up(&self, email: &str) -> Value {
        self.anonymous.sign_up(email).await
    }

    /// Logs `email` in with the usual password.
    pub(crate) async fn log_in(&self, email: &str) -> ApiClient {
        self.log_in_with(email, PASSWORD).await
    }

    pub(crate) async fn log_in_with(&self, email: &str, password: &str) -> ApiClient {
        self.anonymous.log_in(email, password).await
    }

    pub(crate) async fn refuses_log_in(&self, email: &str, password: &str) {
        let body = json!({"email": email, "password": password});
        let reply = self.anonymous.post("/api/auth/login").json(body).await;
        reply.expect_problem(401, "invalid_credentials");
    }

    /// A new user, signed in.
    pub(crate) async fn user(&self, email: &str) -> ApiClient {
        self.anonymous.user(email).await
    }

    /// A new user, signed in with a browser.
    pub(crate) async fn user_with_browser(&self, email: &str) -> Browser {
        self.sign_up(email).await;
        let browser = self.browser();
        browser
            .post("/api/auth/login")
            .json(json!({"email": email, "password": PASSWORD}))
            .await
            .expect(200);
        browser
    }

    /// A new admin, signed in.
    pub(crate) async fn admin(&self, email: &str) -> Admin {
        let user = self.sign_up(email).await;
        self.grant(user["id"].as_str().expect("an id"), "admin").await;
        Admin(self.log_in(email).await)
    }

    async fn grant(&self, user_id: &str, role: &str) {
        sqlx::query("INSERT INTO user_roles (user_id, role) VALUES ($1, $2)")
            .bind(user_id)
            .bind(role)
            .execute(&self.database)
            .await
            .expect("a role");
    }

    /// Replaces the stored hash of a user's password.
    pub(crate) async fn set_password_hash(&self, email: &str, hash: &str) {
        let done = sqlx::query("UPDATE users SET password_hash = $1 WHERE email = $2")
            .bind(hash)
            .bind(email)
            .execute(&self.database)
            .await
            .expect("a hash");
        assert_eq!(done.rows_affected(), 1);
    }

    pub(crate) async fn password_hash(&self, email: &str) -> String {
        sqlx::query_scalar("SELECT password_hash FROM users WHERE email = $1")
            .bind(email)
            .fetch_one(&self.database)
            .await
            .expect("a hash")
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.database)
            .await
            .expect("a count")
    }

    /// One text that the database holds.
    pub(crate) async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(&self.database).await.expect("a text")
    }

    /// What the database holds, but for the audit log and the outbox, which also record what was refused. Two equal
    /// snapshots mean that nothing was changed in between.
    pub(crate) async fn snapshot(&self) -> Vec<String> {
        const ROWS: [&str; 7] = [
            "SELECT id || email || COALESCE(username, '') || COALESCE(name, '') || password_hash \
             || COALESCE(email_verified_at, 0) || ' ' || COALESCE(disabled_at, 0) FROM users",
            "SELECT user_id || role FROM user_roles",
            "SELECT id || ' ' || user_id || ' ' || expires_at FROM sessions",
            "SELECT hash || ' ' || COALESCE(used_at, 0) FROM refresh_tokens",
            "SELECT hash || user_id || kind FROM link_tokens",
            "SELECT user_id || device || network || last_at FROM places",
            "SELECT id || name || COALESCE(description, '') || owner_id FROM products",
        ];
        self.mail_is_done().await;
        let mut snapshot = Vec::new();
        for sql in ROWS {
            let mut rows: Vec<String> = sqlx::query_scalar(sql)
                .fetch_all(&self.database)
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
            rows.sort();
            snapshot.extend(rows);
        }
        snapshot
    }

    /// Waits until the mail worker, which makes link tokens, has nothing left to do.
    pub(crate) async fn mail_is_done(&self) {
        const WAITING: &str = "SELECT COUNT(*) FROM outbox WHERE state IN ('waiting', 'sending')";
        for _ in 0..1000 {
            if !self.app.has_mailbox() || self.count(WAITING).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("mail is still waiting");
    }

    /// Lets time pass, and the mail worker see it.
    pub(crate) fn advance_mail(&self, seconds: u64) {
        self.advance(seconds);
        self.app.mail().wake();
    }

    /// Waits until what was last written to `email` is in this state, after so many tries, and gives what went wrong.
    pub(crate) async fn message_is(&self, email: &str, state: &str, attempts: i64) -> String {
        const LAST: &str = "SELECT state, attempts, COALESCE(last_error, '') AS last_error FROM outbox \
                            WHERE address = $1 ORDER BY id DESC LIMIT 1";
        let mut last = None;
        for _ in 0..2000 {
            let row = sqlx::query(LAST).bind(email).fetch_one(&self.database).await;
            let row = row.expect("a message");
            let (is, tries, error): (String, i64, String) = (row.get(0), row.get(1), row.get(2));
            if is == state && tries == attempts {
                return error;
            }
            last = Some((is, tries, error));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the message to {email} is not {state} after {attempts} tries but {last:?}");
    }

    /// Waits for `count` mails to `email` and gives them, newest first.
    pub(crate) async fn mails(&self, email: &str, count: usize) -> Vec<Mail> {
        mail::mail_to(&self.anonymous, email, count).await
    }

    /// The tokens of `count` links to `page` that were mailed to `email`, once they have come.
    pub(crate) async fn links(&self, email: &str, page: &str, count: usize) -> Vec<String> {
        let to_page = |mail: &Mail| mail.to.contains(email) && mail.link_token(page).is_some();
        let mails = mail::wait_for(&self.anonymous, count, to_page).await;
        mails.iter().filter_map(|mail| mail.link_token(page)).collect()
    }

    pub(crate) async fn verification_link(&self, email: &str) -> String {
        self.links(email, "/verify-email", 1).await.remove(0)
    }

    /// Asks for a reset link for `email` and waits for it.
    pub(crate) async fn reset_link(&self, email: &str) -> String {
        self.anonymous()
            .post("/api/auth/forgot-password")
            .json(json!({"email": email}))
            .await
            .expect(200);
        self.links(email, "/reset-password", 1).await.remove(0)
    }

    /// Every event of the audit log, newest first, as an admin reads it.
    pub(crate) async fn events(&self, admin: &Admin) -> Vec<Value> {
        admin.get("/api/audit?limit=100").await.items()
    }
}
