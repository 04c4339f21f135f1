//! Users and their roles.

use std::fmt;

use serde::{Serialize, Serializer};
use sqlx::{Row, any::AnyRow};
use uuid::Uuid;

use super::{Error, InsertError, Query, Store, Tx};
use crate::{clock::Timestamp, id::UserId};

/// A user, with its roles.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Its id.
    pub id: UserId,
    /// The address as typed.
    pub email: String,
    /// The address in the form that is unique.
    pub email_key: String,
    /// The username as typed.
    pub username: Option<String>,
    /// The username in the form that is unique.
    pub username_key: Option<String>,
    /// What the user is called.
    pub name: Option<String>,
    /// The password's hash, in the PHC or modular crypt format, or [`NO_PASSWORD`](Self::NO_PASSWORD).
    pub password_hash: String,
    /// The roles, in alphabetical order.
    pub roles: Vec<String>,
    /// When the address was confirmed, or `None`.
    pub email_verified_at: Option<Timestamp>,
    /// When the user was disabled, or `None`.
    pub disabled_at: Option<Timestamp>,
    /// Its id in the application that it was imported from.
    pub external_id: Option<String>,
    /// When the password was last given and right.
    pub last_login_at: Option<Timestamp>,
    /// When it signed up.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

impl UserRow {
    /// In place of a hash, until somebody who was invited, or came from another application without one, has chosen a
    /// password. No password matches it.
    pub const NO_PASSWORD: &'static str = "";

    /// Whether a password was chosen.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password_hash != Self::NO_PASSWORD
    }

    /// Whether it may be used, and if not, why.
    #[must_use]
    pub fn status(&self) -> UserStatus {
        match self.disabled_at {
            Some(_) => UserStatus::Disabled,
            None if self.has_password() => UserStatus::Active,
            None => UserStatus::Pending,
        }
    }
}

/// Whether an account may be used, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStatus {
    /// Its owner may sign in.
    Active,
    /// It was made for somebody who has not chosen a password yet.
    Pending,
    /// An admin keeps everybody out.
    Disabled,
}

impl UserStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Active, Self::Pending, Self::Disabled];

    /// The name by which lists are asked for it, and commands print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Disabled => "disabled",
        }
    }
}

impl Serialize for UserStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Without the hash, and without what would put a person into a log.
impl fmt::Debug for UserRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRow")
            .field("id", &self.id)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Which users to list.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Those whose address, username or name contains this, in lower or upper case.
    pub q: Option<String>,
    /// Those with this role.
    pub role: Option<String>,
    /// Those that have this status.
    pub status: Option<UserStatus>,
    /// Those after this one: the last of the page before.
    pub after: Option<UserId>,
    /// At most so many.
    pub limit: i64,
}

/// What [`UserRow::fold`] reads. A statement begins with these columns, which are then known by their place: names
/// would be looked up for each row.
macro_rules! user_columns {
    () => {
        "u.id, u.email, u.email_key, u.username, u.username_key, u.name, u.password_hash, u.email_verified_at, \
         u.disabled_at, u.external_id, u.last_login_at, u.created_at, u.updated_at, r.role"
    };
}
pub(super) use user_columns;

pub(super) const FIND_BY_ID: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u LEFT JOIN user_roles r ON r.user_id = u.id WHERE u.id = $1 AND u.deleted_at IS NULL"
);

/// Strangers name a user like this, and must not learn from the time it takes whether there is one: a row comes in any case.
macro_rules! find_user_by {
    ($key:literal) => {
        concat!(
            "SELECT ",
            user_columns!(),
            " FROM (SELECT $1 AS key) AS asked LEFT JOIN users u ON u.",
            $key,
            " = asked.key LEFT JOIN user_roles r ON r.user_id = u.id"
        )
    };
}

pub(super) const FIND_BY_EMAIL: &str = find_user_by!("email_key");
pub(super) const FIND_BY_USERNAME: &str = find_user_by!("username_key");

/// The roles are joined to the page, not the page cut from the join: a limit counts users. The id to order by is named,
/// so that SQLite sees that its index is in that order. SQLite folds only ASCII, so a name is also matched as typed.
macro_rules! list_users_from {
    ($source:literal, $id:literal) => {
        concat!(
            "SELECT ",
            user_columns!(),
            " FROM (SELECT users.* FROM ",
            $source,
            " AND ($3 IS NULL OR $3 = CASE WHEN users.disabled_at IS NOT NULL THEN 'disabled' \
             WHEN users.password_hash = '' THEN 'pending' ELSE 'active' END) AND ($4 IS NULL \
             OR users.email_key LIKE $4 ESCAPE '!' OR users.username_key LIKE $4 ESCAPE '!' \
             OR LOWER(users.name) LIKE $4 ESCAPE '!' OR users.name LIKE $5 ESCAPE '!') \
             ORDER BY ",
            $id,
            " LIMIT $2) AS u LEFT JOIN user_roles r ON r.user_id = u.id ORDER BY u.id"
        )
    };
}

pub(super) const LIST: &str = list_users_from!("users WHERE users.deleted_at IS NULL AND users.id > $1", "users.id");
pub(super) const LIST_BY_ROLE: &str = list_users_from!(
    "user_roles INNER JOIN users ON users.id = user_roles.user_id WHERE user_roles.user_id > $1 AND user_roles.role = $6 \
     AND users.deleted_at IS NULL",
    "user_roles.user_id"
);

/// Those to whom nobody came since `$since`. Who has a role was meant by somebody, who is disabled is to be kept out, and
/// who was mailed a link may be about to follow it.
macro_rules! waiting {
    ($since:literal, $now:literal) => {
        concat!(
            "users.waits_since <= ",
            $since,
            " AND users.disabled_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM user_roles r WHERE r.user_id = users.id) \
             AND NOT EXISTS (SELECT 1 FROM link_tokens l WHERE l.user_id = users.id AND l.expires_at > ",
            $now,
            ")"
        )
    };
}

pub(super) const FIND_WAITING: &str = concat!(
    "SELECT users.id FROM users WHERE ",
    waiting!("$1", "$2"),
    " ORDER BY users.waits_since LIMIT $3"
);

/// Of whoever is to go, nothing stays that tells who it was, or that keeps somebody else from it. No address has a space.
macro_rules! delete_user {
    ($now:literal, $($which:tt)*) => {
        concat!(
            "UPDATE users SET deleted_at = ",
            $now,
            ", disabled_at = ",
            $now,
            ", waits_since = NULL, email = '', email_key = 'deleted ' || id, username = NULL, username_key = NULL, \
             name = NULL, password_hash = '', external_id = NULL WHERE ",
            $($which)*
        )
    };
}

const MARK_DELETED: &str = delete_user!("$2", "id = $1");

pub(super) const GIVE_UP_WAITING: &str = delete_user!("$3", "users.id = $1 AND ", waiting!("$2", "$3"));

pub(super) const FIND_DELETED: &str = "SELECT id FROM users WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT $1";

impl UserRow {
    /// One user from its rows, of which there is one for each role; none from a row without an id.
    pub(super) fn fold(rows: &[AnyRow]) -> Result<Option<Self>, Error> {
        let Some(first) = rows.first() else { return Ok(None) };
        let Some(id) = first.try_get(0)? else { return Ok(None) };
        Ok(Some(Self {
            id,
            email: first.try_get(1)?,
            email_key: first.try_get(2)?,
            username: first.try_get(3)?,
            username_key: first.try_get(4)?,
            name: first.try_get(5)?,
            password_hash: first.try_get(6)?,
            email_verified_at: first.try_get(7)?,
            disabled_at: first.try_get(8)?,
            external_id: first.try_get(9)?,
            last_login_at: first.try_get(10)?,
            created_at: first.try_get(11)?,
            updated_at: first.try_get(12)?,
            roles: fold_roles(rows, 13)?,
        }))
    }

    /// Users from their rows, those of one user next to each other.
    fn fold_all(rows: &[AnyRow]) -> Result<Vec<Self>, Error> {
        rows.chunk_by(|a, b| id_text(a) == id_text(b))
            .filter_map(|rows| Self::fold(rows).transpose())
            .collect()
    }
}

/// The id as it is stored; none where it cannot be read, which reading the user then says.
fn id_text(row: &AnyRow) -> Option<&str> {
    row.try_get(0).ok()
}

/// The roles of one user's rows, which hold one each at `place`. A user without any has one row, with none.
fn fold_roles(rows: &[AnyRow], place: usize) -> Result<Vec<String>, Error> {
    let mut roles = Vec::new();
    for row in rows {
        roles.extend(row.try_get::<Option<String>, _>(place)?);
    }
    // Here, because the engines and their locales do not agree on an order.
    roles.sort_unstable();
    Ok(roles)
}

/// The LIKE pattern, with `!` as its escape, of everything that contains `text`.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

fn list(filter: &UserFilter) -> Query {
    let statement = if filter.role.is_some() { LIST_BY_ROLE } else { LIST };
    let query = sqlx::query(statement)
        .bind(filter.after.unwrap_or(UserId::from(Uuid::nil())))
        .bind(filter.limit)
        .bind(filter.status.map(UserStatus::as_str))
        .bind(filter.q.as_deref().map(|q| containing(&q.to_lowercase())))
        .bind(filter.q.as_deref().map(containing));
    match &filter.role {
        Some(role) => query.bind(role.as_str()),
        None => query,
    }
}

impl Store {
    /// The user with this id, unless their deletion is decided.
    pub async fn find_user(&self, user: UserId) -> Result<Option<UserRow>, Error> {
        UserRow::fold(&self.rows(sqlx::query(FIND_BY_ID).bind(user)).await?)
    }

    /// The user with this address, given in the form that is unique.
    pub async fn find_user_by_email(&self, email_key: &str) -> Result<Option<UserRow>, Error> {
        UserRow::fold(&self.rows(sqlx::query(FIND_BY_EMAIL).bind(email_key)).await?)
    }

    /// The user with this username, given in the form that is unique.
    pub async fn find_user_by_username(&self, username_key: &str) -> Result<Option<UserRow>, Error> {
        UserRow::fold(&self.rows(sqlx::query(FIND_BY_USERNAME).bind(username_key)).await?)
    }

    /// Users without roles, not disabled and without an open link, that have waited since this time at least for somebody to
    /// come; those that have waited for longest first, and at most `limit`.
    pub async fn list_waiting_users(
        &self,
        waiting_since: Timestamp,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<UserId>, Error> {
        let query = sqlx::query(FIND_WAITING).bind(waiting_since).bind(now).bind(limit);
        self.list_ids(query).await
    }

    /// Users whose deletion is decided and who are still there, those of whom it was decided first before others and at most
    /// `limit`.
    pub async fn list_deleted_users(&self, limit: i64) -> Result<Vec<UserId>, Error> {
        self.list_ids(sqlx::query(FIND_DELETED).bind(limit)).await
    }

    async fn list_ids(&self, query: Query) -> Result<Vec<UserId>, Error> {
        let found: Vec<(UserId,)> = self.read_all(query).await?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }

    /// A page of users, oldest first and without those whose deletion is decided.
    pub async fn list_users(&self, filter: &UserFilter) -> Result<Vec<UserRow>, Error> {
        UserRow::fold_all(&self.rows(list(filter)).await?)
    }
}

impl Tx {
    /// The user with this id, unless their deletion is decided, as this transaction sees it.
    pub async fn find_user(&mut self, user: UserId) -> Result<Option<UserRow>, Error> {
        UserRow::fold(&self.rows(sqlx::query(FIND_BY_ID).bind(user)).await?)
    }

    /// Adds a user, with the roles in its row.
    pub async fn insert_user(&mut self, user: &UserRow) -> Result<(), InsertError> {
        self.insert_user_who_waits(user, None).await
    }

    /// Adds a user who waits, since the time given, for somebody to confirm the address or to sign in.
    pub async fn insert_user_who_waits(
        &mut self,
        user: &UserRow,
        waits_since: Option<Timestamp>,
    ) -> Result<(), InsertError> {
        self.execute(
            sqlx::query(
                "INSERT INTO users (id, email, email_key, username, username_key, name, password_hash, \
                 email_verified_at, disabled_at, external_id, last_login_at, created_at, updated_at, waits_since) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            )
            .bind(user.id)
            .bind(user.email.as_str())
            .bind(user.email_key.as_str())
            .bind(user.username.as_deref())
            .bind(user.username_key.as_deref())
            .bind(user.name.as_deref())
            .bind(user.password_hash.as_str())
            .bind(user.email_verified_at)
            .bind(user.disabled_at)
            .bind(user.external_id.as_deref())
            .bind(user.last_login_at)
            .bind(user.created_at)
            .bind(user.updated_at)
            .bind(waits_since),
        )
        .await?;
        for role in &user.roles {
            self.insert_role(user.id, role).await?;
        }
        Ok(())
    }

    /// Notes that somebody has come to an account, if only an admin: it is not removed for having waited in vain.
    pub async fn end_waiting(&mut self, user: UserId) -> Result<(), Error> {
        self.execute(sqlx::query("UPDATE users SET waits_since = NULL WHERE id = $1").bind(user))
            .await
            .map(drop)
    }

    /// Gives a user a role; false when it has it already.
    pub async fn insert_role(&mut self, user: UserId, role: &str) -> Result<bool, Error> {
        self.changes(
            sqlx::query("INSERT INTO user_roles (user_id, role) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(user)
                .bind(role),
        )
        .await
    }

    /// Takes a role from a user; false when it did not have it.
    pub async fn delete_role(&mut self, user: UserId, role: &str) -> Result<bool, Error> {
        self.changes(
            sqlx::query("DELETE FROM user_roles WHERE user_id = $1 AND role = $2")
                .bind(user)
                .bind(role),
        )
        .await
    }

    /// Sets name and username, the latter as typed and as its key, to what is given; false when there is no such user.
    pub async fn update_profile(
        &mut self,
        user: UserId,
        name: Option<&str>,
        username: Option<(&str, &str)>,
        now: Timestamp,
    ) -> Result<bool, InsertError> {
        let changed = self
            .changes(
                sqlx::query(
                    "UPDATE users SET name = $2, username = $3, username_key = $4, updated_at = $5 WHERE id = $1",
                )
                .bind(user)
                .bind(name)
                .bind(username.map(|(typed, _)| typed))
                .bind(username.map(|(_, key)| key))
                .bind(now),
            )
            .await?;
        Ok(changed)
    }

    /// Sets the password; false when there is no such user.
    pub async fn update_password(&mut self, user: UserId, hash: &str, now: Timestamp) -> Result<bool, Error> {
        self.changes(
            sqlx::query("UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1")
                .bind(user)
                .bind(hash)
                .bind(now),
        )
        .await
    }

    /// Notes a log-in, and stores the password's hash anew. False, and the log-in must fail, when the password was
    /// changed or the user disabled since `verified_hash` was read.
    ///
    /// The lock on the user's row makes a password change that runs at the same time wait for the new session to be
    /// visible, so that it cannot miss ending it.
    pub async fn admit_log_in(
        &mut self,
        user: UserId,
        verified_hash: &str,
        new_hash: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.changes(
            sqlx::query(
                "UPDATE users SET password_hash = $3, last_login_at = $4, waits_since = NULL \
                 WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL",
            )
            .bind(user)
            .bind(verified_hash)
            .bind(new_hash)
            .bind(now),
        )
        .await
    }

    /// Sets the address to one that was just confirmed; false when there is no such user.
    pub async fn update_email(
        &mut self,
        user: UserId,
        email: &str,
        email_key: &str,
        now: Timestamp,
    ) -> Result<bool, InsertError> {
        let changed = self
            .changes(
                sqlx::query(
                    "UPDATE users SET email = $2, email_key = $3, email_verified_at = $4, updated_at = $4, \
                     waits_since = NULL WHERE id = $1",
                )
                .bind(user)
                .bind(email)
                .bind(email_key)
                .bind(now),
            )
            .await?;
        Ok(changed)
    }

    /// Notes that the address was confirmed; false when it is no longer the user's.
    pub async fn update_email_verified(
        &mut self,
        user: UserId,
        email_key: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.changes(
            sqlx::query(
                "UPDATE users SET email_verified_at = $3, updated_at = $3, waits_since = NULL \
                 WHERE id = $1 AND email_key = $2",
            )
            .bind(user)
            .bind(email_key)
            .bind(now),
        )
        .await
    }

    /// Disables a user, or with `None` enables it, for good reasons either way: nobody is waited for any more. False when
    /// there is no such user.
    pub async fn update_disabled(
        &mut self,
        user: UserId,
        disabled_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.changes(
            sqlx::query("UPDATE users SET disabled_at = $2, waits_since = NULL, updated_at = $3 WHERE id = $1")
                .bind(user)
                .bind(disabled_at)
                .bind(now),
        )
        .await
    }

    /// Notes that a user is to go, who is nobody from now on: address and username are free again. False when there is no such
    /// user.
    pub async fn update_deleted(&mut self, user: UserId, now: Timestamp) -> Result<bool, Error> {
        self.changes(sqlx::query(MARK_DELETED).bind(user).bind(now)).await
    }

    /// The same of a user who has [waited](Store::list_waiting_users) since this time at least, and still does: false where
    /// somebody has come since they were found, or was mailed a link to come by.
    pub async fn update_deleted_if_waiting(
        &mut self,
        user: UserId,
        waiting_since: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let query = sqlx::query(GIVE_UP_WAITING).bind(user);
        self.changes(query.bind(waiting_since).bind(now)).await
    }

    /// Deletes a user with its roles, sessions, links, mail and products; false when there is no such user.
    pub async fn delete_user(&mut self, user: UserId) -> Result<bool, Error> {
        self.changes(sqlx::query("DELETE FROM users WHERE id = $1").bind(user))
            .await
    }

    /// Makes every other transaction that calls this wait until this one has ended. To be called before
    /// [`count_active_holders`](Self::count_active_holders) decides anything about them: two administrators who each
    /// remove the other would both see one left.
    pub async fn lock_admins(&mut self) -> Result<(), Error> {
        let locked = self
            .changes(sqlx::query("UPDATE locks SET name = name WHERE name = 'admins'"))
            .await?;
        if locked {
            Ok(())
        } else {
            Err(sqlx::Error::RowNotFound.into())
        }
    }

    /// The user, unless their deletion is decided, whom no other transaction changes until this one ends: what is decided
    /// about them stays true. Before any of their sessions and tokens, as in every transaction.
    pub async fn lock_user(&mut self, user: UserId) -> Result<Option<UserRow>, Error> {
        // A write that changes nothing takes the row's lock on both engines.
        let lock = sqlx::query("UPDATE users SET updated_at = updated_at WHERE id = $1 AND deleted_at IS NULL");
        if self.changes(lock.bind(user)).await? {
            self.find_user(user).await
        } else {
            Ok(None)
        }
    }

    /// How many users have this role, are not disabled, and have a password to sign in with.
    pub async fn count_active_holders(&mut self, role: &str) -> Result<i64, Error> {
        let query = sqlx::query(
            "SELECT COUNT(*) FROM user_roles r INNER JOIN users u ON u.id = r.user_id \
             WHERE r.role = $1 AND u.disabled_at IS NULL AND u.password_hash <> ''",
        );
        let row = self.row(query.bind(role)).await?.ok_or(sqlx::Error::RowNotFound)?;
        Ok(row.try_get(0)?)
    }
}
