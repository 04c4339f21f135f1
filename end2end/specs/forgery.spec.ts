// Forms that a page of somebody else's makes a browser send.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { type Server, type Visitor, NEW_PASSWORD, expect, test } from '../support/test.ts';

type Stranger = { port: number; close(): Promise<void> };

/** A site of somebody else's, with a form that posts `fields` to the server. */
async function strangersForm(server: Server, path: string, fields: Record<string, string>): Promise<Stranger> {
  const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
  const page = `<!DOCTYPE html><html lang="en"><title>Win</title><link rel="icon" href="data:,">
    <form method="post" action="${server.url}${path}">${inputs.join('')}<button>Win</button></form></html>`;
  const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const close = () => new Promise<void>((resolve) => void site.close(() => resolve()));
  return { port: (site.address() as AddressInfo).port, close };
}

/** Opens the stranger's page under a name, presses its button, and gives the status of what the server answers. */
async function press(visitor: Visitor, origin: string): Promise<number> {
  await visitor.page.goto(origin);
  const answered = visitor.page.waitForResponse((response) => response.url().startsWith(visitor.server.url));
  await visitor.page.getByRole('button', { name: 'Win' }).click();
  const response = await answered;
  await visitor.page.waitForLoadState();
  return response.status();
}

test('a forged form is refused, whoever is signed in', async ({ visitor, user, server, watch }) => {
  watch.expectStatus(403);
  const forms: [string, Record<string, string>][] = [
    ['/form/log_out', {}],
    ['/form/update_profile', { name: 'Forged', username: '' }],
    ['/form/change_password', { current_password: user.password, new_password: NEW_PASSWORD }],
    ['/form/change_email', { new_email: 'evil@example.com', password: user.password }],
    ['/form/delete_account', { password: user.password }],
    ['/form/end_other_sessions', {}],
    ['/form/create_product', { name: 'Forged', description: '' }],
  ];
  for (const [path, fields] of forms) {
    const stranger = await strangersForm(server, path, fields);
    // "localhost" with another port is the same site, another origin; "127.0.0.1" is another site.
    for (const host of ['127.0.0.1', 'localhost']) {
      const origin = `http://${host}:${stranger.port}`;
      watch.trust(origin);
      expect(await press(visitor, origin), `${path} from ${host}`).toBe(403);
      await visitor.sees('This form came from another site');
    }
    await stranger.close();
  }
  await visitor.visit('/profile');
  await visitor.isAt('/profile', 'Profile');
  await expect(visitor.field('Name', visitor.section('Details'))).toHaveValue(user.name);
});

test('nobody is signed in, or up, by a forged form', async ({ visitor, server, watch }) => {
  watch.expectStatus(403);
  const mallory = await server.signUp();
  const forms: [string, Record<string, string>][] = [
    ['/form/log_in', { username: mallory.email, password: mallory.password }],
    ['/form/sign_up', { email: `x${mallory.email}`, password: mallory.password }],
  ];
  for (const [path, fields] of forms) {
    const stranger = await strangersForm(server, path, fields);
    const origin = `http://127.0.0.1:${stranger.port}`;
    watch.trust(origin);
    expect(await press(visitor, origin), path).toBe(403);
    await stranger.close();
  }
  expect(await visitor.cookieNames()).toEqual([]);
  expect(await server.mailbox.lettersTo(`x${mallory.email}`)).toEqual([]);
});

test('an allowed origin may send forms', async ({ serverWith, another, watch }) => {
  const port = 19_999 + 1 + (process.pid % 10_000);
  const origin = `http://127.0.0.1:${port}`;
  const server = await serverWith({ ALLOWED_ORIGINS: origin });
  watch.trust(origin);
  const visitor = await another({}, server);
  const ann = await server.signUp();
  const page = `<!DOCTYPE html><html lang="en"><title>App</title><link rel="icon" href="data:,">
    <form method="post" action="${server.url}/form/log_in"><input name="username" value="${ann.email}">
    <input name="password" value="${ann.password}"><button>Win</button></form></html>`;
  const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise<void>((resolve) => site.listen(port, '127.0.0.1', resolve));
  expect(await press(visitor, origin)).toBe(303);
  await visitor.isAt('/profile', 'Profile');
  await new Promise<void>((resolve) => void site.close(() => resolve()));
});

test('no page of ours is shown in a frame of somebody else', async ({ visitor, server, watch }) => {
  watch.expect(/^console error: .*frame-ancestors/, /^request failed: GET \S+\/login net::ERR_BLOCKED_BY_RESPONSE/);
  const page = `<!DOCTYPE html><html lang="en"><title>Win</title><link rel="icon" href="data:,">
    <iframe src="${server.url}/login"></iframe></html>`;
  const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  watch.trust(origin);
  await visitor.page.goto(origin);
  await expect(visitor.page.frameLocator('iframe').getByRole('heading', { name: 'Sign in' })).toHaveCount(0);
  await new Promise<void>((resolve) => void site.close(() => resolve()));
});
