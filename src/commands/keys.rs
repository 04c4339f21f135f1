//! `vestibule keys`: the keys that sign access tokens.

use clap::Subcommand;
use vestibule::{
    auth::{Actor, Auth, KeyStatus},
    clock::{Clock, SystemClock},
    config::{Config, Signing},
};

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
        /// servers follow within ten seconds
        #[arg(long)]
        now: bool,
    },
}

pub(crate) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    super::with_auth(config, async |auth| obey(command, auth, &config.signing).await).await
}

async fn obey(command: Command, auth: &Auth, signing: &Signing) -> anyhow::Result<()> {
    match command {
        Command::List { json } => {
            if matches!(signing, Signing::Hs256(_)) {
                super::remark("with ALGORITHM=HS256 tokens are signed with SECRET_KEY; stored keys do not sign");
            }
            let keys = auth.list_signing_keys(&Actor::Operator).await?;
            if json {
                return super::say_json(&keys);
            }
            for key in &keys {
                super::say(describe(key))?;
            }
        }
        Command::Rotate { now } => {
            let waiting = waiting_key(auth).await?;
            auth.rotate_signing_keys(&Actor::Operator, now).await?;
            if let Some(waiting) = waiting.filter(|_| !now) {
                super::say(format_args!(
                    "A new key was waiting already; it signs from {}, until the one that is made now does.",
                    waiting.signs_from
                ))?;
            }
            super::say("A new signing key is published.")?;
            if now {
                super::say(
                    "It signs from now on. Every access token signed before is refused; running servers follow within ten \
                     seconds.",
                )?;
            } else if let Some(key) = auth.list_signing_keys(&Actor::Operator).await?.last() {
                super::say(format_args!("It signs from {}. No token is refused.", key.signs_from))?;
            }
        }
    }
    Ok(())
}

/// The key that is published and does not sign yet, if there is one.
async fn waiting_key(auth: &Auth) -> anyhow::Result<Option<KeyStatus>> {
    let keys = auth.list_signing_keys(&Actor::Operator).await?;
    let newest = keys.into_iter().next_back();
    Ok(newest.filter(|key| key.signs_from > SystemClock.now()))
}

fn describe(key: &KeyStatus) -> String {
    let KeyStatus {
        kid,
        algorithm,
        signs_from,
        ..
    } = key;
    match key.verifies_until {
        None => format!("{kid}  {algorithm}  signs from {signs_from} until it is rotated"),
        Some(until) => {
            format!("{kid}  {algorithm}  signs from {signs_from} until its successor does, published until {until}")
        }
    }
}
