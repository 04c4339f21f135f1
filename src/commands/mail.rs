//! `vestibule mail`: the outbox, from the machine's own terminal, and the templates of what is sent from there.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use vestibule::{
    auth::{Actor, Auth, Client, Error, Message, MessageQuery, MessageState},
    config::Config,
    id::MessageId,
    mail::Templates,
};

/// The longest page there is.
const PAGE: u32 = 200;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the messages in the outbox, newest first: what they are about, never what they say
    List {
        /// Only those in this state
        #[arg(long, value_parser = MessageState::ALL.map(MessageState::as_str))]
        state: Option<String>,
        /// At most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Print JSON, a message a line
        #[arg(long)]
        json: bool,
    },
    /// Have a message sent again, or at once; a running server does so within seconds
    Resend {
        /// Its id, as `mail list` shows it
        #[arg(value_parser = message_id)]
        id: MessageId,
    },
    /// Write the built-in templates into a folder, to change them there; `MAIL_TEMPLATES` puts them in place
    Templates {
        /// The folder; it is made if it is not there
        folder: PathBuf,
    },
}

fn message_id(text: &str) -> Result<MessageId, &'static str> {
    text.parse()
        .map_err(|_| "no id of a message; vestibule mail list shows them")
}

pub(crate) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::List { state, limit, json } => {
            super::with_auth(config, async |auth| list(auth, state, limit, json).await).await
        }
        Command::Resend { id } => super::with_auth(config, async |auth| resend(auth, id).await).await,
        Command::Templates { folder } => write_templates(&folder),
    }
}

async fn resend(auth: &Auth, id: MessageId) -> anyhow::Result<()> {
    let sent = auth.resend_message(&Actor::Operator, id, &Client::default()).await;
    match sent {
        Err(Error::NotFound) => bail!("there is no message {id}, or it is being sent at this moment"),
        Err(Error::MessageWithoutAddress) => {
            bail!("{id} cannot be sent again: the account was deleted, and its address with it")
        }
        sent => {
            let message = sent?;
            Ok(super::say(format_args!("{} waits to be sent", message.id))?)
        }
    }
}

fn write_templates(folder: &Path) -> anyhow::Result<()> {
    let written = Templates::write_built_in(folder);
    for path in written.with_context(|| format!("cannot write the templates into {}", folder.display()))? {
        super::say(path.display())?;
    }
    Ok(())
}

async fn list(auth: &Auth, state: Option<String>, limit: u32, json: bool) -> anyhow::Result<()> {
    let mut query = MessageQuery {
        state,
        ..MessageQuery::default()
    };
    let mut left = limit;
    while left > 0 {
        query.limit = Some(left.min(PAGE));
        let page = auth
            .list_messages(&Actor::Operator, query.clone(), &Client::default())
            .await?;
        for message in &page.items {
            if json {
                super::say(serde_json::to_string(message)?)?;
            } else {
                super::say(describe(message))?;
            }
        }
        left = left.saturating_sub(PAGE);
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => break,
        }
    }
    Ok(())
}

/// One line, whatever a mail server said.
fn describe(message: &Message) -> String {
    let address = match message.address.as_str() {
        "" => "-",
        address => address,
    };
    let when = match message.finished_at {
        Some(at) => format!("at {at}"),
        None => format!("due {}", message.due_at),
    };
    let error = message.last_error.as_deref().unwrap_or_default();
    format!(
        "{}  {}  {address}  {}  {when}  tried {}  {error}",
        message.id, message.kind, message.state, message.attempts
    )
    .trim_end()
    .to_owned()
}
