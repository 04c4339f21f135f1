//! `/admin/users`: every account, to be searched.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::prelude::*;
use serde::Deserialize;

use super::{asked, filtered, user::path_of};
use crate::{
    auth::{Auth, Page, User, UserQuery},
    web::{
        AppState,
        pages::{
            components::{Choice, Filter, Pages, Said, Table, Time},
            shell::Head,
            visit::SignedInVisit,
        },
        params::Query,
        problem::Problem,
    },
};

pub(super) const PAGE: &str = "/admin/users";

pub(super) fn router() -> Router<AppState> {
    Router::new().route(PAGE, get(page))
}

#[derive(Clone, Deserialize)]
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
    Query(filters): Query<ListQuery>,
) -> Result<Response, Problem> {
    let query = UserQuery {
        limit: None,
        cursor: asked(&filters.cursor),
        q: asked(&filters.q),
        role: asked(&filters.role),
        status: asked(&filters.status),
    };
    let users = auth.list_users(&signed_in.actor(), query).await?;
    let head = Head::new("Users").wide();
    Ok(signed_in.visit.show(head, || view! { <UsersPage users filters/> }))
}

#[component]
fn UsersPage(users: Page<User>, filters: ListQuery) -> impl IntoView {
    let base = filtered(
        PAGE,
        &[("q", &filters.q), ("role", &filters.role), ("status", &filters.status)],
    );
    let is_later = !filters.cursor.is_empty();
    let list = if users.items.is_empty() {
        view! { <p class="empty">"No user matches."</p> }.into_any()
    } else {
        let rows = users
            .items
            .into_iter()
            .map(|user| view! { <UserRow user/> })
            .collect_view();
        view! {
            <Table labelled_by="title" heads=vec!["Email", "Username", "Name", "Roles", "Status", "Created"]>{rows}</Table>
        }
        .into_any()
    };
    view! {
        <h1 id="title">"Users"</h1>
        <Said/>
        <div class="card">
            <form class="filters" method="get" role="search">
                <Filter id="users-q" name="q" label="Search" kind="search" value=filters.q/>
                <Filter id="users-role" name="role" label="Role" value=filters.role/>
                <Choice
                    id="users-status"
                    name="status"
                    label="Status"
                    options=vec![("active", "Active"), ("disabled", "Disabled")]
                    chosen=filters.status
                />
                <button class="quiet">"Search"</button>
            </form>
            {list}
            <Pages base is_later next_cursor=users.next_cursor/>
        </div>
    }
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
            <td class="text"><a href=path_of(user.id)>{user.email}</a></td>
            <td class="text">{user.username}</td>
            <td class="text"><bdi>{user.name}</bdi></td>
            <td>{roles}</td>
            <td><Status is_active=user.is_active/></td>
            <td><Time at=user.created_at/></td>
        </tr>
    }
}

/// Whether an account may sign in.
#[component]
pub(super) fn Status(is_active: bool) -> impl IntoView {
    if is_active {
        view! { <span class="badge good">"Active"</span> }
    } else {
        view! { <span class="badge warn">"Disabled"</span> }
    }
}
