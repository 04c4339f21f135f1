//! Where the templates' clients find what they know: the one table of their paths.

use aide::axum::routing::ApiMethodRouter;

use super::{
    finish_reset,
    listing::PlainArray,
    log_in, log_out, me,
    products::{self, ProductResponse},
    refresh, request_reset, sign_up, users,
    wire::UserResponse,
};
use crate::web::AppState;

/// An operation at the path that a template documents. It is the same handler as at the canonical path.
pub(super) struct Alias {
    pub(super) path: &'static str,
    /// The canonical method and path.
    pub(super) canonical: &'static str,
    /// The template's number.
    pub(super) template: &'static str,
    pub(super) route: fn() -> ApiMethodRouter<AppState>,
}

const fn alias(
    path: &'static str,
    canonical: &'static str,
    template: &'static str,
    route: fn() -> ApiMethodRouter<AppState>,
) -> Alias {
    Alias {
        path,
        canonical,
        template,
        route,
    }
}

/// Paths stand as the templates write them, with or without a trailing slash; both are answered at any path.
pub(super) const ALIASES: [Alias; 16] = [
    alias("/auth/register", "POST /api/auth/register", "002", sign_up::route),
    alias("/register", "POST /api/auth/register", "004", sign_up::route),
    alias("/users/", "POST /api/auth/register", "003", sign_up::route),
    alias("/users", "POST /api/auth/register", "003", sign_up::route),
    alias("/token", "POST /api/auth/login", "000 and 004", log_in::route),
    alias("/auth/login", "POST /api/auth/login", "002", log_in::route),
    alias("/login", "POST /api/auth/login", "003", log_in::route),
    alias("/auth/refresh", "POST /api/auth/refresh", "002", refresh::route),
    alias("/auth/logout", "POST /api/auth/logout", "002", log_out::route),
    alias("/users/me", "GET /api/auth/me", "000, 002 and 004", me::show_route),
    alias("/current-user", "GET /api/auth/me", "003", me::show_route),
    alias(
        "/auth/forgot-password",
        "POST /api/auth/forgot-password",
        "002",
        request_reset::route,
    ),
    alias(
        "/auth/change-password",
        "POST /api/auth/reset-password",
        "002",
        finish_reset::route,
    ),
    alias(
        "/users/",
        "GET /api/users",
        "003",
        users::list_route::<PlainArray<UserResponse>>,
    ),
    alias(
        "/users",
        "GET /api/users",
        "003",
        users::list_route::<PlainArray<UserResponse>>,
    ),
    alias("/users/{id}", "GET /api/users/{id}", "003", users::show_route),
];

/// Those of the worked example, which `PRODUCTS` switches off.
pub(super) const PRODUCT_ALIASES: [Alias; 6] = [
    alias("/product/", "POST /api/products", "003", products::create_route),
    alias("/product", "POST /api/products", "003", products::create_route),
    alias(
        "/product/",
        "GET /api/products",
        "003",
        products::list_route::<PlainArray<ProductResponse>>,
    ),
    alias(
        "/product",
        "GET /api/products",
        "003",
        products::list_route::<PlainArray<ProductResponse>>,
    ),
    alias("/product/{id}", "GET /api/products/{id}", "003", products::show_route),
    alias(
        "/users/me/items",
        "GET /api/products",
        "000",
        products::list_own_route::<PlainArray<ProductResponse>>,
    ),
];
