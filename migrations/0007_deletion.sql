-- When it was decided that an account is deleted. Since then it is disabled, and only what is left of it has still to go.
ALTER TABLE users ADD COLUMN deleted_at BIGINT;
CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at IS NOT NULL;
