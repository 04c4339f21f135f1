//! `vestibule keys`: the keys that sign access tokens.

use clap::Subcommand;
use vestibule::{auth::Actor, config::Config};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the signing keys, oldest first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new key; it is published at once and signs after ten minutes, and no valid token is refused
    Rotate {
        /// Sign with the new key at once and refuse every token signed before: for a key that others may have. Running
        /// servers follow within a minute
        #[arg(long)]
        now: bool,
    },
}

pub(crate) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let services = super::open(config).await?;
    match command {
        Command::List { json } => {
            let keys = services.auth.list_signing_keys(&Actor::Operator).await?;
            if json {
                super::say_json(&keys)?;
            } else {
                for key in keys {
                    let until = key
                        .verifies_until
                        .map_or_else(|| "open".to_owned(), |until| until.to_string());
                    super::say(format_args!(
                        "{}  {}  signs from {}  until {until}",
                        key.kid, key.algorithm, key.signs_from
                    ))?;
                }
            }
        }
        Command::Rotate { now } => {
            services.auth.rotate_signing_keys(&Actor::Operator, now).await?;
            super::say("A new signing key is published.")?;
        }
    }
    services.close().await;
    Ok(())
}
