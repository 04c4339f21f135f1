//! `?next=`: where a visitor was going when they were asked to sign in.

use url::Url;

use crate::web::{Site, paths::MAX_NEXT_BYTES};

/// Where to go after signing in, if `text` names a page of this site or of an allowed origin.
///
/// Anything else would make our own sign-in page lead to a stranger's, which asks for the password once more. The same
/// parser decides that browsers use (WHATWG URL), so that a backslash, a tab or a missing scheme means here what it means
/// there.
pub(in crate::web) fn parse(site: &Site, text: &str) -> Option<String> {
    // Browsers strip tabs and line breaks out of URLs; nobody else writes them.
    if text.len() > MAX_NEXT_BYTES || text.chars().any(|c| c.is_control() || c == '\\') {
        return None;
    }
    let home = Url::parse(site.public_url.origin()).ok()?;
    let is_path = text.starts_with('/');
    let url = if is_path { home.join(text) } else { Url::parse(text) }.ok()?;
    // A `blob:` URL has the origin of what made it.
    let is_web = matches!(url.scheme(), "http" | "https");
    let is_plain = is_web && url.username().is_empty() && url.password().is_none();
    if !is_plain || !site.trusts(&url.origin().ascii_serialization()) {
        return None;
    }
    if url.origin() != home.origin() {
        return Some(url.into());
    }
    let path = &url[url::Position::BeforePath..];
    // "/.//evil.example" resolves to a path that browsers read as the name of a host.
    let names_a_host = path.starts_with("//");
    (!names_a_host).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::token::edits::edits;

    fn parsed(text: &str) -> Option<String> {
        parse(&Site::for_tests(&["https://app.example"]), text)
    }

    #[test]
    fn a_page_of_this_site_is_kept_with_query_and_fragment() {
        for path in ["/", "/profile", "/a?b=c&d#e", "/products/1"] {
            assert_eq!(parsed(path).as_deref(), Some(path));
        }
        assert_eq!(parsed("http://localhost:8000/a?b").as_deref(), Some("/a?b"));
        assert_eq!(parsed("/a/../b").as_deref(), Some("/b"));
    }

    #[test]
    fn a_page_of_an_allowed_origin_is_kept_whole() {
        assert_eq!(
            parsed("https://app.example/a?b").as_deref(),
            Some("https://app.example/a?b")
        );
    }

    #[test]
    fn every_other_target_is_dropped() {
        let targets = [
            "",
            "profile",
            "//evil.example",
            "//evil.example/profile",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/%0a/evil.example\n",
            "/.//evil.example",
            "/..//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "https://evil.example",
            "https:evil.example",
            "http:/evil.example",
            "https://app.example.evil.example",
            "https://app.example@evil.example",
            "https://user@app.example/",
            "http://app.example/",
            "https://app.example:444/",
            "http://localhost:8000@evil.example/",
            "http://localhost:8001/",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "blob:http://localhost:8000/x",
            "ftp://localhost:8000/",
        ];
        for target in targets {
            assert_eq!(parsed(target), None, "{target:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_kept_leads_to_a_trusted_origin(text in "[/\\\\.:@%a-z?#\t ]{0,24}|https?:[/\\\\]{0,3}[a-z@.:]{0,24}") {
            if let Some(kept) = parsed(&text) {
                let base = Url::parse("http://localhost:8000/login").unwrap();
                let origin = base.join(&kept).unwrap().origin().ascii_serialization();
                prop_assert!(["http://localhost:8000", "https://app.example"].contains(&origin.as_str()), "{}", kept);
            }
        }

        #[test]
        fn whatever_is_made_of_a_good_target_stays_here_and_is_kept_as_it_is_from_then_on(
            good in prop::sample::select(vec!["/profile?a=b#c", "https://app.example/a?b", "http://localhost:8000/a"]),
            edits in edits(),
            put in "[/\\\\@:?#.%\t\n ]{0,3}",
            at: prop::sample::Index,
        ) {
            let mut text = edits.of(good);
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
            text.insert_str(*at.get(&places), &put);
            if let Some(kept) = parsed(&text) {
                prop_assert_eq!(parsed(&kept), Some(kept.clone()), "{:?}", text);
                let page = Url::parse("http://localhost:8000/login").unwrap().join(&kept).unwrap();
                let origin = page.origin().ascii_serialization();
                prop_assert!(["http://localhost:8000", "https://app.example"].contains(&origin.as_str()), "{}", kept);
            }
        }
    }

    #[test]
    fn a_target_without_bounds_is_dropped() {
        let longest = format!("/{}", "a".repeat(MAX_NEXT_BYTES - 1));
        assert_eq!(parsed(&longest).as_deref(), Some(longest.as_str()));
        assert_eq!(parsed(&format!("{longest}a")), None);
    }
}
