// What the runners for Node share: the world that they are told of, the person, and the report.

import assert from 'node:assert/strict';

/** Issuer, clients and addresses, as `harness/__main__.py` gives them. */
export const world = JSON.parse(process.env.INTEROP);

const PATIENCE = 30_000;

/** Sends the person to a page; resolves to the address at which the browser left the server, or `null`. */
export async function visit(url) {
  const { location } = await ask('/visit', { url: String(url) });
  return location && new URL(location);
}

/** Lets the person approve a device. */
export const approve = (verification_uri, user_code) => ask('/device', { verification_uri, user_code });

async function ask(path, body) {
  const answer = await fetch(world.person + path, { method: 'POST', body: JSON.stringify(body) });
  const content = await answer.json();
  assert.ok(answer.ok, content.problem);
  return content;
}

/** A member of the metadata that a feature needs; a server without it does not offer the feature. */
export function offered(metadata, member, value) {
  const found = metadata[member];
  const there = value === undefined ? found !== undefined : found?.includes(value);
  assert.ok(there, `not offered: ${value ?? 'nothing'} in ${member}`.replace('nothing in', 'no'));
}

/** Fails unless the promise is refused with this OAuth error. */
export async function refused(promise, error) {
  const outcome = await promise.then(() => 'no error', (problem) => problem.error ?? problem);
  assert.equal(outcome, error);
}

/** A private ES256 key from a JWK, for `private_key_jwt`. */
export async function importKey({ kid, crv, kty, x, y, d }) {
  const algorithm = { name: 'ECDSA', namedCurve: crv };
  return { kid, key: await crypto.subtle.importKey('jwk', { kty, crv, x, y, d }, algorithm, false, ['sign']) };
}

/** A `fetch` that notes the server's DPoP nonces in `seen`. */
export function notingNonces(seen) {
  return async (url, options) => {
    const response = await fetch(url, options);
    const nonce = response.headers.get('dpop-nonce');
    if (nonce) seen.add(nonce);
    return response;
  };
}

/** Tries each feature and prints one line of JSON for it. */
export async function run(features) {
  for (const [feature, attempt] of Object.entries(features)) {
    const problem = await bounded(attempt()).then(() => undefined, tell);
    console.log(JSON.stringify({ feature, problem }));
  }
  process.exit(0);
}

function bounded(attempt) {
  const late = new Promise((_, fail) => {
    setTimeout(() => fail(new Error(`no end after ${PATIENCE / 1000} s`)), PATIENCE).unref();
  });
  return Promise.race([attempt, late]);
}

/** One line for the table, the whole story for the log. */
function tell(error) {
  console.error(error);
  const said = [error.message, error.error, error.error_description, error.cause?.message];
  return said.filter((part) => typeof part === 'string').join(': ').split('\n').join(' ');
}
