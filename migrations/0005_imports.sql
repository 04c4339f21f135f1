-- Who was imported, so that an import that is run again changes nothing. `source_key` is a hash of where a user came from
-- and of their id there, `address_key` one of that and the address they had there: neither can be read back. The row
-- outlives the account, so that whoever deleted theirs is not brought back by the next run.
CREATE TABLE imports (
    source_key  TEXT NOT NULL PRIMARY KEY,
    address_key TEXT NOT NULL,
    user_id     TEXT REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX imports_by_user ON imports (user_id);
