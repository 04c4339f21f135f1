//! What becomes of the rows, beside what is here already.

use std::collections::{HashMap, HashSet};

use super::{
    ImportCounts, ImportOutcome, ImportRun, UNNAMED_SOURCE,
    judge::{Candidate, Fingerprint, Judged, fingerprint},
};
use crate::{
    auth::{Error, Username},
    clock::Timestamp,
    id::UserId,
    store::{ImportRow, ImportedUserRow, UserRow},
};

/// What is to be written, and told of it.
pub(super) struct Decision {
    pub(super) outcomes: Vec<ImportOutcome>,
    pub(super) users: Vec<ImportedUserRow>,
    pub(super) usernames: HashMap<Fingerprint, u64>,
    pub(super) counts: ImportCounts,
}

/// What is here already of what some users would take.
pub(super) struct Known {
    pub(super) imports: HashMap<String, ImportRow>,
    pub(super) addresses: HashSet<String>,
    pub(super) usernames: HashSet<String>,
}

impl ImportRun {
    /// Refuses what looks like the users of another application than the one that was imported before. Nobody has said that
    /// it is one, and the next user whose id is new would count as the first one's. The first batch tells: ids begin anew in
    /// every application. Where most of those that are known have the address that they had, it is the same one, and some of
    /// its users have moved.
    pub(super) fn refuse_another_application(&self, rows: &[Judged], known: &Known) -> Result<(), Error> {
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
    pub(super) fn decide(&self, rows: &[Judged], known: &Known, now: Timestamp) -> Decision {
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
