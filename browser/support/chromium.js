// The browser: a real Chromium without a window.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

function find() {
  if (process.env.GATEPASS_CHROMIUM) return process.env.GATEPASS_CHROMIUM;
  for (const name of NAMES) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not there; on to the next.
      }
    }
  }
  throw new Error(`none of ${NAMES.join(', ')} is in the PATH\nhint: run ./test --only browser, which installs Chromium`);
}

/** Starts it. */
export function launch() {
  const args = [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // Every page here is on this machine, whatever proxy the machine uses.
    '--no-proxy-server',
  ];
  // Chromium's sandbox refuses to work for root.
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  return chromium.launch({ executablePath: find(), args, timeout: 30_000 });
}
