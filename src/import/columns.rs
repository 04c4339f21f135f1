//! Which column holds what.

use std::{collections::BTreeSet, fmt};

use super::{SourceError, cells::Cell};
use crate::{
    auth::{ADMIN, ForeignUser},
    password::PasswordHash,
};

/// What is known of a user, by the name that most applications have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Their id there.
    Id,
    /// The email address.
    Email,
    /// The username.
    Username,
    /// The name to show.
    Name,
    /// The hash of the password.
    HashedPassword,
    /// Whether they may sign in.
    IsActive,
    /// Whether they may not.
    Disabled,
    /// Whether the address was verified.
    EmailVerified,
    /// The role, or the list of roles.
    Role,
    /// Whether they administer the application.
    IsSuperuser,
    /// Since when they have the account.
    CreatedAt,
}

impl Field {
    /// All fields.
    pub const ALL: [Self; 11] = [
        Self::Id,
        Self::Email,
        Self::Username,
        Self::Name,
        Self::HashedPassword,
        Self::IsActive,
        Self::Disabled,
        Self::EmailVerified,
        Self::Role,
        Self::IsSuperuser,
        Self::CreatedAt,
    ];

    /// The name by which a column is assigned to it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Email => "email",
            Self::Username => "username",
            Self::Name => "name",
            Self::HashedPassword => "hashed_password",
            Self::IsActive => "is_active",
            Self::Disabled => "disabled",
            Self::EmailVerified => "email_verified",
            Self::Role => "role",
            Self::IsSuperuser => "is_superuser",
            Self::CreatedAt => "created_at",
        }
    }

    /// The columns that hold it where nothing else was said, the likeliest first, as [`simplified`] writes them.
    const fn usual_columns(self) -> &'static [&'static str] {
        match self {
            Self::Id => &["id", "userid", "uuid", "externalid"],
            Self::Email => &["email", "emailaddress", "mail"],
            Self::Username => &["username", "login"],
            Self::Name => &["fullname", "name", "displayname"],
            Self::HashedPassword => &[
                "hashedpassword",
                "passwordhash",
                "encryptedpassword",
                "passworddigest",
                "password",
            ],
            Self::IsActive => &["isactive", "active", "enabled", "isenabled"],
            Self::Disabled => &["disabled", "isdisabled", "disabledat"],
            Self::EmailVerified => &[
                "emailverified",
                "isverified",
                "verified",
                "isemailverified",
                "emailverifiedat",
            ],
            Self::Role => &["role", "roles"],
            Self::IsSuperuser => &["issuperuser", "isadmin", "superuser"],
            Self::CreatedAt => &["createdat", "datejoined", "created"],
        }
    }
}

/// A column's name without what differs between styles: `hashedPassword` is `hashed_password`.
fn simplified(name: &str) -> String {
    name.chars()
        .filter(|char| char.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// What the operator said of the columns.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// The column of a field; an empty name for none.
    pub columns: Vec<(Field, String)>,
    /// Whether there need not be a column for the password.
    pub without_passwords: bool,
}

/// Which column holds what, by its index.
#[derive(Clone, Debug)]
pub struct Layout {
    columns: Vec<(Field, Vec<usize>)>,
}

impl Layout {
    pub(super) fn new(names: &[String], mapping: &Mapping) -> Result<Self, SourceError> {
        let mut columns = Vec::new();
        for field in Field::ALL {
            let said = mapping.columns.iter().rev().find(|(said, _)| *said == field);
            let found = match said {
                Some((_, name)) if name.is_empty() => Vec::new(),
                Some((_, name)) => vec![find(names, name)?],
                None => recognise(names, field),
            };
            let is_needed = field == Field::Email || (field == Field::HashedPassword && !mapping.without_passwords);
            if found.is_empty() && is_needed {
                let columns = names.to_vec();
                return Err(SourceError::NoColumn { field, columns });
            }
            columns.push((field, found));
        }
        Ok(Self { columns })
    }

    fn columns_of(&self, field: Field) -> &[usize] {
        let found = self.columns.iter().find(|(other, _)| *other == field);
        found.map_or(&[], |(_, columns)| columns)
    }

    /// The column that holds `field`, if there is one.
    pub(super) fn column_of(&self, field: Field) -> Option<usize> {
        self.columns_of(field).first().copied()
    }

    /// The columns that hold anything, in their order.
    pub(super) fn columns(&self) -> Vec<usize> {
        let all: BTreeSet<usize> = self.columns.iter().flat_map(|(_, columns)| columns).copied().collect();
        all.into_iter().collect()
    }

    fn cell<'row>(&self, field: Field, cells: &'row [Cell]) -> &'row Cell {
        let cell = self.column_of(field).and_then(|index| cells.get(index));
        cell.unwrap_or(&Cell::Missing)
    }

    fn text(&self, field: Field, cells: &[Cell]) -> Option<String> {
        self.cell(field, cells).text().map(str::to_owned)
    }

    /// Yes or no. Where it is neither, nobody can say whether the user may come in: the row is refused.
    fn truth(&self, field: Field, cells: &[Cell]) -> Result<Option<bool>, String> {
        let truth = self.cell(field, cells).truth();
        truth.map_err(|()| format!("{} says neither yes nor no", field.name()))
    }

    /// The user of a row.
    pub(super) fn user(&self, cells: &[Cell]) -> Result<ForeignUser, String> {
        let is_active = self.truth(Field::IsActive, cells)?.unwrap_or(true);
        let is_disabled = self.truth(Field::Disabled, cells)?.unwrap_or(false);
        let is_superuser = self.truth(Field::IsSuperuser, cells)?.unwrap_or(false);
        let mut roles: Vec<String> = self.cell(Field::Role, cells).names().collect();
        if is_superuser {
            roles.push(ADMIN.to_owned());
        }
        let names = self.columns_of(Field::Name).iter();
        let names: Vec<&str> = names
            .filter_map(|index| cells.get(*index).and_then(Cell::text))
            .collect();
        Ok(ForeignUser {
            external_id: self.text(Field::Id, cells),
            email: self.text(Field::Email, cells).unwrap_or_default(),
            username: self.text(Field::Username, cells),
            name: (!names.is_empty()).then(|| names.join(" ")),
            password_hash: PasswordHash::from_stored(self.text(Field::HashedPassword, cells).unwrap_or_default()),
            is_active: is_active && !is_disabled,
            email_verified: self.truth(Field::EmailVerified, cells)?,
            roles,
            created_at: self.cell(Field::CreatedAt, cells).moment(),
        })
    }

    /// `email from mail, name from first_name and last_name; not read: phone`.
    pub(super) fn describe(&self, names: &[String]) -> String {
        let in_words = |indexes: &[usize]| {
            indexes
                .iter()
                .map(|index| names[*index].as_str())
                .collect::<Vec<_>>()
                .join(" and ")
        };
        let read: Vec<String> = self
            .columns
            .iter()
            .filter(|(_, indexes)| !indexes.is_empty())
            .map(|(field, indexes)| format!("{} from {}", field.name(), in_words(indexes)))
            .collect();
        let columns = self.columns();
        let left: Vec<usize> = (0..names.len()).filter(|index| !columns.contains(index)).collect();
        let mut text = read.join(", ");
        if !left.is_empty() {
            let left: Vec<&str> = left.into_iter().map(|index| names[index].as_str()).collect();
            text = format!("{text}; not read: {}", left.join(", "));
        }
        text
    }
}

fn find(names: &[String], name: &str) -> Result<usize, SourceError> {
    let found = names.iter().position(|other| other == name);
    found.ok_or_else(|| SourceError::UnknownColumn {
        name: name.to_owned(),
        columns: names.to_vec(),
    })
}

fn recognise(names: &[String], field: Field) -> Vec<usize> {
    let find = |usual: &str| names.iter().position(|name| simplified(name) == usual);
    let found: Vec<usize> = field
        .usual_columns()
        .iter()
        .filter_map(|usual| find(usual))
        .take(1)
        .collect();
    if !found.is_empty() || field != Field::Name {
        return found;
    }
    ["firstname", "lastname"].into_iter().filter_map(find).collect()
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
