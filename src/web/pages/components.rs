//! The pieces that pages are made of, beside their [forms](super::fields). Their markup is what the sheets in
//! `style/` speak of.

use leptos::prelude::*;

use super::flash::Flash;
use crate::{clock::Timestamp, web::paths::with_query};

/// What was just done, if anything: good news stands below the page's name.
#[component]
pub(super) fn Said() -> impl IntoView {
    match use_context::<Flash>() {
        Some(Flash::Done { notice, .. }) => {
            Some(view! { <div class="notice" role="status"><p>{notice.text()}</p></div> })
        }
        _ => None,
    }
}

/// A part of a wide page, with its name on one side.
#[component]
pub(super) fn Section(
    id: &'static str,
    title: &'static str,
    #[prop(optional)] about: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    let title_id = format!("{id}-title");
    view! {
        <section class="card split" id=id aria-labelledby=title_id>
            <div>
                <h2 id=format!("{id}-title")>{title}</h2>
                {about.map(|text| view! { <p class="dim">{text}</p> })}
            </div>
            <div class="body">{children()}</div>
        </section>
    }
}

/// A table that scrolls sideways where it does not fit, also by keyboard; without rows, what there is to say instead.
#[component]
pub(super) fn Table(
    label: &'static str,
    heads: Vec<&'static str>,
    rows: Vec<AnyView>,
    nothing: &'static str,
) -> impl IntoView {
    if rows.is_empty() {
        return view! { <p class="empty">{nothing}</p> }.into_any();
    }
    let heads = heads
        .into_iter()
        .map(|head| match head {
            "" => view! { <td></td> }.into_any(),
            _ => view! { <th scope="col">{head}</th> }.into_any(),
        })
        .collect_view();
    view! {
        <div class="table" tabindex="0" role="region" aria-label=label>
            <table>
                <thead><tr>{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// An email address. Where it has to be broken, that is after its `@` or one of its dots.
pub(super) fn address(email: &str) -> impl IntoView + use<> {
    let pieces = email.split_inclusive(['@', '.']).enumerate();
    pieces
        .map(|(index, piece)| {
            let may_break = (index > 0).then(|| view! { <wbr/> });
            view! { {may_break}{piece.to_owned()} }
        })
        .collect_view()
}

/// A moment as it is to be shown.
pub(super) struct Moment(String);

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at.to_string())
    }
}

/// Of one that is written in RFC 3339 already.
impl From<String> for Moment {
    fn from(rfc_3339: String) -> Self {
        Self(rfc_3339)
    }
}

/// A moment, which the script makes relative unless it is wanted exact.
#[component]
pub(super) fn Time(#[prop(into)] at: Moment, #[prop(optional)] exact: bool) -> impl IntoView {
    let person = in_words(&at.0);
    view! { <time datetime=at.0 data-exact=exact>{person}</time> }
}

/// RFC 3339 to the minute, as people write it.
fn in_words(rfc_3339: &str) -> String {
    match (rfc_3339.get(..10), rfc_3339.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => rfc_3339.to_owned(),
    }
}

/// Where a list goes on.
#[component]
pub(super) fn Pages(
    /// The path of the list.
    path: &'static str,
    /// What it was asked for.
    #[prop(optional)]
    filters: Vec<(&'static str, String)>,
    /// Whether this is not the first page.
    is_later: bool,
    #[prop(optional_no_strip)] next_cursor: Option<String>,
) -> impl IntoView {
    let mut fields: Vec<_> = filters.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let first = is_later.then(|| view! { <a href=with_query(path, fields.clone())>"First page"</a> });
    let next = next_cursor.map(|cursor| {
        fields.push(("cursor", cursor));
        view! { <a rel="next" href=with_query(path, fields)>"Next page"</a> }
    });
    let is_needed = next.is_some() || first.is_some();
    is_needed.then(|| view! { <nav class="pages" aria-label="Pages">{first}{next}</nav> })
}
