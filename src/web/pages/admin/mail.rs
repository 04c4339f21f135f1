//! `/admin/mail`: the outbox, without its words.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{asked, filtered};
use crate::{
    auth::{Actor, Auth, Message, MessageQuery, MessageState, Page},
    web::{
        AppState,
        pages::{
            components::{Choice, Pages, Said, Table, Time},
            fields::ButtonAlert,
            form::{Desk, Done, Form, PageForm, form_route},
            notice::Notice,
            shell::Head,
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

#[derive(Clone, Deserialize)]
struct ListQuery {
    #[serde(default)]
    state: String,
    #[serde(default)]
    cursor: String,
}

async fn page(
    signed_in: SignedInVisit,
    State(auth): State<Auth>,
    Query(filters): Query<ListQuery>,
) -> Result<Response, Problem> {
    let query = MessageQuery {
        limit: None,
        cursor: asked(&filters.cursor),
        state: asked(&filters.state),
    };
    let messages = auth.list_messages(&signed_in.actor(), query).await?;
    let head = Head::new("Mail").wide();
    Ok(signed_in.visit.show(head, || view! { <MailPage messages filters/> }))
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
fn MailPage(messages: Page<Message>, filters: ListQuery) -> impl IntoView {
    let base = filtered(PAGE, &[("state", &filters.state)]);
    let is_later = !filters.cursor.is_empty();
    let list = if messages.items.is_empty() {
        view! { <p class="empty">"No message matches."</p> }.into_any()
    } else {
        let rows = messages
            .items
            .into_iter()
            .map(|message| view! { <MessageRow message/> })
            .collect_view();
        // The state comes second, so that it is seen on a phone.
        let heads = vec!["To", "State", "Kind", "Written", "Attempts", "Due", "Last error", ""];
        view! { <Table labelled_by="title" heads>{rows}</Table> }.into_any()
    };
    let states = MessageState::ALL
        .map(|state| (state.as_str(), words::message_state(state)))
        .to_vec();
    view! {
        <h1 id="title">"Mail"</h1>
        <Said/>
        <ButtonAlert actions=&[ResendMessage::PATH]/>
        <div class="card">
            <form class="filters" method="get" role="search">
                <Choice id="mail-state" name="state" label="State" options=states chosen=filters.state/>
                <button class="quiet">"Search"</button>
            </form>
            {list}
            <Pages base is_later next_cursor=messages.next_cursor/>
        </div>
    }
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
    let resend = is_over.then(|| {
        view! {
            <form method="post" action=ResendMessage::PATH>
                <input type="hidden" name="id" value=message.id.to_string()/>
                <button class="quiet" aria-label=label>"Send again"</button>
            </form>
        }
    });
    view! {
        <tr>
            <td class="text">{message.address}</td>
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
