-- What happened, in pages: a list of objects that is never changed, and goes when its time is over. The identifier is the time
-- at which the page was written; `audit_event` shows what stands on the pages as rows. What became of an event follows from
-- its kind.
create table audit (
    id bytea not null primary key,
    events text not null
);
create view audit_event as
select page.id as page, event.value ->> 'id' as id, cast(event.value ->> 'at' as bigint) as at,
    event.value ->> 'kind' as kind, event.value ->> 'actor' as actor, event.value ->> 'user_id' as user_id,
    event.value ->> 'client_id' as client_id, event.value ->> 'subject' as subject,
    coalesce(event.value ->> 'address', '') as address, coalesce(event.value ->> 'user_agent', '') as user_agent,
    coalesce(event.value ->> 'detail', '') as detail
from audit as page, json_array_elements(page.events::json) as event(value);
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
