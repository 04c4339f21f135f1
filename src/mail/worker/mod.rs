//! From the outbox to the transport.

mod point;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};

use self::point::{Reason, judge, outdone_by};
use super::{
    letter::Letter,
    messages::{LinkKind, Message},
    templates::{Link, Site, Templates},
    transport::{Transport, TransportError},
};
use crate::{
    clock::{Clock, Timestamp},
    config::{Colour, PublicUrl},
    store::{self, LinkTokenRow, MessageRow, MessageState, Store, Tx, UserRow},
    token::LinkToken,
};

/// How long the letter in hand may take once the worker is to stop. A supervisor does not wait for a mail server that
/// hangs; the message comes back when its lease ends.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How often the outbox is looked at unasked: for what is due again, and for what another process has written.
const POLL: Duration = Duration::from_secs(5);

/// How long a claimed message is left to its worker. One that died in the middle gives its message back after this, so
/// it must be longer than the slowest delivery, which the limits of all steps of one over SMTP bound to four and a half
/// minutes: a message claimed a second time while the first is still under way would arrive twice.
const LEASE: Duration = Duration::from_mins(5);

/// How long after each failed delivery the next is tried: soon at first, since most faults pass in seconds, and for a
/// day in all, since a mail server that somebody must repair is usually repaired by then.
const DELAYS: [Duration; 10] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(8),
    LONGEST_PAUSE,
];

/// How long a message that is dropped holds up the next at most, in the place of a letter.
const LONGEST_PRETENCE: Duration = Duration::from_secs(5);

/// What is due in more than this was put off by a clock that was ahead.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_hours(8);

/// What letters are made of besides their messages.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Where links lead: never a request's Host, which its sender chooses.
    pub public_url: PublicUrl,
    /// The site's name, in subjects and texts.
    pub site_name: String,
    /// Who writes: an address, or a name and an address in angle brackets.
    pub mail_from: String,
    /// The site's own colour, for buttons and links.
    pub accent: Option<Colour>,
    /// What letters are worded and laid out by.
    pub templates: Templates,
    /// How long a link that resets a password is good.
    pub reset_life: Duration,
    /// How long a link that verifies an address is good.
    pub verify_life: Duration,
    /// How long a link that lets somebody invited choose a password is good.
    pub invitation_life: Duration,
}

/// Tells the worker that the outbox has something. Clones wake the same worker; waking one that does not run is
/// harmless.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Call after the transaction that wrote the message has committed.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// The task that empties the outbox.
#[derive(Debug)]
pub struct Worker {
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts the task, on the current runtime.
    #[must_use]
    pub fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        waker: Waker,
        transport: Transport,
        settings: MailSettings,
    ) -> Self {
        let desk = Desk {
            store,
            clock,
            transport,
            settings,
            last_delivery: AtomicU64::default(),
        };
        let (stop, stopped) = watch::channel(());
        Self {
            stop,
            task: tokio::spawn(desk.work(waker, stopped)),
        }
    }

    /// Returns when the message in hand, if there is one, is done, or has taken too long. What is still in the outbox
    /// stays there.
    pub async fn stop(mut self) {
        drop(self.stop);
        match timeout(STOP_PATIENCE, &mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the mail worker ended badly"),
            Err(_) => {
                self.task.abort();
                tracing::warn!("a delivery did not finish in time and was cut off");
            }
        }
    }
}

/// Where letters are written.
struct Desk {
    store: Store,
    clock: Arc<dyn Clock>,
    transport: Transport,
    settings: MailSettings,
    /// How long the last one took, in microseconds.
    last_delivery: AtomicU64,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Sent,
    Dropped(Reason),
    Postponed,
    Failed,
}

/// Why a message did not leave.
struct Trouble {
    /// For admins.
    told: String,
    /// For the log, which holds no address.
    logged: String,
}

impl Trouble {
    fn plain(text: String) -> Self {
        Self {
            told: text.clone(),
            logged: text,
        }
    }
}

impl From<&TransportError> for Trouble {
    fn from(error: &TransportError) -> Self {
        Self {
            told: error.to_string(),
            logged: error.in_short(),
        }
    }
}

impl Desk {
    async fn work(self, waker: Waker, mut stopped: watch::Receiver<()>) {
        loop {
            // The channel is closed when the worker is to stop.
            while stopped.has_changed().is_ok() && self.found_one().await {}
            self.transport.rest(stopped.has_changed().is_err()).await;
            tokio::select! {
                _ = stopped.changed() => {
                    self.transport.rest(true).await;
                    return;
                }
                () = waker.0.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Does the next message that is due; whether there was one.
    async fn found_one(&self) -> bool {
        match self.send_next().await {
            Ok(outcome) => outcome.is_some(),
            Err(error) => {
                // A message that was in hand comes back when its lease ends.
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the outbox cannot be worked on");
                false
            }
        }
    }

    async fn send_next(&self) -> Result<Option<Outcome>, store::Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let Some(row) = tx.claim_message(now, now.plus(LEASE)).await? else {
            return Ok(None);
        };
        tx.commit().await?;

        let outcome = self.send(&row, now).await?;
        // What became of the others was said with its reason.
        if matches!(outcome, Outcome::Sent | Outcome::Dropped(_)) {
            tracing::info!(message_id = %row.id, kind = row.kind, ?outcome, "worked on a message");
        }
        Ok(Some(outcome))
    }

    async fn send(&self, row: &MessageRow, now: Timestamp) -> Result<Outcome, store::Error> {
        // To nobody, or to somebody whose account was deleted: an erased row does not even say what it was to say.
        if row.user_id.is_none() && row.address.is_empty() {
            return self.drop_message(row, Reason::NoAccount, now).await;
        }
        let message = match Message::from_columns(&row.kind, &row.parameters) {
            Ok(message) => message,
            // While a new version takes an old one's place, both may run: the other one knows this message.
            Err(error) => {
                let trouble = Trouble::plain(format!("the message cannot be read: {error}"));
                return self.postpone(row, &trouble, now).await;
            }
        };
        let mut tx = self.store.begin().await?;
        // Locked until the link is written: a reset or a new password meanwhile would end the links and drop the messages
        // that there are, and miss the link that is being made.
        let user = match row.user_id {
            Some(user) => tx.lock_user(user).await?,
            None => None,
        };
        if !tx.is_claimed(row.id).await? {
            return Ok(Outcome::Dropped(Reason::Outdone));
        }
        let user = match self.pointless(&message, row, user, now).await? {
            Ok(user) => user,
            Err(reason) => {
                drop(tx);
                return self.drop_message(row, reason, now).await;
            }
        };
        let link = match message.link_kind() {
            Some(kind) => Some(self.make_link(&mut tx, kind, row, &user, now).await?),
            None => None,
        };
        tx.commit().await?;
        self.deliver(row, &message, link.as_ref(), now).await
    }

    async fn deliver(
        &self,
        row: &MessageRow,
        message: &Message,
        link: Option<&Link>,
        now: Timestamp,
    ) -> Result<Outcome, store::Error> {
        let site = Site {
            name: &self.settings.site_name,
            origin: self.settings.public_url.origin(),
            accent: self.settings.accent,
        };
        let rendered = match self.settings.templates.render(message, &site, link) {
            Ok(rendered) => rendered,
            // The operator's template was tried out at start, on letters that were not quite like this one.
            Err(error) => return self.postpone(row, &Trouble::plain(error.to_string()), now).await,
        };
        let letter = match Letter::new(row.id, &self.settings.mail_from, &row.address, rendered, now) {
            Ok(letter) => letter,
            Err(error) => return self.fail(row, &Trouble::plain(error.to_string()), now).await,
        };
        let began = Instant::now();
        let delivered = self.transport.deliver(&letter).await;
        let took = began.elapsed().min(LONGEST_PRETENCE);
        self.last_delivery
            .store(u64::try_from(took.as_micros()).unwrap_or(0), Ordering::Relaxed);
        match delivered {
            Ok(()) => {
                self.finish(row, MessageState::Sent, None, self.clock.now()).await?;
                Ok(Outcome::Sent)
            }
            Err(error) if error.is_final() => self.fail(row, &Trouble::from(&error), self.clock.now()).await,
            Err(error) => self.postpone(row, &Trouble::from(&error), self.clock.now()).await,
        }
    }

    /// The account that `message` is about, or why the message has lost its point.
    async fn pointless(
        &self,
        message: &Message,
        row: &MessageRow,
        user: Option<UserRow>,
        now: Timestamp,
    ) -> Result<Result<UserRow, Reason>, store::Error> {
        let Some(user) = user else {
            return Ok(Err(Reason::NoAccount));
        };
        if let Some(reason) = judge(message, &row.address, &user) {
            return Ok(Err(reason));
        }
        let outdoing = outdone_by(message);
        if !outdoing.is_empty() {
            // Ids are in the order of time, unless a clock that was ahead was set back in between: what is from the future
            // was there before.
            let when = |message: &MessageRow| (!message.created_at.is_ahead_of(now), message.id);
            let others = self.store.list_messages_of(user.id).await?;
            if others
                .iter()
                .any(|other| outdoing.contains(&other.kind.as_str()) && when(other) > when(row))
            {
                return Ok(Err(Reason::Outdone));
            }
        }
        Ok(Ok(user))
    }

    /// Makes the link that `message` carries. It is made now, so that its life starts when the letter leaves, and so
    /// that its secret exists nowhere but in the letter.
    ///
    /// Links that left earlier stay good: this may be the repetition of a letter that did arrive, and of two resets
    /// asked for in impatience, the first to arrive is the one that is pressed. Using one ends the others.
    async fn make_link(
        &self,
        tx: &mut Tx,
        kind: LinkKind,
        row: &MessageRow,
        user: &UserRow,
        now: Timestamp,
    ) -> Result<Link, store::Error> {
        let token = LinkToken::generate();
        let life = match kind {
            LinkKind::VerifyEmail | LinkKind::VerifyNewEmail => self.settings.verify_life,
            LinkKind::ResetPassword => self.settings.reset_life,
            LinkKind::Invitation => self.settings.invitation_life,
        };
        tx.insert_link_token(&LinkTokenRow {
            hash: token.hash().as_str().to_owned(),
            kind: kind.as_str().to_owned(),
            user_id: user.id,
            email: row.address.clone(),
            created_at: now,
            expires_at: now.plus(life),
        })
        .await?;
        let path = format!("{}?token={}", kind.path(), token.expose());
        Ok(Link {
            url: self.settings.public_url.link(&path),
            life,
        })
    }

    /// Drops a message that has lost its point. One whose account is gone belongs to nobody, and may say nothing of whom
    /// it belonged to: it was written while the account was being deleted, which erases all that it finds.
    async fn drop_message(&self, row: &MessageRow, reason: Reason, now: Timestamp) -> Result<Outcome, store::Error> {
        self.pretend(row).await?;
        let mut tx = self.store.begin().await?;
        let dropped = MessageState::Dropped;
        if !tx
            .finish_message(row.id, dropped, Some(&reason.to_string()), now)
            .await?
        {
            warn_of_lost_claim(row);
        }
        if reason == Reason::NoAccount {
            tx.erase_message(row.id).await?;
        }
        tx.commit().await?;
        Ok(Outcome::Dropped(reason))
    }

    /// Does what a letter costs, and takes as long as the last one. Strangers have messages written to addresses without an
    /// account too: from when the next letter comes, which may be their own, or from how long something else waits for the
    /// database meanwhile, they would else learn whether there was somebody to write to.
    async fn pretend(&self, row: &MessageRow) -> Result<(), store::Error> {
        let mut tx = self.store.begin().await?;
        tx.rewrite_message(row.id).await?;
        tx.commit().await?;
        tokio::time::sleep(Duration::from_micros(self.last_delivery.load(Ordering::Relaxed))).await;
        Ok(())
    }

    async fn finish(
        &self,
        row: &MessageRow,
        state: MessageState,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let mut tx = self.store.begin().await?;
        if !tx.finish_message(row.id, state, error, now).await? {
            warn_of_lost_claim(row);
        }
        tx.commit().await
    }

    /// Gives up: the next time would end no better.
    async fn fail(&self, row: &MessageRow, trouble: &Trouble, now: Timestamp) -> Result<Outcome, store::Error> {
        tracing::error!(message_id = %row.id, kind = row.kind, error = trouble.logged, "a message is given up");
        self.finish(row, MessageState::Failed, Some(&trouble.told), now).await?;
        Ok(Outcome::Failed)
    }

    /// Tries again later, or gives up after the last time.
    async fn postpone(&self, row: &MessageRow, trouble: &Trouble, now: Timestamp) -> Result<Outcome, store::Error> {
        // The attempt that has just failed is counted in.
        let earlier = usize::try_from(row.attempts.saturating_sub(1)).unwrap_or(0);
        let Some(delay) = DELAYS.get(earlier) else {
            return self.fail(row, trouble, now).await;
        };
        let due_at = now.plus(*delay);
        tracing::warn!(
            message_id = %row.id, kind = row.kind, error = trouble.logged, next_try = %due_at,
            "a message has to wait for another try"
        );
        let mut tx = self.store.begin().await?;
        if !tx.postpone_message(row.id, due_at, Some(&trouble.told)).await? {
            warn_of_lost_claim(row);
        }
        tx.commit().await?;
        Ok(Outcome::Postponed)
    }
}

/// Another worker took the message while this one was still at it, or it was dropped on its way.
fn warn_of_lost_claim(row: &MessageRow) {
    tracing::warn!(message_id = %row.id, "a message was dropped on its way, or outlasted its claim and may arrive twice");
}

#[cfg(test)]
mod tests;
