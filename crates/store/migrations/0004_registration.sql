-- Whose word a registration is, and what else it says (a JSON object; what stands at its default is left out).
alter table client add column origin text not null default 'operator';
alter table client add column metadata text not null default '{}';

-- Of a client that registered itself: the token that manages it, as long as it has one holder; what equal registrations
-- share it by; and when it was last used, so that it can be told from one that nobody uses any more.
alter table client add column registration_hash blob;
alter table client add column fingerprint blob;
alter table client add column used_at bigint;
create unique index client_by_fingerprint on client (fingerprint);
create index client_by_use on client (used_at) where used_at is not null;

-- Metadata documents of clients that somebody has allowed, so that they can refresh when the site is down.
create table client_document (
    client_id text not null primary key,
    document text not null,
    etag text,
    fetched_at bigint not null,
    fresh_until bigint not null,
    used_at bigint not null
) without rowid;
create index client_document_by_use on client_document (used_at);

-- What a client that is removed was given ends with it; so does what people have allowed one that is changed.
create index consent_by_client on consent (client_id);
create index if not exists token_grant_by_client on token_grant (client_id);
