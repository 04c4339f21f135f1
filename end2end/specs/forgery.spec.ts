// Forms that a page of somebody else's makes a browser send.

import { type Server as HttpServer, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { type Server, type Visitor, NEW_PASSWORD, expect, test } from '../support/test.ts';

/** A site of somebody else's, which shows one page. */
class Stranger {
  private body = '';

  private constructor(private readonly site: HttpServer) {}

  static async open(): Promise<Stranger> {
    const site: HttpServer = createServer((_, response) => {
      const page = `<!DOCTYPE html><html lang="en"><title>Win</title><link rel="icon" href="data:,">${stranger.body}</html>`;
      response.setHeader('content-type', 'text/html').end(page);
    });
    const stranger = new Stranger(site);
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    return stranger;
  }

  get port(): number {
    return (this.site.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  shows(body: string): void {
    this.body = body;
  }

  /** Shows a form that posts `fields` to the server. */
  showsForm(server: Server, path: string, fields: Record<string, string>): void {
    const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
    this.shows(`<form method="post" action="${server.url}${path}">${inputs.join('')}<button>Win</button></form>`);
  }

  async close(): Promise<void> {
    this.site.closeAllConnections();
    await new Promise<void>((resolve) => void this.site.close(() => resolve()));
  }
}

/** Opens the stranger's page under a name, presses its button, and gives the status of what the server answers. */
async function press(visitor: Visitor, origin: string): Promise<number> {
  await visitor.page.goto(origin);
  const answered = visitor.page.waitForResponse((response) => response.url().startsWith(visitor.server.url));
  await visitor.going(() => visitor.page.getByRole('button', { name: 'Win' }).click());
  return (await answered).status();
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
  const stranger = await Stranger.open();
  for (const [path, fields] of forms) {
    stranger.showsForm(server, path, fields);
    // "localhost" with another port is the same site, another origin; "127.0.0.1" is another site.
    for (const host of ['127.0.0.1', 'localhost']) {
      const origin = `http://${host}:${stranger.port}`;
      watch.trust(origin);
      expect(await press(visitor, origin), `${path} from ${host}`).toBe(403);
      await visitor.sees('This form came from another site');
    }
  }
  await stranger.close();
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
  const stranger = await Stranger.open();
  watch.trust(stranger.origin);
  for (const [path, fields] of forms) {
    stranger.showsForm(server, path, fields);
    expect(await press(visitor, stranger.origin), path).toBe(403);
  }
  await stranger.close();
  expect(await visitor.cookieNames()).toEqual([]);
  expect(await server.mailbox.lettersTo(`x${mallory.email}`)).toEqual([]);
});

test('an allowed origin may send forms', async ({ serverWith, another, watch }) => {
  const friend = await Stranger.open();
  const server = await serverWith({ ALLOWED_ORIGINS: friend.origin });
  watch.trust(friend.origin);
  const visitor = await another({}, server);
  const ann = await server.signUp();
  friend.showsForm(server, '/form/log_in', { username: ann.email, password: ann.password });
  expect(await press(visitor, friend.origin)).toBe(303);
  await visitor.isAt('/profile', 'Profile');
  await friend.close();
});

test('no page of ours is shown in a frame of somebody else', async ({ visitor, server, watch }) => {
  watch.expect(/^console error: .*frame-ancestors/, /^request failed: GET \S+\/login net::ERR_BLOCKED_BY_RESPONSE/);
  const stranger = await Stranger.open();
  stranger.shows(`<iframe src="${server.url}/login"></iframe>`);
  watch.trust(stranger.origin);
  await visitor.page.goto(stranger.origin);
  await expect(visitor.page.frameLocator('iframe').getByRole('heading', { name: 'Sign in' })).toHaveCount(0);
  await stranger.close();
});
