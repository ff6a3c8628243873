"""The columns of the table: what is tried with each client program."""

SIGNING_IN = {
    "discovery": "the metadata is found and accepted (RFC 8414, OpenID Connect Discovery)",
    "cimd": "the metadata offers Client ID Metadata Documents",
    "register": "the program registers itself and signs a person in (RFC 7591)",
    "code": "authorization code with PKCE; state and iss are checked (RFC 6749, 7636, 9207)",
    "id_token": "the ID token is validated: signature, nonce, at_hash (OpenID Connect Core)",
    "userinfo": "userinfo speaks of the person of the ID token (OpenID Connect Core §5.3)",
    "refresh": "refresh with rotation; the tokens change, the person does not (RFC 6749 §6)",
    "par": "the authorization request is pushed (RFC 9126)",
    "dpop": "code, refresh and userinfo with a key, under server nonces (RFC 9449)",
    "device": "a device waits, the person approves (RFC 8628)",
    "logout": "the program sends the browser to sign out, and gets it back (RP-Initiated Logout)",
}

MACHINES = {
    "basic": "client credentials by client_secret_basic, the token then revoked (RFC 6749 §4.4)",
    "post": "the same by client_secret_post",
    "jwt": "the same by private_key_jwt with ES256 (RFC 7523 §2.2)",
    "bearer": "a workload's JWT for an access token (RFC 7523 §2.1)",
    "exchange": "a token for one that may do less (RFC 8693)",
    "introspect": "a token is looked into (RFC 7662)",
    "revoke": "a refresh token is revoked, and refused afterwards (RFC 7009)",
}

FEATURES = SIGNING_IN | MACHINES
