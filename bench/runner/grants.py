"""Many live grants, as years of use would leave them: each with its refresh token and an access token."""

import os
import sqlite3
import time

# The columns that a live grant and its token need; the server's statements never see a difference.
GRANT = "id, client_id, user_id, scope, resource, authenticated_at, created_at, refresh_hash, refresh_expires_at"
TOKEN = "id, hash, grant_id, client_id, user_id, scope, resource, issued_at, expires_at"
HOUR, MONTH = 3_600_000, 30 * 86_400_000
BATCH = 20_000


def sow(running, profile, server, count):
    """`count` grants in the database of the running server, spread over the last fifty minutes."""
    print(f"sowing {count:,} live grants", flush=True)
    if server:
        sow_postgres(running, profile, server, count)
    else:
        sow_sqlite(running, profile, count)


def sow_sqlite(running, profile, count):
    database = sqlite3.connect(running.place.data / "gatepass.db", timeout=30)
    user = database.execute("select id from user_account").fetchone()[0]
    now = int(time.time() * 1000)
    scope, resource = profile["code_scope"], profile["issuer"]
    for first in range(0, count, BATCH):
        grants, tokens = [], []
        for number in range(first, min(first + BATCH, count)):
            at = now - (count - number) * 3_000_000 // count
            grant, token = identifier(at), identifier(at)
            grants.append((grant, profile["client_id"], user, scope, resource, at, at, os.urandom(32), now + MONTH))
            tokens.append((token, os.urandom(32), grant, profile["client_id"], user, scope, resource, at, now + HOUR))
        with database:
            database.executemany(f"insert into token_grant ({GRANT}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", grants)
            database.executemany(f"insert into access_token ({TOKEN}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", tokens)
    database.execute("pragma wal_checkpoint(truncate)")
    database.close()


def identifier(at):
    """A UUIDv7."""
    tail = bytearray(os.urandom(10))
    tail[0], tail[2] = tail[0] & 0x0F | 0x70, tail[2] & 0x3F | 0x80
    return at.to_bytes(6, "big") + bytes(tail)


def sow_postgres(running, profile, server, count):
    now = int(time.time() * 1000)
    identifier = "decode(lpad(to_hex(at), 12, '0'), 'hex') || substring(sha256((n || '%s')::bytea) for 10)"
    server.psql(running.place.database_url, f"""
        create temporary table sown as
            select at, {identifier % "grant"} as grant_id, {identifier % "token"} as token_id, n
            from (select n, {now} - ({count} - n)::bigint * 3000000 / {count} as at from generate_series(1, {count}) n) t;
        insert into token_grant ({GRANT})
            select grant_id, '{profile["client_id"]}', u.id, '{profile["code_scope"]}', '{profile["issuer"]}', at, at,
                sha256((n || 'refresh')::bytea), {now + MONTH} from sown, (select id from user_account limit 1) u;
        insert into access_token ({TOKEN})
            select token_id, sha256((n || 'access')::bytea), grant_id, '{profile["client_id"]}', u.id,
                '{profile["code_scope"]}', '{profile["issuer"]}', at, {now + HOUR}
            from sown, (select id from user_account limit 1) u;
        analyze token_grant, access_token;
        checkpoint""")  # fmt: skip
