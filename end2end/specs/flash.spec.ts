// What a page says about the form that was just sent crosses the redirect in a sealed cookie, which is used once.

import { expect, test } from '../support/test.ts';

const WRONG = 'Wrong username, address or password.';

test('a failure leaves nothing in the address, the history or the jar, and is told once', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await visitor.visit('/login');
  await visitor.fill({ 'Username or email address': ann.email, Password: 'not my password' });
  const { location, cookies } = await visitor.submit('Sign in');
  expect(location).toBe('/login');
  const flash = cookies.find((cookie) => cookie.startsWith('flash=')) ?? '';
  expect(flash).toMatch(/; HttpOnly(;|$)/i);
  expect(flash).toMatch(/; SameSite=(Lax|Strict)(;|$)/i);
  expect(flash).toMatch(/; Path=\//i);
  const age = Number(/; Max-Age=(\d+)/i.exec(flash)?.[1]);
  expect(age).toBeGreaterThan(0);
  expect(age).toBeLessThanOrEqual(60);
  // Sealed: neither what was typed nor why it failed can be read from it.
  const value = decodeURIComponent(flash.split(';')[0]?.slice('flash='.length) ?? '');
  for (const text of [value, Buffer.from(value, 'base64').toString('latin1'), Buffer.from(value, 'base64url').toString('latin1')]) {
    expect(text).not.toContain(ann.username);
    expect(text).not.toContain('not my password');
    expect(text).not.toMatch(/invalid|credential|refused/i);
  }
  expect(visitor.path).toBe('/login');
  await visitor.isAlerted(WRONG);
  expect(await visitor.cookieNames()).toEqual([]);
  await visitor.reloadsHarmlessly();
  await expect(visitor.field('Username or email address')).toHaveValue('');
});

test('a flash says nothing on another page, nor when it was changed', async ({ visitor, another, server }) => {
  const ann = await server.signUp();
  await visitor.visit('/login');
  await visitor.fill({ 'Username or email address': ann.email, Password: 'not my password' });
  const { cookies } = await visitor.submit('Sign in');
  const [, value = ''] = /^flash=([^;]*)/.exec(cookies.find((cookie) => cookie.startsWith('flash=')) ?? '') ?? [];
  expect(value).not.toBe('');

  // Planted on another page it has nothing to say, and a changed one is nobody's.
  const elsewhere = await another();
  const plant = (text: string) => elsewhere.page.context().addCookies([{ name: 'flash', value: text, url: server.url }]);
  await plant(value);
  await elsewhere.visit('/signup');
  await elsewhere.isToldNothing();
  for (const text of [value.slice(0, -4), `x${value.slice(1)}`, 'nonsense', '%00']) {
    await plant(text);
    const answer = await elsewhere.visit('/login');
    expect(answer.status(), text).toBe(200);
    await elsewhere.isToldNothing();
  }
});

test('no words of a link come onto a page', async ({ visitor }) => {
  const words = 'Call+this+number';
  for (const name of ['error', '__err', 'message', 'notice', 'flash', 'alert', 'username', 'email']) {
    for (const path of ['/login', '/signup', '/forgot-password', '/reset-password', '/verify-email']) {
      const answer = await visitor.page.request.get(`${visitor.server.url}${path}?${name}=${words}`);
      const html = await answer.text();
      expect(html, `${path}?${name}`).not.toContain('Call this number');
    }
  }
});

test('what was typed comes back as text, not as markup', async ({ visitor }) => {
  const typed = `"><img src=x onerror=alert(1)>'&lt;`;
  await visitor.visit('/login');
  await visitor.fill({ 'Username or email address': typed, Password: 'not my password' });
  await visitor.submit('Sign in');
  await visitor.isAlerted(WRONG);
  await expect(visitor.field('Username or email address')).toHaveValue(typed);
  await expect(visitor.page.locator('main img')).toHaveCount(0);
});

test('what is too long for a cookie is no reason to fail', async ({ visitor }) => {
  for (const [path, label, button] of [
    ['/login', 'Username or email address', 'Sign in'],
    ['/signup', 'Email address', 'Create account'],
    ['/forgot-password', 'Email address', 'Send a link'],
  ] as const) {
    await visitor.visit(path);
    await visitor.fill({ [label]: `${'ünïcode'.repeat(2000)}@example.com` });
    await visitor.submit(button);
    expect(visitor.path).toBe(path);
    await expect(visitor.page).toHaveTitle(/^Error: /);
    await expect(visitor.page.getByRole('alert')).toHaveCount(1);
  }
});

test('two forms of one page do not mix up their failures', async ({ visitor, user }) => {
  expect(user.id).not.toBe('');
  await visitor.visit('/profile');
  const deletion = visitor.section('Delete account');
  await visitor.submit('Delete account', deletion);
  await expect(visitor.page.locator('[aria-invalid="true"]')).toHaveCount(1);
  await expect(visitor.field('Current password', deletion)).toHaveAttribute('aria-invalid', 'true');
  await expect(visitor.field('Current password', visitor.section('Password'))).not.toHaveAttribute('aria-invalid', 'true');
});
