// `?next=` without a browser's opinion: every target that a stranger may have written, asked for and posted.

import type { APIRequestContext } from '@playwright/test';

import { type Person, expect, test } from '../support/test.ts';

/** Each is dropped: whoever signs in ends at the profile. `PORT` is the server's own. */
const DROPPED = [
  'https://evil.example/',
  'HTTPS://evil.example',
  'https:evil.example',
  'https:/evil.example',
  'https:///evil.example',
  '//evil.example',
  '///evil.example',
  '//evil.example/profile',
  '//evil.example%2Fprofile',
  '/\\evil.example',
  '\\\\evil.example',
  '\\/evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  '/\r\n/evil.example',
  '\t//evil.example',
  ' //evil.example',
  '/\\\t/evil.example',
  'http://localhost:PORT@evil.example/',
  'http://localhost:PORT.evil.example/',
  'http://127.0.0.1:PORT/profile',
  'http://localhost.:PORT/profile',
  'http://localhost:1/',
  'javascript:alert(1)',
  'JavaScript:alert(1)',
  'java\tscript:alert(1)',
  ' javascript:alert(1)',
  '\u0001javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:http://localhost:PORT/1',
  'evil.example',
  '@evil.example',
  '.evil.example',
  '?next=//evil.example',
  '',
];

/** Encoded once more, these are odd paths of this server, or nothing; never a way out. */
const STAYING = [
  '/%5Cevil.example',
  '/%5c/evil.example',
  '/%2Fevil.example',
  '/%2F%2Fevil.example',
  '/%09/evil.example',
  '%2F%2Fevil.example',
  '%68ttps://evil.example',
  'javascript%3Aalert(1)',
  '/.//evil.example',
  '/..//evil.example',
  '/%2e%2e//evil.example',
  '/profile/..//evil.example',
];

test('a link out of the house is dropped before anything is typed', async ({ visitor, server }) => {
  for (const next of DROPPED) {
    const target = next.replaceAll('PORT', String(server.port));
    const answer = await visitor.page.request.get(`${server.url}/login?next=${encodeURIComponent(target)}`);
    expect(answer.status(), JSON.stringify(next)).toBe(200);
    const html = await answer.text();
    expect(html, JSON.stringify(next)).not.toMatch(/evil\.example|script:|etc\/passwd/i);
  }
});

test('a form that carries a foreign target is answered as if it carried none', async ({ visitor, server }) => {
  const ann = await server.signUp();
  for (const next of DROPPED) {
    const target = next.replaceAll('PORT', String(server.port));
    const location = await postLogIn(visitor.page.request, server.url, ann, target);
    expect(location, JSON.stringify(next)).toBe('/profile');
  }
  for (const next of STAYING) {
    const location = await postLogIn(visitor.page.request, server.url, ann, next);
    const arrived = new URL(location, server.url);
    expect(arrived.origin, JSON.stringify(next)).toBe(server.url);
    expect(location, JSON.stringify(next)).not.toMatch(/^[/\\]{2}/);
  }
});

test('who is signed in already is sent nowhere else either', async ({ visitor, user, server }) => {
  expect(user.id).not.toBe('');
  for (const page of ['/login', '/signup']) {
    for (const next of [...DROPPED, ...STAYING]) {
      const target = encodeURIComponent(next.replaceAll('PORT', String(server.port)));
      const answer = await visitor.page.request.get(`${server.url}${page}?next=${target}`, { maxRedirects: 0 });
      expect(answer.status(), JSON.stringify(next)).toBe(303);
      const location = answer.headers().location ?? '';
      expect(new URL(location, server.url).origin, JSON.stringify(next)).toBe(server.url);
      if (DROPPED.includes(next)) expect(location, JSON.stringify(next)).toBe('/profile');
    }
  }
});

test('a target given twice, or where no page reads one, leads nowhere', async ({ visitor, server }) => {
  const ann = await server.signUp();
  for (const query of ['next=/products&next=//evil.example', 'next=//evil.example&next=/products']) {
    const answer = await visitor.page.request.get(`${server.url}/login?${query}`);
    expect(await answer.text()).not.toContain('evil.example');
    expect(answer.status()).toBeLessThan(500);
  }
  await visitor.signInAs(ann);
  const answer = await visitor.page.request.get(`${server.url}/?next=//evil.example`, { maxRedirects: 0 });
  expect(answer.headers().location).toBe('/profile');
});

async function postLogIn(requests: APIRequestContext, url: string, person: Person, next: string) {
  const answer = await requests.post(`${url}/form/log_in`, {
    form: { username: person.email, password: person.password, next },
    headers: { accept: 'text/html' },
    maxRedirects: 0,
  });
  expect(answer.status()).toBe(303);
  return answer.headers().location ?? '';
}
