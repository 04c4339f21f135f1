// Somebody in front of a browser: what they see and do on Vestibule's pages, in their words.

import { type Locator, type Page, type Response, expect } from '@playwright/test';

import type { Person } from './person.ts';
import type { Server } from './server.ts';

export const SITE = 'Vestibule';

/** What a submitted form was answered with, before the browser went on to where it says. */
export type Submission = { location: string; cookies: string[] };

/** A failed submit as its page has to tell it. */
export type Failure = {
  /** The page's own title. */
  title: string;
  /** What the alert says. */
  alert?: string | RegExp;
  /** Labels of the bad fields, in the order of the page, and what stands at each. */
  fields?: Record<string, string | RegExp>;
  /** Labels of good fields, and what was typed into each. */
  kept?: Record<string, string>;
};

export class Visitor {
  constructor(
    readonly page: Page,
    readonly server: Server,
  ) {}

  /** Opens a path as if it were typed into the address bar. */
  async visit(path: string): Promise<Response> {
    const response = await this.page.goto(this.server.url + path);
    if (!response) throw new Error(`${path} was not answered`);
    return response;
  }

  /** Signs in without the page, where signing in is not the matter. */
  async signInAs(person: Person, remember = true): Promise<void> {
    const body = { username: person.email, password: person.password, remember };
    const headers = { 'user-agent': await this.userAgent() };
    const answer = await this.page.request.post(`${this.server.url}/api/auth/login`, { data: body, headers });
    expect(answer.status()).toBe(200);
  }

  /** Signs in on the page. */
  async logIn(person: Person, password = person.password): Promise<Submission> {
    await this.visit('/login');
    await this.fill({ 'Username or email address': person.email, Password: password });
    return this.submit('Sign in');
  }

  async signOut(): Promise<Submission> {
    return this.submit(this.page.getByRole('banner').getByRole('button', { name: 'Sign out' }));
  }

  /** The part of a page under a heading of the second level. */
  section(name: string): Locator {
    return this.page.getByRole('region', { name, exact: true });
  }

  field(label: string, within: Page | Locator = this.page): Locator {
    return within.getByLabel(label, { exact: true });
  }

  button(name: string, within: Page | Locator = this.page): Locator {
    return within.getByRole('button', { name, exact: true });
  }

  async fill(values: Record<string, string>, within: Page | Locator = this.page): Promise<void> {
    for (const [label, value] of Object.entries(values)) await this.field(label, within).fill(value);
  }

  /** Presses a form's button and waits until the page that follows is there. */
  async submit(button: string | Locator, within: Page | Locator = this.page): Promise<Submission> {
    const locator = typeof button === 'string' ? this.button(button, within) : button;
    return this.submitting(() => locator.click());
  }

  /** Presses a link and waits until the page that it leads to is there. */
  async follow(link: Locator): Promise<void> {
    await this.going(() => link.click());
  }

  /** Searches a list by what its filters say, and waits for the list that this gives. */
  async search(): Promise<void> {
    await this.going(() => this.button('Search').click());
  }

  /** Leaves the page by any means, and waits for the next. */
  async going(leave: () => Promise<unknown>): Promise<void> {
    const loaded = this.page.waitForEvent('domcontentloaded');
    await Promise.all([loaded, leave()]);
  }

  /** Sends a form by any means, and checks that the answer is a redirect, so that no reload sends it again. */
  async submitting(send: () => Promise<unknown>): Promise<Submission> {
    const isForm = (response: Response) =>
      response.request().method() === 'POST' && new URL(response.url()).pathname.startsWith('/form/');
    const answered = this.page.waitForResponse(isForm);
    const [response] = await Promise.all([answered, this.going(send)]);
    const path = new URL(response.url()).pathname;
    expect(response.status(), `${path} answers with a redirect`).toBe(303);
    const headers = await response.headersArray();
    const all = (wanted: string) =>
      headers.filter(({ name }) => name.toLowerCase() === wanted).map(({ value }) => value);
    return { location: all('location')[0] ?? '', cookies: all('set-cookie') };
  }

  /** Where the browser is, without the origin, which has to be the server's, and with slashes as a person writes them. */
  get path(): string {
    const url = new URL(this.page.url());
    expect(url.origin).toBe(this.server.url);
    return url.pathname + url.search.replaceAll('%2F', '/') + url.hash;
  }

  async sees(heading: string | RegExp): Promise<void> {
    await expect(this.page.getByRole('heading', { level: 1, name: heading, exact: true })).toBeVisible();
  }

  /** A page's heading, title and path, all three. */
  async isAt(path: string, heading: string, title = heading): Promise<void> {
    await this.sees(heading);
    await expect(this.page).toHaveTitle(`${title} · ${SITE}`);
    await expect.poll(() => this.path).toBe(path);
  }

  async isTold(notice: string | RegExp): Promise<void> {
    await expect(this.page.getByRole('status').filter({ hasText: notice })).toBeVisible();
    await expect(this.page.getByRole('alert')).toHaveCount(0);
  }

  /** Neither a notice nor an alert is shown. */
  async isToldNothing(): Promise<void> {
    await expect(this.page.locator('.notice, .alert')).toHaveCount(0);
  }

  async isAlerted(alert: string | RegExp): Promise<void> {
    await expect(this.page.getByRole('alert').filter({ hasText: alert })).toBeVisible();
  }

  /** Everything that a failed submit owes to whoever typed, looks or listens. */
  async isRefused(failure: Failure, within: Page | Locator = this.page): Promise<void> {
    const { page } = this;
    await expect(page).toHaveTitle(`Error: ${failure.title} · ${SITE}`);
    await expect(page.getByRole('alert')).toHaveCount(1);
    if (failure.alert !== undefined) await this.isAlerted(failure.alert);
    await expect(page.getByRole('status').and(page.locator('.notice'))).toHaveCount(0);

    const bad = Object.entries(failure.fields ?? {});
    for (const [label, message] of bad) {
      const field = this.field(label, within);
      await expect(field, label).toHaveAttribute('aria-invalid', 'true');
      await expect(field, label).toHaveAccessibleDescription(containing(message));
      for (const id of ((await field.getAttribute('aria-describedby')) ?? '').split(' ')) {
        await expect(page.locator(`[id="${id}"]`), `#${id}`).toBeVisible();
      }
    }
    await expect(page.locator('[aria-invalid="true"]')).toHaveCount(bad.length);
    for (const message of await page.locator('.error, .alert').allTextContents()) expect(message, 'a sentence').toMatch(/\.$/);
    if (bad[0]) await expect(this.field(bad[0][0], within)).toBeFocused();

    for (const [label, value] of Object.entries(failure.kept ?? {})) {
      await expect(this.field(label, within), label).toHaveValue(value);
    }
    for (const password of await page.locator('input[type="password"]').all()) await expect(password).toHaveValue('');
  }

  /** What is shown does not depend on a post: a reload shows the page again, sends nothing, and forgets the notice. */
  async reloadsHarmlessly(): Promise<void> {
    const posts: string[] = [];
    this.page.on('request', (request) => {
      if (request.method() !== 'GET' && request.isNavigationRequest()) posts.push(request.url());
    });
    await this.page.reload();
    expect(posts).toEqual([]);
    await this.isToldNothing();
    await expect(this.page).not.toHaveTitle(/^Error: /);
  }

  /** Whether the browser would be taken for somebody signed in. */
  async isSignedIn(): Promise<boolean> {
    const answer = await this.page.request.get(`${this.server.url}/api/auth/me`);
    return answer.status() === 200;
  }

  async cookieNames(): Promise<string[]> {
    const cookies = await this.page.context().cookies(this.server.url);
    return cookies.map((cookie) => cookie.name).sort();
  }

  private async userAgent(): Promise<string> {
    return this.page.evaluate(() => navigator.userAgent);
  }
}

function containing(message: string | RegExp): RegExp {
  return message instanceof RegExp ? message : new RegExp(message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
}
