//! The JSON API: one handler per operation, which parses, calls the domain once, and translates what came of it.

mod aliases;
mod audit;
pub(super) mod csp_report;
mod docs;
mod examples;
mod finish_reset;
mod forward;
mod health;
mod jwks;
mod listing;
mod log_in;
mod log_out;
mod mail;
mod me;
mod openapi;
mod password_strength;
mod products;
mod refresh;
mod request_reset;
mod resend_verification;
mod sessions;
mod sign_up;
mod users;
mod verify_email;
mod wire;

use aide::{
    axum::{ApiRouter, routing::ApiMethodRouter},
    generate,
};
use axum::{Router, response::Response};

use self::{
    aliases::{ALIASES, Alias, PRODUCT_ALIASES},
    listing::Paged,
    products::ProductResponse,
    wire::UserResponse,
};
use super::{AppState, problem::Problem};

type Route = fn() -> ApiMethodRouter<AppState>;

const CANONICAL: [(&str, Route); 35] = [
    ("/api/auth/register", sign_up::route),
    ("/api/auth/login", log_in::route),
    ("/api/auth/refresh", refresh::route),
    ("/api/auth/logout", log_out::route),
    ("/api/auth/me", me::show_route),
    ("/api/auth/me", me::update_route),
    ("/api/auth/me", me::delete_route),
    ("/api/auth/me/export", me::export_route),
    ("/api/auth/me/password", me::password_route),
    ("/api/auth/me/email", me::email_route),
    ("/api/auth/sessions", sessions::list_route),
    ("/api/auth/sessions", sessions::end_others_route),
    ("/api/auth/sessions/{id}", sessions::end_route),
    ("/api/auth/forgot-password", request_reset::route),
    ("/api/auth/reset-password", finish_reset::route),
    ("/api/auth/verify-email", verify_email::route),
    ("/api/auth/resend-verification", resend_verification::route),
    ("/api/auth/password-strength", password_strength::route),
    ("/api/auth/forward", forward::route),
    ("/api/users", users::list_route::<Paged<UserResponse>>),
    ("/api/users/{id}", users::show_route),
    ("/api/users/{id}", users::update_route),
    ("/api/users/{id}", users::delete_route),
    ("/api/users/{id}/logout", users::log_out_route),
    ("/api/users/{id}/reset-password", users::mail_reset_route),
    ("/api/audit", audit::route),
    ("/api/mail", mail::list_route),
    ("/api/mail/{id}/resend", mail::resend_route),
    ("/api/csp-report", csp_report::route),
    ("/.well-known/jwks.json", jwks::route),
    ("/openapi.json", docs::openapi_route),
    ("/docs", docs::swagger_route),
    ("/redoc", docs::redoc_route),
    ("/health/live", health::live_route),
    ("/health/ready", health::ready_route),
];

const PRODUCTS: [(&str, Route); 5] = [
    ("/api/products", products::list_route::<Paged<ProductResponse>>),
    ("/api/products", products::create_route),
    ("/api/products/{id}", products::show_route),
    ("/api/products/{id}", products::update_route),
    ("/api/products/{id}", products::delete_route),
];

/// All routes of the API. What is said of them while they are made is dropped at once: all of it together would be a good part
/// of what a server that has just started holds in memory.
pub(super) fn router(products: bool) -> Router<AppState> {
    let mut router = Router::new();
    for (path, route, _) in table(products) {
        router = router.route(path, route().into());
    }
    generate::reset_context();
    router.merge(docs::scripts())
}

/// The OpenAPI document; with `products`, the worked example's routes are in it.
pub(super) fn document(products: bool, access_cookie: &str) -> serde_json::Value {
    generate::infer_responses(false);
    let mut routes = ApiRouter::<AppState>::new();
    for (path, route, alias) in table(products) {
        routes = routes.api_route_with(path, route(), |mut item| {
            openapi::complete(item.inner_mut());
            if let Some(alias) = alias {
                openapi::rename(item.inner_mut(), alias);
            }
            item
        });
    }
    let mut api = openapi::blank();
    drop(routes.finish_api(&mut api));
    openapi::finish(&api, access_cookie)
}

/// What is served and what is described, so that neither can say what the other does not.
fn table(products: bool) -> impl Iterator<Item = (&'static str, Route, Option<&'static Alias>)> {
    let canonical = CANONICAL.iter().chain(PRODUCTS.iter().filter(move |_| products));
    let aliases = ALIASES.iter().chain(PRODUCT_ALIASES.iter().filter(move |_| products));
    let canonical = canonical.map(|(path, route)| (*path, *route, None));
    canonical.chain(aliases.map(|alias| (alias.path, alias.route, Some(alias))))
}

/// Gives each refusal the form that OAuth2's clients expect of a token endpoint.
async fn at_token_endpoint(mut response: Response) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response.extensions_mut().insert(problem.at_token_endpoint());
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    fn operations(document: &Value) -> Vec<(String, Value)> {
        let paths = document["paths"].as_object().unwrap();
        let of_path = |(path, item): (&String, &Value)| {
            let item = item.as_object().unwrap();
            item.iter()
                .map(|(method, operation)| (format!("{method} {path}"), operation.clone()))
                .collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    #[test]
    fn every_route_is_described_and_every_operation_has_a_name_of_its_own() {
        let document = document(true, "access_token");
        let operations = operations(&document);
        assert_eq!(
            operations.len(),
            CANONICAL.len() + PRODUCTS.len() + ALIASES.len() + PRODUCT_ALIASES.len()
        );
        let ids: HashSet<&str> = operations
            .iter()
            .map(|(_, operation)| operation["operationId"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), operations.len());
        for (name, operation) in &operations {
            assert!(operation["summary"].is_string(), "{name}");
            assert!(operation["security"].is_array(), "{name}");
            assert!(!operation["tags"].as_array().unwrap().is_empty(), "{name}");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
            assert!(answers.contains_key("500"), "{name}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document(true, "access_token");
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn without_products_nothing_speaks_of_them() {
        let document = document(false, "access_token");
        assert!(
            !operations(&document)
                .iter()
                .any(|(name, _)| name.contains("product") || name.contains("items"))
        );
        assert!(document["components"]["schemas"].get("Product").is_none());
    }

    #[test]
    fn an_alias_is_described_as_the_operation_that_it_is() {
        let document = document(true, "access_token");
        let (canonical, alias) = (
            &document["paths"]["/api/auth/login"]["post"],
            &document["paths"]["/token"]["post"],
        );
        assert_eq!(canonical["requestBody"], alias["requestBody"]);
        assert_eq!(canonical["responses"], alias["responses"]);
        assert_eq!(alias["operationId"], "login_at_token");
    }
}
