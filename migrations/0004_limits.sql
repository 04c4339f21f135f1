-- What was used of the limits that hold across processes. A name is an HMAC: neither the operation nor whom it is about can
-- be read from it. The time is in milliseconds, unlike all others: when all of the limit will be back, after which the row
-- means nothing. `noted_at` is when it was recorded that the limit refused, once until all of it is back.
CREATE TABLE limits (
    name        TEXT   NOT NULL PRIMARY KEY,
    whole_at_ms BIGINT NOT NULL,
    noted_at    BIGINT
);
CREATE INDEX limits_by_time ON limits (whole_at_ms);
