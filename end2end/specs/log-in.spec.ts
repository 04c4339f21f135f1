import { Person, expect, test } from '../support/test.ts';

const TITLE = 'Sign in';
const WRONG = 'Wrong username, address or password.';

test('an account is signed in by its address or its username', async ({ visitor, another, server }) => {
  const ann = await server.signUp();
  await visitor.logIn(ann);
  await visitor.isAt('/profile', 'Profile');
  await visitor.reloadsHarmlessly();

  const elsewhere = await another();
  await elsewhere.visit('/login');
  await elsewhere.fill({ 'Username or email address': ann.username.toUpperCase(), Password: ann.password });
  await elsewhere.submit('Sign in');
  await elsewhere.isAt('/profile', 'Profile');
});

test('the start page leads to the sign-in, and who is signed in to the profile', async ({ visitor, server }) => {
  await visitor.visit('/');
  await visitor.isAt('/login', TITLE);
  await visitor.signInAs(await server.signUp());
  await visitor.visit('/');
  await visitor.isAt('/profile', 'Profile');
  await visitor.visit('/login');
  await visitor.isAt('/profile', 'Profile');
});

test('only who wants to be remembered is, beyond the end of the browser', async ({ visitor, another, server }) => {
  const ann = await server.signUp();
  await visitor.logIn(ann);
  const elsewhere = await another();
  await elsewhere.visit('/login');
  await elsewhere.fill({ 'Username or email address': ann.email, Password: ann.password });
  await elsewhere.field('Remember me on this device').check();
  await elsewhere.submit('Sign in');

  const refreshCookie = async (of: typeof visitor) => {
    const cookies = await of.page.context().cookies();
    return cookies.find(({ name }) => name === 'refresh_token');
  };
  const [forgotten, remembered] = [await refreshCookie(visitor), await refreshCookie(elsewhere)];
  expect(forgotten).toMatchObject({ expires: -1, httpOnly: true, sameSite: 'Lax', path: '/' });
  expect(remembered).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
  const days = ((remembered?.expires ?? 0) - Date.now() / 1000) / 86_400;
  expect(days).toBeGreaterThan(6.9);
  expect(days).toBeLessThan(7.1);
});

test('a wrong password and an unknown account are told apart by nothing', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const pages = [];
  for (const email of [ann.email, Person.new().email]) {
    await visitor.visit('/login?next=/products');
    await visitor.fill({ 'Username or email address': email, Password: 'not my password' });
    await visitor.field('Remember me on this device').check();
    const { location } = await visitor.submit('Sign in');
    await visitor.isRefused({ title: TITLE, alert: WRONG, kept: { 'Username or email address': email } });
    await expect(visitor.field('Remember me on this device')).toBeChecked();
    pages.push([location, visitor.path, await visitor.page.getByRole('main').innerText()]);
    expect(await visitor.isSignedIn()).toBe(false);
  }
  expect(pages[1]).toEqual(pages[0]);
  expect(visitor.path).toBe('/login?next=/products');
  await visitor.reloadsHarmlessly();
});

test('a password with a space too many is a wrong one', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await visitor.logIn(ann, ` ${ann.password}`);
  await visitor.isRefused({ title: TITLE, alert: WRONG, kept: { 'Username or email address': ann.email } });
});

test('empty fields are told of', async ({ visitor }) => {
  const required = 'This field is required';
  await visitor.visit('/login');
  await visitor.submit('Sign in');
  const either = 'A username or an email address is required';
  await visitor.isRefused({ title: TITLE, fields: { 'Username or email address': either, Password: required } });
  await visitor.fill({ 'Username or email address': 'ann' });
  await visitor.submit('Sign in');
  await visitor.isRefused({
    title: TITLE,
    fields: { Password: required },
    kept: { 'Username or email address': 'ann' },
  });
});

test('a disabled account is told so, to who knows its password only', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.disable(ann);
  await visitor.logIn(ann, 'not my password');
  await visitor.isRefused({ title: TITLE, alert: WRONG });
  await visitor.logIn(ann);
  await visitor.isRefused({ title: TITLE, alert: 'This account is disabled.' });
  expect(await visitor.isSignedIn()).toBe(false);
});

test('where addresses have to be verified, one that is not gets another link and then comes in', async ({
  serverWith,
  another,
}) => {
  const server = await serverWith({ REQUIRE_VERIFIED_EMAIL: 'true' });
  const visitor = await another({}, server);
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.logIn(ann);
  await visitor.isRefused({ title: TITLE, alert: 'Verify your email address first.' });
  await expect(visitor.field('Email address')).toHaveValue(ann.email);
  await visitor.submit('Send the link again');
  await visitor.isTold('If this address waits for verification, a link is on its way.');

  const letter = await server.mailbox.waitFor(ann.email, '/verify-email', 2);
  await visitor.page.goto(/http\S+\/verify-email\S+/.exec(letter.text)?.[0] ?? 'about:blank');
  await visitor.submit('Verify address');
  await visitor.isTold('Your address is verified.');
  await visitor.logIn(ann);
  await visitor.isAt('/profile', 'Profile');
});
