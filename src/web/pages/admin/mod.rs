//! `/admin`: for those who administer the site. Each operation asks itself whether its actor may.

mod audit;
mod mail;
mod user;
mod users;

use axum::Router;

use crate::web::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .merge(users::router())
        .merge(user::router())
        .merge(audit::router())
        .merge(mail::router())
}

/// A filter of a list: a field that was left empty asks for nothing.
fn asked(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A list with its filters, to which `Pages` adds where it goes on.
fn filtered(page: &str, filters: &[(&str, &str)]) -> String {
    let asked = filters.iter().filter(|(_, value)| !value.is_empty());
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(asked);
    let query = query.finish();
    if query.is_empty() {
        page.to_owned()
    } else {
        format!("{page}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_the_filters_that_are_set() {
        assert_eq!(filtered("/admin/users", &[("q", ""), ("role", "")]), "/admin/users");
        assert_eq!(
            filtered("/admin/users", &[("q", "a&b"), ("role", ""), ("status", "active")]),
            "/admin/users?q=a%26b&status=active"
        );
    }
}
