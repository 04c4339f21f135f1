// The watcher: a test that passes says something only if a page that complains would have failed it.

import type { BrowserContext, Page } from '@playwright/test';

import { type Server, Watch, expect, test as base } from '../support/test.ts';

type Watched = { page: Page; server: Server; seen: Watch };

/** A page that a watcher of its own looks at, so that what it complains about is not this test's failure. */
const test = base.extend<{ watched: Watched }>({
  watched: async ({ browser, serverWith, watch }, use) => {
    // Some of what is done here reaches the log of the server, too.
    watch.expect(/^server log: /);
    const server = await serverWith({});
    const context: BrowserContext = await browser.newContext();
    const seen = new Watch();
    seen.trust(server.url);
    seen.over(context);
    const page = await context.newPage();
    await page.goto(`${server.url}/login`);
    await page.waitForLoadState('networkidle');
    expect(seen.unexpected()).toEqual([]);
    await use({ page, server, seen });
    await context.close();
  },
});

async function complains(seen: Watch, pattern: RegExp): Promise<void> {
  await expect.poll(() => seen.unexpected().join('\n')).toMatch(pattern);
}

test('a picture from elsewhere is stopped by the policy, and noticed', async ({ watched: { page, seen } }) => {
  await page.evaluate(() => {
    const image = document.createElement('img');
    image.src = 'https://evil.example/pixel.png';
    document.body.append(image);
  });
  await complains(seen, /console error: .*evil\.example.*img-src/);
});

test('a style in an attribute is stopped by the policy, and noticed', async ({ watched: { page, seen } }) => {
  await page.evaluate(() => document.body.setAttribute('style', 'color: red'));
  await complains(seen, /console error: .*style-src/);
  await expect(page.locator('body')).not.toHaveCSS('color', 'rgb(255, 0, 0)');
});

test('a script of somebody else is stopped by the policy, and noticed', async ({ watched: { page, seen } }) => {
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.append('document.title = "theirs"');
    document.body.append(script);
  });
  await complains(seen, /console error: .*TrustedScript/);
  await expect(page).toHaveTitle('Sign in · Vestibule');
});

test('what the console says is heard', async ({ watched: { page, seen } }) => {
  for (const kind of ['error', 'warn'] as const) {
    await page.evaluate((kind) => console[kind](`a console's ${kind}`), kind);
    await complains(seen, new RegExp(`console \\w+: a console's ${kind}`));
  }
});

test('an error that nobody catches is heard', async ({ watched: { page, seen } }) => {
  await page.evaluate(() => void setTimeout(() => Reflect.apply(undefined as never, null, [])));
  await complains(seen, /page error: TypeError/);
});

test('a request to elsewhere is seen', async ({ watched: { page, seen } }) => {
  await page.goto('about:blank');
  await page.setContent('<img src="http://127.0.0.1:1/pixel.png" alt="">');
  await complains(seen, /request to elsewhere: GET http:\/\/127\.0\.0\.1:1\/pixel\.png/);
  await complains(seen, /request failed: GET http:\/\/127\.0\.0\.1:1/);
});

test("a fault of the server's is seen in its answer and in its log", async ({ watched: { page, server, seen } }) => {
  await server.loseMailbox();
  await page.goto(`${server.url}/dev/mail`);
  await complains(seen, /answered 500: GET \S+\/dev\/mail/);
  await expect.poll(() => server.output()).toContain('request failed');
  seen.readLog(server.output());
  await complains(seen, /server log: .*request failed/);
});

base.fail('a test whose page complains fails', async ({ visitor }) => {
  await visitor.visit('/login');
  await visitor.page.evaluate(() => console.error('something is wrong'));
});
