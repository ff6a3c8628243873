-- DPoP proofs that were used: each is good once, whatever node it came to.
create table dpop_proof (
    once_hash blob not null primary key,
    expires_at bigint not null
) without rowid;
create index dpop_proof_by_end on dpop_proof (expires_at);

-- The subject that a client's certificate must name, and since when all its tokens are bound to its certificate.
alter table client add column tls_subject text;
alter table client add column certificate_bound_since bigint;
