-- One set of migrations for SQLite and PostgreSQL. Columns are TEXT or BIGINT, which both engines decode alike: times are
-- unix seconds, ids are UUIDs in lower case, a state is the time at which it began, or NULL.

CREATE TABLE users (
    id                TEXT   NOT NULL PRIMARY KEY,
    email             TEXT   NOT NULL,
    email_key         TEXT   NOT NULL,
    username          TEXT,
    username_key      TEXT,
    name              TEXT,
    password_hash     TEXT   NOT NULL,
    email_verified_at BIGINT,
    disabled_at       BIGINT,
    external_id       TEXT,
    last_login_at     BIGINT,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    CONSTRAINT users_email_taken UNIQUE (email_key),
    CONSTRAINT users_username_taken UNIQUE (username_key)
);

CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
);
CREATE INDEX user_roles_by_role ON user_roles (role, user_id);

CREATE TABLE sessions (
    id             TEXT   NOT NULL PRIMARY KEY,
    user_id        TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at     BIGINT NOT NULL,
    last_used_at   BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    dies_at        BIGINT NOT NULL,
    idle_seconds   BIGINT NOT NULL,
    remembered     BIGINT NOT NULL,
    client_address TEXT,
    user_agent     TEXT
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    hash             TEXT   NOT NULL PRIMARY KEY,
    session_id       TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    issued_at        BIGINT NOT NULL,
    used_at          BIGINT,
    sealed_successor TEXT
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_use ON refresh_tokens (used_at) WHERE sealed_successor IS NOT NULL;

CREATE TABLE link_tokens (
    hash       TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX link_tokens_by_user ON link_tokens (user_id, kind);
CREATE INDEX link_tokens_by_expiry ON link_tokens (expires_at);

CREATE TABLE signing_keys (
    kid            TEXT   NOT NULL PRIMARY KEY,
    algorithm      TEXT   NOT NULL,
    sealed_private TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    signs_from     BIGINT NOT NULL,
    verifies_until BIGINT
);

-- `due_at` is when the row may next be taken: of a message being sent, when the claim on it runs out.
CREATE TABLE outbox (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    user_id     TEXT REFERENCES users (id) ON DELETE CASCADE,
    address     TEXT   NOT NULL,
    parameters  TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    due_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    last_error  TEXT,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE finished_at IS NULL;
CREATE INDEX outbox_by_state ON outbox (state, id);
CREATE INDEX outbox_by_user ON outbox (user_id, id);

-- No foreign keys: what happened to a user is still true when the user is gone.
CREATE TABLE audit_events (
    id             TEXT   NOT NULL PRIMARY KEY,
    at             BIGINT NOT NULL,
    event          TEXT   NOT NULL,
    outcome        TEXT   NOT NULL,
    user_id        TEXT,
    actor_id       TEXT,
    session_id     TEXT,
    client_address TEXT,
    user_agent     TEXT,
    detail         TEXT
);
CREATE INDEX audit_events_by_user ON audit_events (user_id, id);
CREATE INDEX audit_events_by_event ON audit_events (event, id);

CREATE TABLE products (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    description TEXT,
    owner_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX products_by_owner ON products (owner_id, id);

-- A row to update first is a mutex on both engines, held until the transaction ends.
CREATE TABLE locks (
    name TEXT NOT NULL PRIMARY KEY
);
INSERT INTO locks (name) VALUES ('admins');
