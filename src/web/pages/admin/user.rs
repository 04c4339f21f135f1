//! `/admin/users/{id}`: one account, and what may be done with it.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    audit::{events_table, path_about},
    users::{PAGE, Status},
};
use crate::{
    auth::{self, Actor, Auth, User, UserReview},
    id::UserId,
    web::{
        AppState,
        caller::Caller,
        pages::{
            components::{Said, Section, Time, address},
            fields::{ButtonAlert, Field, FormView},
            flash::Echo,
            form::{Desk, Done, Form, PageForm, form_route},
            notice::Notice,
            shell::Head,
            visit::SignedInVisit,
        },
        params::PathId,
        problem::Problem,
    },
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/admin/users/{id}", get(page))
        .route(GrantRole::PATH, form_route())
        .route(RevokeRole::PATH, form_route())
        .route(UpdateUser::PATH, form_route())
        .route(EndUserSessions::PATH, form_route())
        .route(MailReset::PATH, form_route())
        .route(DeleteUser::PATH, form_route())
}

/// The page of the account `id`.
pub(super) fn path_of(id: UserId) -> String {
    format!("{PAGE}/{id}")
}

async fn page(
    signed_in: SignedInVisit,
    State(auth): State<Auth>,
    Caller(client): Caller,
    PathId(id): PathId<UserId>,
) -> Result<Response, Problem> {
    let review = auth.review_user(&signed_in.actor(), id, &client).await?;
    let head = Head::new(review.user.email.clone()).wide();
    Ok(signed_in.visit.show(head, || view! { <UserPage review/> }))
}

/// The admin, and the account that the form names.
async fn admin_and_user(desk: &mut Desk, id: &str) -> Result<(Actor, UserId), Problem> {
    let actor = Actor::User(desk.identity().await?);
    let id = id.parse().map_err(|_| Problem::not_found())?;
    Ok((actor, id))
}

/// Where a form with this hidden id stands. What is no id was written by somebody else, and leads nowhere.
fn page_of(id: &str) -> String {
    id.parse().map_or_else(|_| PAGE.to_owned(), path_of)
}

/// Gives a role.
#[server(prefix = "/form", endpoint = "grant_role", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn grant_role(id: String, role: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let (actor, user) = admin_and_user(&mut desk, &id).await?;
    desk.auth()
        .grant_role(&actor, user, role.trim(), &desk.client())
        .await?;
    Ok(Done::to(path_of(user)).saying(Notice::RoleGranted))
}

impl PageForm for GrantRole {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        page_of(&self.id)
    }

    fn echo(&self) -> Echo {
        vec![("role".to_owned(), self.role.clone())]
    }
}

/// Takes a role away.
#[server(prefix = "/form", endpoint = "revoke_role", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn revoke_role(id: String, role: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let (actor, user) = admin_and_user(&mut desk, &id).await?;
    desk.auth().revoke_role(&actor, user, &role, &desk.client()).await?;
    Ok(Done::to(path_of(user)).saying(Notice::RoleRevoked))
}

impl PageForm for RevokeRole {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        page_of(&self.id)
    }
}

/// Shuts the account out, or lets it in again.
#[server(prefix = "/form", endpoint = "update_user", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn update_user(id: String, is_active: bool) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let (actor, user) = admin_and_user(&mut desk, &id).await?;
    let wish = auth::UpdateUser {
        is_active: Some(is_active),
        ..auth::UpdateUser::default()
    };
    desk.auth().update_user(&actor, user, wish, &desk.client()).await?;
    let notice = if is_active {
        Notice::UserEnabled
    } else {
        Notice::UserDisabled
    };
    Ok(Done::to(path_of(user)).saying(notice))
}

impl PageForm for UpdateUser {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        page_of(&self.id)
    }
}

/// Ends every session of the account.
#[server(prefix = "/form", endpoint = "end_user_sessions", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn end_user_sessions(id: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let (actor, user) = admin_and_user(&mut desk, &id).await?;
    desk.auth().end_user_sessions(&actor, user, &desk.client()).await?;
    Ok(Done::to(path_of(user)).saying(Notice::UserSessionsEnded))
}

impl PageForm for EndUserSessions {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        page_of(&self.id)
    }
}

/// Mails the account's owner a link to choose a new password: an admin never chooses one.
#[server(prefix = "/form", endpoint = "mail_reset", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn mail_reset(id: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let (actor, user) = admin_and_user(&mut desk, &id).await?;
    desk.auth().mail_reset(&actor, user, &desk.client()).await?;
    Ok(Done::to(path_of(user)).saying(Notice::ResetMailed))
}

impl PageForm for MailReset {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        page_of(&self.id)
    }
}

/// Deletes the account, whose address was typed to confirm it.
#[server(prefix = "/form", endpoint = "delete_user", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn delete_user(id: String, email: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let (actor, user) = admin_and_user(&mut desk, &id).await?;
    desk.auth()
        .delete_user(&actor, user, Some(&email), &desk.client())
        .await?;
    Ok(Done::to(PAGE).saying(Notice::UserDeleted))
}

impl PageForm for DeleteUser {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        page_of(&self.id)
    }

    fn echo(&self) -> Echo {
        vec![("email".to_owned(), self.email.clone())]
    }
}

const BUTTONS: &[&str] = &[
    RevokeRole::PATH,
    UpdateUser::PATH,
    EndUserSessions::PATH,
    MailReset::PATH,
];

#[component]
fn UserPage(review: UserReview) -> impl IntoView {
    let UserReview { user, events } = review;
    let id = user.id;
    let all_events = path_about(id);
    let (roles, is_active) = (user.roles.clone(), user.is_enabled());
    view! {
        <p class="back"><a href=PAGE>"Users"</a></p>
        <h1>{address(&user.email)}</h1>
        <Said/>
        <ButtonAlert actions=BUTTONS/>
        <Section id="account" title="Account"><Facts user/></Section>
        <Section id="roles" title="Roles" about="What the account may do, here and in applications."><Roles id roles/></Section>
        <Section id="access" title="Access" about="Whether its owner gets in."><Access id is_active/></Section>
        <Section id="delete" title="Delete account" about="At once, with everything in it. It cannot be undone.">
            <FormView action=DeleteUser::PATH>
                <input type="hidden" name="id" value=id.to_string()/>
                <Field
                    name="email"
                    label="Email address of the account"
                    kind="email"
                    inputmode="email"
                    hint="Type it, so that no other account is deleted by a slip."
                    required=true
                />
                <button class="danger">"Delete account"</button>
            </FormView>
        </Section>
        <section class="card" id="trail" aria-labelledby="trail-title">
            <h2 id="trail-title">"Audit trail"</h2>
            {events_table(events.items)}
            {events.next_cursor.map(|_| view! { <p class="pages"><a href=all_events>"All that is in the audit log"</a></p> })}
        </section>
    }
}

#[component]
fn Facts(user: User) -> impl IntoView {
    let verified = if user.email_verified {
        view! { <span class="badge good">"Verified"</span> }
    } else {
        view! { <span class="badge warn">"Not verified"</span> }
    };
    let external = user.external_id.map(|id| view! { <dt>"Imported id"</dt><dd>{id}</dd> });
    view! {
        <dl class="facts">
            <dt>"Status"</dt><dd><Status of=user.status/></dd>
            <dt>"Email"</dt><dd>{verified}</dd>
            <dt>"Username"</dt><dd>{user.username.unwrap_or_else(none)}</dd>
            <dt>"Name"</dt><dd><bdi>{user.name.unwrap_or_else(none)}</bdi></dd>
            <dt>"Created"</dt><dd><Time at=user.created_at/></dd>
            <dt>"Changed"</dt><dd><Time at=user.updated_at/></dd>
            <dt>"Id"</dt><dd><code>{user.id.to_string()}</code></dd>
            {external}
        </dl>
    }
}

fn none() -> String {
    "–".to_owned()
}

#[component]
fn Roles(id: UserId, roles: Vec<String>) -> impl IntoView {
    let is_empty = roles.is_empty();
    let rows = roles
        .into_iter()
        .map(|role| {
            view! {
                <li class="row">
                    <div><span class="badge plain">{role.clone()}</span></div>
                    <div class="actions">
                        <form method="post" action=RevokeRole::PATH>
                            <input type="hidden" name="id" value=id.to_string()/>
                            <input type="hidden" name="role" value=role.clone()/>
                            <button class="quiet">{format!("Take away {role}")}</button>
                        </form>
                    </div>
                </li>
            }
        })
        .collect_view();
    let list = if is_empty {
        view! { <p class="dim">"No roles."</p> }.into_any()
    } else {
        view! { <ul class="rows">{rows}</ul> }.into_any()
    };
    view! {
        {list}
        <FormView action=GrantRole::PATH>
            <input type="hidden" name="id" value=id.to_string()/>
            <Field name="role" label="Role" required=true/>
            <button class="quiet">"Grant"</button>
        </FormView>
    }
}

#[component]
fn Access(id: UserId, is_active: bool) -> impl IntoView {
    let (class, text) = if is_active {
        ("danger", "Disable account")
    } else {
        ("quiet", "Enable account")
    };
    view! {
        <div class="actions">
            <form method="post" action=MailReset::PATH>
                <input type="hidden" name="id" value=id.to_string()/>
                <button class="quiet">"Mail a reset link"</button>
            </form>
            <form method="post" action=EndUserSessions::PATH>
                <input type="hidden" name="id" value=id.to_string()/>
                <button class="quiet">"Sign out everywhere"</button>
            </form>
            <form method="post" action=UpdateUser::PATH>
                <input type="hidden" name="id" value=id.to_string()/>
                <input type="hidden" name="is_active" value=(!is_active).to_string()/>
                <button class=class>{text}</button>
            </form>
        </div>
    }
}
