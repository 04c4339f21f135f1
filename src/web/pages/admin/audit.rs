//! `/admin/audit`: what happened.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::prelude::*;
use serde::Deserialize;

use super::user::path_of;
use crate::{
    auth::{Auth, EventKind, EventQuery, ListedEvent},
    id::UserId,
    mail::device_in_words,
    web::{
        AppState,
        caller::Caller,
        pages::{
            components::{Said, Table, Time, address},
            fields::{Choice, Field},
            list::{self, List, ListCard, asked},
            visit::SignedInVisit,
            words,
        },
        params::Query,
        paths::with_query,
        problem::Problem,
    },
};

const PAGE: &str = "/admin/audit";
const NOBODY: &str = "–";

pub(super) fn router() -> Router<AppState> {
    Router::new().route(PAGE, get(page))
}

/// The page of all events about the account `user`.
pub(super) fn path_about(user: UserId) -> String {
    with_query(PAGE, [("user", user.to_string())])
}

#[derive(Deserialize)]
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
    Caller(client): Caller,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let wanted = EventQuery {
        limit: None,
        cursor: asked(&query.cursor),
        user: asked(&query.user),
        event: asked(&query.event),
    };
    let found = auth.list_events(&signed_in.actor(), wanted, &client).await;
    list::respond(&signed_in.visit, "Audit log", found, |found| {
        let list = List {
            name: "audit",
            path: PAGE,
            filters: vec![("user", query.user), ("event", query.event)],
            cursor: query.cursor,
            found,
        };
        view! { <AuditPage list/> }
    })
}

#[component]
fn AuditPage(list: List<ListedEvent>) -> impl IntoView {
    let events = EventKind::ALL.map(|kind| (kind.as_str(), words::event_kind(kind)));
    view! {
        <h1>"Audit log"</h1>
        <Said/>
        <ListCard list table=events_table>
            <Field name="user" label="User"/>
            <Choice name="event" label="Event" options=events.to_vec()/>
        </ListCard>
    }
}

pub(super) fn events_table(events: Vec<ListedEvent>) -> AnyView {
    let rows = events.into_iter().map(|listed| view! { <EventRow listed/> }.into_any());
    let heads = vec!["Time", "Event", "Outcome", "User", "By", "From", "Device", "Detail"];
    view! { <Table label="Events" heads rows=rows.collect() nothing="No event matches."/> }.into_any()
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
    let otherwise = if words::is_of_admins(&event.event) {
        "command line"
    } else {
        NOBODY
    };
    view! {
        <tr>
            <td><Time at=event.at exact=true/></td>
            <td class="text">{words::event(&event.event)}</td>
            <td><span class=class>{words::outcome(&event.outcome)}</span></td>
            <td class="text"><Who id=event.user_id email=user_email otherwise=NOBODY/></td>
            <td class="text"><Who id=event.actor_id email=actor_email otherwise/></td>
            <td class="text">{event.client_address}</td>
            <td class="text">{device}</td>
            <td class="text">{event.detail.map(|text| view! { <Detail event=event.event outcome=event.outcome text/> })}</td>
        </tr>
    }
}

/// Somebody whom an event names: a link while there is an account; when it is gone, one to all that the log says of it.
#[component]
fn Who(
    id: Option<UserId>,
    email: Option<String>,
    /// What stands there where it names nobody.
    otherwise: &'static str,
) -> impl IntoView {
    match (id, email) {
        (Some(id), Some(email)) => view! { <a href=path_of(id)>{address(&email)}</a> }.into_any(),
        (Some(id), None) => {
            view! { <a href=path_about(id)><ById what="Deleted account" id=id.to_string()/></a> }.into_any()
        }
        (None, _) => view! { <span class="dim">{otherwise}</span> }.into_any(),
    }
}

/// What else there is to know.
#[component]
fn Detail(event: String, outcome: String, text: String) -> impl IntoView {
    match words::identified_by_detail(&event, &outcome) {
        Some(what) => view! { <ById what id=text/> }.into_any(),
        None => view! { {words::capitalised(&text)} }.into_any(),
    }
}

/// Something that is known by its id alone. Of that the end is enough to tell two apart; all of it is a pointer away.
#[component]
fn ById(what: &'static str, id: String) -> impl IntoView {
    let end = format!("…{}", end_of(&id));
    view! { <span title=id>{what}" "<code>{end}</code></span> }
}

fn end_of(id: &str) -> &str {
    let start = id.char_indices().rev().nth(5).map_or(0, |(index, _)| index);
    &id[start..]
}
