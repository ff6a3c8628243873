-- Every access token paid for these two, and hardly one was in them. What a token was exchanged for ends when it is looked at,
-- with the token that it came from; and what no grant stands behind is ended by the operator's hand, which walks
-- the table.
drop index access_token_by_parent;
drop index access_token_of_user;

-- Pages of the audit trail are compressed by the quicker method, where PostgreSQL has it: from version 14 on, and built with it.
do $$
begin
    execute 'alter table audit alter column events set compression lz4';
exception when feature_not_supported or syntax_error then
    raise notice 'the pages of the audit trail are compressed by pglz';
end
$$;
