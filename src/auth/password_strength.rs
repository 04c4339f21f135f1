//! How good a password would be: the same verdict as sign-up's, for a meter beside the field.

use super::{Auth, Client, Error};
use crate::password::{Password, Strength};

impl Auth {
    /// Judges `password` for an account with this address and username. It tells nothing of anybody and changes nothing,
    /// but takes a core for milliseconds: so it is limited by network, and waits in no queue that a log-in waits in.
    #[tracing::instrument(skip_all)]
    pub async fn password_strength(
        &self,
        password: &Password,
        email: Option<&str>,
        username: Option<&str>,
        client: &Client,
    ) -> Result<Strength, Error> {
        self.limit_judging(client)?;
        let words: Vec<&str> = [email, username].into_iter().flatten().collect();
        Ok(self.parts.hasher.preview(&self.parts.policy, password, &words).await?)
    }
}
