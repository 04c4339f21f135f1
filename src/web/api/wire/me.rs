//! The caller's own account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{DateTime, EventResponse, MessageResponse, SessionResponse, UserResponse, present};
use crate::{
    auth::{self, Export},
    clock::Timestamp,
    id::{ProductId, SessionId},
    web::secret::Secret,
};

/// What to change; a field that is left out stays, `null` clears it.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"name": "Mira Holm"}))]
pub(crate) struct UpdateProfileRequest {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    username: Option<Option<String>>,
}

impl From<UpdateProfileRequest> for auth::UpdateProfile {
    fn from(request: UpdateProfileRequest) -> Self {
        Self {
            name: request.name,
            username: request.username,
        }
    }
}

/// The password, to prove that it is not somebody at an unlocked screen.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"password": "violet-harbour-quartz"}))]
pub(crate) struct DeleteAccountRequest {
    pub(crate) password: Secret,
}

/// The old password and the new.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"current_password": "violet-harbour-quartz", "new_password": "copper-lantern-fjord"}))]
pub(crate) struct ChangePasswordRequest {
    current_password: Secret,
    new_password: Secret,
}

impl From<ChangePasswordRequest> for auth::ChangePassword {
    fn from(request: ChangePasswordRequest) -> Self {
        Self {
            current: request.current_password.0,
            new: request.new_password.0,
        }
    }
}

/// A new address, which holds once the link mailed to it was confirmed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"password": "violet-harbour-quartz", "new_email": "mira.holm@example.org"}))]
pub(crate) struct ChangeEmailRequest {
    password: Secret,
    #[schemars(extend("format" = "email"))]
    new_email: String,
}

impl From<ChangeEmailRequest> for auth::ChangeEmail {
    fn from(request: ChangeEmailRequest) -> Self {
        Self {
            password: request.password.0,
            new_email: request.new_email,
        }
    }
}

/// All that is stored about a user, but for hashes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ExportResponse {
    #[schemars(with = "DateTime")]
    exported_at: Timestamp,
    user: UserResponse,
    #[schemars(with = "Option<DateTime>")]
    last_login_at: Option<Timestamp>,
    sessions: Vec<SessionResponse>,
    /// From where the account signed in, as far as that is remembered.
    places: Vec<PlaceResponse>,
    /// Mailed links that were not used yet, without their tokens. Those to a new address that was asked for are not here,
    /// as they would tell whether it has an account; that it was asked for is in `messages`.
    links: Vec<LinkResponse>,
    messages: Vec<MessageResponse>,
    events: Vec<EventResponse>,
    products: Vec<OwnedProductResponse>,
}

impl ExportResponse {
    pub(crate) fn seen_from(current: SessionId, export: Export) -> Self {
        let session = |session| SessionResponse::seen_from(current, session);
        let places = export.places.into_iter().map(|place| PlaceResponse {
            device: place.device,
            network: place.network,
            last_at: place.last_at,
        });
        let links = export.links.into_iter().map(|link| LinkResponse {
            kind: link.kind,
            email: link.email,
            created_at: link.created_at,
            expires_at: link.expires_at,
        });
        let products = export.products.into_iter().map(|product| OwnedProductResponse {
            id: product.id,
            name: product.name,
            description: product.description,
            created_at: product.created_at,
            updated_at: product.updated_at,
        });
        Self {
            exported_at: export.exported_at,
            user: export.user.into(),
            last_login_at: export.last_login_at,
            sessions: export.sessions.into_iter().map(session).collect(),
            places: places.collect(),
            links: links.collect(),
            messages: export.messages.into_iter().map(MessageResponse::from).collect(),
            events: export.events.into_iter().map(EventResponse::from).collect(),
            products: products.collect(),
        }
    }
}

/// A kind of device, and a network, from which the account signed in.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExportedPlace")]
pub(crate) struct PlaceResponse {
    #[schemars(example = &"Firefox on Linux")]
    device: Option<String>,
    #[schemars(example = &"203.0.113.0/24")]
    network: Option<String>,
    #[schemars(with = "DateTime")]
    last_at: Timestamp,
}

/// A mailed link that was not used yet. It may have expired.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExportedLink")]
pub(crate) struct LinkResponse {
    #[schemars(example = &"reset_password")]
    kind: String,
    #[schemars(example = &"mira@example.com")]
    email: String,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    expires_at: Timestamp,
}

/// A product of the exported user.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExportedProduct")]
pub(crate) struct OwnedProductResponse {
    #[schemars(with = "Uuid")]
    id: ProductId,
    #[schemars(example = &"Desk lamp")]
    name: String,
    #[schemars(example = &"Brass, with a green shade")]
    description: Option<String>,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_null_is_told_from_one_that_is_missing() {
        let change: UpdateProfileRequest = serde_json::from_str(r#"{"name": null}"#).unwrap();
        assert_eq!(change.name, Some(None));
        assert_eq!(change.username, None);
    }
}
