// How long a browser is signed in, and what it shows once it is not.

import type { Response } from '@playwright/test';

import { expect, test } from '../support/test.ts';

test('two tabs that renew at once both stay signed in', async ({ visitor, user }) => {
  const { page } = visitor;
  const context = page.context();
  await visitor.visit('/profile');
  const tab = await context.newPage();
  let races = 0;
  for (let times = 0; times < 3 || races === 0; times++) {
    expect(times, 'the tabs never renew at once').toBeLessThan(30);
    await context.clearCookies({ name: 'access_token' });
    expect(await visitor.cookieNames()).toEqual(['refresh_token']);
    // Different pages, or Chromium would let one wait for the other's answer.
    const answers = await Promise.all([visitor.visit('/profile'), tab.goto('/products')]);
    const [one, other] = await Promise.all(answers.map(refreshTokenSent));
    expect(one).toBeTruthy();
    if (one === other) races++;
    await visitor.isAt('/profile', 'Profile');
    await expect(tab.getByRole('heading', { level: 1 })).toHaveText('Products');
    expect(await visitor.cookieNames()).toEqual(['access_token', 'refresh_token']);
  }
  // Whichever answer came last, its refresh token is the session's.
  await context.clearCookies({ name: 'access_token' });
  await tab.reload();
  await expect(tab.getByRole('heading', { level: 1 })).toHaveText('Products');
  await expect(visitor.section('Devices').getByRole('listitem')).toHaveCount(1);
  expect(user.id).not.toBe('');
});

/** The refresh token that the request of this answer brought. */
async function refreshTokenSent(answer: Response | null): Promise<string | undefined> {
  const headers = await answer?.request().allHeaders();
  return /refresh_token=([^;]+)/.exec(headers?.cookie ?? '')?.[1];
}

test('a form is renewed on the way, too', async ({ visitor, user }) => {
  const details = visitor.section('Details');
  await visitor.visit('/profile');
  await visitor.page.context().clearCookies({ name: 'access_token' });
  await visitor.fill({ Name: 'Ann Renewed' }, details);
  await visitor.submit('Save', details);
  await visitor.isTold('Your profile is saved.');
  await expect(visitor.field('Name', details)).toHaveValue('Ann Renewed');
  expect(user.id).not.toBe('');
});

test('two tabs: what one signs out is signed out in the other', async ({ visitor, user }) => {
  await visitor.visit('/profile');
  const tab = await visitor.page.context().newPage();
  await tab.goto('/products');
  await visitor.signOut();
  await visitor.isTold('You are signed out.');
  await tab.reload();
  await expect(tab).toHaveURL(/\/login\?next=(\/|%2F)products$/);
  expect(user.id).not.toBe('');
});

test('a form that was open while its browser was signed out asks to sign in, and does nothing', async ({
  visitor,
  user,
  server,
}) => {
  const details = visitor.section('Details');
  await visitor.visit('/profile');
  await visitor.page.context().clearCookies();
  await visitor.fill({ Name: 'Somebody Else' }, details);
  await visitor.submit('Save', details);
  await visitor.sees('Sign in');
  const token = await server.accessToken(user);
  const me = await fetch(`${server.url}/api/auth/me`, { headers: { authorization: `Bearer ${token}` } });
  expect(await me.json()).toMatchObject({ name: user.name });
});

test('signing out clears the cookies and ends the session on the server', async ({ visitor, user, server }) => {
  await visitor.visit('/profile');
  const cookies = await visitor.page.context().cookies();
  const { location } = await visitor.signOut();
  expect(location).toBe('/login');
  await visitor.isAt('/login', 'Sign in');
  await visitor.isTold('You are signed out.');
  await visitor.reloadsHarmlessly();
  expect(await visitor.cookieNames()).toEqual([]);

  await visitor.page.context().addCookies(cookies);
  const answer = await visitor.page.request.get(`${server.url}/profile`, { maxRedirects: 0 });
  expect(answer.status()).toBe(303);
  expect(user.id).not.toBe('');
});

test('no page of a signed-in user may be kept by the browser', async ({ visitor, admin }) => {
  await visitor.signInAs(admin);
  const paths = ['/profile', '/products', '/admin/users', `/admin/users/${admin.id}`, '/admin/audit', '/admin/mail'];
  for (const path of paths) {
    const answer = await visitor.visit(path);
    expect(answer.status(), path).toBe(200);
    expect(answer.headers()['cache-control'], path).toContain('no-store');
  }
});
