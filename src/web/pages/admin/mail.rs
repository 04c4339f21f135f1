//! `/admin/mail`: the outbox, without its words.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use crate::{
    auth::{Actor, Auth, Message, MessageQuery, MessageState},
    web::{
        AppState,
        caller::Caller,
        pages::{
            components::{Said, Table, Time, address},
            fields::{ButtonAlert, Choice},
            form::{Desk, Done, Form, PageForm, form_route},
            list::{self, List, ListCard, asked},
            notice::Notice,
            visit::SignedInVisit,
            words,
        },
        params::Query,
        problem::Problem,
    },
};

const PAGE: &str = "/admin/mail";

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route(PAGE, get(page))
        .route(ResendMessage::PATH, form_route())
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    state: String,
    #[serde(default)]
    cursor: String,
}

async fn page(
    signed_in: SignedInVisit,
    State(auth): State<Auth>,
    Caller(client): Caller,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let wanted = MessageQuery {
        limit: None,
        cursor: asked(&query.cursor),
        state: asked(&query.state),
    };
    let found = auth.list_messages(&signed_in.actor(), wanted, &client).await;
    list::respond(&signed_in.visit, "Mail", found, |found| {
        let list = List {
            name: "mail",
            path: PAGE,
            filters: vec![("state", query.state)],
            cursor: query.cursor,
            found,
        };
        view! { <MailPage list/> }
    })
}

/// Has a message sent again.
#[server(prefix = "/form", endpoint = "resend_message", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn resend_message(id: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let actor = Actor::User(desk.identity().await?);
    let id = id.parse().map_err(|_| Problem::not_found())?;
    desk.auth().resend_message(&actor, id, &desk.client()).await?;
    Ok(Done::to(PAGE).saying(Notice::MessageResent))
}

impl PageForm for ResendMessage {
    const PAGE: &'static str = PAGE;
}

#[component]
fn MailPage(list: List<Message>) -> impl IntoView {
    let states = MessageState::ALL.map(|state| (state.as_str(), words::message_state(state)));
    view! {
        <h1>"Mail"</h1>
        <Said/>
        <ButtonAlert actions=&[ResendMessage::PATH]/>
        <ListCard list table=messages_table>
            <Choice name="state" label="State" options=states.to_vec()/>
        </ListCard>
    }
}

fn messages_table(messages: Vec<Message>) -> AnyView {
    let rows = messages
        .into_iter()
        .map(|message| view! { <MessageRow message/> }.into_any());
    // The state comes second, so that it is seen on a phone.
    let heads = vec!["To", "State", "Kind", "Written", "Attempts", "Due", "Last error", ""];
    view! { <Table label="Mail" heads rows=rows.collect() nothing="No message matches."/> }.into_any()
}

#[component]
fn MessageRow(message: Message) -> impl IntoView {
    let class = match message.state {
        MessageState::Sent => "badge good",
        MessageState::Failed => "badge warn",
        MessageState::Waiting | MessageState::Sending | MessageState::Dropped => "badge plain",
    };
    // What waits or is on its way is sent anyway.
    let is_over = message.state.is_final();
    // Of one that is over, it says only when a claim on it would have run out.
    let due = (!is_over).then(|| view! { <Time at=message.due_at/> });
    let kind = words::message_kind(&message.kind);
    let label = format!("Send again: {kind} to {}", message.address);
    // And what is addressed to nobody goes nowhere.
    let resend = (is_over && !message.address.is_empty()).then(|| {
        view! {
            <form method="post" action=ResendMessage::PATH>
                <input type="hidden" name="id" value=message.id.to_string()/>
                <button class="quiet" aria-label=label>"Send again"</button>
            </form>
        }
    });
    view! {
        <tr>
            <td class="text">{address(&message.address)}</td>
            <td><span class=class>{words::message_state(message.state)}</span></td>
            <td>{kind}</td>
            <td><Time at=message.created_at/></td>
            <td>{message.attempts}</td>
            <td>{due}</td>
            <td class="text">{message.last_error}</td>
            <td>{resend}</td>
        </tr>
    }
}
