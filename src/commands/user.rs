//! `vestibule user`: accounts, from the machine's own terminal.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use vestibule::{
    app,
    auth::{
        ADMIN, Actor, Auth, Client, CreateUser, Error, FieldError, FoundUser, InviteUser, UpdateUser, User, UserQuery,
        UserStatus,
    },
    config::Config,
    id::UserId,
    password::Password,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an account; its password is read from the terminal, or the first line of standard input
    Create(NewUser),
    /// Bring over the users of another application, from a file or from its database; safe to run twice
    ///
    /// Passwords keep working: hashes are taken as they are (bcrypt, and pbkdf2-sha256, scrypt and argon2 as passlib and
    /// Django write them), and made anew at each user's first log-in. An account that is here already is never changed.
    /// The exit status is 3 when some users were skipped, or came over without all that they had.
    Import(super::import::Import),
    #[command(flatten)]
    Account(AccountCommand),
}

/// What is done in the database that is there.
#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// List accounts, oldest first
    List {
        /// Only those whose address, username or name holds this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only those with this role
        #[arg(long)]
        role: Option<String>,
        /// Only those that are active, pending (nobody has chosen their password yet) or disabled
        #[arg(long, value_parser = UserStatus::ALL.map(UserStatus::as_str))]
        status: Option<String>,
        /// Print JSON, an account a line
        #[arg(long)]
        json: bool,
    },
    /// Show an account, as JSON
    Show {
        /// Its id, email address or username
        user: String,
    },
    /// Give an account a role
    Grant {
        /// Its id, email address or username
        user: String,
        /// The role, such as admin
        #[arg(default_value = ADMIN)]
        role: String,
    },
    /// Take a role from an account
    Revoke {
        /// Its id, email address or username
        user: String,
        /// The role, such as admin
        #[arg(default_value = ADMIN)]
        role: String,
    },
    /// Disable an account and end its sessions
    Disable {
        /// Its id, email address or username
        user: String,
    },
    /// Enable an account again
    Enable {
        /// Its id, email address or username
        user: String,
    },
    /// Delete an account with everything that hangs on it
    Delete {
        /// Its id, email address or username
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct NewUser {
    /// Its email address, which counts as verified, unless --invite is given
    #[arg(long)]
    email: String,
    /// Its username
    #[arg(long)]
    username: Option<String>,
    /// The name shown to others
    #[arg(long)]
    name: Option<String>,
    /// Give it the role `admin`
    #[arg(long)]
    admin: bool,
    /// Ask for no password: mail a link, good once within 7 days, with which its owner chooses one
    #[arg(long)]
    invite: bool,
}

pub(crate) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Create(new) => create_account(new, config).await,
        Command::Import(import) => super::import::run(&import, config).await,
        Command::Account(command) => super::with_auth(config, async |auth| obey(command, auth, config).await).await,
    }
}

async fn create_account(new: NewUser, config: &Config) -> anyhow::Result<()> {
    let is_invited = new.invite;
    let new_database = super::missing_database(config).await?;
    super::with_new_auth(config, async |auth| {
        create(auth, new).await?;
        match new_database {
            Some(name) => Ok(super::say(format_args!("in a new database, {name}"))?),
            None => Ok(()),
        }
    })
    .await?;
    if is_invited {
        super::remark(what_becomes_of_mail(config));
    }
    Ok(())
}

/// Where an invitation goes that a command has written, and a server sends.
fn what_becomes_of_mail(config: &Config) -> &'static str {
    if config.smtp.is_some() {
        "the invitation is mailed by the running server within seconds, or else when it starts"
    } else if config.public_url.is_loopback() {
        "without SMTP_URL, the running server puts the invitation into the built-in mailbox, /dev/mail"
    } else {
        "there is no mail server: the invitation waits until the server is started with SMTP_URL"
    }
}

async fn create(auth: &Auth, new: NewUser) -> anyhow::Result<()> {
    let (actor, client) = (Actor::Operator, Client::default());
    let NewUser {
        email,
        username,
        name,
        admin,
        invite,
    } = new;
    refuse_taken(auth, &email, username.as_deref()).await?;
    if invite {
        let new = InviteUser {
            email,
            username,
            name,
            admin,
        };
        let user = auth.invite_user(&actor, new, &client).await.map_err(in_words)?;
        return Ok(super::say(format_args!("Invited {} ({})", user.email, user.id))?);
    }
    let new = CreateUser {
        email,
        username,
        name,
        password: read_password()?,
        admin,
    };
    let user = auth.create_user(&actor, new, &client).await.map_err(in_words)?;
    Ok(super::say(format_args!("Made {} ({})", user.email, user.id))?)
}

/// Before anybody is asked for a password in vain. Where another makes the account meanwhile, the operation refuses.
async fn refuse_taken(auth: &Auth, email: &str, username: Option<&str>) -> anyhow::Result<()> {
    // Else either would be taken for something else; the operation refuses it.
    let email = Some(email).filter(|email| email.contains('@'));
    let username = username.filter(|username| !username.contains('@') && username.parse::<UserId>().is_err());
    if let Some(email) = email
        && let Some(found) = look_for(auth, email).await?
    {
        bail!("Email already registered: {}", what_to_do_with(auth, &found).await?);
    }
    if let Some(username) = username
        && look_for(auth, username).await?.is_some()
    {
        return Err(Error::UsernameTaken.into());
    }
    Ok(())
}

async fn look_for(auth: &Auth, name: &str) -> anyhow::Result<Option<FoundUser>> {
    match auth.find_user(&Actor::Operator, name, &Client::default()).await {
        Err(Error::NotFound) => Ok(None),
        found => Ok(Some(found?)),
    }
}

/// What may have been wanted by somebody who made an account that is there.
async fn what_to_do_with(auth: &Auth, found: &FoundUser) -> anyhow::Result<String> {
    let email = &found.user.email;
    Ok(match found.user.status {
        UserStatus::Active => {
            format!(
                "`vestibule user show {email}` shows the account, `vestibule user grant {email}` makes an admin of it"
            )
        }
        UserStatus::Disabled => {
            format!("the account is disabled; `vestibule user enable {email}` lets its owner in again")
        }
        UserStatus::Pending => {
            let client = Client::default();
            match auth.find_invitation(&Actor::Operator, found.user.id, &client).await? {
                Some(message) => format!(
                    "{email} was invited and has no password yet; `vestibule mail resend {message}` sends the invitation again"
                ),
                None => format!("{email} has no password yet; \"forgot password\" mails a link to choose one with"),
            }
        }
    })
}

async fn obey(command: AccountCommand, auth: &Auth, config: &Config) -> anyhow::Result<()> {
    match command {
        AccountCommand::List {
            search,
            role,
            status,
            json,
        } => {
            let query = UserQuery {
                q: search,
                role,
                status,
                ..UserQuery::default()
            };
            if list(auth, query, json).await? == 0 {
                // Perhaps it is the wrong one.
                let database = app::location(&config.database);
                super::remark(format_args!("no such account in the database {database}"));
            }
        }
        AccountCommand::Show { user } => super::say_json(&find_account(auth, &user).await?)?,
        AccountCommand::Grant { user, role } => grant(auth, &user, &role).await?,
        AccountCommand::Revoke { user, role } => revoke(auth, &user, &role).await?,
        AccountCommand::Disable { user } => set_active(auth, &user, false).await?,
        AccountCommand::Enable { user } => set_active(auth, &user, true).await?,
        AccountCommand::Delete { user, yes } => delete(auth, &user, yes).await?,
    }
    Ok(())
}

async fn find(auth: &Auth, name: &str) -> anyhow::Result<User> {
    Ok(find_account(auth, name).await?.user)
}

async fn find_account(auth: &Auth, name: &str) -> anyhow::Result<FoundUser> {
    let found = look_for(auth, name).await?;
    found.with_context(|| format!("there is no account with the id, email address or username {name}"))
}

async fn grant(auth: &Auth, name: &str, role: &str) -> anyhow::Result<()> {
    let before = find(auth, name).await?;
    let user = auth
        .grant_role(&Actor::Operator, before.id, role, &Client::default())
        .await
        .map_err(in_words)?;
    let is_new = !before.roles.iter().any(|had| had == role);
    if is_new && role == ADMIN {
        super::say(format_args!("{} is an admin now", user.email))?;
    }
    if !is_new || user.roles != [ADMIN] {
        super::say(roles_in_words(&user))?;
    }
    if is_new && role != ADMIN {
        remark_on_granted(auth, role).await?;
    }
    Ok(())
}

async fn revoke(auth: &Auth, name: &str, role: &str) -> anyhow::Result<()> {
    let before = find(auth, name).await?;
    let user = auth
        .revoke_role(&Actor::Operator, before.id, role, &Client::default())
        .await
        .map_err(in_words)?;
    if !before.roles.iter().any(|had| had == role) {
        super::say(format_args!("{} did not have the role {role}", user.email))?;
    }
    Ok(super::say(roles_in_words(&user))?)
}

async fn set_active(auth: &Auth, name: &str, is_active: bool) -> anyhow::Result<()> {
    let user = find(auth, name).await?;
    let change = UpdateUser {
        is_active: Some(is_active),
        ..UpdateUser::default()
    };
    let user = auth
        .update_user(&Actor::Operator, user.id, change, &Client::default())
        .await
        .map_err(in_words)?;
    super::say(format_args!("{} is {}", user.email, user.status.as_str()))?;
    if user.status == UserStatus::Pending {
        // What was mailed before the account was disabled has ended with that.
        let found = find_account(auth, name).await?;
        super::remark(what_to_do_with(auth, &found).await?);
    }
    Ok(())
}

async fn delete(auth: &Auth, name: &str, yes: bool) -> anyhow::Result<()> {
    let user = find(auth, name).await?;
    confirm(&user, yes)?;
    auth.delete_user(&Actor::Operator, user.id, None, &Client::default())
        .await
        .map_err(in_words)?;
    Ok(super::say(format_args!("Deleted {}", user.email))?)
}

/// Prints those that were asked for, and says how many.
async fn list(auth: &Auth, mut query: UserQuery, json: bool) -> anyhow::Result<usize> {
    let mut listed = 0;
    loop {
        let page = auth
            .list_users(&Actor::Operator, query.clone(), &Client::default())
            .await
            .map_err(in_words)?;
        for user in &page.items {
            if json {
                super::say(serde_json::to_string(user)?)?;
            } else {
                super::say(describe(user))?;
            }
        }
        listed += page.items.len();
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return Ok(listed),
        }
    }
}

/// A role that nobody else has may be one that was mistyped.
async fn remark_on_granted(auth: &Auth, role: &str) -> anyhow::Result<()> {
    let query = UserQuery {
        role: Some(role.to_owned()),
        limit: Some(2),
        ..UserQuery::default()
    };
    let holders = auth.list_users(&Actor::Operator, query, &Client::default()).await;
    let holders = holders.map_err(in_words)?;
    if holders.items.len() < 2 {
        super::say(format_args!("nobody else has the role {role}"))?;
    }
    Ok(())
}

fn roles_in_words(user: &User) -> String {
    if user.roles.is_empty() {
        return format!("{} has no roles", user.email);
    }
    format!("{} has the roles: {}", user.email, user.roles.join(", "))
}

fn describe(user: &User) -> String {
    let username = user.username.as_deref().unwrap_or("-");
    let status = user.status.as_str();
    let verified = if user.email_verified { "verified" } else { "unverified" };
    format!(
        "{}  {}  {username}  {status}  {verified}  [{}]",
        user.id,
        user.email,
        user.roles.join(", ")
    )
}

/// Never from an argument: those are seen by everybody on the machine, and stay in the shell's history.
fn read_password() -> anyhow::Result<Password> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .context("cannot read the password from standard input")?;
        let password = line.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            bail!("no password given: write it to standard input, or run this in a terminal to be asked for it");
        }
        return Ok(Password::from(password.to_owned()));
    }
    let first = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Again: ")? != first {
        bail!("the two passwords are not the same");
    }
    Ok(Password::from(first))
}

fn confirm(user: &User, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        bail!("deleting {} needs --yes where nobody can be asked", user.email);
    }
    super::say(format_args!(
        "Delete {} and everything that belongs to it? Type the email address to confirm:",
        user.email
    ))?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.trim() == user.email {
        Ok(())
    } else {
        bail!("not deleted")
    }
}

/// A refusal with the errors of its fields, for a terminal.
pub(super) fn in_words(error: Error) -> anyhow::Error {
    match error {
        Error::InvalidFields(errors) => {
            let reasons: Vec<String> = errors.iter().map(FieldError::reason).collect();
            match reasons.as_slice() {
                [reason] => anyhow::anyhow!("{reason}"),
                reasons => anyhow::anyhow!("this cannot be used:\n  {}", reasons.join("\n  ")),
            }
        }
        other => other.into(),
    }
}
