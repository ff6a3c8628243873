"""A platform whose workloads prove themselves by JWTs that it signs (RFC 7523 §2.1)."""

import secrets
import time

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://platform.example"
SUBJECT = "workload:interop"
LIFE = 300
"""Seconds that an assertion lives."""


def identity(key, audience):
    """What a runner is told: the platform's own key, for libraries that sign, and an assertion for the others."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": audience, "iat": now, "exp": now + LIFE}
    claims["jti"] = secrets.token_urlsafe(16)
    header = {"alg": "ES256", "kid": key["kid"]}
    assertion = jwt.encode(header, claims, ECKey.import_key(key), algorithms=["ES256"])
    return {"issuer": ISSUER, "subject": SUBJECT, "jwk": key, "assertion": assertion}
