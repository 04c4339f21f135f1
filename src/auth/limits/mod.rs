//! Limits: how often something may be tried, by client network and by what the try is about.
//!
//! A limited operation asks here first, before it looks anything up or hashes anything: a refusal costs next to nothing,
//! and is the same whether or not there is such an account. What is typed as an identifier or an address counts in its
//! normalised form, known or not.
//!
//! - By network, in memory, as each process has its own connections to defend.
//! - By session, in memory too, as what a process can do to the database is to be bounded: refreshes, and what goes on record of
//!   what a session may not do.
//! - By what the try is about, in the database: a guesser gains nothing by asking another process, nor by waiting for a
//!   restart. There it stands under a pseudonym, so that a stolen copy does not tell who was tried.
//!
//! An account is slowed, and never locked: a [device](self::device) that signed in to it before has a budget of its own, and
//! what comes of a mailed link none that strangers could use up. A log-in that succeeds gives back what it used, and no more:
//! a budget made whole again would give a guesser ten more tries each time that the owner signs in.

mod device;
mod networks;

use std::{borrow::Cow, mem, time::Duration};

use tokio::time::timeout;
use tracing::Instrument as _;

pub use self::device::DeviceProof;
pub(super) use self::device::Pass;
use self::networks::{Holders, Networks, Refused};
use super::{
    Auth, Client, EmailAddress, Error, Exceeded, Identity,
    audit::{EventKind, Record},
    fields::Identifier,
};
use crate::{
    clock::Timestamp,
    id::{SessionId, UserId},
    quota::{Quota, Quotas, in_milliseconds},
    store::{PresentedRefreshToken, Tx, UserRow},
    token::{LinkToken, PseudonymKey, SealingKey},
};

/// A slow typist has one password judged some twenty times, and a whole office may sit behind one address.
const JUDGEMENTS_PER_TRY: u32 = 10;

/// How often one session is refreshed: many times more than any client needs. Each time leaves a row behind for as long as
/// the session lives, as a token that comes again must be known. A client that has lost its way is slowed, and not shut out.
const REFRESHES: Quota = Quota::new(60, Duration::from_mins(10));

/// How often what a user may not do is on record. Whoever looks around is seen, and whoever has a program try the same
/// again and again fills no log with it.
const REFUSALS: Quota = Quota::new(20, Duration::from_mins(10));

/// How long an answer waits for a try to be given back. The next try should find it, but the database may be as busy as the
/// hashing threads.
const GIVE_BACK_PATIENCE: Duration = Duration::from_secs(1);

/// What limits know.
#[derive(Debug)]
pub struct Limits {
    quotas: Quotas,
    names: PseudonymKey,
    networks: Networks,
    sessions: Holders<SessionId>,
    refusals: Holders<UserId>,
}

impl Limits {
    /// Limits of these quotas. Processes with the same key share those that are in the database.
    #[must_use]
    pub fn new(quotas: Quotas, key: &SealingKey) -> Self {
        Self {
            quotas,
            names: key.pseudonyms("limits"),
            networks: Networks::default(),
            sessions: Holders::default(),
            refusals: Holders::default(),
        }
    }

    fn budget(&self, policy: &'static str, kind: &str, subject: &str, quota: Quota) -> Budget {
        Budget {
            policy,
            name: self.names.name(kind, subject),
            quota,
        }
    }

    /// The budget of all who try the same.
    fn budget_of(&self, limited: Limited<'_>) -> Budget {
        let (tries, mails) = (self.quotas.tries_per_account, self.quotas.mails_per_address);
        let (policy, quota) = match limited {
            Limited::LogIn(_) | Limited::Password(..) => ("account", tries),
            // What was only tried: letters to somebody who is there already are counted when they are written.
            Limited::SignUp(_) => ("address", tries),
            Limited::RequestReset(_) | Limited::ResendVerification(_) | Limited::ChangeEmail(..) => ("address", mails),
            Limited::VerifyEmail(_) | Limited::FinishReset(_) => ("link", tries),
        };
        self.budget(policy, limited.kind(), &limited.subject(), quota)
    }

    fn quota_of_network(&self, limited: Limited<'_>) -> Quota {
        match limited {
            Limited::LogIn(_) | Limited::Password(..) | Limited::VerifyEmail(_) | Limited::FinishReset(_) => {
                self.quotas.tries_per_network
            }
            Limited::SignUp(_)
            | Limited::RequestReset(_)
            | Limited::ResendVerification(_)
            | Limited::ChangeEmail(..) => self.quotas.mails_per_network,
        }
    }
}

/// What is limited, and what it is about. Each kind has budgets of its own: who uses up one, as anybody can use up those for
/// somebody else's address, is in nobody's way to another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limited<'a> {
    /// With what was typed as the address.
    SignUp(&'a str),
    /// With what was typed as the identifier.
    LogIn(&'a str),
    RequestReset(&'a EmailAddress),
    ResendVerification(&'a EmailAddress),
    VerifyEmail(&'a LinkToken),
    FinishReset(&'a LinkToken),
    /// To this address.
    ChangeEmail(&'a EmailAddress, &'a Identity),
    /// Somebody who is signed in says their password again, to do this.
    Password(EventKind, &'a Identity),
}

impl<'a> Limited<'a> {
    const fn kind(self) -> &'static str {
        match self {
            // Which of the operations it is for is no matter to who guesses.
            Self::Password(..) => "password",
            _ => self.event().as_str(),
        }
    }

    const fn event(self) -> EventKind {
        match self {
            Self::SignUp(_) => EventKind::SignUp,
            Self::LogIn(_) => EventKind::LogIn,
            Self::RequestReset(_) => EventKind::RequestReset,
            Self::ResendVerification(_) => EventKind::ResendVerification,
            Self::VerifyEmail(_) => EventKind::VerifyEmail,
            Self::FinishReset(_) => EventKind::FinishReset,
            Self::ChangeEmail(..) => EventKind::ChangeEmail,
            Self::Password(event, _) => event,
        }
    }

    fn subject(self) -> Cow<'a, str> {
        match self {
            Self::LogIn(typed) => normalised(typed).into(),
            Self::SignUp(typed) => mailbox(&normalised(typed)).into(),
            Self::RequestReset(email) | Self::ResendVerification(email) | Self::ChangeEmail(email, _) => {
                mailbox(email.key()).into()
            }
            Self::VerifyEmail(token) | Self::FinishReset(token) => token.hash().as_str().to_owned().into(),
            Self::Password(_, identity) => identity.user.id.to_string().into(),
        }
    }

    fn record<'c>(self, client: &'c Client, error: &Error) -> Record<'c> {
        let record = Record::failure(self.event(), client, error);
        match self {
            Self::ChangeEmail(_, identity) | Self::Password(_, identity) => record.by_owner(identity),
            _ => record,
        }
    }
}

/// A letter that somebody's doing has written, as often as they like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Letter {
    /// Strangers try to sign up with the address.
    AccountExists,
    /// Whoever knows the password signs in, each time as another device.
    NewSignIn,
    /// Whoever is signed in changes the username to and fro.
    UsernameChanged,
}

impl Letter {
    /// Each has a budget of its own: none of them can be used up by another.
    const fn kind(self) -> &'static str {
        match self {
            Self::AccountExists => "account_exists",
            Self::NewSignIn => "new_sign_in",
            Self::UsernameChanged => "username_changed",
        }
    }
}

/// What can name nobody is one thing too, however it is spelt.
fn normalised(typed: &str) -> String {
    match Identifier::parse(typed) {
        Identifier::Email(key) | Identifier::Username(key) => key,
        Identifier::Nobody => typed.trim().to_lowercase(),
    }
}

/// Where letters to an address end up, as far as its spelling tells: to most providers, what follows a `+` is the reader's own
/// mark, and any number of such addresses is one mailbox.
fn mailbox(key: &str) -> String {
    match key.rsplit_once('@') {
        Some((local, domain)) => {
            let name = local
                .split_once('+')
                .map(|(name, _)| name)
                .filter(|name| !name.is_empty());
            format!("{}@{domain}", name.unwrap_or(local))
        }
        None => key.to_owned(),
    }
}

/// A budget in the database.
#[derive(Debug)]
struct Budget {
    policy: &'static str,
    name: String,
    quota: Quota,
}

impl Budget {
    fn exceeded(&self, wait: Duration) -> Error {
        Error::TooManyRequests(Exceeded {
            policy: self.policy,
            quota: self.quota,
            wait,
        })
    }
}

/// One use of a budget; of none where there are no limits.
#[derive(Debug, Default)]
pub(super) struct Spent(Option<Budget>);

impl Spent {
    /// Gives it back with what it led to: it was no guess.
    pub(super) async fn give_back(self, tx: &mut Tx) -> Result<(), Error> {
        match self.0 {
            Some(budget) => Ok(tx.give_back_limit(&budget.name, budget.quota).await?),
            None => Ok(()),
        }
    }
}

/// The name of the limits by network.
const NETWORK: &str = "network";

impl Refused {
    fn exceeded(self, quota: Quota) -> Error {
        let (policy, wait) = (NETWORK, self.wait);
        Error::TooManyRequests(Exceeded { policy, quota, wait })
    }
}

impl Auth {
    /// Takes what `limited` costs from the budget of the client's network and from that of what it is about; refuses where
    /// one of them is used up.
    pub(super) async fn limit(&self, limited: Limited<'_>, client: &Client) -> Result<Spent, Error> {
        let Some(limits) = &self.parts.limits else {
            return Ok(Spent::default());
        };
        self.limit_network(limits, limited, client).await?;
        self.spend(limits.budget_of(limited), limited, client).await
    }

    /// Gives back what proved to be no guess.
    pub(super) async fn give_back(&self, spent: Spent) -> Result<(), Error> {
        if spent.0.is_none() {
            return Ok(());
        }
        let mut tx = self.store().begin().await?;
        spent.give_back(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Passes on what came of the work that a try waits for, whose price is `spent`. Where the server was too busy or failed,
    /// nothing was tried: whoever keeps it busy must not use up the tries of those whom it turns away. Who is turned away
    /// waits a moment for that to be written, and no longer: it is written all the same.
    pub(super) async fn unless_failed<T, E: Into<Error>>(
        &self,
        spent: &mut Spent,
        outcome: Result<T, E>,
    ) -> Result<T, Error> {
        let outcome = outcome.map_err(Into::into);
        if let Err(Error::Busy | Error::Internal(_)) = outcome {
            let (auth, spent) = (self.clone(), mem::take(spent));
            let writing = async move {
                if let Err(error) = auth.give_back(spent).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot give back a try");
                }
            };
            let writing = tokio::spawn(writing.in_current_span());
            let _ = timeout(GIVE_BACK_PATIENCE, writing).await;
        }
        outcome
    }

    /// Whether one more such letter may go to `owner`. Beyond it nothing is said, neither to the owner, who has a few of the same
    /// by now, nor to a stranger, who would learn of the account.
    pub(super) async fn may_write_to(
        &self,
        tx: &mut Tx,
        letter: Letter,
        owner: &UserRow,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let Some(limits) = &self.parts.limits else {
            return Ok(true);
        };
        let quota = limits.quotas.mails_per_address;
        let budget = limits.budget("address", letter.kind(), &mailbox(&owner.email_key), quota);
        Ok(tx.spend_limit(&budget.name, budget.quota, now).await?)
    }

    /// Takes a refresh from the budget of its session; refuses where that is used up.
    pub(super) async fn limit_refresh(&self, found: &PresentedRefreshToken, client: &Client) -> Result<(), Error> {
        let Some(limits) = &self.parts.limits else {
            return Ok(());
        };
        let now = in_milliseconds(self.now());
        let Err(refused) = limits.sessions.spend(found.session.id, REFRESHES, now) else {
            return Ok(());
        };
        let error = Error::TooManyRequests(Exceeded {
            policy: "session",
            quota: REFRESHES,
            wait: refused.wait,
        });
        if refused.is_first {
            tracing::warn!(event = EventKind::Refresh.as_str(), by = "session", "too many tries");
            let record = Record::failure(EventKind::Refresh, client, &error);
            self.record(record.about(found.user.id).on(found.session.id)).await?;
        }
        Err(error)
    }

    /// Whether one more refusal of what this user asked for goes on record. Beyond that the log of requests alone has it.
    pub(super) fn may_note_refusal(&self, identity: &Identity, kind: EventKind) -> bool {
        let Some(limits) = &self.parts.limits else {
            return true;
        };
        let now = in_milliseconds(self.now());
        let spent = limits.refusals.spend(identity.user.id, REFUSALS, now);
        if spent.is_err_and(|refused| refused.is_first) {
            tracing::warn!(event = kind.as_str(), by = "user", "too many refusals to record");
        }
        spent.is_ok()
    }

    async fn limit_network(&self, limits: &Limits, limited: Limited<'_>, client: &Client) -> Result<(), Error> {
        // Whoever runs commands on the machine comes from no network.
        let Some(address) = client.address else {
            return Ok(());
        };
        let quota = limits.quota_of_network(limited);
        let now = in_milliseconds(self.now());
        let Err(refused) = limits.networks.spend(limited.kind(), address, quota, now) else {
            return Ok(());
        };
        let error = refused.exceeded(quota);
        if refused.is_first {
            warn(limited, NETWORK);
            self.record(limited.record(client, &error)).await?;
        }
        Err(error)
    }

    /// Having a password judged is no try at anything, so that no record is made of it: the network alone is limited.
    pub(super) fn limit_judging(&self, client: &Client) -> Result<(), Error> {
        let (Some(limits), Some(address)) = (&self.parts.limits, client.address) else {
            return Ok(());
        };
        let quota = limits.quotas.tries_per_network.times(JUDGEMENTS_PER_TRY);
        let now = in_milliseconds(self.now());
        let spent = limits.networks.spend("password_strength", address, quota, now);
        spent.map_err(|refused| refused.exceeded(quota))
    }

    /// The statement that decides would do alone. It is asked only when a read says that there is something left: a flood of
    /// refusals would else stand in line for SQLite's one writer, and be in everybody's way.
    async fn spend(&self, budget: Budget, limited: Limited<'_>, client: &Client) -> Result<Spent, Error> {
        let now = self.now();
        let found = self.store().find_limit(&budget.name).await?;
        let whole_at = found.map(|limit| limit.whole_at_ms);
        if let Err(wait) = budget.quota.spend(whole_at, in_milliseconds(now)) {
            let error = budget.exceeded(wait);
            if found.is_some_and(|limit| limit.noted_at.is_none()) {
                self.note(&budget, limited, client, &error).await?;
            }
            return Err(error);
        }
        let mut tx = self.store().begin().await?;
        if tx.spend_limit(&budget.name, budget.quota, now).await? {
            tx.commit().await?;
            return Ok(Spent(Some(budget)));
        }
        // Others have used the last one since the read, a moment ago.
        Err(budget.exceeded(budget.quota.pause()))
    }

    /// Records that a budget is used up: once, and not for each refusal, or the log would be as easy to fill as before.
    async fn note(&self, budget: &Budget, limited: Limited<'_>, client: &Client, error: &Error) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if tx.note_limit(&budget.name, now).await? {
            warn(limited, budget.policy);
            limited.record(client, error).write(&mut tx, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

fn warn(limited: Limited<'_>, policy: &str) {
    tracing::warn!(event = limited.event().as_str(), by = policy, "too many tries");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{app::Services, clock::ManualClock, config::Config};

    #[tokio::test]
    async fn who_is_turned_away_does_not_wait_for_the_database_and_gets_the_try_back() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::from_variables([("DATA_DIR", directory.path().to_str().unwrap())]).unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_772_366_400)));
        let services = Services::open(&config, clock).await.unwrap();
        let (auth, client) = (&services.auth, Client::default());
        let attempt = async || auth.limit(Limited::LogIn("ann@example.com"), &client).await;
        let mut spent = Spent::default();
        while let Ok(one) = attempt().await {
            spent = one;
        }
        // As long as this is not over, nobody else writes.
        let writing = services.store().begin().await.unwrap();
        let outcome = auth.unless_failed(&mut spent, Err::<(), _>(Error::Busy)).await;
        assert!(matches!(outcome, Err(Error::Busy)));
        drop(writing);
        while attempt().await.is_err() {
            tokio::task::yield_now().await;
        }
        services.close().await;
    }
}
