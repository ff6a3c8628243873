-- DPoP proofs that were used: each is good once, whatever node it came to.
create table dpop_proof (
    once_hash blob not null primary key,
    expires_at bigint not null
) without rowid;
create index dpop_proof_by_end on dpop_proof (expires_at);
