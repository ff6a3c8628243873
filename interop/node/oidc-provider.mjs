// A server of another vendor, for the command line to sign in at: oidc-provider with what it ships, its development pages
// included. It prints its issuer as one line of JSON, and ends when its stdin does.

import http from 'node:http';
import { once } from 'node:events';
import Provider from 'oidc-provider';

const RESOURCE = 'https://API.example/a/';

const server = http.createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}/op`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'by-secret',
      client_secret: 'a secret/with:signs',
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: ['http://127.0.0.1/callback'],
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
  ],
  scopes: ['openid', 'offline_access', 'api:read'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `Person ${id}`, email: `${id}@example.com`, email_verified: true }),
  }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    revocation: { enabled: true },
    userinfo: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        if (resource !== RESOURCE) throw new Error(`not the resource byte for byte: ${resource}`);
        return { scope: 'api:read', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 3600 };
      },
    },
  },
});

// What the tests want to see or to do, and no OAuth server has.
const refreshes = [];
provider.on('grant.success', (ctx) => {
  if (ctx.oidc.params.grant_type === 'refresh_token') refreshes.push(ctx.oidc.params.resource ?? null);
});
const handle = provider.callback();
server.on('request', async (request, response) => {
  if (request.url === '/test/refreshes') return response.end(JSON.stringify(refreshes));
  if (request.url.startsWith('/test/forget/')) {
    await provider.Client.adapter.destroy(request.url.split('/').pop());
    return response.end();
  }
  request.url = request.url.replace(/^\/op(?=\/|\?|$)/, '') || '/';
  request.originalUrl = `/op${request.url}`;
  return handle(request, response);
});

console.log(JSON.stringify({ issuer, resource: RESOURCE }));
process.stdin.resume().on('end', () => process.exit(0));
