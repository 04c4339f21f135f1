//! What a row of the source says by itself, and beside the rows before it.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{ForeignRow, ForeignUser, ImportRun};
use crate::{
    auth::{ADMIN, EmailAddress, Username, fields, roles::MAX_ROLES},
    password::UnusableHash,
    printable::is_unprintable_in_prose,
};

const EXTERNAL_ID_MAX_CHARS: usize = 200;

/// A user who may have an account, as far as the source alone can tell.
pub(super) struct Candidate {
    pub(super) row: u64,
    pub(super) source_key: String,
    pub(super) address_key: String,
    pub(super) email: EmailAddress,
    pub(super) username: Option<Username>,
    pub(super) user: ForeignUser,
    pub(super) name: Option<String>,
    pub(super) without: Vec<String>,
    pub(super) roles_left: bool,
    pub(super) admin_left: bool,
}

pub(super) type Judged = Result<Candidate, String>;

/// Which row of the source had an id or an address first, and which has brought a username over: a row that is left out
/// keeps nobody else from its username.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: HashMap<Fingerprint, u64>,
    addresses: HashMap<Fingerprint, u64>,
    pub(super) usernames: HashMap<Fingerprint, u64>,
}

/// A few bytes that stand for a text, however long that is: they are kept for every row of an import.
pub(super) type Fingerprint = [u8; 16];

pub(super) fn fingerprint(text: &str) -> Fingerprint {
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

impl ImportRun {
    /// Looks at a row by itself, and beside the rows before it.
    pub(super) fn judge(&mut self, row: ForeignRow) -> Judged {
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
