// `make audit`: how Lighthouse judges the doors. One page at a time, so that none slows the other down.

import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'audit',
  outputDir: 'results/audit',
  workers: 1,
  timeout: 180_000,
  reporter: [['list'], ['./support/summary.ts']],
});
