-- Accounts that came from another application without a usable password had a mark of their own, under which they counted
-- as accounts that somebody can sign in to.
UPDATE users SET password_hash = '' WHERE password_hash = '!';
