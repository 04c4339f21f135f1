// Every flow, with Tab, Shift+Tab, Enter, Space, arrows and typing alone.

import { Hands } from '../support/hands.ts';
import { NEW_PASSWORD, Person, type Visitor, expect, test, tokenIn } from '../support/test.ts';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const SAFARI =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';

const link = (visitor: Visitor, name: string | RegExp) => visitor.page.getByRole('link', { name, exact: true });
const rowOf = (visitor: Visitor, text: string) => visitor.page.getByRole('row').filter({ hasText: text });

test('a visitor signs up, signs in, and finds where typing begins', async ({ visitor }) => {
  const hands = new Hands(visitor);
  const ann = Person.new();
  await visitor.visit('/login');
  await hands.follow(link(visitor, 'Create an account'));
  await hands.type('Email address', ann.email);
  await hands.type('Password', ann.password);
  await hands.enter();
  await visitor.isAt('/login', 'Sign in');
  await hands.type('Password', ann.password);
  await hands.tick('Remember me on this device');
  await hands.push('Sign in');
  await visitor.isAt('/profile', 'Profile');
});

test('the first Tab offers to skip to the content', async ({ visitor, user }) => {
  expect(user.id).not.toBe('');
  await visitor.visit('/profile');
  await visitor.page.keyboard.press('Tab');
  const skip = link(visitor, 'Skip to content');
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await visitor.page.keyboard.press('Enter');
  await visitor.page.keyboard.press('Tab');
  await expect(visitor.field('Name', visitor.section('Details'))).toBeFocused();
});

test('a failed submit is mended where the focus is', async ({ visitor, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await visitor.visit('/login');
  await hands.type('Username or email address', ann.email);
  await hands.enter();
  await visitor.isRefused({ title: 'Sign in', fields: { Password: 'This field is required' } });
  await visitor.page.keyboard.type(ann.password);
  await hands.enter();
  await visitor.isAt('/profile', 'Profile');
});

test('a password is forgotten and reset', async ({ visitor, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await visitor.visit('/login');
  await hands.follow(link(visitor, 'Forgot your password?'));
  await hands.type('Email address', ann.email);
  await hands.enter();
  const letter = await server.mailbox.waitFor(ann.email, '/reset-password');
  await visitor.visit(`/reset-password?token=${tokenIn(letter)}`);
  await hands.type('New password', NEW_PASSWORD);
  await hands.enter();
  await visitor.isAt('/login', 'Sign in');
});

test('an address is verified from the letter in the mailbox', async ({ visitor, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit('/dev/mail');
  await hands.follow(visitor.page.getByRole('listitem').filter({ hasText: ann.email }).getByRole('link'));
  await hands.follow(visitor.page.locator('pre').getByRole('link', { name: /verify-email/ }));
  await hands.push('Verify address');
  await visitor.isTold('Your address is verified.');
});

test('a link in the HTML of a letter is reached and followed', async ({ visitor, server, watch }) => {
  // To ask the frame what has the focus is a script, too.
  watch.expect(/^console error: Blocked script execution in '\S+\/dev\/mail\/\S+\/html'/);
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  const letter = await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit(`/dev/mail/${letter.id}`);
  await hands.follow(visitor.page.frameLocator('iframe').getByRole('link').first());
  await visitor.sees('Verify your email address');
});

test('a verification link that was used leads to another', async ({ visitor, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  const used = await server.verificationToken(await server.signUpVerified());
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.visit(`/verify-email?token=${used}`);
  await visitor.isAlerted('This link is not valid any more.');
  await hands.type('Email address', ann.email);
  await hands.push('Send the link again');
  await visitor.isTold('If this address waits for verification, a link is on its way.');

  const letter = await server.mailbox.waitFor(ann.email, '/verify-email', 2);
  await visitor.visit(`/verify-email?token=${tokenIn(letter)}`);
  await hands.push('Verify address');
  await visitor.isTold('Your address is verified.');
});

test('a profile is changed in each of its parts', async ({ visitor, user }) => {
  const hands = new Hands(visitor);
  await visitor.visit('/profile');
  await hands.type('Name', 'Ann of the Keys', visitor.section('Details'));
  await hands.type('Username', '', visitor.section('Details'));
  await hands.push('Save');
  await visitor.isTold('Your profile is saved.');
  await expect(visitor.field('Username', visitor.section('Details'))).toHaveValue('');

  await hands.push('Send the link again');
  await visitor.isTold('If this address waits for verification, a link is on its way.');

  await hands.type('New email address', Person.new().email);
  await hands.type('Current password', user.password, visitor.section('Email address'));
  await hands.push('Change address');
  await visitor.isTold('We have sent a link to the new address.');

  await hands.type('Current password', user.password, visitor.section('Password'));
  await hands.type('New password', NEW_PASSWORD, visitor.section('Password'));
  await hands.enter();
  await visitor.isTold('Your password is changed.');

  await hands.type('Current password', NEW_PASSWORD, visitor.section('Delete account'));
  await hands.push('Delete account');
  await visitor.isTold('Your account is deleted.');
});

test('one device is signed out, and then all others', async ({ visitor, another, user }) => {
  const hands = new Hands(visitor);
  const [firefox, phone] = [await another({ userAgent: FIREFOX }), await another({ userAgent: SAFARI })];
  for (const other of [firefox, phone]) await other.signInAs(user);
  await visitor.visit('/profile');
  await hands.push('Sign out Firefox on Linux');
  await visitor.isTold('The device is signed out.');
  expect([await firefox.isSignedIn(), await phone.isSignedIn()]).toEqual([false, true]);
  await hands.push('Sign out all other devices');
  await visitor.isTold('All other devices are signed out.');
  expect([await phone.isSignedIn(), await visitor.isSignedIn()]).toEqual([false, true]);
});

test('everything stored about an account is downloaded', async ({ visitor, user, watch }) => {
  // A download ends the navigation that began it.
  watch.expect(/^request failed: GET \S+export net::ERR_ABORTED$/);
  const hands = new Hands(visitor);
  expect(user.id).not.toBe('');
  await visitor.visit('/profile');
  await hands.reach(link(visitor, 'Download your data'));
  const [download] = await Promise.all([visitor.page.waitForEvent('download'), hands.press('Enter')]);
  expect(download.suggestedFilename()).toMatch(/\.json$/);
});

test('products are added, changed and deleted, and the browser signed out', async ({ visitor, user }) => {
  const hands = new Hands(visitor);
  const name = `Key of ${user.username}`;
  await visitor.visit('/profile');
  await hands.follow(link(visitor, 'Products'));
  await hands.type('Name', name);
  await hands.type('Description', 'Opens one door');
  await hands.push('Add product');
  await visitor.isTold('The product is added.');
  await hands.follow(visitor.page.getByRole('listitem').filter({ hasText: name }).getByRole('link', { name: /^Edit/ }));
  await hands.type('Name', `${name}, brass`);
  await hands.enter();
  await visitor.isTold('The product is saved.');
  await hands.push('Delete');
  await visitor.isTold('The product is deleted.');
  await hands.push('Sign out', visitor.page.getByRole('banner'));
  await visitor.isTold('You are signed out.');
});

test('an admin finds a user, gives and takes a role, and shuts the account', async ({ visitor, another, admin, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  const guest = await another();
  await visitor.signInAs(admin);
  await visitor.visit('/profile');
  await hands.follow(link(visitor, 'Users'));
  await hands.type('Search', ann.email);
  await visitor.going(() => hands.press('Enter'));
  await hands.follow(link(visitor, ann.email));
  await hands.type('Role', 'editor');
  await hands.push('Grant');
  await visitor.isTold('The role is granted.');
  await hands.push('Take away editor');
  await visitor.isTold('The role is taken away.');
  await hands.push('Mail a reset link');
  await visitor.isTold('A reset link is on its way.');

  await guest.signInAs(ann);
  await hands.push('Sign out everywhere');
  await visitor.isTold('All devices are signed out.');
  expect(await guest.isSignedIn()).toBe(false);

  await guest.signInAs(ann);
  await hands.push('Disable account');
  await visitor.isTold('The account is disabled.');
  expect(await guest.isSignedIn()).toBe(false);
  await hands.push('Enable account');
  await visitor.isTold('The account is enabled.');

  const deletion = visitor.section('Delete account');
  await hands.type('Email address of the account', ann.email, deletion);
  await hands.push('Delete account', deletion);
  await visitor.isAt('/admin/users', 'Users');
  await visitor.isTold('The account is deleted.');
});

test('an admin filters the users', async ({ visitor, admin, server }) => {
  const hands = new Hands(visitor);
  const [ann, ben] = [await server.signUp(), await server.signUp(Person.new('ben'))];
  await server.disable(ben);
  await visitor.signInAs(admin);
  await visitor.visit('/admin/users');
  await hands.choose('Status', 'disabled');
  await hands.search();
  await expect(rowOf(visitor, ben.email)).toContainText('Disabled');
  await expect(rowOf(visitor, ann.email)).toHaveCount(0);

  await hands.choose('Status', '');
  await hands.reach(visitor.field('Role'), 'Shift+Tab');
  await hands.type('Role', 'admin');
  await hands.search();
  await expect(rowOf(visitor, admin.email)).toBeVisible();
  await expect(rowOf(visitor, ben.email)).toHaveCount(0);
});

test('an admin filters the audit log', async ({ visitor, admin, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await server.accessToken(ann);
  await visitor.signInAs(admin);
  await visitor.visit('/admin/users');
  await hands.follow(link(visitor, 'Audit log'));
  await hands.type('User', ann.id);
  await visitor.going(() => hands.press('Enter'));
  const rows = visitor.page.locator('tbody').getByRole('row');
  await expect(rows).toHaveCount(2);
  await hands.choose('Event', 'log_in');
  await hands.search();
  await expect(rows).toHaveCount(1);
  await expect(visitor.field('Event')).toHaveValue('log_in');
  await hands.follow(rows.getByRole('link', { name: ann.email }).first());
  await visitor.isAt(`/admin/users/${ann.id}`, ann.email);
});

test('an admin finds a message and has it sent again', async ({ visitor, admin, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.signInAs(admin);
  await visitor.visit('/profile');
  await hands.follow(link(visitor, 'Mail'));
  await hands.choose('State', 'sent');
  await hands.search();
  await hands.push(rowOf(visitor, ann.email).getByRole('button', { name: /^Send again/ }));
  await visitor.isTold('The message is sent again.');
  await server.mailbox.waitFor(ann.email, '/verify-email', 2);
});

test('long lists are turned page by page', async ({ serverWith, another }) => {
  const server = await serverWith({});
  const visitor = await another({}, server);
  const hands = new Hands(visitor);
  const root = await server.makeAdmin();
  const [ann] = await server.signUpMany(51, 'reader');
  const authorization = `Bearer ${await server.accessToken(ann ?? root)}`;
  for (let made = 0; made < 51; made++) await server.post('/api/products', { name: `Key ${made}` }, { authorization });
  await visitor.signInAs(root);
  for (const [path, name] of [
    ['/products', 'Products'],
    ['/admin/users', 'Users'],
    ['/admin/audit', 'Audit log'],
    ['/admin/mail', 'Mail'],
  ] as const) {
    await visitor.visit(path);
    await hands.follow(link(visitor, 'Next page'));
    expect(new URL(visitor.page.url()).searchParams.get('cursor'), path).not.toBeNull();
    await hands.follow(link(visitor, 'First page'));
    await visitor.isAt(path, name);
  }
});

test('the focus goes through each page as it is read, is always seen, and leaves it at its end', async ({
  visitor,
  server,
  admin,
  watch,
}) => {
  const hands = new Hands(visitor);
  const walk = async (path: string) => {
    await visitor.visit(path);
    // From where typing begins back to before the start.
    await hands.walk('Shift+Tab');
    const stops = await hands.walk('Tab');
    expect(stops.length, path).toBeGreaterThan(2);
    for (const [index, stop] of stops.entries()) {
      expect(stop.isSeen, `${path}: "${stop.name}" shows the focus`).toBe(true);
      const last = stops[index - 1];
      // The link that skips lies over the bar.
      if (!last || index === 1) continue;
      const isBelow = stop.top >= last.bottom - 1;
      const isBeside = stop.left > last.left && stop.bottom > last.top;
      expect(isBelow || isBeside, `${path}: "${stop.name}" comes after "${last.name}"`).toBe(true);
    }
    const back = await hands.walk('Shift+Tab');
    expect(back.map(({ name }) => name), path).toEqual(stops.map(({ name }) => name).reverse());
  };
  watch.expectStatus(404);
  const ann = await server.signUp();
  for (const path of ['/login', '/signup', '/forgot-password', '/verify-email', '/dev/mail', '/nothing-here']) await walk(path);
  await visitor.signInAs(admin);
  for (const path of ['/profile', '/products', `/admin/users?q=${ann.username}`, `/admin/users/${ann.id}`, '/admin/audit']) {
    await walk(path);
  }
  await visitor.page.setViewportSize({ width: 390, height: 844 });
  for (const path of ['/profile', '/products']) await walk(path);
});
