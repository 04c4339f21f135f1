//! Who is calling, as far as the connection tells.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{header, request::Parts},
};

use crate::auth::Client;

/// The caller, for the audit log and the session list. The address is the peer's: headers that claim another are
/// anybody's to write.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Client);

impl Caller {
    pub(crate) fn of(parts: &Parts) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // An IPv4 client of a socket that listens on `::` would else have another address there than on `0.0.0.0`.
        let address = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let user_agent = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        Self(Client::new(address, user_agent))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl aide::OperationInput for Caller {}
