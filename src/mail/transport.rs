//! The ways out of the house.

use std::io;

use super::{letter::Letter, mailbox::Mailbox};

/// A way for letters to leave.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Into the built-in mailbox.
    Mailbox(Mailbox),
}

/// A letter did not leave, and may at another time.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    #[error("the built-in mailbox cannot be written: {0}")]
    Mailbox(#[from] io::Error),
}

impl Transport {
    /// Hands `letter` on. Once this returns, it is somebody else's to lose.
    pub(super) async fn deliver(&self, letter: &Letter) -> Result<(), TransportError> {
        match self {
            Self::Mailbox(mailbox) => Ok(mailbox.put(letter).await?),
        }
    }
}
