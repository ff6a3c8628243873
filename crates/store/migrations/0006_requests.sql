-- Keys come in generations for each algorithm. Rows are only added and removed: a key signs from its time until the next
-- generation's, so of nodes that rotate at once one adds the next generation and the others see it.
alter table signing_key rename to former_signing_key;
create table signing_key (
    kid text not null primary key,
    algorithm text not null,
    generation bigint not null,
    sealed_private_key blob not null,
    created_at bigint not null,
    signs_from bigint not null
) without rowid;
create unique index signing_key_by_generation on signing_key (algorithm, generation);
insert into signing_key (kid, algorithm, generation, sealed_private_key, created_at, signs_from)
 select kid, 'ES256', 1, sealed_private_key, created_at, created_at from former_signing_key where signs = 1;
drop table former_signing_key;

-- An authorization request that came before the browser. The short link, if there is one, is kept as a keyed hash; the
-- reference that it leads to is sealed.
create table pushed_request (
    id blob not null primary key,
    hash blob not null,
    ticket_hash blob,
    sealed_reference blob,
    client_id text not null,
    request text not null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint
) without rowid;
create unique index pushed_request_by_ticket on pushed_request (ticket_hash) where ticket_hash is not null;

-- The first session of a browser, when this one took its place without a sign-out.
alter table session add column origin_id blob;

-- What clients must still be told of a sign-out.
create table logout_notice (
    id blob not null primary key,
    client_id text not null,
    user_id blob not null,
    session_id blob,
    created_at bigint not null,
    attempts bigint not null,
    next_at bigint not null
) without rowid;
create index logout_notice_by_time on logout_notice (next_at);

create index token_grant_of_user on token_grant (user_id);
-- Tokens of a person that no grant stands behind, from an assertion: few.
create index access_token_of_user on access_token (user_id) where grant_id is null and user_id is not null;
-- The session that a device was approved in.
alter table token_grant add column approved_in blob;
create index token_grant_by_approval on token_grant (approved_in) where approved_in is not null;
