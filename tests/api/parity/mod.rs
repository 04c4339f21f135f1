//! Each operation, driven through its page and through the API, ends in the same state and with the same code.
//!
//! A table says of each operation where its form and its API are, and what is tried with it. Each try runs three times,
//! each time by a server of its own on a fresh copy of the same prepared database: by the JSON API; by the form, sent as a
//! browser sends it; and by the form's server function, called by a program in JSON. What comes of it is compared: the
//! status and the code, the fields that are complained of, the cookies, the words on the page after the redirect, and all
//! that is stored.

mod account;
mod admin;
mod entrance;
mod links;
mod operation;
mod products;
mod scene;
mod state;
mod ways;

use std::collections::BTreeSet;

use self::{operation::Operation, scene::Scene};
use crate::support::{Place, both_engines, one_engine};

both_engines![
    signing_up_in_and_out_is_the_same_by_page_and_api,
    mailed_links_are_the_same_by_page_and_api,
    changing_ones_account_is_the_same_by_page_and_api,
    products_are_the_same_by_page_and_api,
    administration_is_the_same_by_page_and_api,
];

one_engine![sqlite: Sqlite, every_form_is_compared];

async fn signing_up_in_and_out_is_the_same_by_page_and_api(place: Place) {
    compare(place, entrance::operations).await;
}

async fn mailed_links_are_the_same_by_page_and_api(place: Place) {
    compare(place, links::operations).await;
}

async fn changing_ones_account_is_the_same_by_page_and_api(place: Place) {
    compare(place, account::operations).await;
}

async fn products_are_the_same_by_page_and_api(place: Place) {
    compare(place, products::operations).await;
}

async fn administration_is_the_same_by_page_and_api(place: Place) {
    compare(place, admin::operations).await;
}

async fn compare(place: Place, operations: fn(&Scene) -> Vec<Operation>) {
    let scene = Scene::prepare(place.clone()).await;
    let tried = |copies| async move {
        for operation in operations(&scene) {
            for case in &operation.cases {
                ways::compare(&scene, &copies, &operation, case).await;
            }
        }
    };
    place.in_copies(tried).await;
}

/// The forms are what Leptos has registered, which is what it serves.
async fn every_form_is_compared(place: Place) {
    let scene = Scene::prepare(place).await;
    let tables = [
        entrance::operations,
        links::operations,
        account::operations,
        products::operations,
        admin::operations,
    ];
    let operations: Vec<Operation> = tables.into_iter().flat_map(|table| table(&scene)).collect();
    for operation in &operations {
        let (done, refused): (Vec<_>, Vec<_>) = operation.cases.iter().partition(|case| case.outcome.is_done());
        assert!(!done.is_empty(), "{} never works", operation.form);
        assert!(
            !refused.is_empty() || operation.form == "/form/log_out",
            "{} is never refused",
            operation.form
        );
    }
    let compared: BTreeSet<&str> = operations.iter().map(|operation| operation.form).collect();
    let registered: BTreeSet<&str> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(compared, registered);
}
