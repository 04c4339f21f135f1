//! `/admin/audit`: what happened.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::prelude::*;
use serde::Deserialize;

use super::{asked, filtered, user::path_of};
use crate::{
    auth::{Auth, EventKind, EventQuery, ListedEvent, Page},
    id::UserId,
    mail::device_in_words,
    web::{
        AppState,
        pages::{
            components::{Choice, Filter, Pages, Said, Table, Time},
            shell::Head,
            visit::SignedInVisit,
            words,
        },
        params::Query,
        problem::Problem,
    },
};

const PAGE: &str = "/admin/audit";

pub(super) fn router() -> Router<AppState> {
    Router::new().route(PAGE, get(page))
}

#[derive(Clone, Deserialize)]
struct ListQuery {
    #[serde(default)]
    user: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    cursor: String,
}

async fn page(
    signed_in: SignedInVisit,
    State(auth): State<Auth>,
    Query(filters): Query<ListQuery>,
) -> Result<Response, Problem> {
    let query = EventQuery {
        limit: None,
        cursor: asked(&filters.cursor),
        user: asked(&filters.user),
        event: asked(&filters.event),
    };
    let events = auth.list_events(&signed_in.actor(), query).await?;
    let head = Head::new("Audit log").wide();
    Ok(signed_in.visit.show(head, || view! { <AuditPage events filters/> }))
}

#[component]
fn AuditPage(events: Page<ListedEvent>, filters: ListQuery) -> impl IntoView {
    let base = filtered(PAGE, &[("user", &filters.user), ("event", &filters.event)]);
    let is_later = !filters.cursor.is_empty();
    let options = EventKind::ALL
        .map(|kind| (kind.as_str(), words::event_kind(kind)))
        .to_vec();
    view! {
        <h1 id="title">"Audit log"</h1>
        <Said/>
        <div class="card">
            <form class="filters" method="get" role="search">
                <Filter id="audit-user" name="user" label="User" value=filters.user/>
                <Choice id="audit-event" name="event" label="Event" options chosen=filters.event/>
                <button class="quiet">"Search"</button>
            </form>
            <Events events=events.items/>
            <Pages base is_later next_cursor=events.next_cursor/>
        </div>
    }
}

/// Events in a table.
#[component]
pub(super) fn Events(events: Vec<ListedEvent>) -> impl IntoView {
    if events.is_empty() {
        return view! { <p class="empty">"No event matches."</p> }.into_any();
    }
    let rows = events
        .into_iter()
        .map(|listed| view! { <EventRow listed/> })
        .collect_view();
    let heads = vec!["Time", "Event", "Outcome", "User", "By", "From", "Device", "Detail"];
    view! { <Table label="Events" heads>{rows}</Table> }.into_any()
}

#[component]
fn EventRow(listed: ListedEvent) -> impl IntoView {
    let ListedEvent {
        event,
        user_email,
        actor_email,
    } = listed;
    let class = if event.outcome == "success" {
        "badge good"
    } else {
        "badge warn"
    };
    let device = event.user_agent.as_deref().and_then(device_in_words);
    view! {
        <tr>
            <td><Time at=event.at exact=true/></td>
            <td>{words::event(&event.event)}</td>
            <td><span class=class>{words::outcome(&event.outcome)}</span></td>
            <td class="text"><Who id=event.user_id email=user_email/></td>
            <td class="text"><Who id=event.actor_id email=actor_email/></td>
            <td class="text">{event.client_address}</td>
            <td class="text">{device}</td>
            <td class="text">{event.detail}</td>
        </tr>
    }
}

/// Somebody whom an event names: a link while there is an account, their id when it is gone.
#[component]
fn Who(id: Option<UserId>, email: Option<String>) -> impl IntoView {
    match (id, email) {
        (Some(id), Some(email)) => view! { <a href=path_of(id)>{email}</a> }.into_any(),
        (Some(id), None) => view! { <span class="dim">{id.to_string()}</span> }.into_any(),
        (None, _) => view! { <span class="dim">"–"</span> }.into_any(),
    }
}
