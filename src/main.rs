//! The command line: `vestibule` serves; its commands work beside a running server.

mod commands;

use std::{env, process::ExitCode};

use clap::{
    CommandFactory, FromArgMatches, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use vestibule::config::{self, Config, Settings};

/// A self-hosted sign-in server.
///
/// Without a command it serves. Every option can also be set by the environment variable named beside it, or in a `.env`
/// file in the working directory.
#[derive(Parser)]
#[command(version, max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the pages and the API (the default)
    Serve,
    /// Make, find and change accounts
    #[command(subcommand)]
    User(commands::user::Command),
    /// Look at and rotate the keys that sign access tokens
    #[command(subcommand)]
    Keys(commands::keys::Command),
    /// Look at the outbox, and send messages again
    #[command(subcommand)]
    Mail(commands::mail::Command),
    /// Ask the server that runs with this configuration on this machine whether it is ready
    Health,
    /// Look for what is wrong: configuration, certificate, files, database, keys, clock and mail. Changes nothing, sends
    /// nothing; ends with an error where something has to be put right
    Doctor,
    /// Copy the SQLite database into a file, also while a server runs on it
    Backup(commands::backup::Backup),
    /// Put a copy in the place of the SQLite database; the server must be stopped
    ///
    /// The copy is checked before anything is replaced, and the database that was there is kept under another name. Every
    /// session and every mailed link of the copy ends, messages that had not left are dropped, and a new key signs access
    /// tokens: what has ended since the copy was made must not come back.
    Restore(commands::restore::Restore),
    /// Print the API's OpenAPI document
    Openapi,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if commands::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            commands::complain(&error);
            commands::exit_code(&error)
        }
    }
}

impl Cli {
    fn read() -> Result<Self, clap::Error> {
        let mut command = Self::command().mut_subcommands(Settings::unseen);
        let matches = command.try_get_matches_from_mut(env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// To who tries `--password`, an option that is called nearly so is no help.
fn in_words(mut error: clap::Error) -> clap::Error {
    let argument = error.get(ContextKind::InvalidArg);
    if matches!(argument, Some(ContextValue::String(argument)) if argument == "--password") {
        let tip = "a password is never an argument, which everybody on the machine can read: it is asked for, or read from \
                   standard input";
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn run() -> anyhow::Result<()> {
    let dot_env = config::read_dot_env();
    let cli = Cli::read().unwrap_or_else(|error| in_words(error).exit());
    let config = dot_env.and_then(|warnings| {
        match Config::load(cli.settings) {
            Ok(mut config) => {
                config.warnings.extend(warnings);
                Ok(config)
            }
            // A value that vanished is often why another cannot be used.
            Err(errors) => {
                warnings.iter().for_each(commands::remark);
                Err(errors)
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Some(Command::Doctor) => commands::doctor::run(config).await,
            None | Some(Command::Serve) => commands::serve::run(config?).await,
            Some(Command::User(command)) => commands::user::run(command, &config?).await,
            Some(Command::Keys(command)) => commands::keys::run(command, &config?).await,
            Some(Command::Mail(command)) => commands::mail::run(command, &config?).await,
            Some(Command::Backup(backup)) => commands::backup::run(&backup, &config?).await,
            Some(Command::Restore(restore)) => commands::restore::run(&restore, &config?).await,
            Some(Command::Health) => commands::health::run(&config?).await,
            Some(Command::Openapi) => commands::openapi::run(&config?),
        }
    })
}
