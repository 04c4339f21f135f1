import { defineConfig } from '@playwright/test';

import { ARGUMENTS, systemChromium } from './support/chromium.js';

/** What the script does, what needs one to be looked at (axe), the watcher, and what is the same bytes with and without. */
const NO_MATTER_OF_SCRIPT = ['script', 'back-button-asks', 'appearance', 'document', 'json', 'next-targets', 'watch'].map((name) => `${name}.spec.ts`);

export default defineConfig({
  testDir: 'specs',
  outputDir: 'results',
  fullyParallel: true,
  workers: 2,
  // A test that needs a second chance is a failing test.
  retries: 0,
  forbidOnly: process.env.CI === 'true',
  // Long enough for a machine that is busy with something else: only a failing test waits for as long.
  timeout: 180_000,
  expect: { timeout: 20_000 },
  reporter: [['list'], ['./support/summary.ts']],
  use: {
    browserName: 'chromium',
    launchOptions: { executablePath: systemChromium(), args: ARGUMENTS },
    locale: 'en-GB',
    timezoneId: 'UTC',
    colorScheme: 'light',
    actionTimeout: 30_000,
    navigationTimeout: 60_000,
    screenshot: 'only-on-failure',
    trace: 'off',
  },
  projects: [
    { name: 'script on', use: { javaScriptEnabled: true } },
    { name: 'script off', use: { javaScriptEnabled: false }, testIgnore: NO_MATTER_OF_SCRIPT },
  ],
});
