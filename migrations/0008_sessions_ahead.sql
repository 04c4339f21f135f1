-- Sessions that nobody asked to be remembered end after half a day. Those that a clock which was ahead has extended end
-- before many others do all the same, so that they cannot be told by when they end.
CREATE INDEX sessions_unremembered_by_use ON sessions (last_used_at) WHERE remembered = 0;
