-- SQLite changes rows in place anyway.
select 1;
