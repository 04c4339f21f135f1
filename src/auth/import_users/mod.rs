//! The operator brings the users of another application over, with the hashes of their passwords as they are.
//!
//! An import comes in batches, each written in one transaction, so that the time for which others wait for the database does
//! not grow with it, and its memory by some dozens of bytes a row only. Whatever is in the source, and however often it is
//! imported: an account that is here is never changed by it.

mod decide;
mod judge;

use self::{
    decide::Known,
    judge::{Judged, Seen},
};
use super::{
    Actor, Auth, Client, Error, Username,
    audit::{EventKind, Record},
};
use crate::{clock::Timestamp, id::EventId, password::PasswordHash, printable::is_unprintable_in_prose};

/// How often a batch is tried whose users somebody else makes accounts for at the same moment.
const TRIES: u32 = 5;

/// What an application is called that nobody has named.
pub const UNNAMED_SOURCE: &str = "default";

/// A user of another application, as that had them.
#[derive(Debug)]
pub struct ForeignUser {
    /// Their id there. Without one they are known by their address.
    pub external_id: Option<String>,
    /// The email address.
    pub email: String,
    /// The username, if any.
    pub username: Option<String>,
    /// The name to show, if any.
    pub name: Option<String>,
    /// The stored hash; empty if there is none.
    pub password_hash: PasswordHash,
    /// Whether they may sign in.
    pub is_active: bool,
    /// Whether the address was verified there, if that is known.
    pub email_verified: Option<bool>,
    /// Their roles there, [`ADMIN`] if they administered it.
    pub roles: Vec<String>,
    /// Since when they had an account there, if that is known.
    pub created_at: Option<Timestamp>,
}

/// One row of the source.
#[derive(Debug)]
pub struct ForeignRow {
    /// Where it stands there, for people.
    pub number: u64,
    /// What it says, or why it could not be read.
    pub user: Result<ForeignUser, String>,
}

/// What the operator decided about an import.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, not the states of anything"
)]
pub struct ImportUsers {
    /// What the application is called, so that two of them may have the same ids. `None` is [`UNNAMED_SOURCE`], as long as
    /// nothing looks as if it were another.
    pub source: Option<String>,
    /// Whether addresses count as verified of which the source does not say it.
    pub verified: bool,
    /// Whether roles are brought over, but for [`ADMIN`].
    pub keep_roles: bool,
    /// Whether whoever administered the application administers this server.
    pub keep_admins: bool,
    /// Whether users come over whose hash cannot be used, who then choose a password by a mailed link.
    pub without_passwords: bool,
    /// Whether users are brought back who were imported before and have been deleted here.
    pub bring_back: bool,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}

impl ImportUsers {
    fn source(&self) -> &str {
        self.source.as_deref().unwrap_or(UNNAMED_SOURCE)
    }
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// The user has an account now, but for what is named here.
    Imported {
        /// What could not be brought over, and why.
        without: Vec<String>,
    },
    /// The user was imported before.
    Unchanged,
    /// The user was left out.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// What became of all rows so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Users who have an account now.
    pub imported: u64,
    /// Of these, those who lack something that they had.
    pub incomplete: u64,
    /// Users who were imported before.
    pub unchanged: u64,
    /// Of these, those who have been deleted here.
    pub deleted: u64,
    /// Users who were left out.
    pub skipped: u64,
    /// Imported users who had roles that were left behind as nobody asked for them.
    pub roles_left: u64,
    /// Of these, those who administered the application.
    pub admins_left: u64,
    /// Imported users whose addresses count as unverified.
    pub unverified: u64,
}

/// An import under way.
#[derive(Debug)]
pub struct ImportRun {
    options: ImportUsers,
    counts: ImportCounts,
    /// The entry in the audit log, once there is one.
    event: Option<EventId>,
    seen: Seen,
}

impl ImportRun {
    /// An import that begins.
    pub fn new(options: ImportUsers) -> Result<Self, Error> {
        let source = options.source();
        if source.is_empty() || source.chars().count() > 64 || source.chars().any(is_unprintable_in_prose) {
            let rule = "The name of a source is 1 to 64 characters";
            return Err(Error::invalid_field("source", "invalid_source", rule));
        }
        Ok(Self {
            options,
            counts: ImportCounts::default(),
            event: None,
            seen: Seen::default(),
        })
    }

    /// What became of the rows so far.
    #[must_use]
    pub const fn counts(&self) -> ImportCounts {
        self.counts
    }
}

impl Auth {
    /// Brings over the users of some rows, none of which is in another batch of the run, and says what became of each.
    /// A batch that fails changes nothing.
    #[tracing::instrument(skip_all)]
    pub async fn import_users(
        &self,
        actor: &Actor,
        run: &mut ImportRun,
        rows: Vec<ForeignRow>,
        client: &Client,
    ) -> Result<Vec<ImportOutcome>, Error> {
        self.require_admin(actor, EventKind::ImportUsers, None, client).await?;
        let rows: Vec<Judged> = rows.into_iter().map(|row| run.judge(row)).collect();
        for _ in 1..TRIES {
            match self.import_batch(actor, run, &rows, client).await {
                // Somebody signed up meanwhile, and is known the next time.
                Err(Error::EmailTaken | Error::UsernameTaken) => {}
                outcomes => return outcomes,
            }
        }
        self.import_batch(actor, run, &rows, client).await
    }

    async fn import_batch(
        &self,
        actor: &Actor,
        run: &mut ImportRun,
        rows: &[Judged],
        client: &Client,
    ) -> Result<Vec<ImportOutcome>, Error> {
        let now = self.now();
        let known = self.known_of(rows).await?;
        run.refuse_another_application(rows, &known)?;
        let decision = run.decide(rows, &known, now);
        if !run.options.dry_run {
            let event = run.event.unwrap_or_else(|| EventId::new(now));
            let counts = decision.counts;
            let detail = format!(
                "from {}: {} imported, {} unchanged, {} skipped",
                run.options.source(),
                counts.imported,
                counts.unchanged,
                counts.skipped
            );
            let mut tx = self.store().begin().await?;
            tx.insert_imported_users(&decision.users).await?;
            Record::success(EventKind::ImportUsers, client)
                .by(actor)
                .detail(detail)
                .write_progress(event, &mut tx, now)
                .await?;
            tx.commit().await?;
            run.event = Some(event);
        }
        run.counts = decision.counts;
        run.seen.usernames.extend(decision.usernames);
        Ok(decision.outcomes)
    }

    /// Read before anything is locked. What comes between is told by the constraints.
    async fn known_of(&self, rows: &[Judged]) -> Result<Known, Error> {
        let candidates = || rows.iter().filter_map(|row| row.as_ref().ok());
        let sources: Vec<&str> = candidates().map(|new| new.source_key.as_str()).collect();
        let addresses: Vec<&str> = candidates().map(|new| new.email.key()).collect();
        let usernames = candidates().filter_map(|new| new.username.as_ref());
        let usernames: Vec<&str> = usernames.map(Username::key).collect();
        let addresses = self.store().list_taken_addresses(&addresses).await?;
        let usernames = self.store().list_taken_usernames(&usernames).await?;
        // Last: whoever is seen to have an address because another run of the import has just brought them over is seen
        // here too, and not taken for somebody else.
        let imports = self.store().list_imports(&sources).await?;
        Ok(Known {
            imports: imports.into_iter().map(|row| (row.source_key.clone(), row)).collect(),
            addresses: addresses.into_iter().collect(),
            usernames: usernames.into_iter().collect(),
        })
    }
}
