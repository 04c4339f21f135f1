import { readFile } from 'node:fs/promises';

import { NEW_PASSWORD, Person, expect, test, tokenIn } from '../support/test.ts';

const TITLE = 'Profile';
const WRONG = 'This is not your password';
const BLANK = 'This field is required';

test('nobody sees a profile who is not signed in', async ({ visitor }) => {
  await visitor.visit('/profile');
  await visitor.isAt('/login?next=/profile', 'Sign in');
});

test.describe('details', () => {
  test('a name and a username are saved and shown as they were typed', async ({ visitor, user }) => {
    const details = visitor.section('Details');
    await visitor.visit('/profile');
    await visitor.isAt('/profile', TITLE);
    await expect(visitor.field('Name', details)).toHaveValue(user.name);
    await expect(visitor.field('Username', details)).toHaveValue(user.username);
    const typed = { Name: 'Zoë <b>"Q"</b> & Söhne', Username: `${user.username}.2` };
    await visitor.fill(typed, details);
    const { location } = await visitor.submit('Save', details);
    expect(location).toBe('/profile');
    await visitor.isTold('Your profile is saved.');
    for (const [label, value] of Object.entries(typed)) {
      await expect(visitor.field(label, details)).toHaveValue(value);
    }
    await visitor.reloadsHarmlessly();
  });

  test('both can be left empty', async ({ visitor, user }) => {
    expect(user.id).not.toBe('');
    const details = visitor.section('Details');
    await visitor.visit('/profile');
    await visitor.fill({ Name: '', Username: '' }, details);
    await visitor.submit('Save', details);
    await visitor.isTold('Your profile is saved.');
    await expect(visitor.field('Name', details)).toHaveValue('');
    await expect(visitor.field('Username', details)).toHaveValue('');
  });

  test('what cannot be is refused at its field, and what was typed stays', async ({ visitor, user, server }) => {
    const details = visitor.section('Details');
    const taken = await server.signUp();
    expect(user.id).not.toBe('');
    await visitor.visit('/profile');
    const bad = { Name: 'x'.repeat(101), Username: 'ann smith' };
    await visitor.fill(bad, details);
    await visitor.submit('Save', details);
    expect(visitor.path).toBe('/profile');
    await visitor.isRefused(
      { title: TITLE, fields: { Name: 'A name is at most 100', Username: 'A username is 1 to 64' }, kept: bad },
      details,
    );
    await visitor.fill({ Name: 'Ann', Username: taken.username.toUpperCase() }, details);
    await visitor.submit('Save', details);
    await visitor.isRefused(
      { title: TITLE, fields: { Username: /registered|taken/i }, kept: { Name: 'Ann' } },
      details,
    );
    await visitor.reloadsHarmlessly();
    await expect(visitor.field('Username', details)).toHaveValue(user.username);
  });
});

test.describe('email address', () => {
  test('a new address holds once its link is followed, and the old one is told', async ({ visitor, user, server }) => {
    const email = visitor.section('Email address');
    const renewed = Person.new().email;
    await visitor.visit('/profile');
    await expect(email.getByText(user.email)).toBeVisible();
    await visitor.fill({ 'New email address': renewed, 'Current password': user.password }, email);
    await visitor.submit('Change address', email);
    await visitor.isTold('We have sent a link to the new address. It holds once you follow it.');
    await expect(email.getByText(user.email)).toBeVisible();

    const letter = await server.mailbox.waitFor(renewed, '/verify-email');
    await visitor.visit(`/verify-email?token=${tokenIn(letter)}`);
    await visitor.submit('Verify address');
    await visitor.isTold('Your address is verified.');
    await visitor.visit('/profile');
    await expect(email.getByText(renewed)).toBeVisible();
    await expect(email.getByText('Verified', { exact: true })).toBeVisible();
    await server.mailbox.waitFor(user.email, 'Your email address at Vestibule was changed');
  });

  test('a wrong password or no address at all changes nothing', async ({ visitor, user, server }) => {
    const email = visitor.section('Email address');
    const renewed = Person.new().email;
    await visitor.visit('/profile');
    await visitor.fill({ 'New email address': renewed, 'Current password': 'not my password' }, email);
    await visitor.submit('Change address', email);
    await visitor.isRefused(
      { title: TITLE, fields: { 'Current password': WRONG }, kept: { 'New email address': renewed } },
      email,
    );

    await visitor.fill({ 'New email address': 'ann at example', 'Current password': user.password }, email);
    await visitor.submit('Change address', email);
    await visitor.isRefused(
      {
        title: TITLE,
        fields: { 'New email address': 'This is not an email address' },
        kept: { 'New email address': 'ann at example' },
      },
      email,
    );

    await visitor.fill({ 'New email address': '' }, email);
    await visitor.submit('Change address', email);
    await visitor.isRefused({ title: TITLE, fields: { 'New email address': BLANK, 'Current password': BLANK } }, email);
    expect(await server.mailbox.lettersTo(renewed)).toEqual([]);
  });

  test("somebody else's address is refused at its field", async ({ visitor, user, server }) => {
    const email = visitor.section('Email address');
    const other = await server.signUp();
    await visitor.visit('/profile');
    await visitor.fill({ 'New email address': other.email, 'Current password': user.password }, email);
    await visitor.submit('Change address', email);
    await visitor.isRefused(
      {
        title: TITLE,
        fields: { 'New email address': /registered|taken|account/i },
        kept: { 'New email address': other.email },
      },
      email,
    );
  });

  test('the verification link is sent again', async ({ visitor, user, server }) => {
    await server.mailbox.waitFor(user.email, '/verify-email');
    await visitor.visit('/profile');
    await expect(visitor.section('Email address').getByText('Not verified', { exact: true })).toBeVisible();
    await visitor.submit('Send the link again');
    expect(visitor.path).toBe('/profile');
    await visitor.isTold('If this address waits for verification, a link is on its way.');
    const letter = await server.mailbox.waitFor(user.email, '/verify-email', 2);
    await visitor.visit(`/verify-email?token=${tokenIn(letter)}`);
    await visitor.submit('Verify address');
    await visitor.isAt('/profile', TITLE);
    await expect(visitor.button('Send the link again')).toHaveCount(0);
  });
});

test.describe('password', () => {
  test('a new password signs out every other device and keeps this one', async ({ visitor, another, user, server }) => {
    const elsewhere = await another();
    await elsewhere.signInAs(user);
    await elsewhere.visit('/profile');
    const password = visitor.section('Password');
    await visitor.visit('/profile');
    await visitor.fill({ 'Current password': user.password, 'New password': NEW_PASSWORD }, password);
    const { location } = await visitor.submit('Change password', password);
    expect(location.split('#')[0]).toBe('/profile');
    await visitor.isTold('Your password is changed. All other devices are signed out.');
    await visitor.reloadsHarmlessly();
    await elsewhere.page.reload();
    await elsewhere.isAt('/login?next=/profile', 'Sign in');
    await elsewhere.logIn(user);
    await elsewhere.isAlerted('Wrong username, address or password.');
    await elsewhere.logIn(user, NEW_PASSWORD);
    await elsewhere.isAt('/profile', TITLE);
    await server.mailbox.waitFor(user.email, 'Your password for Vestibule was changed');
  });

  test('each failure is told at its place, and changes nothing', async ({ visitor, user }) => {
    const password = visitor.section('Password');
    await visitor.visit('/profile');
    await visitor.submit('Change password', password);
    await visitor.isRefused({ title: TITLE, fields: { 'Current password': BLANK, 'New password': BLANK } }, password);

    await visitor.fill({ 'Current password': user.password, 'New password': 'short' }, password);
    await visitor.submit('Change password', password);
    await visitor.isRefused({ title: TITLE, fields: { 'New password': 'Use at least 8 characters.' } }, password);

    await visitor.fill({ 'Current password': user.password, 'New password': `${user.username}!` }, password);
    await visitor.submit('Change password', password);
    await visitor.isRefused({ title: TITLE, fields: { 'New password': 'This password is easy to guess.' } }, password);

    await visitor.fill({ 'Current password': 'not my password', 'New password': NEW_PASSWORD }, password);
    await visitor.submit('Change password', password);
    await visitor.isRefused({ title: TITLE, fields: { 'Current password': WRONG } }, password);
    await visitor.signOut();
    await visitor.logIn(user);
    await visitor.isAt('/profile', TITLE);
  });

  test("a browser's own way to change a password leads here", async ({ visitor, user }) => {
    expect(user.id).not.toBe('');
    const answer = await visitor.page.request.get('/.well-known/change-password', { maxRedirects: 0 });
    expect([302, 303, 307]).toContain(answer.status());
    expect(answer.headers().location).toBe('/profile#password');
    await visitor.visit('/.well-known/change-password');
    await visitor.isAt('/profile#password', TITLE);
    await expect(visitor.section('Password')).toBeInViewport();
  });
});

test.describe('devices', () => {
  const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
  const SAFARI =
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';

  test('one other device is signed out, and this one stays', async ({ visitor, another, user }) => {
    const firefox = await another({ userAgent: FIREFOX });
    const phone = await another({ userAgent: SAFARI });
    await firefox.logIn(user);
    await phone.logIn(user);
    await visitor.visit('/profile');
    const rows = visitor.section('Devices').getByRole('listitem');
    await expect(rows).toHaveCount(3);
    const own = rows.filter({ hasText: 'This device' });
    await expect(own).toHaveCount(1);
    await expect(rows.first()).toContainText('This device');
    await expect(own.getByRole('button')).toHaveCount(0);
    const row = rows.filter({ hasText: 'Firefox on Linux' });
    await expect(row).toContainText('From 127.0.0.1, last used ');
    await expect(row).toContainText('Signed in');

    await visitor.submit('Sign out Firefox on Linux');
    await visitor.isTold('The device is signed out.');
    await expect(rows).toHaveCount(2);
    await visitor.reloadsHarmlessly();
    await firefox.visit('/profile');
    await firefox.isAt('/login?next=/profile', 'Sign in');
    await phone.visit('/profile');
    await phone.isAt('/profile', TITLE);
  });

  test('all others are signed out at once', async ({ visitor, another, user }) => {
    const others = [await another({ userAgent: FIREFOX }), await another({ userAgent: SAFARI })];
    for (const other of others) await other.signInAs(user);
    await visitor.visit('/profile');
    await visitor.submit('Sign out all other devices');
    await visitor.isTold('All other devices are signed out.');
    await expect(visitor.section('Devices').getByRole('listitem')).toHaveCount(1);
    await expect(visitor.button('Sign out all other devices')).toHaveCount(0);
    for (const other of others) expect(await other.isSignedIn()).toBe(false);
    expect(await visitor.isSignedIn()).toBe(true);
  });

  test('a device that was signed out meanwhile is no reason to stumble', async ({ visitor, another, user, watch }) => {
    watch.expectStatus(404);
    const firefox = await another({ userAgent: FIREFOX });
    await firefox.logIn(user);
    await visitor.visit('/profile');
    await firefox.signOut();
    // Either is an answer that a person understands: it is done, or there is no such device.
    await visitor.going(() => visitor.button('Sign out Firefox on Linux').click());
    await expect(visitor.page.getByRole('main')).toContainText(/signed out|not found|not valid/i);
    expect(await visitor.isSignedIn()).toBe(true);
  });
});

test('everything stored about an account can be downloaded', async ({ visitor, user, watch }) => {
  // A download ends the navigation that began it.
  watch.expect(/^request failed: GET \S+export net::ERR_ABORTED$/);
  await visitor.visit('/profile');
  const [download] = await Promise.all([
    visitor.page.waitForEvent('download'),
    visitor.page.getByRole('link', { name: 'Download your data' }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/\.json$/);
  const text = await readFile(await download.path(), 'utf8');
  expect(JSON.parse(text)).toBeInstanceOf(Object);
  expect(text).toContain(user.email);
  expect(text).not.toMatch(/argon2|vst_/);
  await expect(visitor.page).toHaveURL(/\/profile$/);
});

test.describe('deletion', () => {
  test('an account is deleted with its password, and its browser signed out', async ({ visitor, another, user }) => {
    const elsewhere = await another();
    await elsewhere.signInAs(user);
    const deletion = visitor.section('Delete account');
    await visitor.visit('/profile');
    await visitor.fill({ 'Current password': user.password }, deletion);
    const { location } = await visitor.submit('Delete account', deletion);
    expect(location).toBe('/login');
    await visitor.isAt('/login', 'Sign in');
    await visitor.isTold('Your account is deleted.');
    await visitor.reloadsHarmlessly();
    expect(await visitor.cookieNames()).toEqual([]);
    await elsewhere.visit('/profile');
    await elsewhere.isAt('/login?next=/profile', 'Sign in');
    await visitor.logIn(user);
    await visitor.isAlerted('Wrong username, address or password.');
  });

  test('a wrong password or none deletes nothing', async ({ visitor, user }) => {
    const deletion = visitor.section('Delete account');
    await visitor.visit('/profile');
    await visitor.submit('Delete account', deletion);
    await visitor.isRefused({ title: TITLE, fields: { 'Current password': BLANK } }, deletion);
    await visitor.fill({ 'Current password': 'not my password' }, deletion);
    await visitor.submit('Delete account', deletion);
    await visitor.isRefused({ title: TITLE, fields: { 'Current password': WRONG } }, deletion);
    await visitor.signOut();
    await visitor.logIn(user);
    await visitor.isAt('/profile', TITLE);
  });

  test('the last admin stays', async ({ serverWith, another }) => {
    const server = await serverWith({});
    const root = await server.makeAdmin();
    const visitor = await another({}, server);
    await visitor.signInAs(root);
    await visitor.visit('/profile');
    const deletion = visitor.section('Delete account');
    await visitor.fill({ 'Current password': root.password }, deletion);
    await visitor.submit('Delete account', deletion);
    await visitor.isRefused({ title: TITLE, alert: /last active admin/ }, deletion);
    expect(await visitor.isSignedIn()).toBe(true);
  });
});
