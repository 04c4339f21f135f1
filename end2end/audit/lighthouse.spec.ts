import { chromium, expect, test as base } from '@playwright/test';
import { launch } from 'chrome-launcher';
import lighthouse from 'lighthouse';

import { ARGUMENTS, systemChromium } from '../support/chromium.js';
import { Server } from '../support/server.ts';

const CATEGORIES = ['performance', 'accessibility', 'best-practices', 'seo'] as const;

const test = base.extend<{ server: Server; chromePort: number }>({
  // eslint-disable-next-line no-empty-pattern
  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.stop();
  },
  // eslint-disable-next-line no-empty-pattern
  chromePort: async ({}, use) => {
    const chromePath = systemChromium() ?? chromium.executablePath();
    const chrome = await launch({ chromePath, chromeFlags: ['--headless=new', ...ARGUMENTS], logLevel: 'silent' });
    await use(chrome.port);
    chrome.kill();
  },
});

for (const path of ['/login', '/signup']) {
  test(`${path} is as good as Lighthouse can tell`, async ({ server, chromePort }) => {
    const options = { port: chromePort, onlyCategories: [...CATEGORIES], logLevel: 'silent' as const };
    const result = await lighthouse(server.url + path, options);
    if (!result) throw new Error('Lighthouse gave no result');
    const { categories, audits } = result.lhr;
    const scores = CATEGORIES.map((id) => [id, Math.round((categories[id]?.score ?? 0) * 100)] as const);
    console.log(`${path}: ${scores.map(([id, score]) => `${id} ${score}`).join(', ')}`);
    for (const { id } of CATEGORIES.flatMap((id) => categories[id]?.auditRefs ?? [])) {
      const audit = audits[id];
      if (audit && audit.score !== null && audit.score < 1) {
        console.log(`  not perfect: ${audit.title} ${audit.displayValue ?? ''}`);
      }
    }
    for (const [id, score] of scores) {
      // How fast it is depends on the machine that measures it, and on what else that does.
      if (id !== 'performance') expect(score, id).toBe(100);
    }
  });
}
