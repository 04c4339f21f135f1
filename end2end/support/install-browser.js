// Fetches Playwright's own Chromium where the system has none.

import { spawnSync } from 'node:child_process';

import { systemChromium } from './chromium.js';

const path = systemChromium();
if (path) {
  console.log(`The browser is ${path}.`);
} else {
  const { status } = spawnSync('npx', ['playwright', 'install', 'chromium'], { stdio: 'inherit' });
  process.exit(status ?? 1);
}
