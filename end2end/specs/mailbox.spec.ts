// `/dev/mail`: the built-in mailbox as a person reads it.

import { expect, test } from '../support/test.ts';

test('an empty mailbox says so', async ({ serverWith, another }) => {
  const visitor = await another({}, await serverWith({}));
  await visitor.visit('/dev/mail');
  await visitor.isAt('/dev/mail', 'Mail of Vestibule');
  await expect(visitor.page.getByText('There is no mail yet.')).toBeVisible();
});

test('a letter is opened from the list, and its link followed from its text', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const letter = await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit('/dev/mail');
  await visitor.follow(visitor.page.getByRole('listitem').filter({ hasText: ann.email }).getByRole('link'));
  await visitor.isAt(`/dev/mail/${letter.id}`, letter.subject);
  await expect(visitor.page.getByText(ann.email).first()).toBeVisible();
  await visitor.follow(visitor.page.locator('pre').getByRole('link', { name: /verify-email/ }));
  await visitor.sees('Verify your email address');
  await visitor.submit('Verify address');
  await visitor.isTold('Your address is verified.');
});

test('the HTML is shown in a sandbox, from where its link leads to its page', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const letter = await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit(`/dev/mail/${letter.id}`);
  const frame = visitor.page.locator('iframe');
  expect(await frame.getAttribute('sandbox')).toBe('allow-top-navigation-by-user-activation');
  const answer = await visitor.page.request.get(`/dev/mail/${letter.id}/html`);
  expect(answer.headers()['content-security-policy']).toMatch(/default-src 'none'.*sandbox/);
  await visitor.follow(visitor.page.frameLocator('iframe').getByRole('link').first());
  await visitor.sees('Verify your email address');
});

test('a letter that is not there is not found', async ({ visitor, watch }) => {
  watch.expectStatus(404);
  for (const id of ['00000000-0000-7000-8000-000000000000', '..%2F..%2Fvestibule.db']) {
    expect((await visitor.visit(`/dev/mail/${id}`)).status()).toBe(404);
    await visitor.sees('Page not found');
  }
});
