-- From where an account signed in: what kind of device, in words, and which network. A few for each account, each until it
-- was not seen for half a year, so that a sign-in from anywhere else can be told to its owner.
CREATE TABLE places (
    user_id TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device  TEXT   NOT NULL,
    network TEXT   NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, device, network)
);
CREATE INDEX places_by_time ON places (last_at);

-- Events are removed by their age. Ids are in the order of their making too, but one that was made while the clock was
-- ahead stays ahead.
CREATE INDEX audit_events_by_time ON audit_events (at);

-- Since when an account has waited for somebody to come: it signed up, and since then nobody has confirmed its address or
-- signed in to it. Those that were made by hand or brought along wait for nothing.
ALTER TABLE users ADD COLUMN waits_since BIGINT;
UPDATE users SET waits_since = created_at
WHERE email_verified_at IS NULL AND last_login_at IS NULL AND external_id IS NULL AND password_hash <> ''
AND NOT EXISTS (SELECT 1 FROM imports i WHERE i.user_id = users.id);
CREATE INDEX users_waiting ON users (waits_since) WHERE waits_since IS NOT NULL;
