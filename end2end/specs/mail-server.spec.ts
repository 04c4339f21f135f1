// The letters that a mail server was handed, read as HTML on somebody else's page: their buttons are what is followed.

import type { Email } from 'postal-mime';

import { PostOffice, WEBMAIL } from '../support/post-office.ts';
import { NEW_PASSWORD, Person, type Visitor, expect, test as base } from '../support/test.ts';

const test = base.extend<{ postOffice: PostOffice }>({
  // Playwright wants the pattern, even an empty one.
  // eslint-disable-next-line no-empty-pattern
  postOffice: async ({}, use) => {
    const postOffice = await PostOffice.open();
    await use(postOffice);
    await postOffice.close();
  },
});

/** Opens a letter where its reader's mail is shown. */
async function open(visitor: Visitor, letter: Email): Promise<void> {
  const { page } = visitor;
  await page.route(`${WEBMAIL}/**`, (route) => route.fulfill({ contentType: 'text/html', body: letter.html }), { times: 1 });
  await page.goto(`${WEBMAIL}/`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(letter.subject ?? '');
}

/** Presses the letter's button, whose link also stands in the open, in both parts. */
async function press(visitor: Visitor, letter: Email, button: string): Promise<void> {
  await open(visitor, letter);
  const link = visitor.page.getByRole('link', { name: button, exact: true });
  const target = await link.getAttribute('href');
  expect(letter.text).toContain(`\n${target}\n`);
  await expect(visitor.page.getByRole('link', { name: target ?? '', exact: true })).toHaveAttribute('href', target ?? '');
  await link.click();
}

test('somebody verifies the address and resets the password by the buttons of the letters', async ({
  postOffice,
  serverWith,
  another,
  watch,
}) => {
  const settings = { SMTP_URL: postOffice.url, MAIL_FROM: 'Vestibule <no-reply@example.com>' };
  const visitor = await another({}, await serverWith(settings));
  watch.trust(WEBMAIL);
  const { page } = visitor;
  const ann = Person.new();

  await test.step('signs up', async () => {
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': ann.email, Password: ann.password });
    await visitor.submit('Create account');
    await visitor.isTold('Your account is made. We have sent you a link to verify your address.');
  });

  await test.step('verifies the address', async () => {
    const letter = await postOffice.waitFor(ann.email, 'Verify your email address for Vestibule');
    expect(letter.from).toMatchObject({ name: 'Vestibule', address: 'no-reply@example.com' });
    expect(letter.to).toMatchObject([{ address: ann.email }]);
    await press(visitor, letter, 'Verify this address');
    await visitor.sees('Verify your email address');
    await visitor.submit('Verify address');
    await visitor.isTold('Your address is verified.');
    await visitor.logIn(ann);
    await visitor.isAt('/profile', 'Profile');
    await expect(visitor.section('Email address').getByText('Verified', { exact: true })).toBeVisible();
    await visitor.signOut();
  });

  await test.step('forgets the password', async () => {
    await page.getByRole('link', { name: 'Forgot your password?' }).click();
    await visitor.fill({ 'Email address': ann.email });
    await visitor.submit('Send a link');
    await visitor.isTold('If there is an account with this address, a link is on its way.');
  });

  await test.step('chooses a new one', async () => {
    const letter = await postOffice.waitFor(ann.email, 'Reset your password for Vestibule');
    await press(visitor, letter, 'Choose a new password');
    await visitor.sees('Choose a new password');
    await visitor.fill({ 'New password': NEW_PASSWORD });
    await visitor.submit('Change password');
    await visitor.isTold('Your password is changed. Sign in with the new one.');
    await visitor.logIn(ann, NEW_PASSWORD);
    await visitor.isAt('/profile', 'Profile');
  });

  await test.step('is told of it, from which device, and finds the way to undo it', async () => {
    const letter = await postOffice.waitFor(ann.email, 'Your password for Vestibule was changed');
    expect(letter.text).toMatch(/^ {2}From: Chrome on Linux, network address 127\.0\.0\.1$/m);
    await press(visitor, letter, 'Reset the password');
    await visitor.sees('Forgot your password?');
  });

  await test.step('finds no built-in mailbox', async () => {
    watch.expectStatus(404);
    expect((await visitor.visit('/dev/mail')).status()).toBe(404);
  });
});
