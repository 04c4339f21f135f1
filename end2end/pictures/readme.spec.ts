// The pictures in the README: a made-up site, whose pages are taken from their top, all of one shape.

import { fileURLToPath } from 'node:url';

import type { BrowserContextOptions } from '@playwright/test';

import { Person, type Server, type Visitor, test } from '../support/test.ts';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

/** A narrow page is shown nearer than a wide one. */
const NARROW = { width: 720, height: 700 };
const WIDE = { width: 1000, height: 972 };

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

async function take({ page }: Visitor, name: string): Promise<void> {
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path: `${DOCS}${name}.png`, animations: 'disabled' });
}

/** Has the pages think that this many hours have passed, so that not everything was made now. */
async function later({ page }: Visitor, hours: number): Promise<void> {
  await page.clock.setFixedTime(Date.now() + hours * 3_600_000);
}

async function withUsers(server: Server): Promise<{ root: Person; mira: Person }> {
  const root = await server.makeAdmin(Person.called('root', 'Rosa Tamm'));
  const names = { tomas: 'Tomás Vidal', ann: 'Ann Okafor', zoe: 'Zoë Brandt', jonas: 'Jonas Weber', noor: 'نور حداد' };
  for (const [username, name] of Object.entries(names)) await server.signUp(Person.called(username, name));
  const mira = await server.signUpVerified(Person.called('mira', 'Mira Lindqvist'));
  await server.command(['user', 'grant', 'zoe', 'editor']);
  await server.command(['user', 'grant', 'mira', 'editor']);
  await server.command(['user', 'disable', 'jonas']);
  return { root, mira };
}

test('the pictures are taken', async ({ serverWith, another }) => {
  const server = await serverWith({});
  const { root, mira } = await withUsers(server);
  const sit = (options: BrowserContextOptions) => another({ userAgent: FIREFOX, ...options }, server);

  const stranger = await sit({ viewport: NARROW });
  await stranger.visit('/login');
  await take(stranger, 'sign-in');

  const user = await sit({ viewport: WIDE });
  await user.signInAs(mira);
  await user.visit('/profile');
  await take(user, 'profile');

  const admin = await sit({ viewport: WIDE, colorScheme: 'dark' });
  await later(admin, 3);
  await admin.signInAs(root);
  await admin.visit('/admin/users');
  await take(admin, 'users-dark');
});
