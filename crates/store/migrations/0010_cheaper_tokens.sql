-- Every access token paid for these two, and hardly one was in them. What a token was exchanged for ends when it is looked at,
-- with the token that it came from; and what no grant stands behind is ended by the operator's hand, which walks
-- the table.
drop index access_token_by_parent;
drop index access_token_of_user;
