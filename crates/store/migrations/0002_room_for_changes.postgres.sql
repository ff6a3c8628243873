-- A rotation or a poll changes its row in place. With room left on the page PostgreSQL keeps the new version
-- beside the old one and leaves the indexes alone.
alter table token_grant set (fillfactor = 60);
alter table device_grant set (fillfactor = 80);
