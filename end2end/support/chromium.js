// Which browser the tests drive, and how it is started. Plain JavaScript, since node itself runs it, too.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

// The first is the same browser without windows, at less than half the cost of one that only hides them.
const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/**
 * The Chromium named by `CHROMIUM`, or the system's; undefined where only Playwright's own can be there.
 *
 * @returns {string | undefined}
 */
export function systemChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'];
  return directories.flatMap((directory) => NAMES.map((name) => join(directory, name))).find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Keeps the browser to this machine: nothing of its own to fetch, and no name but this machine's to resolve. */
export const ARGUMENTS = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
  // Chromium's sandbox refuses to start under root.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];
