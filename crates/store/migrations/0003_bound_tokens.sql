-- How a person proved themselves travels from the session to the tokens; so does the session, which may end them.
alter table session add column method text not null default 'password';
alter table authorization_code add column method text not null default 'password';
alter table authorization_code add column session_id blob;
alter table device_grant add column method text;
alter table device_grant add column session_id blob;
alter table token_grant add column method text not null default 'password';
alter table token_grant add column session_id blob;

-- The key whose holder alone may use what is bound to it.
alter table authorization_code add column confirmation text;
alter table device_grant add column confirmation text;
alter table token_grant add column confirmation text;
alter table access_token add column confirmation text;
create index token_grant_by_session on token_grant (session_id) where session_id is not null;
