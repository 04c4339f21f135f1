//! What lists have in common: what they are asked stands in the address, and the page shows what was found, or what is
//! wrong with the question.

use axum::{http::StatusCode, response::Response};
use leptos::prelude::*;

use super::{components::Pages, fields::SearchForm, shell::Head, visit::Visit, words};
use crate::{
    auth::{self, FieldError, Page},
    web::problem::Problem,
};

/// What there is of a list, or what is wrong with the question for it.
pub(super) type Found<T> = Result<Page<T>, Vec<FieldError>>;

/// A list, and what it was asked.
pub(super) struct List<T> {
    /// By which the ids of its filters begin.
    pub(super) name: &'static str,
    /// The page.
    pub(super) path: &'static str,
    /// Its filters as they were asked for.
    pub(super) filters: Vec<(&'static str, String)>,
    /// Where it goes on, as it was asked for.
    pub(super) cursor: String,
    pub(super) found: Found<T>,
}

/// A filter of a list: a field that was left empty asks for nothing.
pub(super) fn asked(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Answers with the page that shows what was found.
///
/// A question that cannot be (a filter mistyped in the address, a page of the list from another time) is answered by the
/// same page, which says at its fields what is wrong and lets it be asked anew. The status stays that of a refusal: to
/// leave the filter out, and show everything as if it had been asked for, could have an admin act on the wrong accounts.
/// A program is told so as by the API.
pub(super) fn respond<T, V: IntoView>(
    visit: &Visit,
    title: &'static str,
    found: Result<Page<T>, auth::Error>,
    page: impl FnOnce(Found<T>) -> V,
) -> Result<Response, Problem> {
    let head = Head::new(title).wide();
    match found {
        Ok(found) => Ok(visit.show(head, || page(Ok(found)))),
        Err(auth::Error::InvalidFields(faults)) if visit.wants_page => {
            let mut response = visit.show(head.refused(), || page(Err(faults)));
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

/// The form by which a list is searched, with its filters as children, what was found, and where that goes on.
#[component]
pub(super) fn ListCard<T: 'static>(
    list: List<T>,
    /// Shows what was found.
    table: fn(Vec<T>) -> AnyView,
    children: Children,
) -> impl IntoView {
    let List {
        name,
        path,
        filters,
        cursor,
        found,
    } = list;
    let asked = filters.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let asked = asked.collect();
    let (found, faults) = match found {
        Ok(page) => (Some(page), Vec::new()),
        Err(faults) => (None, faults.iter().map(in_words).collect()),
    };
    let (items, next_cursor) = found.map_or((None, None), |page| (Some(page.items), page.next_cursor));
    view! {
        <div class="card">
            <SearchForm name asked faults>{children()}</SearchForm>
            {items.map(table)}
            <Pages path filters is_later=!cursor.is_empty() next_cursor/>
        </div>
    }
}

/// The field at fault, and what is said of it.
pub(super) fn in_words(fault: &FieldError) -> (String, String) {
    let message = words::refusal(fault.code, &fault.message).to_owned();
    (fault.field.to_owned(), message)
}
