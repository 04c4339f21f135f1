//! What is said by mail.
//!
//! An operation of the domain writes *what* is to be said ([`Message`]) into the outbox, in the transaction of the
//! change that it announces, and wakes the [`Worker`]. The worker finds the words, makes the link if the message has
//! one, and hands the letter to a [`Transport`]. No row ever holds a link's secret or a finished letter, and so no copy
//! of the database does.

/// A user agent in words that nobody outside can choose.
mod device;
/// A rendered message in its envelope.
mod letter;
/// The built-in mailbox: where mail goes while there is no server to send it.
mod mailbox;
/// The closed set of messages, and their form in the outbox.
mod messages;
/// The words of each message, and their rendering as text and HTML.
mod templates;
/// The ways out of the house.
mod transport;
/// From the outbox to the transport.
mod worker;

pub use device::device_in_words;
pub use mailbox::{Delivered, Mailbox};
pub use messages::{Circumstances, LinkKind, Message, message_row};
pub use transport::Transport;
pub use worker::{MailSettings, Waker, Worker};
