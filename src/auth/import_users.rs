//! The operator brings the users of another application over, with the hashes of their passwords as they are.
//!
//! An import comes in batches, each written in one transaction, so that the time for which others wait for the database does
//! not grow with it, and its memory by some dozens of bytes a row only. Whatever is in the source, and however often it is imported: an account that is
//! here is never changed by it.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{
    ADMIN, Actor, Auth, Client, EmailAddress, Error, Username,
    audit::{EventKind, Record},
    fields,
    roles::MAX_ROLES,
};
use crate::{
    clock::Timestamp,
    id::{EventId, UserId},
    password::{PasswordHash, UnusableHash},
    printable::is_unprintable_in_prose,
    store::{ImportRow, ImportedUserRow, UserRow},
};

/// How often a batch is tried whose users somebody else makes accounts for at the same moment.
const TRIES: u32 = 5;

const EXTERNAL_ID_MAX_CHARS: usize = 200;

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

/// Which row of the source had an id or an address first, and which has brought a username over: a row that is left out
/// keeps nobody else from its username.
#[derive(Debug, Default)]
struct Seen {
    ids: HashMap<Fingerprint, u64>,
    addresses: HashMap<Fingerprint, u64>,
    usernames: HashMap<Fingerprint, u64>,
}

/// A few bytes that stand for a text, however long that is: they are kept for every row of an import.
type Fingerprint = [u8; 16];

fn fingerprint(text: &str) -> Fingerprint {
    let mut short = [0; 16];
    short.copy_from_slice(&digest(&[text])[..16]);
    short
}

fn digest(parts: &[&str]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part.as_bytes());
        // No part can hold it, so that no two lists of parts are the same.
        context.update(&[0xff]);
    }
    context.finish().as_ref().to_vec()
}

/// A user who may have an account, as far as the source alone can tell.
struct Candidate {
    row: u64,
    source_key: String,
    address_key: String,
    email: EmailAddress,
    username: Option<Username>,
    user: ForeignUser,
    name: Option<String>,
    without: Vec<String>,
    roles_left: bool,
    admin_left: bool,
}

type Judged = Result<Candidate, String>;

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

    /// Looks at a row by itself, and beside the rows before it.
    fn judge(&mut self, row: ForeignRow) -> Judged {
        let user = row.user?;
        let email = EmailAddress::parse("email", &user.email).map_err(|error| error.reason())?;
        if let Some(id) = &user.external_id {
            check_external_id(id)?;
        }
        let mut without = Vec::new();
        match user.password_hash.check() {
            Err(reason) if !self.options.without_passwords => {
                return Err(format!("{reason}; --without-passwords brings such users over"));
            }
            // Nothing is lost that there was.
            Err(UnusableHash::Absent) | Ok(()) => {}
            Err(reason) => without.push(format!("password: {reason}")),
        }
        let id = user.external_id.as_deref();
        let known_by = id.map_or(["address", email.key()], |id| ["id", id]);
        let source_key = digest(&[self.options.source(), known_by[0], known_by[1]]);
        let source_key = BASE64_URL_SAFE_NO_PAD.encode(source_key);
        let address_key = BASE64_URL_SAFE_NO_PAD.encode(digest(&[&source_key, email.key()]));
        self.seen.note(&email, &source_key, row.number)?;
        let username = judge_username(&user, &email, &mut without);
        let name = fields::parse_name("name", user.name.as_deref().unwrap_or_default());
        let name = name.unwrap_or_else(|error| {
            without.push(error.reason());
            None
        });
        let mut candidate = Candidate {
            row: row.number,
            source_key,
            address_key,
            email,
            username,
            user,
            name,
            without,
            roles_left: false,
            admin_left: false,
        };
        self.judge_roles(&mut candidate);
        Ok(candidate)
    }

    /// A role is a privilege, here and wherever tokens are read, and what it was called elsewhere says little about what
    /// it allows here: none comes over that was not asked for.
    fn judge_roles(&self, candidate: &mut Candidate) {
        let roles: HashSet<String> = candidate.user.roles.drain(..).collect();
        let (admin, others): (Vec<_>, Vec<_>) = roles.into_iter().partition(|role| role == ADMIN);
        candidate.admin_left = !admin.is_empty() && !self.options.keep_admins;
        candidate.roles_left = candidate.admin_left || (!others.is_empty() && !self.options.keep_roles);
        if self.options.keep_admins {
            candidate.user.roles.extend(admin);
        }
        if !self.options.keep_roles {
            return;
        }
        for role in others {
            match fields::check_role("role", &role) {
                Err(error) => candidate.without.push(error.reason()),
                Ok(()) if candidate.user.roles.len() >= MAX_ROLES => {
                    candidate
                        .without
                        .push(format!("role: An account has at most {MAX_ROLES} roles"));
                }
                Ok(()) => candidate.user.roles.push(role),
            }
        }
        candidate.user.roles.sort_unstable();
        candidate.without.sort_unstable();
        candidate.without.dedup();
    }

    /// Refuses what looks like the users of another application than the one that was imported before. Nobody has said that
    /// it is one, and the next user whose id is new would count as the first one's. The first batch tells: ids begin anew in
    /// every application. Where most of those that are known have the address that they had, it is the same one, and some of
    /// its users have moved.
    fn refuse_another_application(&self, rows: &[Judged], known: &Known) -> Result<(), Error> {
        if self.options.source.is_some() || self.counts != ImportCounts::default() {
            return Ok(());
        }
        let with_ids = rows.iter().filter_map(|row| row.as_ref().ok());
        let with_ids: Vec<&Candidate> = with_ids.filter(|new| new.user.external_id.is_some()).collect();
        let (mut same, mut others) = (0, 0);
        for new in &with_ids {
            match known.imports.get(&new.source_key) {
                Some(before) if before.user_id.is_none() => {}
                Some(before) if before.address_key == new.address_key => same += 1,
                Some(_) => others += 1,
                None => {}
            }
        }
        if others == 0 || others < same {
            return Ok(());
        }
        let (all, were) = (with_ids.len(), if others == 1 { "was" } else { "were" });
        Err(Error::invalid_field(
            "source",
            "another_application",
            format!(
                "this looks like another application: {others} of {all} ids {were} imported before with other addresses. Name \
                 it with --source NAME, or with --source {UNNAMED_SOURCE} if it is the same after all; nothing was written"
            ),
        ))
    }

    /// What is to be written, and what becomes of each row by it.
    fn decide(&self, rows: &[Judged], known: &Known, now: Timestamp) -> Decision {
        let mut decision = Decision {
            outcomes: Vec::with_capacity(rows.len()),
            users: Vec::new(),
            usernames: HashMap::new(),
            counts: self.counts,
        };
        for row in rows {
            let outcome = match row {
                Err(reason) => ImportOutcome::Skipped { reason: reason.clone() },
                Ok(candidate) => self.decide_one(candidate, known, now, &mut decision),
            };
            match &outcome {
                ImportOutcome::Imported { without } => {
                    decision.counts.imported += 1;
                    decision.counts.incomplete += u64::from(!without.is_empty());
                }
                ImportOutcome::Unchanged => decision.counts.unchanged += 1,
                ImportOutcome::Skipped { .. } => decision.counts.skipped += 1,
            }
            decision.outcomes.push(outcome);
        }
        decision
    }

    fn decide_one(&self, new: &Candidate, known: &Known, now: Timestamp, decision: &mut Decision) -> ImportOutcome {
        let skip = |reason: &str| ImportOutcome::Skipped {
            reason: reason.to_owned(),
        };
        match known.imports.get(&new.source_key) {
            Some(before) if before.user_id.is_none() && self.options.bring_back => {}
            Some(before) if before.user_id.is_none() => {
                decision.counts.deleted += 1;
                return ImportOutcome::Unchanged;
            }
            Some(before) if before.address_key == new.address_key => return ImportOutcome::Unchanged,
            Some(_) => {
                return skip(
                    "a user with its id was imported before, with another address; users of another application need a \
                     --source of their own",
                );
            }
            None => {}
        }
        if known.addresses.contains(new.email.key()) {
            return skip("its address has an account here, which was not imported from this source");
        }
        let mut without = new.without.clone();
        let username = new.username.as_ref().filter(|username| {
            let holder = self.holder_of(username, known, decision);
            without.extend(holder.iter().map(|holder| format!("username: {holder} has it")));
            holder.is_none()
        });
        if let Some(username) = username {
            decision.usernames.insert(fingerprint(username.key()), new.row);
        }
        let user = self.account(new, username, now);
        decision.counts.roles_left += u64::from(new.roles_left);
        decision.counts.admins_left += u64::from(new.admin_left);
        decision.counts.unverified += u64::from(user.email_verified_at.is_none());
        decision.users.push(ImportedUserRow {
            user,
            source_key: new.source_key.clone(),
            address_key: new.address_key.clone(),
        });
        ImportOutcome::Imported { without }
    }

    /// Who has a username already, in words.
    fn holder_of(&self, username: &Username, known: &Known, decision: &Decision) -> Option<String> {
        let print = fingerprint(username.key());
        let row = decision
            .usernames
            .get(&print)
            .or_else(|| self.seen.usernames.get(&print));
        match row {
            Some(row) => Some(format!("row {row}")),
            None if known.usernames.contains(username.key()) => Some("an account here".to_owned()),
            None => None,
        }
    }

    fn account(&self, new: &Candidate, username: Option<&Username>, now: Timestamp) -> UserRow {
        let is_verified = new.user.email_verified.unwrap_or(self.options.verified);
        let hash = match new.user.password_hash.check() {
            Ok(()) => new.user.password_hash.as_str(),
            Err(_) => UserRow::NO_PASSWORD,
        };
        UserRow {
            id: UserId::new(now),
            email: new.email.as_typed().to_owned(),
            email_key: new.email.key().to_owned(),
            username: username.map(|username| username.as_typed().to_owned()),
            username_key: username.map(|username| username.key().to_owned()),
            name: new.name.clone(),
            password_hash: hash.to_owned(),
            roles: new.user.roles.clone(),
            email_verified_at: is_verified.then_some(now),
            disabled_at: (!new.user.is_active).then_some(now),
            external_id: new.user.external_id.clone(),
            last_login_at: None,
            // A clock that was wrong elsewhere must not make an account younger than its first log-in here.
            created_at: new.user.created_at.map_or(now, |created| created.min(now)),
            updated_at: now,
        }
    }
}

impl Seen {
    /// Takes note that `row` has this address and this id, unless an earlier one had either.
    fn note(&mut self, email: &EmailAddress, source_key: &str, row: u64) -> Result<(), String> {
        let (address, id) = (fingerprint(email.key()), fingerprint(source_key));
        if let Some(first) = self.addresses.get(&address) {
            return Err(format!("it has the address of row {first}"));
        }
        if let Some(first) = self.ids.get(&id) {
            return Err(format!("it has the id of row {first}"));
        }
        self.addresses.insert(address, row);
        self.ids.insert(id, row);
        Ok(())
    }
}

/// Without a username that cannot be had here, the user signs in with the address.
fn judge_username(user: &ForeignUser, email: &EmailAddress, without: &mut Vec<String>) -> Option<Username> {
    let typed = user.username.as_deref()?;
    // Many applications store the address twice, which any other name would only complicate.
    if EmailAddress::parse("username", typed).is_ok_and(|other| other.key() == email.key()) {
        return None;
    }
    fields::parse_optional_username("username", Some(typed)).unwrap_or_else(|error| {
        without.push(error.reason());
        None
    })
}

fn check_external_id(id: &str) -> Result<(), String> {
    if id.chars().count() > EXTERNAL_ID_MAX_CHARS || id.chars().any(is_unprintable_in_prose) {
        return Err(format!(
            "id: an id is at most {EXTERNAL_ID_MAX_CHARS} characters, without control characters"
        ));
    }
    Ok(())
}

struct Decision {
    outcomes: Vec<ImportOutcome>,
    users: Vec<ImportedUserRow>,
    usernames: HashMap<Fingerprint, u64>,
    counts: ImportCounts,
}

/// What is here already of what some users would take.
struct Known {
    imports: HashMap<String, ImportRow>,
    addresses: HashSet<String>,
    usernames: HashSet<String>,
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
