"""Many live grants, as years of use would leave them: each with its refresh token and an access token.

Every second access token is for the API that introspects. The tokens are good ones, so a workload can show those that
nobody has shown before, in an order that has nothing to do with the one in which they were made.
"""

import csv
import hashlib
import os
import random
import sqlite3
import time
import zlib

from .gatepass import API, CC_SCOPE

# The columns that a live grant and its token need; the server's statements never see a difference.
GRANT = "id, client_id, user_id, scope, resource, authenticated_at, created_at, refresh_hash, refresh_expires_at"
TOKEN = "id, hash, grant_id, client_id, user_id, scope, resource, issued_at, expires_at"
HOUR, MONTH = 3_600_000, 30 * 86_400_000
BATCH = 20_000
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def sow(running, profile, server, count):
    """`count` grants in the database of the running server, spread over the last fifty minutes. The files of their
    credentials, by the workload that shows them."""
    print(f"sowing {count:,} live grants", flush=True)
    folder = running.place.folder
    files = {name: folder / f"{name}.txt" for name in ("rpc", "introspect", "refresh")}
    credentials = {name: [] for name in files}
    rows = made(profile, count, credentials)
    if server:
        sow_postgres(server, running.place.database_url, folder, rows)
    else:
        sow_sqlite(running.place.data / "gatepass.db", rows)
    for name, lines in credentials.items():
        random.shuffle(lines)
        files[name].write_text("\n".join(lines) + "\n")
    return files


def made(profile, count, credentials):
    """The rows of each grant and its access token, but for the person; their credentials go to the lists."""
    now = int(time.time() * 1000)
    for number in range(count):
        at = now - (count - number) * 3_000_000 // count
        grant, token = identifier(at), identifier(at)
        refresh, access = text("gpr_", grant), text("gpa_", token)
        name, scope, resource = (
            ("introspect", CC_SCOPE, API) if number % 2 else ("rpc", profile["code_scope"], profile["issuer"])
        )
        credentials["refresh"].append(refresh)
        credentials[name].append(access)
        yield (
            (grant, profile["client_id"], scope, resource, at, at, digest(refresh), now + MONTH),
            (token, digest(access), grant, profile["client_id"], scope, resource, at, now + HOUR),
        )


def identifier(at):
    """A UUIDv7."""
    tail = bytearray(os.urandom(10))
    tail[0], tail[2] = tail[0] & 0x0F | 0x70, tail[2] & 0x3F | 0x80
    return at.to_bytes(6, "big") + bytes(tail)


def text(prefix, identifier):
    """The token of an identifier: its secret is drawn, its checksum computed (`crates/keys/src/token.rs`)."""
    secret = base62(int.from_bytes(os.urandom(15), "big"), 21)
    unchecked = prefix + base62(int.from_bytes(identifier, "big"), 22) + secret
    return unchecked + base62(zlib.crc32(unchecked.encode()), 6)


def base62(number, length):
    symbols = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        symbols.append(BASE62[digit])
    return "".join(reversed(symbols))


def digest(token):
    return hashlib.sha256(token.encode()).digest()


def with_user(row, place, user):
    return (*row[:place], user, *row[place:])


def sow_sqlite(path, rows):
    database = sqlite3.connect(path, timeout=30)
    user = database.execute("select id from user_account").fetchone()[0]
    while batch := [row for _, row in zip(range(BATCH), rows)]:
        grants = [with_user(grant, 2, user) for grant, _ in batch]
        tokens = [with_user(token, 4, user) for _, token in batch]
        with database:
            database.executemany(f"insert into token_grant ({GRANT}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", grants)
            database.executemany(f"insert into access_token ({TOKEN}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", tokens)
    database.execute("pragma wal_checkpoint(truncate)")
    database.close()


def sow_postgres(server, url, folder, rows):
    user = bytes.fromhex(server.ask(url, "select encode(id, 'hex') from user_account limit 1"))
    grants, tokens = folder / "grants.csv", folder / "tokens.csv"
    with open(grants, "w", newline="") as grant_file, open(tokens, "w", newline="") as token_file:
        to_grants, to_tokens = csv.writer(grant_file), csv.writer(token_file)
        for grant, token in rows:
            to_grants.writerow(map(field, with_user(grant, 2, user)))
            to_tokens.writerow(map(field, with_user(token, 4, user)))
    server.psql(url, f"\\copy token_grant ({GRANT}) from '{grants}' csv")
    server.psql(url, f"\\copy access_token ({TOKEN}) from '{tokens}' csv")
    server.psql(url, "analyze token_grant, access_token")
    server.psql(url, "checkpoint")


def field(value):
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value
