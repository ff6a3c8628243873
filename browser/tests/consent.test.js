// Clients of other origins: the browser leaves the server with the answer to a form.

import assert from 'node:assert/strict';
import { Client } from '../support/client.js';
import { story } from '../support/story.js';

/** A story with a client. */
function clientStory(name, tell, options) {
  story(name, async (person, server) => {
    const client = await Client.start(server, 'Acme', options);
    try {
      await tell(person, client, server);
    } finally {
      client.stop();
    }
  });
}

clientStory('a consent leads back to the client, and later the sign-in alone does', async (person, client) => {
  await person.open(client.link());
  await person.signIn();
  await person.reads('Allow Acme?');
  await person.looksRight('consent');
  await person.press('Allow');
  await person.reads('Back at the client');
  const { code, state, iss } = await client.told();
  assert.match(code, /^gpc_/);
  assert.deepEqual({ state, iss }, { state: 'xyz', iss: client.server.url });

  await person.context.clearCookies();
  await person.open(client.link());
  await person.signIn();
  await person.reads('Back at the client');
});

clientStory('a refusal leads back to the client too', async (person, client) => {
  await person.open(client.link());
  await person.signIn();
  await person.press('Deny');
  await person.reads('Back at the client');
  const { error, state, code } = await client.told();
  assert.deepEqual({ error, state, code }, { error: 'access_denied', state: 'xyz', code: undefined });
});

clientStory('a client may begin with a form of its own page', async (person, client) => {
  await person.open(client.link());
  await person.signIn();
  await person.reads('Allow Acme?');
  await person.open(`${client.origin}/form`);
  await person.press('Go');
  await person.reads('Allow Acme?');
  await person.press('Allow');
  await person.reads('Back at the client');
});

clientStory('a request of a client that is not known is answered with what to do', async (person, client) => {
  assert.equal(await person.open(client.link({ client_id: 'nobody' })), 400);
  await person.expectComplaint(/status of 400/);
  await person.reads('This program is not known here');
  await person.looksRight('unknown-client');
});

clientStory('a request whose redirect URI is not registered is answered with a page', async (person, client) => {
  assert.equal(await person.open(client.link({ redirect_uri: 'https://elsewhere.example/' })), 400);
  await person.expectComplaint(/status of 400/);
  await person.reads('This request cannot be answered');
  await person.looksRight('error');
});

clientStory('a client may lead on from its redirect URI to another origin', async (person, client) => {
  await person.open(client.link());
  await person.signIn();
  await person.press('Allow');
  await person.reads('Welcome');
  assert.match(person.page.url(), /^http:\/\/localhost:/);
}, { leadOn: (origin) => origin.replace('127.0.0.1', 'localhost') });
