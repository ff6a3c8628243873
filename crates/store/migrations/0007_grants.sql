-- Programs with an identity of their own, which no person and no client stands behind.
create table service_account (
    id blob not null primary key,
    name text not null,
    description text not null,
    created_at bigint not null,
    disabled_at bigint
) without rowid;
create unique index service_account_by_name on service_account (name);

-- APIs that tokens are for. The key is the URI as URLs are compared, `uri` as it was given.
create table resource (
    canonical text not null primary key,
    uri text not null,
    name text not null,
    token_format text not null,
    scope text not null,
    -- Since when every client may have tokens for it; else those that are registered for it.
    open_since bigint,
    -- The client that its resource server asks about tokens as.
    client_id text not null,
    created_at bigint not null
) without rowid;

-- Whose assertions are taken, and what they stand for.
create table trust (
    id blob not null primary key,
    issuer text not null,
    jwks text,
    subject text not null,
    audiences text not null,
    claims text not null,
    service_id blob,
    client_id text,
    -- How the assertion names a person; then it is an identity assertion of their sign-in.
    user_by text,
    scope text not null,
    resource text,
    lifetime_millis bigint not null,
    reusable_since bigint,
    created_at bigint not null
) without rowid;
create index trust_by_issuer on trust (issuer);

alter table access_token add column service_id blob;
-- Who acts for the subject (RFC 8693 §4.1), as JSON.
alter table access_token add column act text;
-- The token that it was exchanged for, the first of a chain: revoked together.
alter table access_token add column parent_id blob;
create index access_token_by_parent on access_token (parent_id) where parent_id is not null;
