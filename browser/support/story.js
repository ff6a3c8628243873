// A story: a person with a fresh profile does something, and nothing in the browser complains.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './chromium.js';
import { Server } from './gatepass.js';
import { Person } from './person.js';

const TIME = 120_000;

let browser;
let server;

before(
  async () => {
    [browser, server] = await Promise.all([launch(), Server.start()]);
  },
  { timeout: TIME },
);

after(
  async () => {
    await Promise.all([browser?.close(), server?.stop()]);
  },
  { timeout: TIME },
);

/** Tells it: `tell` gets the person and the file's server. */
export function story(name, tell) {
  test(name, { timeout: TIME }, async () => {
    const person = await Person.at(browser);
    try {
      await tell(person, server);
      assert.deepEqual(person.complaints, [], 'the browser complained');
    } catch (error) {
      await keepPicture(person, name);
      throw error;
    } finally {
      await person.context.close();
    }
  });
}

async function keepPicture(person, name) {
  for (const complaint of person.complaints) console.error(`the browser complained: ${complaint}`);
  const path = join(mkdtempSync(join(tmpdir(), 'gatepass-failed-')), `${name.replaceAll(/\W+/g, '-')}.png`);
  try {
    await person.page.screenshot({ path, fullPage: true, timeout: 5000 });
    console.error(`the last page of "${name}" was ${person.page.url().split('?')[0]}; its picture is ${path}`);
  } catch (error) {
    console.error(`the last page of "${name}" could not be pictured: ${error.message}`);
  }
}
