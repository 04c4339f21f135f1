// What the one script adds. Every page works without it.

import { NEW_PASSWORD, Person, expect, test } from '../support/test.ts';

test.describe('the strength meter', () => {
  test("tells the server's verdict while one types", async ({ visitor }) => {
    await visitor.visit('/signup');
    const password = visitor.field('Password');
    const meter = visitor.page.locator('.strength');
    const verdict = meter.getByRole('status');
    await expect(verdict).toHaveText('');
    await password.pressSequentially('short');
    await expect(verdict).toContainText('Use at least 8 characters.');
    await password.fill('password123');
    await expect(verdict).toContainText('This password is easy to guess.');
    await expect(meter).not.toHaveClass(/accepted/);
    await password.fill(NEW_PASSWORD);
    await expect(meter).toHaveClass(/accepted/);
    await expect(verdict).toHaveText(/password\.$/);
    await password.fill('');
    await expect(verdict).toHaveText('');
  });

  test('agrees with the form, also about what is typed beside it', async ({ visitor }) => {
    const own = 'wilhelmina1';
    await visitor.visit('/signup');
    const meter = visitor.page.locator('.strength');
    for (const [email, accepted] of [['wilhelmina@example.com', false]] as const) {
      await visitor.fill({ 'Email address': email, Password: own });
      await expect(meter.getByRole('status')).not.toHaveText('');
      expect(/accepted/.test((await meter.getAttribute('class')) ?? '')).toBe(accepted);
      await visitor.submit('Create account');
      await visitor.isRefused({ title: 'Create an account', fields: { Password: 'This password is easy to guess.' } });
    }
  });

  test("agrees with the form where the page knows the account's own words", async ({ visitor, user }) => {
    await visitor.visit('/profile');
    const section = visitor.section('Password');
    for (const [password, accepted] of [
      [`${user.username}!`, false],
      [NEW_PASSWORD, true],
    ] as const) {
      await visitor.fill({ 'New password': password }, section);
      await expect(section.locator('.strength').getByRole('status')).toHaveText(accepted ? /password\.$/ : /easy to guess/);
    }
  });

  test('is no reason to wait: a form is sent without its answer', async ({ visitor }) => {
    const ann = Person.new();
    // Given up when the page is left.
    await visitor.page.route('**/api/auth/password-strength', () => {});
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': ann.email, Password: ann.password });
    await visitor.submit('Create account');
    await visitor.isAt('/login', 'Sign in');
  });

  test('says nothing when the server does not answer it', async ({ visitor, watch }) => {
    watch.expect(/^console error: Failed to load resource/, /^request failed: POST \S+password-strength/);
    await visitor.page.route('**/api/auth/password-strength', (route) => route.abort());
    await visitor.visit('/signup');
    const asked = visitor.page.waitForEvent('requestfailed');
    await visitor.fill({ Password: NEW_PASSWORD });
    await asked;
    await expect(visitor.page.locator('.strength').getByRole('status')).toHaveText('');
  });
});

test.describe('strength meter, asked too often', () => {
  test('takes back what it said of another password', async ({ visitor, watch }) => {
    watch.expect(/^console error: Failed to load resource/);
    await visitor.visit('/signup');
    const status = visitor.page.locator('.strength').getByRole('status');
    await visitor.fill({ Password: NEW_PASSWORD });
    await expect(status).toHaveText(/password\.$/);
    await visitor.page.route('**/api/auth/password-strength', (route) => route.fulfill({ status: 429 }));
    await visitor.fill({ Password: 'password' });
    await expect(status).toHaveText('');
  });
});

test.describe('show password', () => {
  test('shows and hides what is typed, without taking the caret away', async ({ visitor }) => {
    await visitor.visit('/login');
    const password = visitor.field('Password');
    await password.pressSequentially('abcdef');
    await password.press('ArrowLeft');
    await password.press('ArrowLeft');
    await visitor.button('Show password').click();
    await expect(password).toHaveAttribute('type', 'text');
    await expect(password).toHaveValue('abcdef');
    await expect(password).toBeFocused();
    await visitor.page.keyboard.type('-');
    await expect(password).toHaveValue('abcd-ef');
    await visitor.button('Hide password').click();
    await expect(password).toHaveAttribute('type', 'password');
  });

  test('works by keyboard, and says which password it shows', async ({ visitor, user }) => {
    expect(user.id).not.toBe('');
    await visitor.visit('/profile');
    const section = visitor.section('Password');
    await visitor.field('New password', section).focus();
    await visitor.page.keyboard.press('Tab');
    await expect(visitor.button('Show new password', section)).toBeFocused();
    await visitor.page.keyboard.press('Space');
    await expect(visitor.field('New password', section)).toHaveAttribute('type', 'text');
    await expect(visitor.field('Current password', section)).toHaveAttribute('type', 'password');
  });

  test('sends a shown password as a password, so that no browser offers it as a text', async ({ visitor, server }) => {
    const ann = await server.signUp();
    await visitor.visit('/login');
    await visitor.fill({ 'Username or email address': ann.email, Password: ann.password });
    await visitor.button('Show password').click();
    const types: string[] = [];
    await visitor.page.exposeFunction('sent', (type: string) => types.push(type));
    await visitor.page.evaluate(() => {
      const send = (window as unknown as { sent(type: string): void }).sent;
      const input = document.querySelector<HTMLInputElement>('input[name="password"]');
      document.addEventListener('submit', () => send(input?.type ?? 'none'));
    });
    await visitor.submit('Sign in');
    await visitor.isAt('/profile', 'Profile');
    expect(types).toEqual(['password']);
  });
});

test('times are told as a person would, and exactly on demand', async ({ visitor, user }) => {
  expect(user.id).not.toBe('');
  await visitor.visit('/profile');
  const times = visitor.section('Devices').locator('time');
  await expect(times.first()).toHaveText(/now|seconds? ago|1 minute ago/);
  await expect(times.first()).toHaveAttribute('title', /^\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC$/);
  await expect(times.first()).toHaveAttribute('datetime', /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);

  // The same page an hour and a half later.
  await visitor.page.clock.install({ time: Date.now() + 90 * 60_000 });
  await visitor.page.reload();
  await expect(times.last()).toHaveText('1 hour ago');
});
