-- Old messages are looked for by when they were done with; the few that are still to be sent are not in the way.
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE finished_at IS NOT NULL;
