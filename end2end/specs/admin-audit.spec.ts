import { PASSWORD, expect, test } from '../support/test.ts';

test.beforeEach(async ({ visitor, admin }) => visitor.signInAs(admin));

test('what happened is listed, newest first, with who, how and from where', async ({ visitor, another, server }) => {
  const ann = await server.signUp();
  const guest = await another({
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  });
  await guest.logIn(ann, 'not my password');
  await guest.logIn(ann);
  await visitor.visit('/admin/audit');
  await visitor.isAt('/admin/audit', 'Audit log');
  const heads = await visitor.page.getByRole('columnheader').allInnerTexts();
  expect(heads.map((head) => head.trim())).toEqual([
    'Time',
    'Event',
    'Outcome',
    'User',
    'By',
    'From',
    'Device',
    'Detail',
  ]);
  const rows = visitor.page.getByRole('row').filter({ hasText: 'Sign-in' });
  await expect(rows.first()).toContainText('127.0.0.1');
  await expect(rows.first()).toContainText('Firefox');
  await expect(rows.nth(0)).toContainText('Done');
  await expect(rows.nth(1)).toContainText('Wrong username or password');
  await expect(visitor.page.getByRole('main')).not.toContainText(/log_in|sign_up|create_user|invalid_credentials|success/);
  const times = await visitor.page.locator('tbody time').evaluateAll((all) => all.map((time) => time.getAttribute('datetime')));
  expect(times.length).toBeGreaterThan(2);
  expect([...times].sort().reverse()).toEqual(times);
  expect(await visitor.page.content()).not.toContain(PASSWORD);
  expect(await visitor.page.content()).not.toContain('not my password');
});

test('it is filtered by user and event', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.accessToken(ann);
  await visitor.visit('/admin/audit');
  await visitor.fill({ User: ann.id });
  await visitor.search();
  const rows = visitor.page.locator('tbody').getByRole('row');
  await expect(rows).toHaveCount(2);
  const event = visitor.field('Event');
  await event.selectOption('Sign-in');
  await visitor.search();
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText('Sign-in');
  const query = new URL(visitor.page.url()).searchParams;
  expect([query.get('user'), query.get('event')]).toEqual([ann.id, 'log_in']);
  await expect(visitor.field('User')).toHaveValue(ann.id);
  await expect(event).toHaveValue('log_in');
});

test('what was not allowed, and of whom and of what, is told in words', async ({ visitor, another, server, watch }) => {
  watch.expectStatus(403);
  const ann = await server.signUp();
  const guest = await another();
  await guest.signInAs(ann);
  expect((await guest.visit('/admin/users')).status()).toBe(403);
  await guest.visit('/products');
  await guest.fill({ Name: 'Lamp' });
  await guest.submit('Add product');
  await visitor.visit(`/admin/audit?user=${ann.id}`);
  const rows = visitor.page.locator('tbody').getByRole('row');
  await expect(rows.nth(0)).toContainText(/Product added.*Done.*Product …[0-9a-f]{6}/);
  await expect(rows.nth(1)).toContainText(/Refused look at all accounts.*Not allowed/);
  await expect(rows.nth(1)).toContainText(ann.email);
  await server.command(['user', 'delete', '--yes', ann.email]);
  await visitor.page.reload();
  const gone = rows.nth(1).getByRole('link', { name: `Deleted account …${ann.id.slice(-6)}` });
  await visitor.follow(gone.first());
  expect(new URL(visitor.page.url()).searchParams.get('user')).toBe(ann.id);
});

test('it is turned page by page', async ({ serverWith, another }) => {
  const server = await serverWith({});
  const visitor = await another({}, server);
  await visitor.signInAs(await server.makeAdmin());
  await server.makeHistory(await server.signUp(), 60);
  await visitor.visit('/admin/audit');
  const next = visitor.page.getByRole('link', { name: 'Next page' });
  let rows = await visitor.page.locator('tbody').getByRole('row').count();
  await visitor.follow(next);
  rows += await visitor.page.locator('tbody').getByRole('row').count();
  expect(rows).toBeGreaterThan(50);
  await visitor.follow(visitor.page.getByRole('link', { name: 'First page' }));
  await visitor.isAt('/admin/audit', 'Audit log');
});

test('odd questions get an empty list or a refusal, never a fault', async ({ visitor, watch }) => {
  watch.expectStatus(400, 404, 422);
  for (const query of ['user=x', 'event=odd', 'cursor=nonsense', 'user=%00', 'event=%27']) {
    const answer = await visitor.visit(`/admin/audit?${query}`);
    expect(answer.status(), query).toBeLessThan(500);
    await expect(visitor.page.getByRole('heading', { level: 1 })).toBeVisible();
  }
});
