//! `/api/mail`: the outbox, for admins.

use aide::axum::routing::{ApiMethodRouter, get_with, post_with};
use axum::{Json, extract::State, http::Uri};

use super::{
    listing::{Listing, Paged, translate},
    openapi::{MAIL, answers, for_admins, named, refuses},
    wire::{ListMessagesQuery, MessageResponse},
};
use crate::{
    auth::{self, Auth},
    id::MessageId,
    web::{
        AppState,
        caller::Caller,
        identity::SignedInUser,
        params::{PathId, Query},
        problem::Problem,
    },
};

pub(super) fn list_route() -> ApiMethodRouter<AppState> {
    get_with(list, |docs| {
        docs.with(named("listMail", MAIL, "The outbox"))
            .description("Newest first, and without words: nobody reads another's mail.")
            .with(for_admins)
            .with(answers::<200, Paged<MessageResponse>>("A page of messages."))
    })
}

async fn list(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    uri: Uri,
    Caller(client): Caller,
    Query(query): Query<ListMessagesQuery>,
) -> Result<Paged<MessageResponse>, Problem> {
    let page = auth.list_messages(&identity.into(), query.into(), &client).await?;
    Ok(Paged::of(translate(page), &uri))
}

pub(super) fn resend_route() -> ApiMethodRouter<AppState> {
    post_with(resend, |docs| {
        docs.with(named("resendMail", MAIL, "Send a message again"))
            .with(for_admins)
            .with(answers::<200, Json<MessageResponse>>("The message waits to be sent."))
            .with(refuses([auth::Error::NotFound, auth::Error::MessageWithoutAddress]))
    })
}

async fn resend(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<MessageId>,
    Caller(client): Caller,
) -> Result<Json<MessageResponse>, Problem> {
    let message = auth.resend_message(&identity.into(), id, &client).await?;
    Ok(Json(message.into()))
}
