-- What happened, in pages: a list of objects that is never changed, and goes when its time is over. The identifier is the time
-- at which the page was written; `audit_event` shows what stands on the pages as rows. What became of an event follows from
-- its kind.
create table audit (
    id blob not null primary key,
    events text not null
) without rowid;
create view audit_event as
select page.id as page, event.value ->> 'id' as id, cast(event.value ->> 'at' as bigint) as at,
    event.value ->> 'kind' as kind, event.value ->> 'actor' as actor, event.value ->> 'user_id' as user_id,
    event.value ->> 'client_id' as client_id, event.value ->> 'subject' as subject,
    coalesce(event.value ->> 'address', '') as address, coalesce(event.value ->> 'user_agent', '') as user_agent,
    coalesce(event.value ->> 'detail', '') as detail
from audit as page, json_each(page.events) as event;
create trigger audit_is_never_changed before update on audit
begin
    select raise(abort, 'a row of audit is never changed');
end;

-- Notices on their way to the operator's webhook; a row goes when it has arrived or is given up.
create table webhook_delivery (
    id blob not null primary key,
    body text not null,
    attempts bigint not null,
    next_at bigint not null,
    expires_at bigint not null
) without rowid;
create index webhook_delivery_by_next on webhook_delivery (next_at);

-- Work that one node at a time does.
create table lease (
    name text not null primary key,
    holder blob not null,
    expires_at bigint not null
) without rowid;

-- These two have no identifier that tells their age, and are seldom written.
create index client_assertion_by_expiry on client_assertion (expires_at);
create index throttle_by_end on throttle (window_ends_at);
