"""https://pypi.org/project/requests-oauth2client/"""

import functools

import requests
from common import approve, grant, offered, run, visit, world
from jwskate import Jwk
from requests_oauth2client import (
    ClientSecretBasic,
    ClientSecretPost,
    DeviceAuthorizationPollingJob,
    DPoPKey,
    InvalidGrant,
    OAuth2Client,
    PrivateKeyJwt,
)


@functools.cache
def metadata():
    return requests.get(f"{world.issuer}/.well-known/openid-configuration", timeout=10).json()


def discover(auth=None):
    """The server as one of our clients sees it.

    The library does not look for the device authorization endpoint in the metadata, and expects RS256 unless told.
    """
    basic = world.clients.basic
    return OAuth2Client.from_discovery_endpoint(
        issuer=world.issuer,
        auth=auth or ClientSecretBasic(basic.client_id, basic.client_secret),
        redirect_uri=world.redirect_uri,
        device_authorization_endpoint=metadata().get("device_authorization_endpoint"),
        id_token_signed_response_alg="ES256",
        testing=True,
    )


def sign_in(client, **parameters):
    """Tokens, whose ID token the library has validated."""
    request = client.authorization_request(
        scope=world.scope, authorization_response_iss_parameter_supported=True, **parameters
    )
    return client.authorization_code(request.validate_callback(visit(request.uri)))


def discovery():
    client = discover()
    assert client.issuer == world.issuer
    assert client.authorization_server_jwks
    assert client.authorization_response_iss_parameter_supported


def code():
    tokens = sign_in(discover())
    assert tokens.token_type.lower() == "bearer"
    assert not tokens.is_expired()


def id_token():
    token = sign_in(discover(), max_age=3600).id_token
    assert token.issuer == world.issuer
    assert token.auth_datetime


def userinfo():
    client = discover()
    tokens = sign_in(client)
    assert client.userinfo(tokens)["sub"] == tokens.id_token.subject


def refresh():
    client = discover()
    first = sign_in(client)
    second = client.refresh_token(first)
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    client.refresh_token(second)


def par():
    offered(metadata(), "pushed_authorization_request_endpoint")
    client = discover()
    request = client.authorization_request(scope=world.scope)
    location = visit(client.pushed_authorization_request(request).uri)
    client.authorization_code(request.validate_callback(location))


def dpop():
    offered(metadata(), "dpop_signing_alg_values_supported", "ES256")
    client = discover()
    key = DPoPKey.generate("ES256")
    request = client.authorization_request(scope=world.scope, dpop_key=key)
    # `validate=True` loses the key: https://pypi.org/project/requests-oauth2client/1.8.0/, `validate_id_token`.
    tokens = client.authorization_code(request.validate_callback(visit(request.uri)), validate=False)
    assert tokens.token_type.lower() == "dpop"
    assert client.userinfo(tokens)["sub"]
    again = client.refresh_token(tokens, dpop_key=key)
    assert again.token_type.lower() == "dpop"
    assert key.as_nonce or key.rs_nonce, "the server gave no nonce"


def device():
    offered(metadata(), "device_authorization_endpoint")
    client = discover()
    started = client.authorize_device(scope=world.scope)
    poll = DeviceAuthorizationPollingJob(client, started)
    approve(started.verification_uri, started.user_code)
    tokens = None
    while tokens is None:
        tokens = poll()
    assert tokens.access_token


def client_credentials(auth):
    """A machine gets a token and gives it back, proving itself both times."""
    client = discover(auth)
    assert client.revoke_access_token(client.client_credentials(scope="api:read"))


def basic():
    client_credentials(ClientSecretBasic(world.clients.basic.client_id, world.clients.basic.client_secret))


def post():
    client_credentials(ClientSecretPost(world.clients.post.client_id, world.clients.post.client_secret))


def jwt():
    client_credentials(PrivateKeyJwt(world.clients.jwt.client_id, Jwk(vars(world.clients.jwt.jwk)), alg="ES256"))


def bearer():
    offered(metadata(), "grant_types_supported", grant("jwt-bearer"))
    assert discover().jwt_bearer(world.workload.assertion, scope="api:read").access_token


def exchange():
    offered(metadata(), "grant_types_supported", grant("token-exchange"))
    client = discover()
    tokens = client.token_exchange(subject_token=sign_in(client), scope="api:read")
    assert tokens.issued_token_type == "urn:ietf:params:oauth:token-type:access_token"
    assert tokens.scope == "api:read"


def introspect():
    offered(metadata(), "introspection_endpoint")
    client = discover()
    tokens = sign_in(client, resource=world.resource)
    api = discover(ClientSecretBasic(world.clients.api.client_id, world.clients.api.client_secret))
    answer = api.introspect_token(tokens)
    assert answer["active"] is True
    assert answer["sub"] == tokens.id_token.subject
    assert api.introspect_token("nonsense")["active"] is False


def revoke():
    offered(metadata(), "revocation_endpoint")
    client = discover()
    tokens = sign_in(client)
    assert client.revoke_refresh_token(tokens)
    try:
        client.refresh_token(tokens)
    except InvalidGrant:
        return
    raise AssertionError("a revoked refresh token still works")


run([
    discovery, code, id_token, userinfo, refresh, par, dpop, device,
    basic, post, jwt, bearer, exchange, introspect, revoke,
])  # fmt: skip
