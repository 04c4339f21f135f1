//! Paths of this site with queries, put together in one place, so that nothing stands in one unescaped.

use url::form_urlencoded::Serializer;

/// The longest place to go on to, in bytes: longer than what browsers and proxies all take as an address. What is longer
/// was made by nobody's click, and would come back, escaped to three times its length, in a header that proxies give a
/// few KiB.
pub(crate) const MAX_NEXT_BYTES: usize = 2048;

/// `path` with these fields as its query.
pub(crate) fn with_query<K: AsRef<str>, V: AsRef<str>>(path: &str, fields: impl IntoIterator<Item = (K, V)>) -> String {
    let query = Serializer::new(String::new()).extend_pairs(fields).finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// `path`, which hands on where to go afterwards, if that is anywhere.
pub(crate) fn with_next(path: &str, next: Option<&str>) -> String {
    let next = next.filter(|next| !next.is_empty() && next.len() <= MAX_NEXT_BYTES);
    with_query(path, next.map(|next| ("next", next)))
}

/// The page that asks for a password, and afterwards leads on to `next`.
pub(crate) fn login_path(next: Option<&str>) -> String {
    with_next("/login", next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_query_is_escaped() {
        assert_eq!(with_query::<&str, &str>("/admin/users", []), "/admin/users");
        let fields = [("q", "a&b"), ("status", "")];
        assert_eq!(with_query("/admin/users", fields), "/admin/users?q=a%26b&status=");
    }

    #[test]
    fn where_to_go_is_handed_on_unless_it_is_nowhere_or_has_no_bound() {
        assert_eq!(login_path(Some("/a?b=c&d")), "/login?next=%2Fa%3Fb%3Dc%26d");
        assert_eq!(login_path(Some("")), "/login");
        assert_eq!(login_path(None), "/login");
        let long = format!("/{}", "a".repeat(MAX_NEXT_BYTES - 1));
        assert_eq!(login_path(Some(&long)), format!("/login?next=%2F{}", &long[1..]));
        assert_eq!(login_path(Some(&format!("{long}a"))), "/login");
    }
}
