//! The ways out of the house.

use std::io;

use super::{letter::Letter, mailbox::Mailbox, refusal::SmtpError, smtp::Smtp};

/// A way for letters to leave.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Into the built-in mailbox.
    Mailbox(Mailbox),
    /// To a mail server.
    Smtp(Smtp),
}

/// A letter did not leave.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    #[error("the built-in mailbox cannot be written: {0}")]
    Mailbox(#[from] io::Error),
    #[error(transparent)]
    Smtp(#[from] SmtpError),
}

impl TransportError {
    /// Whether the next try would end no better.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Mailbox(_) => false,
            Self::Smtp(error) => error.is_final(),
        }
    }

    /// For the log.
    pub(super) fn in_short(&self) -> String {
        match self {
            Self::Mailbox(_) => self.to_string(),
            Self::Smtp(error) => error.in_short(),
        }
    }
}

impl Transport {
    /// Hands `letter` on. Once this returns, it is somebody else's to lose.
    pub(super) async fn deliver(&self, letter: &Letter) -> Result<(), TransportError> {
        match self {
            Self::Mailbox(mailbox) => Ok(mailbox.put(letter).await?),
            Self::Smtp(smtp) => Ok(smtp.send(letter).await?),
        }
    }

    /// Lets go of what is held for the next letter: when none has come for a while, or at once.
    pub(super) async fn rest(&self, at_once: bool) {
        match self {
            Self::Mailbox(_) => {}
            Self::Smtp(smtp) => smtp.rest(at_once).await,
        }
    }
}
