-- Every sign-in paid for three. What hangs on a session is looked for among what its person has. Whoever removes a program that
-- registered itself finds its grants by an index; those of the others are ended by the operator's hand, which walks the table.
drop index token_grant_by_session;
drop index token_grant_of_user;
drop index token_grant_by_client;
create index token_grant_of_user on token_grant (user_id, session_id);
create index token_grant_of_registered on token_grant (client_id) where client_id like 'reg-%';
