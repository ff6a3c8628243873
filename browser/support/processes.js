// Child processes whose lines are read as they come. None outlives the tests, however those end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The longest that anything here is waited for, in milliseconds. */
export const PATIENCE = 20_000;

const running = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
// Whoever started the tests may be killed without a chance to say so.
const starter = process.ppid;
setInterval(() => {
  if (process.ppid !== starter) process.exit(1);
}, 500).unref();

/** A folder that is gone when the tests are. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'gatepass-browser-'));
  folders.add(folder);
  return folder;
}

/** A process that runs. */
export class Program {
  constructor(command, args, { env = {}, input = '' } = {}) {
    this.child = spawn(command, args.map(String), { env: { PATH: process.env.PATH, ...env } });
    this.lines = [];
    this.waiting = new Set();
    running.add(this.child);
    this.ended = once(this.child, 'close').then(([code]) => {
      running.delete(this.child);
      this.#look();
      return code;
    });
    this.ended.catch(() => {});
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.#look();
      });
    }
    this.child.stdin.on('error', () => {});
    this.child.stdin.end(input);
  }

  /** The first line of which `find` makes something. */
  async line(find) {
    const found = () => this.lines.map(find).find((something) => something !== undefined);
    return bounded(
      new Promise((resolve, reject) => {
        const look = () => {
          const something = found();
          if (something !== undefined) resolve(something);
          else if (this.child.exitCode !== null) reject(new Error(`it ended, and had said\n${this.lines.join('\n')}`));
          else return;
          this.waiting.delete(look);
        };
        this.waiting.add(look);
        look();
      }),
      () => `the line that was waited for did not come, but\n${this.lines.join('\n')}`,
    );
  }

  /** The first line that is a JSON object of which `matches` is true. */
  json(matches) {
    return this.line((line) => {
      if (!line.startsWith('{')) return undefined;
      const object = JSON.parse(line);
      return matches(object) ? object : undefined;
    });
  }

  /** How it ended by itself. */
  end() {
    return bounded(this.ended, () => `it does not end, and has said\n${this.lines.join('\n')}`);
  }

  /** Ends it. */
  async stop() {
    this.child.kill('SIGTERM');
    return this.end();
  }

  #look() {
    for (const look of [...this.waiting]) look();
  }
}

/** What a promise comes to, or an error when it takes too long. */
export async function bounded(promise, sentence) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(sentence())), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
