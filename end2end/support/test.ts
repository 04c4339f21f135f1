// What every test is given: a server, a browser in front of it, and somebody who watches.

import { type BrowserContextOptions, test as base, expect } from '@playwright/test';

import { Person } from './person.ts';
import { type Circumstances, Server, type Settings } from './server.ts';
import { Visitor } from './visitor.ts';
import { Watch } from './watch.ts';

type TestFixtures = {
  /** Fails the test for what its browsers and its server complain about. */
  watch: Watch;
  /** Whoever sits in front of the test's browser, signed out. */
  visitor: Visitor;
  /** Somebody with another browser, at the same server or at another. */
  another: (options?: BrowserContextOptions, server?: Server) => Promise<Visitor>;
  /** A server with settings of its own, for this test alone. */
  serverWith: (settings: Settings, circumstances?: Circumstances) => Promise<Server>;
  /** An account, and the test's browser signed in to it. */
  user: Person;
};

type WorkerFixtures = {
  /** The server that the tests of one worker share: each makes its own accounts there. */
  server: Server;
  /** The first admin of that server. */
  admin: Person;
};

export const test = base.extend<TestFixtures, WorkerFixtures>({
  server: [
    // Playwright wants the pattern, even an empty one.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: 'worker' },
  ],

  admin: [async ({ server }, use) => use(await server.makeAdmin()), { scope: 'worker' }],

  baseURL: async ({ server }, use) => use(server.url),

  watch: [
    async ({ server }, use, testInfo) => {
      const watch = new Watch();
      watch.trust(server.url);
      const before = server.output().length;
      await use(watch);
      const log = server.output().slice(before);
      watch.readLog(log);
      const unexpected = watch.unexpected();
      const isFailing = unexpected.length > 0 || testInfo.status === 'failed' || testInfo.status === 'timedOut';
      if (isFailing && testInfo.expectedStatus === 'passed') {
        console.log(`The server's log during "${testInfo.title}":\n${log}`);
      }
      expect(unexpected, 'what the browser or the server complained about').toEqual([]);
    },
    { auto: true },
  ],

  context: async ({ context, watch }, use) => {
    watch.over(context);
    await use(context);
  },

  visitor: async ({ page, server }, use) => use(new Visitor(page, server)),

  another: async ({ browser, server, watch, contextOptions, javaScriptEnabled }, use) => {
    const contexts: { close(): Promise<void> }[] = [];
    await use(async (options = {}, at = server) => {
      const context = await browser.newContext({ ...contextOptions, javaScriptEnabled, baseURL: at.url, ...options });
      contexts.push(context);
      watch.trust(at.url);
      watch.over(context);
      return new Visitor(await context.newPage(), at);
    });
    for (const context of contexts) await context.close();
  },

  serverWith: async ({ watch }, use, testInfo) => {
    const servers: Server[] = [];
    await use(async (settings, circumstances) => {
      const server = await Server.start(settings, circumstances);
      servers.push(server);
      watch.trust(server.url);
      return server;
    });
    for (const server of servers) {
      watch.readLog(server.output());
      if (testInfo.status !== testInfo.expectedStatus) {
        console.log(`The log of the server of "${testInfo.title}":\n${server.output()}`);
      }
      await server.stop();
    }
  },

  user: async ({ server, visitor }, use) => {
    const person = await server.signUp();
    await visitor.signInAs(person);
    await use(person);
  },
});

export { expect };
export { NEW_PASSWORD, PASSWORD, Person } from './person.ts';
export { type Circumstances, type Server, type Settings, tokenIn } from './server.ts';
export { Visitor } from './visitor.ts';
export { Watch } from './watch.ts';
