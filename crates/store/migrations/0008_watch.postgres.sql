-- What happened. A row is never changed; it goes when its time is over. The identifier begins with the time, so that it is kept
-- nowhere else, and "since" needs no index of its own. What became of it follows from the kind.
create table audit (
    id bytea not null primary key,
    kind text not null,
    -- Who did it, when it was nobody at the other end of a request: the operator.
    actor text,
    user_id bytea,
    client_id text,
    subject bytea,
    address text not null,
    user_agent text not null,
    detail text not null
);
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'a row of audit is never changed';
end
$$;
create trigger audit_is_never_changed before update on audit
for each row execute function refuse_change();

-- Notices on their way to the operator's webhook; a row goes when it has arrived or is given up.
create table webhook_delivery (
    id bytea not null primary key,
    body text not null,
    attempts bigint not null,
    next_at bigint not null,
    expires_at bigint not null
);
create index webhook_delivery_by_next on webhook_delivery (next_at);

-- Work that one node at a time does.
create table lease (
    name text not null primary key,
    holder bytea not null,
    expires_at bigint not null
);

-- These two have no identifier that tells their age, and are seldom written.
create index client_assertion_by_expiry on client_assertion (expires_at);
create index throttle_by_end on throttle (window_ends_at);
