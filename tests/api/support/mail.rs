//! Mail as its addressee reads it, in the built-in mailbox.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Actor, Anonymous};

/// How long the worker may take; far longer than it does.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Mail {
    /// The token in a link to `page`, if there is such a link.
    pub(crate) fn link_token(&self, page: &str) -> Option<String> {
        let (_, rest) = self.text.split_once(&format!("{page}?token="))?;
        let end = rest.find(|character: char| !(character.is_ascii_alphanumeric() || "_-".contains(character)));
        Some(rest[..end.unwrap_or(rest.len())].to_owned())
    }
}

/// Everything delivered so far, newest first.
pub(crate) async fn delivered(reader: &Anonymous) -> Vec<Mail> {
    let reply = reader.get("/dev/mail.json").await.expect(200);
    serde_json::from_value(reply.json()).expect("a list of mails")
}

/// Waits for `count` mails to `email` and gives them, newest first.
pub(crate) async fn mail_to(reader: &Anonymous, email: &str, count: usize) -> Vec<Mail> {
    wait_for(reader, count, |mail| mail.to.contains(email)).await
}

/// Waits until `count` mails that `wanted` picks have arrived, and gives them, newest first.
pub(crate) async fn wait_for(reader: &Anonymous, count: usize, wanted: impl Fn(&Mail) -> bool) -> Vec<Mail> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = delivered(reader).await;
        let mails: Vec<Mail> = all.iter().filter(|mail| wanted(mail)).cloned().collect();
        if mails.len() >= count {
            return mails;
        }
        let subjects: Vec<_> = all.iter().map(|mail| (&mail.to, &mail.subject)).collect();
        assert!(
            Instant::now() < deadline,
            "{} of {count} mails came; all there are: {subjects:?}",
            mails.len()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
