-- Which clients were told in an ID token of a session, so that they are told of its end. Only those that want to hear.
create table session_client (
    session_id blob not null,
    client_id text not null,
    told_at bigint not null,
    primary key (session_id, client_id)
) without rowid;
-- The sessions that have taken the place of another: its clients are theirs.
create index session_by_origin on session (origin_id) where origin_id is not null;

-- What tokens for a resource, and answers to its server, are signed with.
alter table resource add column signing_alg text not null default 'ES256';
