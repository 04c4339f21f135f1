import { expect, test } from '../support/test.ts';

test.beforeEach(async ({ visitor, admin }) => visitor.signInAs(admin));

test('messages are listed with their state, without any link', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit('/admin/mail');
  await visitor.isAt('/admin/mail', 'Mail');
  const heads = (await visitor.page.getByRole('columnheader').allInnerTexts()).map((head) => head.trim());
  expect(heads).toEqual(['To', 'State', 'Kind', 'Written', 'Attempts', 'Due', 'Last error']);
  const row = visitor.page.getByRole('row').filter({ hasText: ann.email });
  const cells = row.getByRole('cell');
  await expect(cells.nth(1)).toHaveText('Sent');
  await expect(cells.nth(2)).toHaveText('Address verification');
  await expect(cells.nth(3).locator('time')).toHaveAttribute('datetime', /^\d{4}-\d\d-\d\dT/);
  expect(await visitor.page.content()).not.toContain('vst_lt_');
});

test('on a phone their state is seen without scrolling', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.page.setViewportSize({ width: 390, height: 844 });
  await visitor.visit('/admin/mail');
  const state = visitor.page.getByRole('row').filter({ hasText: ann.email }).getByRole('cell').nth(1);
  await expect(state.getByText('Sent')).toBeInViewport({ ratio: 1 });
});

test('they are filtered by state', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit('/admin/mail');
  await visitor.field('State').selectOption('Sent');
  await visitor.search();
  await expect(visitor.page.getByRole('row').filter({ hasText: ann.email })).toBeVisible();
  expect(new URL(visitor.page.url()).searchParams.get('state')).toBe('sent');
  await visitor.field('State').selectOption('failed');
  await visitor.search();
  await expect(visitor.page.getByRole('row').filter({ hasText: ann.email })).toHaveCount(0);
  await expect(visitor.page.locator('.empty')).toBeVisible();
});

test('it is turned page by page, with its filter', async ({ serverWith, another }) => {
  const server = await serverWith({});
  const visitor = await another({}, server);
  await visitor.signInAs(await server.makeAdmin());
  const people = await server.signUpMany(55, 'reader');
  for (const person of people) await server.mailbox.waitFor(person.email, '/verify-email');
  await visitor.visit('/admin/mail');
  await visitor.field('State').selectOption('sent');
  await visitor.search();
  const addresses = async () => visitor.page.locator('tbody').getByRole('row').locator('td:first-child').allInnerTexts();
  const first = await addresses();
  await visitor.follow(visitor.page.getByRole('link', { name: 'Next page' }));
  await expect(visitor.field('State')).toHaveValue('sent');
  const all = [...first, ...(await addresses())];
  expect(all.sort()).toEqual(people.map(({ email }) => email).sort());
  await visitor.follow(visitor.page.getByRole('link', { name: 'First page' }));
  expect(visitor.path).toBe('/admin/mail?state=sent');
});

test('odd questions get a refusal, never a fault', async ({ visitor, watch }) => {
  watch.expectStatus(400, 422);
  for (const query of ['state=odd', 'cursor=nonsense', 'state=%00', 'state=sent&state=failed', 'state=%27']) {
    const answer = await visitor.visit(`/admin/mail?${query}`);
    expect(answer.status(), query).toBeLessThan(500);
    await expect(visitor.page.getByRole('heading', { level: 1 })).toBeVisible();
  }
});

test('a message that is gone meanwhile is not found', async ({ visitor, server, watch }) => {
  watch.expectStatus(404);
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit('/admin/mail');
  const row = visitor.page.getByRole('row').filter({ hasText: ann.email });
  await row.locator('input[name="id"]').evaluate((input) => {
    (input as HTMLInputElement).value = '00000000-0000-7000-8000-000000000000';
  });
  await visitor.going(() => row.getByRole('button', { name: /^Send again/ }).click());
  await visitor.sees('Page not found');
});

test('a message is sent again', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit('/admin/mail');
  const row = visitor.page.getByRole('row').filter({ hasText: ann.email });
  const { location } = await visitor.submit(row.getByRole('button', { name: /^Send again/ }));
  expect(location).toBe('/admin/mail');
  await visitor.isTold('The message is sent again.');
  await visitor.reloadsHarmlessly();
  await server.mailbox.waitFor(ann.email, '/verify-email', 2);
});
