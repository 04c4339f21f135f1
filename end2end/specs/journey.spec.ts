// The whole way of one account, as its owner goes it.

import { NEW_PASSWORD, Person, expect, test } from '../support/test.ts';

test('somebody signs up, verifies, signs in, changes the password, forgets it, resets it and signs out', async ({
  visitor,
  another,
  server,
}) => {
  const { page } = visitor;
  const ann = Person.new();
  const resetTo = 'walnut-Gramophone-52';

  await test.step('signs up', async () => {
    await visitor.visit('/');
    await visitor.isAt('/login', 'Sign in');
    await visitor.follow(page.getByRole('link', { name: 'Create an account' }));
    await visitor.fill({ 'Email address': ann.email, 'Username (optional)': ann.username, Password: ann.password });
    await visitor.submit('Create account');
    await visitor.isAt('/login', 'Sign in');
    await visitor.isTold('Your account is made. We have sent you a link to verify your address.');
  });

  await test.step('verifies the address from the mailbox', async () => {
    await server.mailbox.waitFor(ann.email, '/verify-email');
    await visitor.visit('/dev/mail');
    await visitor.follow(page.getByRole('listitem').filter({ hasText: ann.email }).getByRole('link'));
    await visitor.follow(page.locator('pre').getByRole('link', { name: /verify-email/ }));
    await visitor.sees('Verify your email address');
    await visitor.submit('Verify address');
    await visitor.isAt('/login', 'Sign in');
    await visitor.isTold('Your address is verified.');
  });

  await test.step('signs in', async () => {
    await visitor.fill({ 'Username or email address': ann.username, Password: ann.password });
    await visitor.submit('Sign in');
    await visitor.isAt('/profile', 'Profile');
    await expect(visitor.section('Email address').getByText('Verified', { exact: true })).toBeVisible();
  });

  await test.step('changes the password, and the other browser is signed out', async () => {
    const elsewhere = await another();
    await elsewhere.logIn(ann);
    await elsewhere.isAt('/profile', 'Profile');
    const section = visitor.section('Password');
    await visitor.fill({ 'Current password': ann.password, 'New password': NEW_PASSWORD }, section);
    await visitor.submit('Change password', section);
    await visitor.isTold('Your password is changed. All other devices are signed out.');
    await elsewhere.page.reload();
    await elsewhere.isAt('/login?next=/profile', 'Sign in');
    await visitor.visit('/profile');
    await visitor.isAt('/profile', 'Profile');
    ann.password = NEW_PASSWORD;
  });

  await test.step('signs out', async () => {
    await visitor.signOut();
    await visitor.isAt('/login', 'Sign in');
    await visitor.isTold('You are signed out.');
  });

  await test.step('forgets the password', async () => {
    await visitor.follow(page.getByRole('link', { name: 'Forgot your password?' }));
    await visitor.fill({ 'Email address': ann.email });
    await visitor.submit('Send a link');
    await visitor.isTold('If there is an account with this address, a link is on its way.');
  });

  await test.step('resets it from the mailed link', async () => {
    const letter = await server.mailbox.waitFor(ann.email, '/reset-password');
    await page.goto(/http\S+\/reset-password\S+/.exec(letter.text)?.[0] ?? 'about:blank');
    await visitor.sees('Choose a new password');
    await visitor.fill({ 'New password': resetTo });
    await visitor.submit('Change password');
    await visitor.isAt('/login', 'Sign in');
    await visitor.isTold('Your password is changed. Sign in with the new one.');
  });

  await test.step('signs in with the new one only, and out', async () => {
    await visitor.logIn(ann);
    await visitor.isAlerted('Wrong username, address or password.');
    await visitor.logIn(ann, resetTo);
    await visitor.isAt('/profile', 'Profile');
    await visitor.signOut();
    await visitor.isAt('/login', 'Sign in');
  });
});
