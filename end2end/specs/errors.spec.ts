// Pages about what went wrong. 429 and 503 need a server in distress: those are the Rust tests' matter.

import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from '../support/test.ts';

test('an address where nothing is says so, and leads on', async ({ visitor, watch }) => {
  watch.expectStatus(404);
  for (const path of ['/nothing-here', '/profile/nothing', '/admin', '/%3Cscript%3E', '/assets/none.css']) {
    const answer = await visitor.visit(path);
    expect(answer.status(), path).toBe(404);
    await visitor.sees('Page not found');
    await expect(visitor.page).toHaveTitle('Page not found · Vestibule');
    expect(answer.headers()['content-type'], path).toContain('text/html');
    await expect(visitor.page.locator('meta[name="robots"]')).toHaveAttribute('content', /noindex/);
  }
  await visitor.page.getByRole('link', { name: 'Go to the start page' }).click();
  await visitor.isAt('/login', 'Sign in');
});

test('an admin page is nothing for others', async ({ visitor, user, admin, watch }) => {
  watch.expectStatus(403);
  const paths = ['/admin/users', `/admin/users/${admin.id}`, `/admin/users/${user.id}`, '/admin/audit', '/admin/mail'];
  for (const path of paths) {
    const answer = await visitor.visit(path);
    expect(answer.status(), path).toBe(403);
    await visitor.sees('This is not for you');
    expect(await visitor.page.content()).not.toContain(admin.email);
  }
  await expect(visitor.page.getByRole('link', { name: 'Users' })).toHaveCount(0);
  await visitor.page.getByRole('link', { name: 'Go to the start page' }).click();
  await visitor.isAt('/profile', 'Profile');
});

test('who is not signed in is asked to, before an admin page says anything', async ({ visitor }) => {
  for (const path of ['/admin/users', '/admin/audit', '/admin/mail']) {
    await visitor.visit(path);
    await visitor.isAt(`/login?next=${path}`, 'Sign in');
  }
});

test('who lost the role is refused with the next form', async ({ visitor, server, admin, watch }) => {
  // Or the role would not be taken away from the last who has it.
  expect(admin.id).not.toBe('');
  watch.expectStatus(403);
  const deputy = await server.makeAdmin();
  const ann = await server.signUp();
  await visitor.signInAs(deputy);
  await visitor.visit(`/admin/users/${ann.id}`);
  await server.command(['user', 'revoke', deputy.email]);
  await visitor.button('Disable account').click();
  await visitor.sees('This is not for you');
  expect(await server.accessToken(ann)).not.toBe('');
});

test('a form sent by the wrong method, or to no form, is answered with a page', async ({ visitor, watch }) => {
  watch.expectStatus(404, 405);
  for (const path of ['/form/log_in', '/form/nothing']) {
    const answer = await visitor.visit(path);
    expect([404, 405], path).toContain(answer.status());
    expect(answer.headers()['content-type'], path).toContain('text/html');
  }
});

test('a program that asks for the same gets a problem document', async ({ page }) => {
  for (const headers of [{ accept: 'application/json' }, { accept: '*/*' }]) {
    const answer = await page.request.get('/nothing-here', { headers });
    expect(answer.status()).toBe(404);
    expect(answer.headers()['content-type']).toContain('application/problem+json');
  }
});

test('a fault of the server is told with the number to ask about, and nothing of its cause', async ({
  serverWith,
  another,
  watch,
}) => {
  watch.expectStatus(500, 503);
  watch.expect(/^server log: .*(request failed|malformed|database|not a database|unavailable)/i);
  const server = await serverWith({});
  const visitor = await another({}, server);
  const ann = await server.signUp();
  await visitor.signInAs(ann);
  await visitor.visit('/profile');
  // As a broken disk does it.
  for (const name of ['vestibule.db', 'vestibule.db-wal', 'vestibule.db-shm']) {
    const file = await open(join(server.directory, name), 'r+');
    const { size } = await file.stat();
    await file.write(Buffer.alloc(size, 0x5a), 0, size, 0);
    await file.close();
  }
  const answer = await visitor.visit('/profile');
  expect([500, 503]).toContain(answer.status());
  const main = visitor.page.getByRole('main');
  await expect(main.getByRole('heading', { level: 1 })).toHaveText(/Something went wrong|Not available for a moment/);
  await expect(main).toContainText(answer.headers()['x-request-id'] ?? 'no id');
  await expect(main).not.toContainText(/sql|disk|malformed|vestibule\.db/i);
  await expect(main.getByRole('link', { name: 'Go to the start page' })).toBeVisible();
});
