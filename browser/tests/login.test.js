// Signing in and out, and the first account.

import assert from 'node:assert/strict';
import { PASSWORD, Server, USER, event } from '../support/gatepass.js';
import { story } from '../support/story.js';

story('a command line signs in through the browser, and its own page says so', async (person, server) => {
  const login = server.login('--loopback');
  await person.open((await event(login, 'url')).url);
  await person.looksRight('login');
  await person.signIn();
  await person.reads('Signed in');
  const here = new URL(person.page.url());
  assert.equal(`${here.hostname}${here.pathname}`, '127.0.0.1/callback');
  assert.notEqual(here.origin, server.url);
  assert.equal((await event(login, 'done')).email, USER);
  assert.equal(await login.end(), 0);
  await person.looksRight('command line signed in');
});

story('a sign-in that comes to nothing says so on its last page', async (person, server) => {
  const ends = [
    ['wrong', {}, 'Not from this sign-in', 'not from this sign-in'],
    ['own', { error: 'access_denied' }, 'Not signed in', 'command line denied'],
    ['own', { error: 'server_error' }, 'Not signed in', 'command line refused'],
    ['own', { code: 'gpc_of_nobody' }, 'Not signed in', 'command line failed'],
  ];
  await person.open(`${server.url}/login`);
  await person.signIn();
  await person.reads('You are signed in');
  for (const [whose, answer, heading, name] of ends) {
    const login = server.login('--loopback');
    const last = await person.wouldEndAt((await event(login, 'url')).url);
    const state = whose === 'own' ? last.searchParams.get('state') : 'of-somebody-else';
    last.search = new URLSearchParams({ ...answer, state, iss: server.url });
    await person.open(last.href);
    await person.reads(heading);
    assert.match(await person.page.textContent('main'), /You can close this window/);
    if (whose === 'own') {
      assert.equal((await event(login, 'error')).event, 'error');
      assert.notEqual(await login.end(), 0);
    } else {
      await person.expectComplaint(/status of 400/);
      await login.stop();
    }
    await person.looksRight(name);
  }
});

story('a wrong password is told, and the address stays', async (person, server) => {
  await person.open(`${server.url}/login`);
  await person.signIn('not the password');
  assert.equal(await person.page.getByRole('alert').textContent(), 'Email address or password is wrong.');
  await person.expectComplaint(/status of 422/);
  assert.equal(await person.page.getByLabel('Email address').inputValue(), USER);
  await person.looksRight('login refused');
  await person.page.getByLabel('Password').fill(PASSWORD);
  await person.page.keyboard.press('Enter');
  await person.reads('You are signed in');
});

story('who signs out is signed out', async (person, server) => {
  await person.open(server.url);
  await person.looksRight('home');
  await person.page.getByRole('link', { name: 'Sign in' }).click();
  await person.signIn();
  await person.reads('You are signed in');
  await person.looksRight('home signed in');
  await person.press('Sign out');
  await person.reads('Sign in to gatepass');
  assert.deepEqual(await person.context.cookies(), []);
  await person.page.goBack();
  await person.reads('Sign in to gatepass');
});

story('the first account is made with the link that the server prints', async (person) => {
  const server = await Server.empty();
  const link = await server.setUpLink();
  await person.open(link);
  await person.looksRight('set-up');
  await person.page.getByLabel('Email address').fill('owner@localhost');
  await person.page.getByLabel('Name').fill('Grace');
  await person.page.getByLabel('Password').fill('short');
  await person.press('Make the account');
  await person.reads('Set up this server');
  await person.page.getByLabel('Password').fill(PASSWORD);
  await person.press('Make the account');
  await person.reads('You are signed in');
  assert.equal(await person.open(link), 404);
  await person.expectComplaint(/status of 404/);
  await person.reads('This link is used or expired');
  await person.looksRight('set-up link used');
  await server.stop();
});
