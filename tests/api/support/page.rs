//! Pages as a browser loads them, and forms as it sends them.

use super::{Actor, Browser, Reply, request::Request};

/// What browsers accept where a page is to be shown.
pub(crate) const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

impl Browser {
    /// Looks at a page.
    pub(crate) fn open(&self, path: &str) -> Request {
        self.get(path).header("accept", HTML)
    }

    /// Sends the form that posts to `form`.
    pub(crate) fn submit(&self, form: &str, fields: &[(&str, &str)]) -> Request {
        self.post(form).header("accept", HTML).form(fields)
    }

    /// Goes where `reply` leads to, until there is a page.
    pub(crate) async fn follow(&self, reply: Reply) -> Reply {
        let mut reply = reply;
        for _ in 0..5 {
            let Some(location) = reply.header("location").map(str::to_owned) else {
                return reply.expect_page(200);
            };
            assert!(location.starts_with('/') && !location.starts_with("//"), "{location}");
            // A browser keeps the fragment to itself.
            reply = self.open(location.split('#').next().unwrap_or_default()).await;
        }
        panic!("it leads on and on: {reply:?}");
    }

    /// Sends a form and goes where its answer leads.
    pub(crate) async fn send(&self, form: &str, fields: &[(&str, &str)]) -> Reply {
        self.follow(self.submit(form, fields).await.expect(303)).await
    }
}

impl Reply {
    /// A page with this status, whole and in HTML.
    #[track_caller]
    pub(crate) fn expect_page(self, status: u16) -> Self {
        let reply = self.expect(status);
        assert_eq!(
            reply.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{}",
            reply.text()
        );
        let html = reply.text();
        assert!(
            html.starts_with("<!DOCTYPE html><html lang=\"en\">") && html.ends_with("</html>"),
            "{html}"
        );
        reply
    }

    /// A redirect after a form; gives where it leads.
    #[track_caller]
    pub(crate) fn expect_see_other(self) -> String {
        let reply = self.expect(303);
        assert!(reply.body.is_empty(), "{}", reply.text());
        reply.header("location").expect("where it leads").to_owned()
    }

    /// What somebody reads on the page.
    pub(crate) fn page_text(&self) -> String {
        text_of(&self.text())
    }

    /// Asserts that somebody reads `words` on the page.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        let text = self.page_text();
        assert!(text.contains(words), "no {words:?} in: {text}");
        self
    }
}

/// The text of a page, without its tags. Where a word may be broken, it is still one.
fn text_of(html: &str) -> String {
    let html = html.replace("<wbr>", "");
    let mut text = String::new();
    let (mut in_tag, mut in_quotes) = (false, false);
    for character in html.chars() {
        match character {
            '<' if !in_tag => in_tag = true,
            '>' if in_tag && !in_quotes => {
                in_tag = false;
                text.push(' ');
            }
            '"' if in_tag => in_quotes = !in_quotes,
            _ if in_tag => {}
            _ => text.push(character),
        }
    }
    unescape(&text)
}

/// The value of the field `name` that comes first on the page.
pub(crate) fn field_value(html: &str, name: &str) -> Option<String> {
    let tags = html.split("<input").skip(1);
    let mut tags = tags.filter(|tag| {
        tag.split('>')
            .next()
            .is_some_and(|tag| tag.contains(&format!(" name=\"{name}\"")))
    });
    let (_, value) = tags.next()?.split_once(" value=\"")?;
    value.split('"').next().map(unescape)
}

fn unescape(text: &str) -> String {
    let marks = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ];
    marks
        .iter()
        .fold(text.to_owned(), |text, (mark, character)| text.replace(mark, character))
}
