-- Times are UTC milliseconds, given by the caller. Identifiers are UUIDv7, so new rows lie together.
-- A fact that may not have happened yet is a nullable time. Secrets are hashes, private keys are sealed.

create table user_account (
    id blob not null primary key,
    email text not null,
    name text not null,
    password_hash text,
    created_at bigint not null,
    email_verified_at bigint,
    owner_since bigint,
    -- 1 for the account that set the server up, so that there is one at most.
    founder bigint unique
) without rowid;
create unique index user_account_by_email on user_account (email);

create table session (
    id blob not null primary key,
    hash blob not null,
    user_id blob not null references user_account (id),
    authenticated_at bigint not null,
    seen_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint,
    address text not null,
    user_agent text not null
) without rowid;
create index session_by_user on session (user_id);

create table client (
    id text not null primary key,
    name text not null,
    auth_method text not null,
    secret_hash blob,
    jwks text,
    redirect_uris text not null,
    grant_types text not null,
    scope text not null,
    resources text not null,
    first_party_since bigint,
    created_at bigint not null
) without rowid;

create table client_assertion (
    client_id text not null,
    jti_hash blob not null,
    expires_at bigint not null,
    primary key (client_id, jti_hash)
) without rowid;

create table signing_key (
    kid text not null primary key,
    sealed_private_key blob not null,
    created_at bigint not null,
    -- 1 for the key that signs, so that there is one at most; the others are published only.
    signs bigint unique
) without rowid;

create table authorization_code (
    id blob not null primary key,
    hash blob not null,
    client_id text not null,
    user_id blob not null,
    redirect_uri text not null,
    scope text not null,
    resource text not null,
    code_challenge text not null,
    nonce text,
    authenticated_at bigint not null,
    expires_at bigint not null,
    used_at bigint,
    grant_id blob not null
) without rowid;

-- What a person (or a client for itself) has allowed, and the refresh token that stands for it. Its
-- row is the whole family: rotation changes it in place, so that the cost does not grow with age.
create table token_grant (
    id blob not null primary key,
    client_id text not null,
    user_id blob not null,
    scope text not null,
    resource text not null,
    authenticated_at bigint not null,
    created_at bigint not null,
    refresh_hash blob,
    refresh_expires_at bigint not null,
    rotated_at bigint,
    previous_hash blob,
    sealed_answer blob,
    successor_used_at bigint,
    revoked_at bigint,
    revoked_because text
) without rowid;

create table access_token (
    id blob not null primary key,
    hash blob not null,
    grant_id blob,
    client_id text not null,
    user_id blob,
    scope text not null,
    resource text not null,
    issued_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint
) without rowid;

create table device_grant (
    id blob not null primary key,
    hash blob not null,
    user_code_hash blob not null,
    client_id text not null,
    scope text not null,
    resource text not null,
    code_challenge text,
    number_match text,
    device_name text not null,
    address text not null,
    user_agent text not null,
    created_at bigint not null,
    expires_at bigint not null,
    interval_millis bigint not null,
    next_poll_at bigint not null,
    user_id blob,
    authenticated_at bigint,
    approved_at bigint,
    denied_at bigint,
    redeemed_at bigint,
    grant_id blob not null
) without rowid;
create unique index device_grant_by_user_code on device_grant (user_code_hash);

create table consent (
    user_id blob not null,
    client_id text not null,
    resource text not null,
    scope text not null,
    granted_at bigint not null,
    primary key (user_id, client_id, resource)
) without rowid;

create table one_time_link (
    id blob not null primary key,
    hash blob not null,
    purpose text not null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint
) without rowid;

create table throttle (
    bucket text not null primary key,
    hits bigint not null,
    window_ends_at bigint not null
) without rowid;
