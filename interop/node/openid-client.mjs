// https://www.npmjs.com/package/openid-client

import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { approve, importKey, notingNonces, offered, refused, run, visit, world } from './common.mjs';

const { issuer, clients, redirect_uri, signed_out_uri, scope } = world;
const grant = (name) => `urn:ietf:params:oauth:grant-type:${name}`;
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** The server as one of our clients sees it, with signatures of ID tokens checked. */
async function discover({ client_id, client_secret } = clients.basic, method, algorithm = 'oidc') {
  const execute = [client.allowInsecureRequests];
  if (algorithm === 'oidc') execute.push(client.enableNonRepudiationChecks);
  const authentication = method ?? client.ClientSecretBasic(client_secret);
  return client.discovery(new URL(issuer), client_id, {}, authentication, { algorithm, execute });
}

/** Signs the person in; `options` may hold a DPoP handle, and how the browser is sent. */
async function signIn(config, { build = client.buildAuthorizationUrl, DPoP, ...parameters } = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const request = {
    redirect_uri,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...parameters,
  };
  const callback = await visit(await build(config, request, { DPoP }));
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  return client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP });
}

/** A machine gets a token and gives it back, proving itself both times. */
async function clientCredentials(who, method) {
  const config = await discover(who, method);
  const tokens = await client.clientCredentialsGrant(config, { scope: 'api:read' });
  assert.equal(tokens.scope ?? 'api:read', 'api:read');
  await client.tokenRevocation(config, tokens.access_token);
}

await run({
  async discovery() {
    for (const algorithm of ['oidc', 'oauth2']) {
      const config = await discover(clients.basic, undefined, algorithm);
      assert.equal(config.serverMetadata().issuer, issuer);
      assert.ok(config.serverMetadata().supportsPKCE());
    }
  },

  async register() {
    offered((await discover()).serverMetadata(), 'registration_endpoint');
    const metadata = { redirect_uris: [redirect_uri], token_endpoint_auth_method: 'none', scope: 'openid' };
    const config = await client.dynamicClientRegistration(new URL(issuer), metadata, client.None(), {
      execute: [client.allowInsecureRequests],
    });
    await signIn(config, { scope: 'openid' });
  },

  async code() {
    const tokens = await signIn(await discover());
    assert.equal(tokens.token_type, 'bearer');
    assert.ok(tokens.expires_in > 0);
  },

  async id_token() {
    const claims = (await signIn(await discover(), { max_age: 3600 })).claims();
    assert.equal(claims.iss, issuer);
    assert.equal(claims.aud, clients.basic.client_id);
    assert.ok(claims.auth_time);
  },

  async userinfo() {
    const config = await discover();
    const tokens = await signIn(config);
    const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
    assert.ok(info.email);
  },

  async refresh() {
    const config = await discover();
    const first = await signIn(config);
    const second = await client.refreshTokenGrant(config, first.refresh_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.notEqual(second.access_token, first.access_token);
    assert.equal(second.claims()?.sub ?? first.claims().sub, first.claims().sub);
    await client.refreshTokenGrant(config, second.refresh_token);
  },

  async par() {
    const config = await discover();
    offered(config.serverMetadata(), 'pushed_authorization_request_endpoint');
    await signIn(config, { build: client.buildAuthorizationUrlWithPAR });
  },

  async dpop() {
    const config = await discover();
    offered(config.serverMetadata(), 'dpop_signing_alg_values_supported', 'ES256');
    const nonces = new Set();
    config[client.customFetch] = notingNonces(nonces);
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const dpop_jkt = await DPoP.calculateThumbprint();
    const tokens = await signIn(config, { DPoP, dpop_jkt });
    assert.equal(tokens.token_type, 'dpop');
    await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, { DPoP });
    const again = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
    assert.equal(again.token_type, 'dpop');
    assert.ok(nonces.size, 'the server gave no nonce');
  },

  async device() {
    const config = await discover();
    offered(config.serverMetadata(), 'device_authorization_endpoint');
    const device = await client.initiateDeviceAuthorization(config, { scope });
    await approve(device.verification_uri, device.user_code);
    assert.ok((await client.pollDeviceAuthorizationGrant(config, device)).access_token);
  },

  async logout() {
    const config = await discover();
    offered(config.serverMetadata(), 'end_session_endpoint');
    const { id_token } = await signIn(config);
    const state = client.randomState();
    const parameters = { post_logout_redirect_uri: signed_out_uri, id_token_hint: id_token, state };
    const location = await visit(client.buildEndSessionUrl(config, parameters));
    assert.equal(String(location), `${signed_out_uri}?state=${state}`);
  },

  basic: () => clientCredentials(clients.basic),

  post: () => clientCredentials(clients.post, client.ClientSecretPost(clients.post.client_secret)),

  jwt: async () => clientCredentials(clients.jwt, client.PrivateKeyJwt(await importKey(clients.jwt.jwk))),

  async bearer() {
    const config = await discover();
    offered(config.serverMetadata(), 'grant_types_supported', grant('jwt-bearer'));
    const parameters = { assertion: world.workload.assertion, scope: 'api:read' };
    assert.ok((await client.genericGrantRequest(config, grant('jwt-bearer'), parameters)).access_token);
  },

  async exchange() {
    const config = await discover();
    offered(config.serverMetadata(), 'grant_types_supported', grant('token-exchange'));
    const { access_token } = await signIn(config);
    const tokens = await client.genericGrantRequest(config, grant('token-exchange'), {
      subject_token: access_token,
      subject_token_type: ACCESS_TOKEN,
      scope: 'api:read',
    });
    assert.equal(tokens.issued_token_type, ACCESS_TOKEN);
    assert.equal(tokens.scope, 'api:read');
  },

  async introspect() {
    const config = await discover();
    offered(config.serverMetadata(), 'introspection_endpoint');
    const tokens = await signIn(config, { resource: world.resource });
    const api = await discover(clients.api);
    const answer = await client.tokenIntrospection(api, tokens.access_token);
    assert.equal(answer.active, true);
    assert.equal(answer.sub, tokens.claims().sub);
    assert.equal((await client.tokenIntrospection(api, 'nonsense')).active, false);
  },

  async revoke() {
    const config = await discover();
    offered(config.serverMetadata(), 'revocation_endpoint');
    const { refresh_token } = await signIn(config);
    await client.tokenRevocation(config, refresh_token, { token_type_hint: 'refresh_token' });
    await refused(client.refreshTokenGrant(config, refresh_token), 'invalid_grant');
  },
});
