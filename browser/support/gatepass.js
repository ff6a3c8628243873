// The real binary: a server in a folder of its own, and command lines that sign in to it.

import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, temporaryFolder } from './processes.js';

export const USER = 'ada@example.com';
export const PASSWORD = 'correct horse battery';

const root = fileURLToPath(new URL('../../', import.meta.url));
const BINARY = process.env.GATEPASS_BIN ?? resolve(root, process.env.CARGO_TARGET_DIR ?? 'target', 'debug', 'gatepass');
// The keyring of whoever runs the tests is nobody's business.
const QUIET = { GATEPASS_KEYRING: 'off' };

/** A running `gatepass serve`. */
export class Server {
  constructor() {
    this.folder = temporaryFolder();
    this.logins = [];
  }

  /** Starts a server without any account. */
  static async empty() {
    const server = new Server();
    const listen = ['--listen', '127.0.0.1:0', '--trusted-proxy', '127.0.0.1'];
    server.program = new Program(BINARY, ['serve', ...listen, ...server.data], { env: QUIET });
    server.url = (await server.program.json((line) => line.message === 'the server listens')).url;
    return server;
  }

  /** Starts a server with the tests' person. */
  static async start() {
    const server = await Server.empty();
    await server.admin(['user', 'add', USER, '--password-stdin'], `${PASSWORD}\n`);
    return server;
  }

  get data() {
    return ['--data-dir', join(this.folder, 'data')];
  }

  /** The link that makes the owner's account. */
  setUpLink() {
    return this.program.line((line) => (line.includes('/setup/') ? line : undefined));
  }

  /** `gatepass admin … --json`: the object that it printed. */
  async admin(args, input = '') {
    const program = new Program(BINARY, ['admin', ...args, '--json', ...this.data], { env: QUIET, input });
    assert.equal(await program.end(), 0, program.lines.join('\n'));
    return program.json(() => true);
  }

  /** Registers a public client that takes its answers at this URI. */
  async addClient(name, redirectUri) {
    const args = ['--name', name, '--public', '--redirect-uri', redirectUri, '--scope', 'openid email api:read'];
    return (await this.admin(['client', 'add', ...args])).client_id;
  }

  /** `gatepass login …` on a terminal of its own. */
  login(...args) {
    const env = { ...QUIET, GATEPASS_HOME: temporaryFolder() };
    const login = new Program(BINARY, ['--json', 'login', '--server', this.url, '--no-browser', ...args], { env });
    this.logins.push(login);
    return login;
  }

  /** A device far away asks to be signed in; the server's answer. */
  async deviceElsewhere() {
    const response = await fetch(`${this.url}/device_authorization`, {
      method: 'POST',
      headers: { 'x-forwarded-for': '203.0.113.9' },
      body: new URLSearchParams({ client_id: 'gatepass-cli', scope: 'openid account', device_name: 'build-box' }),
    });
    assert.equal(response.status, 200);
    return response.json();
  }

  /** Ends it, and the sign-ins that a story that failed has left. */
  async stop() {
    await Promise.all(this.logins.map((login) => login.stop()));
    return this.program.stop();
  }
}

/** Waits for an event of a login. */
export const event = (login, name) => login.json((line) => line.event === name);
