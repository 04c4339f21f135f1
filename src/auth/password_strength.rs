//! How good a password would be: the same verdict as sign-up's, for a meter beside the field.

use super::Auth;
use crate::password::{Password, Strength};

impl Auth {
    /// Judges `password` for an account with this address and username.
    #[must_use]
    pub fn password_strength(&self, password: &Password, email: Option<&str>, username: Option<&str>) -> Strength {
        let words: Vec<&str> = [email, username].into_iter().flatten().collect();
        self.parts.policy.strength(password, &words)
    }
}
