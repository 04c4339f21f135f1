import { expect, test } from '../support/test.ts';

test.beforeEach(async ({ visitor, admin }) => visitor.signInAs(admin));

test('messages are listed with their state, without any link', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit('/admin/mail');
  await visitor.isAt('/admin/mail', 'Mail');
  const heads = (await visitor.page.getByRole('columnheader').allInnerTexts()).map((head) => head.trim());
  expect(heads.slice(0, 6)).toEqual(['To', 'Kind', 'State', 'Attempts', 'Due', 'Last error']);
  const row = visitor.page.getByRole('row').filter({ hasText: ann.email });
  await expect(row).toContainText(/verify/i);
  await expect(row).toContainText(/sent/i);
  expect(await visitor.page.content()).not.toContain('vst_lt_');
});

test('they are filtered by state', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit('/admin/mail');
  await visitor.field('State').selectOption('sent');
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
