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
