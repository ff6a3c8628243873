-- Every device's grant paid for this one. What was approved in a session is ended by the operator's hand, which looks at what
-- the session's person has.
drop index token_grant_by_approval;
