//! A browser's cookies.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::Reply;

/// Keeps what a server sets, as a browser on that one host would; shared by a browser's requests.
#[derive(Clone, Default)]
pub(crate) struct Jar(Arc<Mutex<BTreeMap<String, String>>>);

impl Jar {
    /// The Cookie header, if there is anything to send.
    pub(crate) fn header(&self) -> Option<String> {
        let cookies = self.0.lock().unwrap();
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub(crate) fn absorb(&self, reply: &Reply) {
        let mut cookies = self.0.lock().unwrap();
        for cookie in reply.cookies() {
            if cookie.is_removal() {
                cookies.remove(&cookie.name);
            } else {
                cookies.insert(cookie.name, cookie.value);
            }
        }
    }

    /// The same cookies in a jar of their own.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        self.0.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap().get(name).cloned()
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}
