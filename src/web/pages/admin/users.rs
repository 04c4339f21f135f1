//! `/admin/users`: every account, to be searched.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::prelude::*;
use serde::Deserialize;

use super::user::path_of;
use crate::{
    auth::{Auth, User, UserQuery, UserStatus},
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
        problem::Problem,
    },
};

pub(super) const PAGE: &str = "/admin/users";

pub(super) fn router() -> Router<AppState> {
    Router::new().route(PAGE, get(page))
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    cursor: String,
}

async fn page(
    signed_in: SignedInVisit,
    State(auth): State<Auth>,
    Caller(client): Caller,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let wanted = UserQuery {
        limit: None,
        cursor: asked(&query.cursor),
        q: asked(&query.q),
        role: asked(&query.role),
        status: asked(&query.status),
    };
    let found = auth.list_users(&signed_in.actor(), wanted, &client).await;
    list::respond(&signed_in.visit, "Users", found, |found| {
        let list = List {
            name: "users",
            path: PAGE,
            filters: vec![("q", query.q), ("role", query.role), ("status", query.status)],
            cursor: query.cursor,
            found,
        };
        view! { <UsersPage list/> }
    })
}

#[component]
fn UsersPage(list: List<User>) -> impl IntoView {
    let states = UserStatus::ALL.map(|status| (status.as_str(), words::user_status(status)));
    view! {
        <h1>"Users"</h1>
        <Said/>
        <ListCard list table=users_table>
            <Field name="q" label="Search" kind="search"/>
            <Field name="role" label="Role"/>
            <Choice name="status" label="Status" options=states.to_vec()/>
        </ListCard>
    }
}

fn users_table(users: Vec<User>) -> AnyView {
    let rows = users.into_iter().map(|user| view! { <UserRow user/> }.into_any());
    let heads = vec!["Email", "Username", "Name", "Roles", "Status", "Created"];
    view! { <Table label="Users" heads rows=rows.collect() nothing="No user matches."/> }.into_any()
}

#[component]
fn UserRow(user: User) -> impl IntoView {
    let roles = user
        .roles
        .into_iter()
        .map(|role| view! { <span class="badge plain">{role}</span>" " })
        .collect_view();
    view! {
        <tr>
            <td class="text"><a href=path_of(user.id)>{address(&user.email)}</a></td>
            <td class="text">{user.username}</td>
            <td class="text"><bdi>{user.name}</bdi></td>
            <td>{roles}</td>
            <td><Status of=user.status/></td>
            <td><Time at=user.created_at/></td>
        </tr>
    }
}

/// Whether an account may be used.
#[component]
pub(super) fn Status(of: UserStatus) -> impl IntoView {
    let class = match of {
        UserStatus::Active => "badge good",
        UserStatus::Pending => "badge plain",
        UserStatus::Disabled => "badge warn",
    };
    view! { <span class=class>{words::user_status(of)}</span> }
}
