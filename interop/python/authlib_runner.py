"""https://pypi.org/project/Authlib/: its session for requests."""

import functools
import os
import time

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.discovery import get_well_known_url as get_openid_well_known_url
from common import ACCESS_TOKEN, PATIENCE, approve, grant, offered, run, visit, world
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


def get(url):
    answer = requests.get(url, timeout=PATIENCE)
    answer.raise_for_status()
    return answer.json()


@functools.cache
def metadata():
    return OpenIDProviderMetadata(get(get_openid_well_known_url(world.issuer, external=True)))


def session(client=world.clients.basic, method="client_secret_basic", **options):
    secret = options.pop("client_secret", None) or client.client_secret
    options = {"redirect_uri": world.redirect_uri, "code_challenge_method": "S256", "scope": world.scope} | options
    return OAuth2Session(
        client.client_id, secret, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method, **options
    )


def sign_in(**parameters):
    """A session that holds tokens, and the claims of the ID token."""
    signed_in = session()
    verifier, nonce = generate_token(48), generate_token()
    url, state = signed_in.create_authorization_url(
        metadata()["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **parameters
    )
    tokens = signed_in.fetch_token(
        metadata()["token_endpoint"], authorization_response=visit(url), state=state, code_verifier=verifier
    )
    return signed_in, claims(tokens, nonce)


def claims(tokens, nonce):
    keys = KeySet.import_key_set(get(metadata()["jwks_uri"]))
    token = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"])
    client_id = world.clients.basic.client_id
    options = {
        "iss": {"essential": True, "value": world.issuer},
        "aud": {"essential": True, "value": client_id},
        "nonce": {"essential": True, "value": nonce},
    }
    parameters = {"nonce": nonce, "client_id": client_id, "access_token": tokens["access_token"]}
    validated = CodeIDToken(token.claims, token.header, options, parameters)
    validated.validate(leeway=5)
    return validated


def refused(attempt, error):
    try:
        attempt()
    except OAuthError as refusal:
        assert refusal.error == error, refusal
    else:
        raise AssertionError(f"no {error}")


def discovery():
    for document in (
        metadata(),
        AuthorizationServerMetadata(get(get_well_known_url(world.issuer, external=True))),
    ):
        assert document["issuer"] == world.issuer
        document.validate()


def code():
    signed_in, _ = sign_in()
    assert signed_in.token["token_type"].lower() == "bearer"
    assert not signed_in.token.is_expired()


def id_token():
    _, validated = sign_in()
    assert validated["sub"]


def userinfo():
    signed_in, validated = sign_in()
    info = signed_in.get(metadata()["userinfo_endpoint"], timeout=PATIENCE)
    info.raise_for_status()
    assert info.json()["sub"] == validated["sub"]


def refresh():
    signed_in, _ = sign_in()
    first = dict(signed_in.token)
    second = signed_in.refresh_token(metadata()["token_endpoint"])
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    signed_in.refresh_token(metadata()["token_endpoint"], refresh_token=second["refresh_token"])


def device():
    offered(metadata(), "device_authorization_endpoint")
    waiting = session()
    secret = (world.clients.basic.client_id, world.clients.basic.client_secret)
    started = requests.post(
        metadata()["device_authorization_endpoint"], {"scope": world.scope}, auth=secret, timeout=PATIENCE
    ).json()
    poll = functools.partial(
        waiting.fetch_token, metadata()["token_endpoint"],
        grant_type=grant("device_code"), device_code=started["device_code"],
    )  # fmt: skip
    refused(poll, "authorization_pending")
    approve(started["verification_uri"], started["user_code"])
    time.sleep(started.get("interval", 5))
    assert poll()["access_token"]


def client_credentials(machine):
    """A machine gets a token and gives it back, proving itself both times."""
    tokens = machine.fetch_token(metadata()["token_endpoint"], grant_type="client_credentials")
    machine.revoke_token(metadata()["revocation_endpoint"], tokens["access_token"]).raise_for_status()


def basic():
    client_credentials(session(scope="api:read"))


def post():
    client_credentials(session(world.clients.post, "client_secret_post", scope="api:read"))


def jwt_client():
    key = ECKey.import_key(vars(world.clients.jwt.jwk))
    machine = session(world.clients.jwt, "private_key_jwt", client_secret=key, scope="api:read")
    header = {"kid": world.clients.jwt.jwk.kid}
    machine.register_client_auth_method(PrivateKeyJWT(metadata()["token_endpoint"], headers=header, alg="ES256"))
    client_credentials(machine)


def bearer():
    offered(metadata(), "grant_types_supported", grant("jwt-bearer"))
    workload = world.workload
    with AssertionSession(
        metadata()["token_endpoint"], workload.issuer, workload.subject, audience=world.issuer,
        grant_type=AssertionSession.JWT_BEARER_GRANT_TYPE, scope="api:read",
        key=ECKey.import_key(vars(workload.jwk)), header={"alg": "ES256", "kid": workload.jwk.kid},
    ) as machine:  # fmt: skip
        assert machine.refresh_token()["access_token"]


def exchange():
    offered(metadata(), "grant_types_supported", grant("token-exchange"))
    signed_in, _ = sign_in()
    tokens = session(scope="api:read").fetch_token(
        metadata()["token_endpoint"], grant_type=grant("token-exchange"),
        subject_token=signed_in.token["access_token"], subject_token_type=ACCESS_TOKEN,
    )  # fmt: skip
    assert tokens["issued_token_type"] == ACCESS_TOKEN
    assert tokens["scope"] == "api:read"


def introspect():
    offered(metadata(), "introspection_endpoint")
    signed_in, validated = sign_in(resource=world.resource)
    endpoint, api = metadata()["introspection_endpoint"], session(world.clients.api)
    answer = api.introspect_token(endpoint, signed_in.token["access_token"]).json()
    assert answer["active"] is True
    assert answer["sub"] == validated["sub"]
    assert api.introspect_token(endpoint, "nonsense").json()["active"] is False


def revoke():
    offered(metadata(), "revocation_endpoint")
    signed_in, _ = sign_in()
    token = signed_in.token["refresh_token"]
    answer = signed_in.revoke_token(metadata()["revocation_endpoint"], token, token_type_hint="refresh_token")
    answer.raise_for_status()
    refused(lambda: signed_in.refresh_token(metadata()["token_endpoint"], refresh_token=token), "invalid_grant")


jwt_client.__name__ = "jwt"
run([
    discovery, code, id_token, userinfo, refresh, device,
    basic, post, jwt_client, bearer, exchange, introspect, revoke,
])  # fmt: skip
