//! How good a password would be: the same verdict as sign-up's, for a meter beside the field.

use super::{Auth, Error};
use crate::password::{Password, Strength};

impl Auth {
    /// Judges `password` for an account with this address and username.
    #[tracing::instrument(skip_all)]
    pub async fn password_strength(
        &self,
        password: &Password,
        email: Option<&str>,
        username: Option<&str>,
    ) -> Result<Strength, Error> {
        let words: Vec<&str> = [email, username].into_iter().flatten().collect();
        Ok(self.parts.hasher.judge(&self.parts.policy, password, &words).await?)
    }
}
