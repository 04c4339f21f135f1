// The flows that go by mail, with a mail server: what is followed is the button of the letter that was delivered.

import type { ParsedMail } from 'mailparser';

import { PostOffice } from '../support/post-office.ts';
import { NEW_PASSWORD, Person, type Visitor, expect, test } from '../support/test.ts';

const FROM = { address: 'no-reply@acme.example', name: 'Acme' };

/** Shows the letter as a mail program would, and presses its one button. */
async function press({ page }: Visitor, letter: ParsedMail, button: string): Promise<void> {
  expect(letter.from?.value).toEqual([FROM]);
  await page.goto('about:blank');
  await page.setContent(letter.html || 'no HTML');
  const link = page.getByRole('link', { name: button, exact: true });
  const target = await link.getAttribute('href');
  // Who reads plain text has the same link.
  expect(letter.text).toContain(target);
  await link.click();
}

test('somebody signs up, verifies, forgets the password and sets another by delivered mail', async ({
  another,
  serverWith,
}) => {
  const office = await PostOffice.open();
  try {
    const server = await serverWith({ SMTP_URL: office.url, MAIL_FROM: `${FROM.name} <${FROM.address}>` });
    const visitor = await another({}, server);
    const ann = Person.new();
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': ann.email, 'Username (optional)': ann.username, Password: ann.password });
    await visitor.submit('Create account');
    await visitor.isTold('Your account is made. We have sent you a link to verify your address.');

    await press(visitor, await office.waitFor(ann.email, '/verify-email'), 'Verify this address');
    await visitor.sees('Verify your email address');
    await visitor.submit('Verify address');
    await visitor.isTold('Your address is verified.');

    await visitor.visit('/forgot-password');
    await visitor.fill({ 'Email address': ann.email });
    await visitor.submit('Send a link');
    await visitor.isTold('If there is an account with this address, a link is on its way.');
    await press(visitor, await office.waitFor(ann.email, '/reset-password'), 'Choose a new password');
    await visitor.sees('Choose a new password');
    await visitor.fill({ 'New password': NEW_PASSWORD });
    await visitor.submit('Change password');
    await visitor.isTold('Your password is changed. Sign in with the new one.');

    await visitor.logIn(ann, NEW_PASSWORD);
    await visitor.isAt('/profile', 'Profile');
    await expect(visitor.section('Email address').getByText('Verified', { exact: true })).toBeVisible();
    expect((await office.waitFor(ann.email, 'was changed')).subject).toContain('password was changed');
  } finally {
    await office.close();
  }
});
