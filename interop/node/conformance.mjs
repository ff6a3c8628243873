// https://www.npmjs.com/package/@modelcontextprotocol/conformance: its suite `authorization`.
//
// The suite is a program that prints the address that a person should open, and waits for the browser at its own
// port. It writes what it found to `checks.json`, one folder per scenario.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { run, visit, world } from './common.mjs';

const PROGRAM = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));

/** From the suite's names to the columns of the table. */
const CHECKS = {
  discovery: 'authorization-server-metadata',
  cimd: 'authorization-server-metadata-cimd',
  code: 'authorization-code-grant',
};

/** Runs the suite; resolves to its checks by their id. */
async function suite() {
  const results = await mkdtemp(join(tmpdir(), 'gatepass-conformance-'));
  try {
    await conduct(['authorization', '--url', world.issuer, '--client-id', world.clients.native.client_id,
      '--port', String(await freePort()), '--output-dir', results]);
    const names = (await readdir(results, { recursive: true })).filter((name) => name.endsWith('checks.json'));
    const read = async (name) => JSON.parse(await readFile(join(results, name)));
    const checks = (await Promise.all(names.map(read))).flat();
    // Also what has no column in the table.
    const failed = checks.filter((check) => check.status === 'FAILURE').map((check) => `${check.id}: ${check.errorMessage}`);
    assert.deepEqual(failed, []);
    return new Map(checks.map((check) => [check.id, check]));
  } finally {
    await rm(results, { recursive: true });
  }
}

/** Starts the program, and sends the person wherever it asks. */
async function conduct(parameters) {
  const program = spawn(process.execPath, [PROGRAM, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    for await (const line of createInterface(program.stdout)) {
      console.error(line);
      if (line.startsWith(`${world.issuer}/`)) await fetch(await visit(line));
    }
  } finally {
    program.kill();
  }
}

function freePort() {
  const probe = createServer();
  return new Promise((found) => {
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => found(port));
    });
  });
}

let checks;
const features = Object.entries(CHECKS).map(([feature, id]) => [feature, async () => {
  checks ??= suite();
  const check = (await checks).get(id);
  assert.ok(check?.status === 'SUCCESS', check?.errorMessage ?? 'the suite does not say');
}]);
await run(Object.fromEntries(features));
