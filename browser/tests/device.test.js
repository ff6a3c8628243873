// Signing a device in.

import assert from 'node:assert/strict';
import { event } from '../support/gatepass.js';
import { story } from '../support/story.js';

story('a code that is typed signs the device in', async (person, server) => {
  const login = server.login('--device');
  const code = await event(login, 'code');
  await person.open(code.verification_uri);
  await person.signIn();
  await person.reads('Sign in a device');
  await person.looksRight('device enter');
  await person.page.keyboard.type(code.user_code.toLowerCase().replace('-', ' '));
  await person.page.keyboard.press('Enter');
  await person.reads('Sign in this device?');
  assert.equal(await person.page.locator('p.code').textContent(), code.user_code);
  await person.looksRight('device confirm');
  await person.press('Approve');
  await person.reads('The device is signed in');
  await person.looksRight('device done');
  assert.ok(await event(login, 'done'));
  assert.equal(await login.end(), 0);
});

story('a device that is denied is told so', async (person, server) => {
  const login = server.login('--device');
  await person.open((await event(login, 'code')).verification_uri_complete);
  await person.signIn();
  await person.press('Deny');
  await person.reads('The device was refused');
  await person.looksRight('device refused');
  assert.equal(await login.end(), 5);
});

story('a code under which nothing waits, and one that is none, are told', async (person, server) => {
  await person.open(`${server.url}/device`);
  await person.signIn();
  for (const [typed, problem] of [
    ['hello', 'A code has eight letters, as in WDJB-MJHT.'],
    ['WDJB-MJHT', 'Nothing waits under this code. It may be mistyped, expired or used.'],
  ]) {
    await person.page.getByLabel('Code').fill(typed);
    await person.press('Go on');
    await person.page.getByRole('alert').getByText(problem).waitFor();
    await person.expectComplaint(/status of 422/);
  }
  await person.looksRight('device unknown code');
});

story('a device elsewhere is approved with the number that it shows', async (person, server) => {
  const device = await server.deviceElsewhere();
  await person.open(device.verification_uri_complete);
  await person.signIn();
  await person.reads('Sign in this device?');
  await person.looksRight('device elsewhere');
  const number = () => person.page.getByLabel('The number beside the code on your device');
  await number().fill(device.number_match === '10' ? '11' : '10');
  await person.press('Approve');
  await person.page.getByRole('alert').waitFor();
  await person.expectComplaint(/status of 422/);
  await person.looksRight('device wrong number');
  await number().fill(device.number_match);
  await person.press('Approve');
  await person.reads('The device is signed in');
});
