import { NEW_PASSWORD, expect, test } from '../support/test.ts';

const TITLE = 'Choose a new password';
const OLD_LINK = 'This link is not valid any more.';

test('the mailed link gives a new password and signs every device out', async ({ visitor, another, server }) => {
  const ann = await server.signUp();
  const elsewhere = await another();
  await elsewhere.signInAs(ann);
  const token = await server.resetToken(ann);
  await visitor.visit(`/reset-password?token=${token}`);
  await visitor.sees(TITLE);
  await visitor.fill({ 'New password': NEW_PASSWORD });
  const { location } = await visitor.submit('Change password');
  expect(location).toBe('/login');
  await visitor.isAt('/login', 'Sign in');
  await visitor.isTold('Your password is changed. Sign in with the new one.');
  await visitor.reloadsHarmlessly();
  await elsewhere.visit('/profile');
  await elsewhere.isAt('/login?next=/profile', 'Sign in');
  await visitor.logIn(ann, NEW_PASSWORD);
  await visitor.isAt('/profile', 'Profile');
});

test('a link may be looked at as often as one likes, since mail scanners do', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const token = await server.resetToken(ann);
  for (let times = 0; times < 3; times++) {
    await visitor.visit(`/reset-password?token=${token}`);
    await expect(visitor.field('New password')).toBeVisible();
  }
  await visitor.fill({ 'New password': NEW_PASSWORD });
  await visitor.submit('Change password');
  await visitor.isTold('Your password is changed.');
});

test('a used link is worth nothing, and says where to get another', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const token = await server.resetToken(ann);
  await server.post('/api/auth/reset-password', { token, new_password: NEW_PASSWORD });
  await visitor.visit(`/reset-password?token=${token}`);
  await visitor.isAlerted(OLD_LINK);
  await expect(visitor.field('New password')).toHaveCount(0);
  await visitor.follow(visitor.page.getByRole('link', { name: 'Ask for a new link' }));
  await visitor.isAt('/forgot-password', 'Forgot your password?');
});

test('a link that is used while its page is open is worth nothing when the form is sent', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const token = await server.resetToken(ann);
  await visitor.visit(`/reset-password?token=${token}`);
  await visitor.fill({ 'New password': 'walnut-Gramophone-52' });
  await server.post('/api/auth/reset-password', { token, new_password: NEW_PASSWORD });
  await visitor.submit('Change password');
  await visitor.isAlerted(OLD_LINK);
  await expect(visitor.page.getByRole('link', { name: 'Ask for a new link' })).toBeVisible();
});

test('what is no link is worth nothing', async ({ visitor }) => {
  await visitor.visit('/reset-password?token=%3Cscript%3E%22');
  await visitor.isAlerted(OLD_LINK);
  await expect(visitor.field('New password')).toHaveCount(0);
  await expect(visitor.page.getByRole('link', { name: 'Ask for a new link' })).toBeVisible();
});

test('without a link there is nothing to fill in, but a way to get one', async ({ visitor }) => {
  for (const path of ['/reset-password', '/reset-password?token=']) {
    await visitor.visit(path);
    await visitor.sees(TITLE);
    await visitor.isToldNothing();
    await expect(visitor.page.getByText('Open the link in your mail, or ask for a new one.')).toBeVisible();
    await expect(visitor.page.getByRole('main').getByRole('textbox')).toHaveCount(0);
    await expect(visitor.page.getByRole('main').getByRole('button')).toHaveCount(0);
  }
  await visitor.page.getByRole('link', { name: 'ask for a new one' }).click();
  await visitor.isAt('/forgot-password', 'Forgot your password?');
});

test('a bad new password is refused at its field, and the link still holds', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const token = await server.resetToken(ann);
  await visitor.visit(`/reset-password?token=${token}`);
  const attempts: [string, string][] = [
    ['', 'This field is required'],
    ['short', 'Use at least 8 characters.'],
    ['password123', 'This password is easy to guess.'],
    [`${ann.username}1`, 'This password is easy to guess.'],
  ];
  for (const [password, message] of attempts) {
    await visitor.fill({ 'New password': password });
    await visitor.submit('Change password');
    await visitor.isRefused({ title: TITLE, fields: { 'New password': message } });
  }
  await visitor.fill({ 'New password': NEW_PASSWORD });
  await visitor.submit('Change password');
  await visitor.isAt('/login', 'Sign in');
  await visitor.isTold('Your password is changed.');
});

test('the token stays on the page: no other site, no asset and no form of another page learns it', async ({
  visitor,
  server,
}) => {
  const ann = await server.signUp();
  const token = await server.resetToken(ann);
  const told: string[] = [];
  visitor.page.on('request', (request) => {
    const isPage = request.isNavigationRequest() && request.url().includes('/reset-password?');
    if (!isPage) told.push(request.url());
  });
  const answer = await visitor.visit(`/reset-password?token=${token}`);
  await visitor.page.waitForLoadState('networkidle');
  expect(told.join(' ')).not.toContain(token);
  expect(answer.headers()['referrer-policy']).toMatch(/^(same-origin|no-referrer|strict-origin)$/);
  expect(answer.headers()['cache-control']).toContain('no-store');
  expect(server.output()).not.toContain(token);
});
