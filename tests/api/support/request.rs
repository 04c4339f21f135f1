//! A request as an actor sends it: built up, then awaited.

use std::{future::IntoFuture, pin::Pin};

use reqwest::{Method, RequestBuilder};
use serde::Serialize;

use super::{Reply, jar::Jar};

#[must_use]
pub(crate) struct Request {
    asked: String,
    builder: RequestBuilder,
    jar: Option<Jar>,
}

impl Request {
    pub(crate) fn new(client: &reqwest::Client, method: &Method, url: &str, path: &str) -> Self {
        let builder = client.request(method.clone(), format!("{url}{path}"));
        Self {
            asked: format!("{method} {path}"),
            builder,
            jar: None,
        }
    }

    /// Sends the jar's cookies along and keeps what comes back.
    pub(crate) fn with_jar(mut self, jar: &Jar) -> Self {
        if let Some(cookies) = jar.header() {
            self.builder = self.builder.header("cookie", cookies);
        }
        self.jar = Some(jar.clone());
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.builder = self.builder.header(name, value.as_ref());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(mut self, body: impl Serialize) -> Self {
        self.builder = self.builder.json(&body);
        self
    }

    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.builder = self.builder.form(fields);
        self
    }

    /// A body as it is, of the given type.
    pub(crate) fn body(mut self, kind: &str, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header("content-type", kind).body(body);
        self
    }
}

impl Request {
    /// The status of the answer, if there was one.
    pub(crate) async fn status(self) -> Option<u16> {
        let response = self.builder.send().await.ok()?;
        Some(response.status().as_u16())
    }

    /// The answer, if one came, and whole.
    pub(crate) async fn answer(self) -> Option<Reply> {
        let response = self.builder.send().await.ok()?;
        Reply::try_read(self.asked, response).await.ok()
    }
}

impl IntoFuture for Request {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let response = self.builder.send().await;
            let response = response.unwrap_or_else(|error| panic!("{}: no answer: {error:?}", self.asked));
            let reply = Reply::read(self.asked, response).await;
            if let Some(jar) = self.jar {
                jar.absorb(&reply);
            }
            reply
        })
    }
}
