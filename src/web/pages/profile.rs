//! `/profile`: what somebody may see and change of their own account.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    components::{Said, Section, Time, address},
    fields::{ButtonAlert, Field, FormView, NewPasswordField, PasswordField, TypedUsername},
    flash::Echo,
    form::{Desk, Done, Form, PageForm, form_route},
    notice::Notice,
    resend_verification::ResendVerificationButton,
    shell::Head,
    visit::SignedInVisit,
};
use crate::{
    auth::{self, Auth, NewestSessions, Session, User},
    id::SessionId,
    mail::device_in_words,
    web::{AppState, paths::login_path, problem::Problem, secret::Secret},
};

const PAGE: &str = "/profile";

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route(PAGE, get(page))
        .route(UpdateProfile::PATH, form_route())
        .route(ChangeEmail::PATH, form_route())
        .route(ChangePassword::PATH, form_route())
        .route(EndSession::PATH, form_route())
        .route(EndOtherSessions::PATH, form_route())
        .route(DeleteAccount::PATH, form_route())
}

async fn page(
    SignedInVisit { visit, identity }: SignedInVisit,
    State(auth): State<Auth>,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let newest = auth.newest_sessions(&identity).await?;
    let min_length = state.site.password_min_length;
    let (user, current) = (identity.user, identity.session);
    Ok(visit.show(Head::new("Profile").wide(), || {
        view! { <ProfilePage user newest current min_length/> }
    }))
}

/// Changes name and username.
#[server(prefix = "/form", endpoint = "update_profile", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn update_profile(name: String, username: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    let change = auth::UpdateProfile {
        name: Some(Some(name)),
        username: Some(Some(username)),
    };
    desk.auth().update_profile(&identity, change, &desk.client()).await?;
    Ok(Done::to(PAGE).saying(Notice::ProfileSaved))
}

impl PageForm for UpdateProfile {
    const PAGE: &'static str = PAGE;
    const BLAMED: &'static [(&'static str, &'static str)] = &[("username_taken", "username")];

    fn echo(&self) -> Echo {
        vec![
            ("name".to_owned(), self.name.clone()),
            ("username".to_owned(), self.username.clone()),
        ]
    }
}

/// Mails a link to a new address.
#[server(prefix = "/form", endpoint = "change_email", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn change_email(new_email: String, password: Secret) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    let change = auth::ChangeEmail {
        password: password.0,
        new_email,
    };
    desk.auth().change_email(&identity, change, &desk.client()).await?;
    Ok(Done::to(PAGE).saying(Notice::EmailChangeRequested))
}

impl PageForm for ChangeEmail {
    const PAGE: &'static str = PAGE;
    const BLAMED: &'static [(&'static str, &'static str)] = &[("email_taken", "new_email")];

    fn echo(&self) -> Echo {
        vec![("new_email".to_owned(), self.new_email.clone())]
    }
}

/// Changes the password, which ends every other session.
#[server(prefix = "/form", endpoint = "change_password", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn change_password(current_password: Secret, new_password: Secret) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    let change = auth::ChangePassword {
        current: current_password.0,
        new: new_password.0,
    };
    let device = desk.auth().change_password(&identity, change, &desk.client()).await?;
    desk.cookies()?.keep_device(device.as_ref());
    Ok(Done::to(PAGE).saying(Notice::PasswordChanged))
}

impl PageForm for ChangePassword {
    const PAGE: &'static str = PAGE;
}

/// Signs a device out.
#[server(prefix = "/form", endpoint = "end_session", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn end_session(id: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    let session: SessionId = id.parse().map_err(|_| Problem::not_found())?;
    desk.auth().end_session(&identity, session, &desk.client()).await?;
    Ok(Done::to(PAGE).saying(Notice::SessionEnded))
}

impl PageForm for EndSession {
    const PAGE: &'static str = PAGE;
}

/// Signs every device out but this one.
#[server(prefix = "/form", endpoint = "end_other_sessions", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn end_other_sessions() -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    desk.auth().end_other_sessions(&identity, &desk.client()).await?;
    Ok(Done::to(PAGE).saying(Notice::OtherSessionsEnded))
}

impl PageForm for EndOtherSessions {
    const PAGE: &'static str = PAGE;
}

/// Deletes the account.
#[server(prefix = "/form", endpoint = "delete_account", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn delete_account(password: Secret) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    desk.auth()
        .delete_account(&identity, password.0, &desk.client())
        .await?;
    desk.cookies()?.clear();
    Ok(Done::to(login_path(None)).saying(Notice::AccountDeleted))
}

impl PageForm for DeleteAccount {
    const PAGE: &'static str = PAGE;
}

#[component]
fn ProfilePage(user: User, newest: NewestSessions, current: SessionId, min_length: usize) -> impl IntoView {
    view! {
        <h1>"Profile"</h1>
        <Said/>
        <ButtonAlert actions=&[EndSession::PATH, EndOtherSessions::PATH]/>
        <Details user=user.clone()/>
        <Email user=user.clone()/>
        <Password user=user.clone() min_length/>
        <Section id="devices" title="Devices" about="Where you are signed in.">
            <Devices newest current/>
        </Section>
        <Section id="data" title="Your data" about="Everything we hold about you, in one JSON file.">
            <p><a class="button" href="/api/auth/me/export" download="account.json">"Download your data"</a></p>
        </Section>
        <Section id="delete" title="Delete account" about="At once, with everything in it. It cannot be undone.">
            <FormView action=DeleteAccount::PATH>
                <TypedUsername username=login_name(&user)/>
                <PasswordField name="password" label="Current password"/>
                <button class="danger">"Delete account"</button>
            </FormView>
        </Section>
    }
}

/// What is typed to sign in.
fn login_name(user: &User) -> String {
    user.username.clone().unwrap_or_else(|| user.email.clone())
}

#[component]
fn Details(user: User) -> impl IntoView {
    view! {
        <Section id="details" title="Details" about="How applications greet you.">
            <FormView action=UpdateProfile::PATH>
                <Field name="name" label="Name" autocomplete="name" prose=true value=user.name/>
                <Field name="username" label="Username" autocomplete="username" value=user.username/>
                <button class="primary">"Save"</button>
            </FormView>
        </Section>
    }
}

#[component]
fn Email(user: User) -> impl IntoView {
    let badge = if user.email_verified {
        view! { <span class="badge good">"Verified"</span> }
    } else {
        view! { <span class="badge warn">"Not verified"</span> }
    };
    let email = user.email.clone();
    let resend = (!user.email_verified).then(|| view! { <ResendVerificationButton email=email.clone()/> });
    view! {
        <Section id="email" title="Email address" about="For signing in, and for letters about your account.">
            <p><strong>{address(&email)}</strong>" "{badge}</p>
            {resend}
            <FormView action=ChangeEmail::PATH>
                <TypedUsername username=login_name(&user)/>
                <Field name="new_email" label="New email address" kind="email" autocomplete="email" inputmode="email" required=true/>
                <PasswordField name="password" label="Current password"/>
                <button class="quiet">"Change address"</button>
            </FormView>
        </Section>
    }
}

#[component]
fn Password(user: User, min_length: usize) -> impl IntoView {
    let username = login_name(&user);
    view! {
        <Section id="password" title="Password" about="A new one signs out all your other devices.">
            <FormView action=ChangePassword::PATH>
                <TypedUsername username/>
                <PasswordField name="current_password" label="Current password"/>
                <NewPasswordField
                    name="new_password"
                    label="New password"
                    min_length
                    email=user.email
                    username=user.username.unwrap_or_default()
                />
                <button class="quiet">"Change password"</button>
            </FormView>
        </Section>
    }
}

#[component]
fn Devices(newest: NewestSessions, current: SessionId) -> impl IntoView {
    let NewestSessions { sessions, more } = newest;
    let has_others = sessions.len() > 1;
    let rows = sessions
        .into_iter()
        .map(|session| {
            let is_this = session.id == current;
            view! { <Device session is_this/> }
        })
        .collect_view();
    let end_others = has_others.then(|| {
        view! {
            <form method="post" action=EndOtherSessions::PATH>
                <button class="quiet">"Sign out all other devices"</button>
            </form>
        }
    });
    let more = (more > 0).then(|| view! { <p class="dim">{format!("And {more} more, last used before these.")}</p> });
    view! { <ul class="rows">{rows}</ul>{more}{end_others} }
}

#[component]
fn Device(session: Session, is_this: bool) -> impl IntoView {
    let device = session.user_agent.as_deref().and_then(device_in_words);
    let device = device.unwrap_or_else(|| "An unknown device".to_owned());
    let place = session
        .client_address
        .map(|address| format!("From {address}, last used "));
    // The time comes last: what stood behind it would move when the script makes it relative.
    let last_used = place.unwrap_or_else(|| "Last used ".to_owned());
    let end = (!is_this).then(|| {
        let label = format!("Sign out {device}");
        view! {
            <div class="actions">
                <form method="post" action=EndSession::PATH>
                    <input type="hidden" name="id" value=session.id.to_string()/>
                    <button class="quiet" aria-label=label>"Sign out"</button>
                </form>
            </div>
        }
    });
    view! {
        <li class="row">
            <div>
                <strong>{device.clone()}</strong>
                {is_this.then(|| view! { " "<span class="badge plain">"This device"</span> })}
                <span class="dim">{last_used}<Time at=session.last_used_at/></span>
                <span class="dim">"Signed in "<Time at=session.created_at/></span>
            </div>
            {end}
        </li>
    }
}
