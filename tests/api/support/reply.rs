//! An answer, read whole, and what may be asked of it.

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The request's method and path, for messages.
    asked: String,
}

/// One Set-Cookie header.
#[derive(Clone, Debug)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    attributes: Vec<(String, String)>,
}

impl SetCookie {
    fn parse(header: &str) -> Self {
        let mut parts = header.split(';').map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.trim().to_owned(), value.trim().to_owned())
        });
        let (name, value) = parts.next().expect("a cookie's name and value");
        Self {
            name,
            value,
            attributes: parts.map(|(name, value)| (name.to_lowercase(), value)).collect(),
        }
    }

    /// An attribute's value; empty for those that have none.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        self.attributes
            .iter()
            .find(|(attribute, _)| *attribute == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_removal(&self) -> bool {
        self.value.is_empty() || self.attribute("Max-Age") == Some("0")
    }
}

impl Reply {
    pub(crate) async fn read(asked: String, response: reqwest::Response) -> Self {
        Self::try_read(asked, response).await.expect("the whole body")
    }

    pub(crate) async fn try_read(asked: String, response: reqwest::Response) -> reqwest::Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await?.to_vec();
        Ok(Self {
            status,
            headers,
            body,
            asked,
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {} is not JSON ({error}): {}", self.asked, self.status, self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a header of text"))
    }

    pub(crate) fn cookies(&self) -> Vec<SetCookie> {
        let headers = self.headers.get_all("set-cookie").iter();
        headers
            .map(|header| SetCookie::parse(header.to_str().expect("a cookie of text")))
            .collect()
    }

    #[track_caller]
    pub(crate) fn cookie(&self, name: &str) -> SetCookie {
        let cookies = self.cookies();
        let found = cookies.iter().find(|cookie| cookie.name == name).cloned();
        found.unwrap_or_else(|| panic!("{}: no cookie {name} among {cookies:?}", self.asked))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self
    }

    /// Any 2xx, where the contract does not say which.
    #[track_caller]
    pub(crate) fn expect_success(self) -> Self {
        assert!(
            (200..300).contains(&self.status),
            "{}: {} {}",
            self.asked,
            self.status,
            self.text()
        );
        self
    }

    /// A problem document of RFC 9457 with this status and code, and nothing of the inside in it.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect_any_problem(status);
        assert_eq!(problem["code"], code, "{}: {problem}", self.asked);
        problem
    }

    /// A problem document with this status, where the contract leaves the code open.
    #[track_caller]
    pub(crate) fn expect_any_problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        let kind = self.header("content-type").unwrap_or_default();
        assert!(
            kind.starts_with("application/problem+json"),
            "{}: {kind} {}",
            self.asked,
            self.text()
        );
        let problem = self.json();
        assert_eq!(problem["status"], status, "{}: {problem}", self.asked);
        for member in ["type", "title", "detail", "code"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: no {member} in {problem}", self.asked);
        }
        for error in problem["errors"].as_array().into_iter().flatten() {
            let message = error["message"].as_str().unwrap_or_default();
            assert!(message.ends_with('.'), "{}: no sentence in {error}", self.asked);
        }
        if status == 401 {
            let challenge = self.header("www-authenticate").unwrap_or_default();
            assert!(
                challenge.starts_with("Bearer"),
                "{}: WWW-Authenticate: {challenge:?}",
                self.asked
            );
        }
        if status == 503 || status == 429 {
            assert!(self.header("retry-after").is_some(), "{}: no Retry-After", self.asked);
        }
        problem
    }

    /// Any of the problems that a client can cause.
    #[track_caller]
    pub(crate) fn expect_refusal(&self) -> Value {
        let known = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 431];
        assert!(
            known.contains(&self.status),
            "{}: {} {}",
            self.asked,
            self.status,
            self.text()
        );
        self.expect_any_problem(self.status)
    }

    /// A 422 that names `field` among its errors; gives that error's code.
    #[track_caller]
    pub(crate) fn expect_invalid_field(&self, field: &str) -> String {
        let problem = self.expect_any_problem(422);
        let errors = problem["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("{}: no errors in {problem}", self.asked));
        let error = errors.iter().find(|error| error["field"] == field);
        let error = error.unwrap_or_else(|| panic!("{}: nothing about {field} in {problem}", self.asked));
        assert!(
            !error["message"].as_str().unwrap_or_default().is_empty(),
            "{}: {problem}",
            self.asked
        );
        let code = error["code"].as_str().unwrap_or_default();
        assert!(!code.is_empty(), "{}: {problem}", self.asked);
        code.to_owned()
    }

    /// The items of a canonical list.
    #[track_caller]
    pub(crate) fn items(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}: {}", self.asked, self.text());
        let list = self.json();
        assert!(
            list.get("next_cursor").is_some(),
            "{}: no next_cursor in {list}",
            self.asked
        );
        list["items"]
            .as_array()
            .unwrap_or_else(|| panic!("{}: no items in {list}", self.asked))
            .clone()
    }

    /// All that a client could compare two answers by: the status, every header that is not different in any two
    /// answers, and the body.
    pub(crate) fn observable(&self) -> (StatusCode, Vec<(String, String)>, String) {
        let mut headers: Vec<(String, String)> = self
            .headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
            .collect();
        headers.sort();
        (StatusCode::from_u16(self.status).unwrap(), headers, self.text())
    }
}
