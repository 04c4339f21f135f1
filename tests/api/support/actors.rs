//! Who talks to the server.

use std::{net::SocketAddr, ops::Deref};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    PASSWORD, PUBLIC_URL,
    certificate::{Certificate, trust},
    jar::Jar,
    request::Request,
};

/// Anyone who sends requests.
pub(crate) trait Actor {
    fn request(&self, method: Method, path: &str) -> Request;

    fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    fn patch(&self, path: &str) -> Request {
        self.request(Method::PATCH, path)
    }

    fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }
}

/// A program that has not signed in: neither credentials nor any header that a browser would send.
#[derive(Clone)]
pub(crate) struct Anonymous {
    client: reqwest::Client,
    url: String,
}

impl Anonymous {
    pub(crate) fn at(address: SocketAddr) -> Self {
        // reqwest wants to know how it would speak TLS, also where it does not.
        let client = reqwest::Client::builder().use_preconfigured_tls(trust(&[]));
        Self::with(client, format!("http://{address}"))
    }

    /// The same over TLS, at an origin that is found at `address`; it trusts these certificates alone.
    pub(crate) fn over_tls(origin: &str, address: SocketAddr, trusted: &[&Certificate]) -> Self {
        let host = origin.trim_start_matches("https://").split(':').next().expect("a host");
        let client = reqwest::Client::builder().use_preconfigured_tls(trust(trusted));
        Self::with(client.resolve(host, address), origin.to_owned())
    }

    fn with(client: reqwest::ClientBuilder, url: String) -> Self {
        let client = client.redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        Self {
            client: client.expect("a client"),
            url,
        }
    }

    /// Signs `email` up with the usual password; gives the user.
    pub(crate) async fn sign_up(&self, email: &str) -> Value {
        let body = json!({"email": email, "password": PASSWORD});
        self.post("/api/auth/register").json(body).await.expect(201).json()
    }

    /// Logs `email` in.
    pub(crate) async fn log_in(&self, email: &str, password: &str) -> ApiClient {
        let body = json!({"email": email, "password": password});
        let reply = self.post("/api/auth/login").json(body).await.expect(200);
        let mut client = ApiClient {
            anonymous: self.clone(),
            user_id: String::new(),
            email: email.to_owned(),
            access_token: String::new(),
            refresh_token: String::new(),
        };
        client.take_tokens(&reply.json());
        let me = client.get("/api/auth/me").await.expect(200).json();
        me["id"].as_str().expect("an id").clone_into(&mut client.user_id);
        client
    }

    /// A new user, signed in.
    pub(crate) async fn user(&self, email: &str) -> ApiClient {
        self.sign_up(email).await;
        self.log_in(email, PASSWORD).await
    }
}

impl Actor for Anonymous {
    fn request(&self, method: Method, path: &str) -> Request {
        Request::new(&self.client, &method, &self.url, path)
    }
}

/// A program that signed in and sends its access token as a Bearer value.
#[derive(Clone)]
pub(crate) struct ApiClient {
    pub(crate) anonymous: Anonymous,
    pub(crate) user_id: String,
    pub(crate) email: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl ApiClient {
    /// Takes the tokens of a log-in's or refresh's answer.
    pub(crate) fn take_tokens(&mut self, answer: &Value) {
        answer["access_token"]
            .as_str()
            .expect("an access token")
            .clone_into(&mut self.access_token);
        answer["refresh_token"]
            .as_str()
            .expect("a refresh token")
            .clone_into(&mut self.refresh_token);
    }

    /// Exchanges the refresh token, which is good.
    pub(crate) async fn refresh(&mut self) {
        let reply = self
            .anonymous
            .post("/api/auth/refresh")
            .bearer(&self.refresh_token)
            .await
            .expect(200);
        self.take_tokens(&reply.json());
    }

    /// Whether the access token is still taken.
    pub(crate) async fn is_signed_in(&self) -> bool {
        self.get("/api/auth/me").await.status == 200
    }
}

impl Actor for ApiClient {
    fn request(&self, method: Method, path: &str) -> Request {
        self.anonymous.request(method, path).bearer(&self.access_token)
    }
}

/// An [`ApiClient`] whose user is an admin.
#[derive(Clone)]
pub(crate) struct Admin(pub(crate) ApiClient);

impl Deref for Admin {
    type Target = ApiClient;

    fn deref(&self) -> &ApiClient {
        &self.0
    }
}

impl Actor for Admin {
    fn request(&self, method: Method, path: &str) -> Request {
        self.0.request(method, path)
    }
}

/// A browser: it keeps cookies, and says of each request where it came from.
#[derive(Clone)]
pub(crate) struct Browser {
    anonymous: Anonymous,
    pub(crate) jar: Jar,
    site: &'static str,
    origin: String,
}

impl Browser {
    pub(crate) fn new(anonymous: Anonymous) -> Self {
        Self {
            anonymous,
            jar: Jar::default(),
            site: "same-origin",
            origin: PUBLIC_URL.to_owned(),
        }
    }

    /// The same browser with the same cookies, on a page of another origin.
    pub(crate) fn on_page_of(&self, site: &'static str, origin: &str) -> Self {
        Self {
            site,
            origin: origin.to_owned(),
            ..self.clone()
        }
    }

    /// The same browser on its way to where the server has moved. What becomes of its cookies there stays there.
    pub(crate) fn moved_to(&self, server: Anonymous) -> Self {
        Self {
            anonymous: server,
            jar: self.jar.copy(),
            ..self.clone()
        }
    }
}

impl Actor for Browser {
    fn request(&self, method: Method, path: &str) -> Request {
        let request = self.anonymous.request(method.clone(), path).with_jar(&self.jar);
        let request = request
            .header("sec-fetch-site", self.site)
            .header("sec-fetch-mode", "cors");
        // Browsers send Origin with what is unsafe, and with what goes to another origin.
        if method == Method::GET && self.site == "same-origin" {
            request
        } else {
            request.header("origin", &self.origin)
        }
    }
}
