//! What is said by mail.
//!
//! An operation of the domain writes *what* is to be said (a [`Message`](crate::mail::Message)) into the outbox, in the
//! transaction of the change that it announces, and wakes the [`Worker`](crate::mail::Worker). The worker finds the
//! words, makes the link if the message has one, and hands the letter to a [`Transport`](crate::mail::Transport). No
//! row ever holds a link's secret or a finished letter, and so no copy of the database does.

mod device;
mod letter;
mod mailbox;
mod messages;
mod refusal;
mod smtp;
mod templates;
mod transport;
mod worker;

pub(crate) use device::device_in_words;
pub use mailbox::{Delivered, Mailbox};
pub use messages::{Circumstances, LinkKind, Message, message_row};
pub use refusal::SmtpError;
pub use smtp::Smtp;
pub use templates::{TemplateMistakes, Templates};
pub use transport::Transport;
pub(crate) use worker::LONGEST_PAUSE;
pub use worker::{MailSettings, Waker, Worker};
