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
  await visitor.button('Search').click();
  await expect(visitor.page.getByRole('row').filter({ hasText: ann.email })).toBeVisible();
  expect(new URL(visitor.page.url()).searchParams.get('state')).toBe('sent');
  await visitor.field('State').selectOption('failed');
  await visitor.button('Search').click();
  await expect(visitor.page.getByRole('row').filter({ hasText: ann.email })).toHaveCount(0);
  await expect(visitor.page.locator('.empty')).toBeVisible();
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
