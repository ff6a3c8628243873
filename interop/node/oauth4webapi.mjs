// https://www.npmjs.com/package/oauth4webapi

import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import * as oauth from 'oauth4webapi';
import { approve, importKey, notingNonces, offered, refused, run, visit, world } from './common.mjs';

const { issuer, clients, redirect_uri, scope } = world;
const grant = (name) => `urn:ietf:params:oauth:grant-type:${name}`;
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

const http = { [oauth.allowInsecureRequests]: true };
const me = { client_id: clients.basic.client_id };
const secret = oauth.ClientSecretBasic(clients.basic.client_secret);

async function discover(algorithm = 'oidc') {
  const response = await oauth.discoveryRequest(new URL(issuer), { algorithm, ...http });
  return oauth.processDiscoveryResponse(new URL(issuer), response);
}

/** Sends a request; once more if the server wants it with its DPoP nonce. */
async function withNonce(send) {
  try {
    return await send();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return send();
  }
}

/** Signs the person in. `push` sends the request ahead; `options` go with every request. */
async function signIn(as, { client = me, authentication = secret, push, options = http, ...parameters } = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const expectedNonce = oauth.generateRandomNonce();
  let request = {
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri,
    scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce: expectedNonce,
    ...parameters,
  };
  if (push) {
    const pushed = await oauth.pushedAuthorizationRequest(as, client, authentication, request, options);
    const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, pushed);
    request = { client_id: client.client_id, request_uri };
  }
  const callback = await visit(`${as.authorization_endpoint}?${new URLSearchParams(request)}`);
  const answer = oauth.validateAuthResponse(as, client, callback, state);
  return withNonce(async () => {
    const response = await oauth.authorizationCodeGrantRequest(
      as, client, authentication, answer, redirect_uri, verifier, options,
    );
    const checks = { expectedNonce, requireIdToken: true };
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, checks);
    await oauth.validateApplicationLevelSignature(as, response, http);
    return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) };
  });
}

const refresh = (as, token, options = http) =>
  withNonce(async () => {
    const response = await oauth.refreshTokenGrantRequest(as, me, secret, token, options);
    return oauth.processRefreshTokenResponse(as, me, response);
  });

const userinfo = (as, { access_token, claims }, options = http) =>
  withNonce(async () => {
    const response = await oauth.userInfoRequest(as, me, access_token, options);
    return oauth.processUserInfoResponse(as, me, claims.sub, response);
  });

/** A machine gets a token and gives it back, proving itself both times. */
async function clientCredentials({ client_id }, authentication) {
  const as = await discover();
  const machine = { client_id };
  const parameters = { scope: 'api:read' };
  const response = await oauth.clientCredentialsGrantRequest(as, machine, authentication, parameters, http);
  const { access_token } = await oauth.processClientCredentialsResponse(as, machine, response);
  const revoked = await oauth.revocationRequest(as, machine, authentication, access_token, http);
  await oauth.processRevocationResponse(revoked);
}

async function extensionGrant(as, name, parameters) {
  const response = await oauth.genericTokenEndpointRequest(as, me, secret, grant(name), parameters, http);
  return oauth.processGenericTokenEndpointResponse(as, me, response);
}

/** The API looks into a token that is for it. */
async function introspect(as, token) {
  const api = { client_id: clients.api.client_id };
  const response = await oauth.introspectionRequest(as, api, oauth.ClientSecretBasic(clients.api.client_secret), token, http);
  return oauth.processIntrospectionResponse(as, api, response);
}

await run({
  async discovery() {
    for (const algorithm of ['oidc', 'oauth2']) assert.equal((await discover(algorithm)).issuer, issuer);
  },

  async register() {
    const as = await discover();
    offered(as, 'registration_endpoint');
    const metadata = { redirect_uris: [redirect_uri], token_endpoint_auth_method: 'none', scope: 'openid' };
    const response = await oauth.dynamicClientRegistrationRequest(as, metadata, http);
    const client = await oauth.processDynamicClientRegistrationResponse(response);
    await signIn(as, { client, authentication: oauth.None(), scope: 'openid' });
  },

  async code() {
    const tokens = await signIn(await discover());
    assert.equal(tokens.token_type, 'bearer');
    assert.ok(tokens.expires_in > 0);
  },

  async id_token() {
    const { claims } = await signIn(await discover());
    assert.equal(claims.iss, issuer);
    assert.equal(claims.aud, me.client_id);
  },

  async userinfo() {
    const as = await discover();
    assert.ok((await userinfo(as, await signIn(as))).email);
  },

  async refresh() {
    const as = await discover();
    const first = await signIn(as);
    const second = await refresh(as, first.refresh_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.notEqual(second.access_token, first.access_token);
    const claims = oauth.getValidatedIdTokenClaims(second) ?? first.claims;
    assert.equal(claims.sub, first.claims.sub);
    await refresh(as, second.refresh_token);
  },

  async par() {
    const as = await discover();
    offered(as, 'pushed_authorization_request_endpoint');
    await signIn(as, { push: true });
  },

  async dpop() {
    const as = await discover();
    offered(as, 'dpop_signing_alg_values_supported', 'ES256');
    const nonces = new Set();
    const DPoP = oauth.DPoP(me, await oauth.generateKeyPair('Ed25519'));
    const options = { ...http, DPoP, [oauth.customFetch]: notingNonces(nonces) };
    const tokens = await signIn(as, { options, dpop_jkt: await DPoP.calculateThumbprint() });
    assert.equal(tokens.token_type, 'dpop');
    await userinfo(as, tokens, options);
    assert.equal((await refresh(as, tokens.refresh_token, options)).token_type, 'dpop');
    assert.ok(nonces.size, 'the server gave no nonce');
  },

  async device() {
    const as = await discover();
    offered(as, 'device_authorization_endpoint');
    const started = await oauth.deviceAuthorizationRequest(as, me, secret, { scope }, http);
    const device = await oauth.processDeviceAuthorizationResponse(as, me, started);
    const poll = async () => {
      const response = await oauth.deviceCodeGrantRequest(as, me, secret, device.device_code, http);
      return oauth.processDeviceCodeResponse(as, me, response);
    };
    await refused(poll(), 'authorization_pending');
    await approve(device.verification_uri, device.user_code);
    await wait((device.interval ?? 5) * 1000);
    assert.ok((await poll()).access_token);
  },

  basic: () => clientCredentials(clients.basic, secret),

  post: () => clientCredentials(clients.post, oauth.ClientSecretPost(clients.post.client_secret)),

  jwt: async () => clientCredentials(clients.jwt, oauth.PrivateKeyJwt(await importKey(clients.jwt.jwk))),

  async bearer() {
    const as = await discover();
    offered(as, 'grant_types_supported', grant('jwt-bearer'));
    const parameters = { assertion: world.workload.assertion, scope: 'api:read' };
    assert.ok((await extensionGrant(as, 'jwt-bearer', parameters)).access_token);
  },

  async exchange() {
    const as = await discover();
    offered(as, 'grant_types_supported', grant('token-exchange'));
    const { access_token } = await signIn(as);
    const parameters = { subject_token: access_token, subject_token_type: ACCESS_TOKEN, scope: 'api:read' };
    const tokens = await extensionGrant(as, 'token-exchange', parameters);
    assert.equal(tokens.issued_token_type, ACCESS_TOKEN);
    assert.equal(tokens.scope, 'api:read');
  },

  async introspect() {
    const as = await discover();
    offered(as, 'introspection_endpoint');
    const { access_token, claims } = await signIn(as, { resource: world.resource });
    const answer = await introspect(as, access_token);
    assert.equal(answer.active, true);
    assert.equal(answer.sub, claims.sub);
    assert.equal((await introspect(as, 'nonsense')).active, false);
  },

  async revoke() {
    const as = await discover();
    offered(as, 'revocation_endpoint');
    const { refresh_token } = await signIn(as);
    const response = await oauth.revocationRequest(as, me, secret, refresh_token, http);
    await oauth.processRevocationResponse(response);
    await refused(refresh(as, refresh_token), 'invalid_grant');
  },
});
