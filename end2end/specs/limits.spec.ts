// Who tries too often is told to wait, and how long; who is known here already is not in the strangers' way.

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { AxeBuilder } from '@axe-core/playwright';

import { Person, expect, test } from '../support/test.ts';

const PICTURES = fileURLToPath(new URL('../screenshots/', import.meta.url));
mkdirSync(PICTURES, { recursive: true });

const LOOKS = [
  { name: 'light', colorScheme: 'light', width: 1280, height: 800 },
  { name: 'dark', colorScheme: 'dark', width: 1280, height: 800 },
  { name: 'phone', colorScheme: 'light', width: 320, height: 568 },
] as const;

// In a test that takes a day, they come back one every eight hours.
const THREE_TRIES = { RATE_LIMITS: 'on', LIMIT_TRIES_PER_ACCOUNT: '3/1d' };
const NAME = 'Username or email address';
const WAIT = 'This was tried too often. Wait 8 hours, and try again.';

test('too many wrong passwords are answered with the time to wait, and what was typed is kept', async ({
  serverWith,
  another,
}) => {
  const server = await serverWith(THREE_TRIES);
  const visitor = await another({}, server);
  const ann = await server.signUp();
  for (let tries = 1; tries <= 3; tries++) {
    await visitor.logIn(ann, 'not my password');
    await visitor.isRefused({ title: 'Sign in', alert: 'Wrong username, address or password.', kept: { [NAME]: ann.email } });
  }
  // The right one is refused too, or the answer would tell when it was guessed.
  await visitor.logIn(ann);
  await visitor.isRefused({ title: 'Sign in', alert: WAIT, kept: { [NAME]: ann.email } });
  expect(await visitor.isSignedIn()).toBe(false);
  await visitor.reloadsHarmlessly();

  // Nobody else is any slower for it.
  const bob = await server.signUp();
  await visitor.logIn(bob);
  await visitor.isAt('/profile', 'Profile');
});

test('a browser that signed in before gets in while strangers are refused', async ({ serverWith, another }) => {
  const server = await serverWith(THREE_TRIES);
  const [owner, stranger] = [await another({}, server), await another({}, server)];
  const ann = await server.signUp();
  await owner.logIn(ann);
  await owner.signOut();
  expect(await owner.cookieNames()).toContain('device');
  for (let tries = 1; tries <= 3; tries++) await stranger.logIn(ann, 'not my password');
  await stranger.logIn(ann);
  await stranger.isRefused({ title: 'Sign in', alert: WAIT });

  await owner.logIn(ann);
  await owner.isAt('/profile', 'Profile');
});

test('who asks for too many letters is told to wait, known or not', async ({ serverWith, another }) => {
  const server = await serverWith({ RATE_LIMITS: 'on', LIMIT_MAILS_PER_ADDRESS: '1/1d' });
  const visitor = await another({}, server);
  const pages = [];
  for (const { email } of [await server.signUp(), Person.new()]) {
    for (let tries = 1; tries <= 2; tries++) {
      await visitor.visit('/forgot-password');
      await visitor.fill({ 'Email address': email });
      await visitor.submit('Send a link');
    }
    const alert = 'This was tried too often. Wait 24 hours, and try again.';
    await visitor.isRefused({ title: 'Forgot your password?', alert, kept: { 'Email address': email } });
    pages.push(await visitor.page.getByRole('main').innerText());
  }
  expect(pages[1]).toBe(pages[0]);
});

test('the page of a refusal says how long to wait, and looks right', async ({
  serverWith,
  another,
  watch,
  javaScriptEnabled,
}) => {
  watch.expectStatus(429);
  const server = await serverWith({ RATE_LIMITS: 'on', LIMIT_TRIES_PER_ACCOUNT: '1/1d' });
  const visitor = await another({}, server);
  const { page } = visitor;
  // As a form of somebody else's sends it, which has no page here to come back to.
  const postData = new URLSearchParams({ username: 'ann', password: 'not my password' }).toString();
  await page.route('**/login', (route) => {
    const headers = { ...route.request().headers(), 'content-type': 'application/x-www-form-urlencoded' };
    return route.continue({ method: 'POST', postData, headers });
  });
  await server.post('/api/auth/login', { username: 'ann', password: 'not my password' }).catch(() => undefined);
  const answer = await visitor.visit('/login');
  expect(answer.status()).toBe(429);
  // A day, less the seconds that have gone by since the try.
  const wait = Number(answer.headers()['retry-after']);
  expect(wait).toBeLessThanOrEqual(86_400);
  expect(wait).toBeGreaterThan(86_000);
  await expect(page).toHaveTitle('Too many tries · Vestibule');
  await visitor.sees('Too many tries');
  await expect(page.getByRole('main')).toContainText('Wait 24 hours, and try again.');
  await expect(page.getByRole('link', { name: 'Go to the start page' })).toBeVisible();

  for (const look of LOOKS) {
    await page.emulateMedia({ colorScheme: look.colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width: look.width, height: look.height });
    await page.screenshot({ path: `${PICTURES}error-429-${look.name}.png`, fullPage: true });
    // axe runs a script in the page, where one may run.
    if (!javaScriptEnabled) continue;
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, help }) => `${id}: ${help}`), look.name).toEqual([]);
  }
});
