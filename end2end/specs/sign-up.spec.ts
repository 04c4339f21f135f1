import { PASSWORD, Person, expect, test } from '../support/test.ts';

const TITLE = 'Create an account';

test('a new account is told to verify its address and finds its address filled in at the sign-in', async ({
  visitor,
  server,
}) => {
  const ann = Person.new();
  await visitor.visit('/signup');
  await visitor.isAt('/signup', TITLE);
  await visitor.fill({
    'Email address': ann.email,
    'Username (optional)': ann.username,
    'Name (optional)': ann.name,
    Password: ann.password,
  });
  const { location } = await visitor.submit('Create account');
  expect(location).toBe('/login');
  await visitor.isAt('/login', 'Sign in');
  await visitor.isTold('Your account is made. We have sent you a link to verify your address.');
  await expect(visitor.field('Username or email address')).toHaveValue(ann.email);
  await expect(visitor.field('Password')).toBeFocused();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  await visitor.reloadsHarmlessly();
});

test('an address and a password are enough', async ({ visitor }) => {
  const ann = Person.new();
  await visitor.visit('/signup');
  await visitor.fill({ 'Email address': ann.email, Password: ann.password });
  await visitor.submit('Create account');
  await visitor.isAt('/login', 'Sign in');
  await visitor.logIn(ann);
  await visitor.isAt('/profile', 'Profile');
});

test('where a visitor wanted to go is still known after signing up', async ({ visitor }) => {
  const ann = Person.new();
  await visitor.visit('/products');
  await visitor.isAt('/login?next=/products', 'Sign in');
  await visitor.follow(visitor.page.getByRole('link', { name: 'Create an account' }));
  await visitor.isAt('/signup?next=/products', TITLE);
  await visitor.fill({ 'Email address': ann.email, Password: ann.password });
  await visitor.submit('Create account');
  await visitor.isAt('/login?next=/products', 'Sign in');
  await visitor.fill({ Password: ann.password });
  await visitor.submit('Sign in');
  await visitor.isAt('/products', 'Products');
});

test('an empty form is refused at its required fields', async ({ visitor }) => {
  await visitor.visit('/signup');
  await visitor.submit('Create account');
  expect(visitor.path).toBe('/signup');
  await visitor.isRefused({
    title: TITLE,
    fields: { 'Email address': 'This field is required', Password: 'This field is required' },
  });
  await visitor.reloadsHarmlessly();
});

test('every bad field is told of at once, and what was typed stays, but for the password', async ({ visitor }) => {
  const typed = {
    'Email address': 'ann <at> "example"',
    'Username (optional)': 'ann & ann',
    'Name (optional)': "</p><script>alert('ann')</script>",
  };
  await visitor.visit('/signup?next=/products');
  await visitor.fill({ ...typed, Password: 'short' });
  await visitor.submit('Create account');
  expect(visitor.path).toBe('/signup?next=/products');
  await visitor.isRefused({
    title: TITLE,
    fields: {
      'Email address': 'This is not an email address',
      'Username (optional)': 'A username is 1 to 64 letters, digits, underscores, dots and hyphens',
      Password: 'Use at least 8 characters.',
    },
    kept: typed,
  });
});

test('a guessable password is refused, also one made of what was typed beside it', async ({ visitor }) => {
  for (const guessable of ['password123', 'wilhelmina1']) {
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': 'wilhelmina@example.com', Password: guessable });
    await visitor.submit('Create account');
    await visitor.isRefused({
      title: TITLE,
      fields: { Password: 'This password is easy to guess.' },
      kept: { 'Email address': 'wilhelmina@example.com' },
    });
  }
});

test('a password beyond 128 characters is refused, not cut', async ({ visitor }) => {
  await visitor.visit('/signup');
  await visitor.fill({ 'Email address': Person.new().email, Password: `${PASSWORD} `.repeat(6) });
  await visitor.submit('Create account');
  await visitor.isRefused({ title: TITLE, fields: { Password: 'Use at most 128 characters.' } });
});

test('an address that has an account is refused at its field', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await visitor.visit('/signup');
  await visitor.fill({ 'Email address': ann.email.toUpperCase(), 'Name (optional)': 'Ann', Password: ann.password });
  await visitor.submit('Create account');
  await visitor.isRefused({
    title: TITLE,
    fields: { 'Email address': /account|registered|taken/i },
    kept: { 'Email address': ann.email.toUpperCase(), 'Name (optional)': 'Ann' },
  });
});

test('a username that somebody has is refused at its field', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const other = Person.new();
  await visitor.visit('/signup');
  const typed = { 'Email address': other.email, 'Username (optional)': ann.username };
  await visitor.fill({ ...typed, Password: other.password });
  await visitor.submit('Create account');
  await visitor.isRefused({ title: TITLE, fields: { 'Username (optional)': /registered|taken/i }, kept: typed });
});

test('somebody signed in has no use for the page', async ({ visitor, user }) => {
  expect(user.id).not.toBe('');
  await visitor.visit('/signup');
  await visitor.isAt('/profile', 'Profile');
  await visitor.visit('/signup?next=/products');
  await visitor.isAt('/products', 'Products');
});

test('a closed house offers no account', async ({ serverWith, another, watch }) => {
  watch.expectStatus(403, 404);
  const visitor = await another({}, await serverWith({ ALLOW_SIGNUP: 'false' }));
  await visitor.visit('/login');
  await visitor.sees('Sign in');
  await expect(visitor.page.getByRole('link', { name: 'Create an account' })).toHaveCount(0);
  const answer = await visitor.visit('/signup');
  expect([403, 404]).toContain(answer.status());
  await expect(visitor.button('Create account')).toHaveCount(0);
  await visitor.sees('Sign-up is closed');
});

test('a house that was closed meanwhile takes no form of before', async ({ serverWith, another, watch }) => {
  watch.expectStatus(403);
  const server = await serverWith({ ALLOW_SIGNUP: 'false' });
  const visitor = await another({}, server);
  const ann = Person.new();
  await visitor.visit('/login');
  await visitor.page.locator('form').evaluate((form: HTMLFormElement, { email, password }) => {
    const field = (name: string, value: string) => Object.assign(document.createElement('input'), { name, value });
    form.replaceChildren(field('email', email), field('password', password), document.createElement('button'));
    form.action = '/form/sign_up';
  }, ann);
  await visitor.going(() => visitor.page.getByRole('main').getByRole('button').click());
  await visitor.sees('Sign-up is closed');
  await visitor.logIn(ann);
  await visitor.isAlerted('Wrong username, address or password.');
});

test('a private sign-up answers alike whether or not the address has an account', async ({ serverWith, another }) => {
  const server = await serverWith({ PRIVATE_SIGNUP: 'true' });
  const visitor = await another({}, server);
  const known = await server.signUp();
  const told = [];
  for (const person of [known, Person.new()]) {
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': person.email, Password: person.password });
    const { location } = await visitor.submit('Create account');
    await visitor.isTold('Look into your mail: we have sent you a link.');
    await expect(visitor.button('Sign in').or(visitor.page.getByRole('link', { name: 'Sign in' })).first()).toBeVisible();
    const text = await visitor.page.getByRole('main').innerText();
    told.push(location, visitor.path, text.replaceAll(person.email, ''));
  }
  expect(told.slice(3)).toEqual(told.slice(0, 3));
  await server.mailbox.waitFor(known.email, 'waits for you');
});
