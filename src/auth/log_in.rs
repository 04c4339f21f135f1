//! A password becomes a session.

use std::time::Duration;

use super::{
    Auth, Client, Error, FieldError, FieldErrors, RefreshLife, SignedIn,
    audit::{EventKind, Record},
    fields::{self, Identifier},
    limits::Pass,
};
use crate::{
    clock::Timestamp,
    id::{SessionId, UserId},
    password::{Password, PasswordHash, Verdict},
    store::{SessionRow, Tx, UserRow},
    token::{RefreshToken, Subject},
};

/// How long a session lives unused when nobody asked to be remembered: a working day, on a shared machine at most.
const UNREMEMBERED_IDLE: Duration = Duration::from_hours(12);

/// How a log-in that starts a session is counted; the others are by their codes.
pub(super) const SUCCESS: &str = "success";

/// What is typed into a log-in form.
#[derive(Debug)]
pub struct LogIn {
    /// A username or an email address.
    pub identifier: String,
    /// The password.
    pub password: Password,
    /// Whether the device may stay signed in when its browser closes.
    pub remember: bool,
    /// What the device holds of the session that it had before. It is about to forget that, and so shall the server: what
    /// nobody holds any more is of use to a thief alone.
    pub replaces: Option<RefreshToken>,
}

impl LogIn {
    /// Refuses what is left blank, all of it at once: it needs no account to be looked at.
    fn check(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        if self.identifier.is_empty() {
            let message = "A username or an email address is required.";
            errors.extend(vec![FieldError::new("username", "required", message)]);
        }
        errors.take(fields::require("password", self.password.expose()));
        errors.check()
    }
}

impl Auth {
    /// Starts a session for whoever knows an account's password. Without an account the same work is done, and the
    /// same refusal given, as with a wrong password: neither words nor time tell who has an account.
    #[tracing::instrument(skip_all)]
    pub async fn log_in(&self, attempt: LogIn, client: &Client) -> Result<SignedIn, Error> {
        let outcome = self.try_log_in(attempt, client).await;
        self.log_ins.count(outcome.as_ref().err().map_or(SUCCESS, Error::code));
        outcome
    }

    async fn try_log_in(&self, attempt: LogIn, client: &Client) -> Result<SignedIn, Error> {
        attempt.check()?;
        let identifier = &attempt.identifier;
        let pass = self.limit_log_in(identifier, client).await?;
        let account = self.find_by_identifier(&Identifier::parse(identifier)).await?;
        let mut pass = self.confirm_device(pass, account.as_ref(), identifier, client).await?;
        let stored = account
            .as_ref()
            .map(|account| PasswordHash::from_stored(account.password_hash.clone()));
        let verified = self
            .parts
            .hasher
            .verify(attempt.password.clone(), stored.as_ref())
            .await;
        let verdict = self.unless_failed(&mut pass.spent, verified).await?;
        match account {
            Some(account) if verdict != Verdict::Wrong => self.admit(account, verdict, attempt, pass, client).await,
            account => self.refuse(Error::InvalidCredentials, account.as_ref(), client).await,
        }
    }

    /// The password was right: what else stands in the way is asked only now, so that strangers learn nothing of it.
    async fn admit(
        &self,
        account: UserRow,
        verdict: Verdict,
        attempt: LogIn,
        mut pass: Pass,
        client: &Client,
    ) -> Result<SignedIn, Error> {
        if account.disabled_at.is_some() {
            return self.refuse(Error::InactiveUser, Some(&account), client).await;
        }
        if self.rules().require_verified_email && account.email_verified_at.is_none() {
            // Under PRIVATE_SIGNUP "not verified" would tell that the sign-up before made this account.
            let private = self.rules().private_signup;
            let error = if private {
                Error::InvalidCredentials
            } else {
                Error::EmailNotVerified
            };
            return self.refuse(error, Some(&account), client).await;
        }
        let hash = self.up_to_date_hash(&account, verdict, attempt.password).await;
        let hash = self.unless_failed(&mut pass.spent, hash).await?;
        self.know_the_keys().await?;
        let now = self.now();
        let replaced = self.find_replaced(attempt.replaces.as_ref(), now).await?;
        let session = self.new_session(&account, attempt.remember, client, now);
        let mut tx = self.store().begin().await?;
        if !tx.admit_log_in(account.id, &account.password_hash, &hash, now).await? {
            // Changed or disabled while it was being verified.
            drop(tx);
            return self.refuse(Error::InvalidCredentials, Some(&account), client).await;
        }
        end_replaced(&mut tx, replaced, client, now).await?;
        let refresh = start_session(&mut tx, &session).await?;
        Record::success(EventKind::LogIn, client)
            .about(account.id)
            .on(session.id)
            .write(&mut tx, now)
            .await?;
        let told = self.tell_of_new_device(&mut tx, &account, &pass, client, now).await?;
        pass.give_back(&mut tx).await?;
        // Before the commit: a session whose tokens cannot be made is none.
        let device = self.prove_device(&account, &hash, client, now)?;
        let signed_in = SignedIn {
            device,
            ..self.issue_tokens(account, &session, refresh, now)?
        };
        if told {
            self.commit_and_wake(tx).await?;
        } else {
            tx.commit().await?;
        }
        Ok(signed_in)
    }

    /// Whose session `held` continues, if one still lives.
    async fn find_replaced(
        &self,
        held: Option<&RefreshToken>,
        now: Timestamp,
    ) -> Result<Option<(UserId, SessionId)>, Error> {
        let Some(held) = held else {
            return Ok(None);
        };
        let found = self.store().find_refresh_token(held.hash().as_str(), now).await?;
        Ok(found.map(|found| (found.user.id, found.session.id)))
    }

    /// A hash with today's parameters: the one moment when the plain password is at hand to make it from. When the
    /// hashing threads are full the old one does for now.
    async fn up_to_date_hash(&self, account: &UserRow, verdict: Verdict, password: Password) -> Result<String, Error> {
        if verdict != Verdict::RightButOutdated {
            return Ok(account.password_hash.clone());
        }
        match self.parts.hasher.hash(password).await.map_err(Error::from) {
            Ok(hash) => Ok(hash.as_str().to_owned()),
            Err(Error::Busy) => Ok(account.password_hash.clone()),
            Err(error) => Err(error),
        }
    }

    fn new_session(&self, account: &UserRow, remember: bool, client: &Client, now: Timestamp) -> SessionRow {
        let idle = self.rules().refresh_idle;
        let idle = if remember { idle } else { idle.min(UNREMEMBERED_IDLE) };
        let dies_at = now.plus(self.rules().session_max);
        SessionRow {
            id: SessionId::new(now),
            user_id: account.id,
            created_at: now,
            last_used_at: now,
            expires_at: now.plus(idle).min(dies_at),
            dies_at,
            idle_seconds: i64::try_from(idle.as_secs()).unwrap_or(i64::MAX),
            remembered: remember,
            client_address: client.address_text(),
            user_agent: client.user_agent.clone(),
        }
    }

    /// What the device gets, for a session that is written.
    pub(super) fn issue_tokens(
        &self,
        account: UserRow,
        session: &SessionRow,
        refresh: RefreshToken,
        now: Timestamp,
    ) -> Result<SignedIn, Error> {
        let subject = Subject {
            user: account.id,
            session: session.id,
            roles: &account.roles,
        };
        let access = self.parts.tokens.issue(&subject, now)?;
        let refresh_life = if session.remembered {
            RefreshLife::Persistent(session.expires_at.since(now))
        } else {
            RefreshLife::BrowserSession
        };
        Ok(SignedIn {
            session: session.id,
            access,
            refresh,
            refresh_life,
            device: None,
            user: account.into(),
        })
    }

    async fn refuse(&self, error: Error, account: Option<&UserRow>, client: &Client) -> Result<SignedIn, Error> {
        let user = account.map(|account| account.id);
        self.record(Record::failure(EventKind::LogIn, client, &error).about(user))
            .await?;
        Err(error)
    }
}

/// Whoever it belonged to: of two people at one machine, the second must not leave the first one's session behind.
async fn end_replaced(
    tx: &mut Tx,
    replaced: Option<(UserId, SessionId)>,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    if let Some((user, session)) = replaced
        && tx.end_session(session).await?
    {
        let record = Record::success(EventKind::LogOut, client).about(user).on(session);
        record.write(tx, now).await?;
    }
    Ok(())
}

async fn start_session(tx: &mut Tx, session: &SessionRow) -> Result<RefreshToken, Error> {
    let refresh = RefreshToken::generate();
    tx.insert_session(session).await?;
    tx.insert_refresh_token(refresh.hash().as_str(), session.id, session.created_at)
        .await?;
    Ok(refresh)
}
