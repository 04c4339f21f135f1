// Pages about what went wrong: who may not (403), what is not there (404, 405), and a server in distress (500, 503), which
// is made to be. Somebody who tries too often (429) is met in `limits.spec.ts`.

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
  await visitor.follow(visitor.page.getByRole('link', { name: 'Go to the start page' }));
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
  await visitor.follow(visitor.page.getByRole('link', { name: 'Go to the start page' }));
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
  await visitor.going(() => visitor.button('Disable account').click());
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
  await visitor.signInAs(await server.signUp());
  await visitor.visit('/profile');
  await server.damageDatabase();
  const answer = await visitor.visit('/profile');
  expect([500, 503]).toContain(answer.status());
  const main = visitor.page.getByRole('main');
  await expect(main.getByRole('heading', { level: 1 })).toHaveText(/Something went wrong|Not available for a moment/);
  await expect(main).toContainText(answer.headers()['x-request-id'] ?? 'no id');
  await expect(main).not.toContainText(/sql|disk|malformed|vestibule\.db/i);
  await expect(main.getByRole('link', { name: 'Go to the start page' })).toBeVisible();
});

test('a page of which something is lost says that it is our fault', async ({ serverWith, another, watch }) => {
  watch.expectStatus(500);
  watch.expect(/^server log: .*request failed/);
  const server = await serverWith({});
  const visitor = await another({}, server);
  await server.loseMailbox();
  const answer = await visitor.visit('/dev/mail');
  expect(answer.status()).toBe(500);
  await visitor.sees('Something went wrong');
  await expect(visitor.page).toHaveTitle('Something went wrong · Vestibule');
  await expect(visitor.page.getByRole('main')).toContainText(answer.headers()['x-request-id'] ?? 'no id');
  await expect(visitor.page.getByRole('main')).not.toContainText(server.directory);
  await visitor.follow(visitor.page.getByRole('link', { name: 'Go to the start page' }));
  await visitor.isAt('/login', 'Sign in');
});

test('a server that cannot write asks to wait, still shows what there is, and signs nobody out', async ({
  serverWith,
  another,
  watch,
}) => {
  watch.expectStatus(503);
  watch.expect(/^server log: .*the database is not available/);
  const server = await serverWith({}, { diskKiB: 1024 });
  const visitor = await another({}, server);
  const ann = await server.signUp();
  await visitor.signInAs(ann);
  await server.fillDisk(ann);
  await visitor.visit('/profile');
  await visitor.isAt('/profile', 'Profile');
  await visitor.fill({ Name: 'Somebody New' }, visitor.section('Details'));
  const answered = visitor.page.waitForResponse((response) => response.request().method() === 'POST');
  await visitor.going(() => visitor.button('Save').click());
  const answer = await answered;
  expect(answer.status()).toBe(503);
  expect(Number(answer.headers()['retry-after'])).toBeGreaterThan(0);
  await visitor.sees('Not available for a moment');
  await expect(visitor.page).toHaveTitle('Not available for a moment · Vestibule');
  await expect(visitor.page.getByRole('main')).toContainText(answer.headers()['x-request-id'] ?? 'no id');
  await expect(visitor.page.getByRole('main')).not.toContainText(/sql|disk|I\/O/i);
  await visitor.follow(visitor.page.getByRole('link', { name: 'Go to the start page' }));
  await visitor.isAt('/profile', 'Profile');
});
