-- A message outlives the account that it is about, so that an admin is told why it did not leave; what is personal in it
-- is erased with the account. SQLite cannot alter a foreign key: both engines get the table anew.
CREATE TABLE outbox_anew (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    user_id     TEXT REFERENCES users (id) ON DELETE SET NULL,
    address     TEXT   NOT NULL,
    parameters  TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    due_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    last_error  TEXT,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT
);
INSERT INTO outbox_anew (id, kind, user_id, address, parameters, state, due_at, attempts, last_error, created_at, finished_at)
SELECT id, kind, user_id, address, parameters, state, due_at, attempts, last_error, created_at, finished_at FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_anew RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (due_at) WHERE finished_at IS NULL;
CREATE INDEX outbox_by_state ON outbox (state, id);
CREATE INDEX outbox_by_user ON outbox (user_id, id);
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE finished_at IS NOT NULL;
