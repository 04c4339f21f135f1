// The forms' server functions answer a program as properly as a browser.

import { expect, test } from '../support/test.ts';

test('a program that sends JSON is told where a browser would go, or what is wrong', async ({ page, server }) => {
  const ann = await server.signUp();
  const good = await page.request.post('/form/log_in', { data: { username: ann.email, password: ann.password } });
  expect(good.status()).toBe(200);
  expect(await good.json()).toEqual({ next: '/profile' });
  expect(good.headers()['set-cookie']).toContain('access_token=');

  const bad = await page.request.post('/form/log_in', { data: { username: ann.email, password: 'not my password' } });
  expect(bad.status()).toBe(401);
  expect(bad.headers()['content-type']).toContain('application/problem+json');
  expect(await bad.json()).toMatchObject({ status: 401, code: 'invalid_credentials' });
  expect(bad.headers()['set-cookie'] ?? '').not.toContain('flash=');
});

test('bad fields are named', async ({ page }) => {
  for (const body of [{ data: { email: 'ann', password: 'short' } }, { form: { email: 'ann', password: 'short' } }]) {
    const answer = await page.request.post('/form/sign_up', { ...body, headers: { accept: 'application/json' } });
    expect(answer.status()).toBe(422);
    const problem = await answer.json();
    expect(problem.code).toBe('invalid_fields');
    expect(problem.errors.map((error: { field: string }) => error.field)).toEqual(
      expect.arrayContaining(['email', 'password']),
    );
  }
});

test('who is not signed in is told so', async ({ page }) => {
  const answer = await page.request.post('/form/update_profile', { data: { name: 'Ann', username: '' } });
  expect(answer.status()).toBe(401);
  expect((await answer.json()).code).toBe('not_authenticated');
});

test('what is no such form, no such method or no body at all is refused properly', async ({ page }) => {
  const unknown = await page.request.post('/form/no_such_form', { data: {} });
  expect(unknown.status()).toBe(404);
  const read = await page.request.get('/form/log_in');
  expect([404, 405]).toContain(read.status());
  const broken = await page.request.post('/form/log_in', {
    data: Buffer.from('{"username":'),
    headers: { 'content-type': 'application/json', accept: 'application/json' },
  });
  expect(broken.status()).toBe(400);
  const other = await page.request.post('/form/log_in', {
    data: Buffer.from('<xml/>'),
    headers: { 'content-type': 'text/xml', accept: 'application/json' },
  });
  expect(other.status()).toBe(415);
});

test('a form that a browser sends without any fields is refused as a form', async ({ page }) => {
  const answer = await page.request.post('/form/sign_up', {
    headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' },
    data: '',
    maxRedirects: 0,
  });
  expect(answer.status()).toBe(303);
  expect(answer.headers().location).toBe('/signup');
});
