// Each page, in every state worth a look: light and dark, on a desk and on a phone. axe finds nothing, nothing is cut
// off or shifts, everything can be hit with a thumb, and a picture is taken to be looked at.

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

import { type Visitor, NEW_PASSWORD, Person, type Server, expect, test } from '../support/test.ts';

const PICTURES = fileURLToPath(new URL('../screenshots/', import.meta.url));
mkdirSync(PICTURES, { recursive: true });

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const LOOKS = [
  { name: 'light', colorScheme: 'light', width: 1280, height: 800 },
  { name: 'dark', colorScheme: 'dark', width: 1280, height: 800 },
  { name: 'phone', colorScheme: 'light', width: 390, height: 844 },
  { name: 'phone-dark', colorScheme: 'dark', width: 320, height: 568 },
  // What a desktop of 1280 pixels shows at 200 %.
  { name: 'zoomed', colorScheme: 'light', width: 640, height: 400 },
] as const;

type Scene = { visitor: Visitor; server: Server; admin: Person };

/** Brings a page into a state. */
type Arrange = (scene: Scene) => Promise<unknown>;

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

async function signIn({ visitor, server }: Scene, name = 'ann'): Promise<Person> {
  const person = await server.signUp(Person.new(name));
  await visitor.signInAs(person);
  return person;
}

async function signInElsewhere(server: Server, person: Person, userAgent: string): Promise<void> {
  await server.post('/api/auth/login', { email: person.email, password: person.password }, { 'user-agent': userAgent });
}

async function addProducts(server: Server, owner: Person): Promise<string> {
  const authorization = `Bearer ${await server.accessToken(owner)}`;
  await server.post('/api/products', { name: 'A chair', description: 'Four legs and a back.' }, { authorization });
  const words = 'Oak, oiled, with a drawer that has been sticking since the summer before last. '.repeat(3);
  const product = await server.post('/api/products', { name: 'The writing desk', description: words }, { authorization });
  return String(product.id);
}

const PAGES: Record<string, Arrange> = {
  login: ({ visitor }) => visitor.visit('/login'),
  'login-refused': async ({ visitor }) => {
    await visitor.visit('/login');
    await visitor.fill({ 'Username or email address': 'ann@example.com', Password: 'not my password' });
    await visitor.submit('Sign in');
  },
  'login-incomplete': async ({ visitor }) => {
    await visitor.visit('/login');
    await visitor.submit('Sign in');
  },
  'login-after-signing-up': async ({ visitor }) => {
    const ann = Person.new();
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': ann.email, Password: ann.password });
    await visitor.submit('Create account');
  },
  signup: ({ visitor }) => visitor.visit('/signup'),
  'signup-refused': async ({ visitor }) => {
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': 'ann at example', 'Username (optional)': 'ann smith', Password: 'password123' });
    await visitor.submit('Create account');
  },
  'signup-meter': async ({ visitor }) => {
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': 'ann@example.com', Password: NEW_PASSWORD });
    await expect(visitor.page.locator('.strength')).toHaveClass(/accepted/);
  },
  'signup-meter-weak': async ({ visitor }) => {
    await visitor.visit('/signup');
    await visitor.fill({ Password: 'password123' });
    await visitor.button('Show password').click();
    await expect(visitor.page.locator('.strength').getByRole('status')).not.toHaveText('');
  },
  'forgot-password': ({ visitor }) => visitor.visit('/forgot-password'),
  'forgot-password-sent': async ({ visitor }) => {
    await visitor.visit('/forgot-password');
    await visitor.fill({ 'Email address': 'ann@example.com' });
    await visitor.submit('Send a link');
  },
  'reset-password': async ({ visitor, server }) => {
    await visitor.visit(`/reset-password?token=${await server.resetToken(await server.signUp())}`);
  },
  'reset-password-refused': async ({ visitor, server }) => {
    await visitor.visit(`/reset-password?token=${await server.resetToken(await server.signUp())}`);
    await visitor.fill({ 'New password': 'short' });
    await visitor.submit('Change password');
  },
  'reset-password-old-link': async ({ visitor }) => {
    await visitor.visit('/reset-password?token=none');
    if (!(await visitor.field('New password').isVisible())) return;
    await visitor.fill({ 'New password': NEW_PASSWORD });
    await visitor.submit('Change password');
  },
  'verify-email': async ({ visitor, server }) => {
    await visitor.visit(`/verify-email?token=${await server.verificationToken(await server.signUp())}`);
  },
  'verify-email-old-link': async ({ visitor }) => {
    await visitor.visit('/verify-email?token=none');
    const verify = visitor.button('Verify address');
    if (await verify.isVisible()) await visitor.submit(verify);
  },
  profile: async (scene) => {
    const ann = await signIn(scene);
    await signInElsewhere(scene.server, ann, FIREFOX);
    await signInElsewhere(scene.server, ann, 'curl/8.14.1');
    await scene.visitor.visit('/profile');
  },
  'profile-saved': async (scene) => {
    await signIn(scene);
    await scene.visitor.visit('/profile');
    await scene.visitor.submit('Save', scene.visitor.section('Details'));
  },
  'profile-refused': async (scene) => {
    await signIn(scene);
    await scene.visitor.visit('/profile');
    await scene.visitor.submit('Change password', scene.visitor.section('Password'));
  },
  products: async (scene) => {
    const other = await scene.server.signUp(Person.new('ben'));
    await addProducts(scene.server, other);
    await addProducts(scene.server, await signIn(scene));
    await scene.visitor.visit('/products');
  },
  'products-refused': async (scene) => {
    await signIn(scene);
    await scene.visitor.visit('/products');
    await scene.visitor.submit('Add product');
  },
  product: async (scene) => {
    const id = await addProducts(scene.server, await signIn(scene));
    await scene.visitor.visit(`/products/${id}`);
  },
  'product-of-another': async (scene) => {
    const id = await addProducts(scene.server, await scene.server.signUp(Person.new('ben')));
    await signIn(scene);
    await scene.visitor.visit(`/products/${id}`);
  },
  'admin-users': async ({ visitor, server, admin }) => {
    await server.signUp(Person.new('reader'));
    await server.disable(await server.signUp(Person.new('reader-too')));
    await visitor.signInAs(admin);
    await visitor.visit('/admin/users?q=reader');
  },
  'admin-users-nobody': async ({ visitor, admin }) => {
    await visitor.signInAs(admin);
    await visitor.visit('/admin/users?q=nobody-of-this-name');
  },
  'admin-user': async ({ visitor, server, admin }) => {
    const ann = await server.signUp();
    await signInElsewhere(server, ann, FIREFOX);
    await visitor.signInAs(admin);
    await visitor.visit(`/admin/users/${ann.id}`);
    await visitor.fill({ Role: 'editor' });
    await visitor.submit('Grant');
  },
  'admin-user-disabled': async ({ visitor, server, admin }) => {
    const ben = await server.signUp(Person.new('ben'));
    await server.disable(ben);
    await visitor.signInAs(admin);
    await visitor.visit(`/admin/users/${ben.id}`);
    await visitor.fill({ Role: 'Ober Kellner' });
    await visitor.submit('Grant');
  },
  'admin-audit': async ({ visitor, server, admin }) => {
    const ann = await server.signUp();
    await signInElsewhere(server, ann, FIREFOX);
    await server.disable(ann);
    await visitor.signInAs(admin);
    await visitor.visit(`/admin/audit?user=${ann.id}`);
  },
  'admin-mail': async ({ visitor, server, admin }) => {
    await server.verificationToken(await server.signUp());
    await visitor.signInAs(admin);
    await visitor.visit('/admin/mail');
  },
  'admin-mail-none': async ({ visitor, admin }) => {
    await visitor.signInAs(admin);
    await visitor.visit('/admin/mail?state=failed');
  },
  'dev-mail': async ({ visitor, server }) => {
    await server.verificationToken(await server.signUp());
    await visitor.visit('/dev/mail');
  },
  'dev-mail-letter': async ({ visitor, server }) => {
    const ann = await server.signUp();
    const letter = await server.mailbox.waitFor(ann.email, '/verify-email');
    await visitor.visit(`/dev/mail/${letter.id}`);
  },
  'error-403': async (scene) => {
    await signIn(scene);
    await scene.visitor.visit('/admin/users');
  },
  'error-404': ({ visitor }) => visitor.visit('/nothing-here'),
};

for (const [name, arrange] of Object.entries(PAGES)) {
  test(`${name} looks right and is open to everybody`, async ({ visitor, server, admin, watch }) => {
    watch.expectStatus(403, 404);
    // Playwright looks into every frame before it takes a picture, also into that of a letter, where no script may run.
    watch.expect(/^console error: Blocked script execution in '\S+\/dev\/mail\/\S+\/html'/);
    const { page } = visitor;
    await page.addInitScript(recordShifts);
    await arrange({ visitor, server, admin });
    expect(await page.evaluate(shifts), 'layout shifts').toEqual([]);
    for (const look of LOOKS) {
      await show(page, look);
      expect(await page.evaluate(overflow), `sideways at ${look.width} px`).toEqual([]);
      expect(await page.evaluate(smallTargets), `small targets at ${look.width} px`).toEqual([]);
      await page.screenshot({ path: `${PICTURES}${name}-${look.name}.png`, fullPage: true });
    }
    // axe would run its script in the frame of a letter, where none may run.
    for (const frame of await page.locator('iframe').all()) {
      await expect(frame).toHaveAttribute('title', /\S/);
      await frame.evaluate((element) => element.remove());
    }
    for (const look of LOOKS.filter(({ name }) => name !== 'zoomed')) {
      await show(page, look);
      await hasNoViolations(page, look.name);
    }
  });
}

async function show(page: Page, look: (typeof LOOKS)[number]): Promise<void> {
  await page.emulateMedia({ colorScheme: look.colorScheme, reducedMotion: 'reduce' });
  await page.setViewportSize({ width: look.width, height: look.height });
}

async function hasNoViolations(page: Page, look: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(WCAG).analyze();
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ html }) => html).join(' ')})`);
  expect(found, `axe, ${look}`).toEqual([]);
}

type Shift = { value: number; hadRecentInput: boolean; sources?: { node?: Node }[] };

function recordShifts(): void {
  const kept: string[] = [];
  (window as unknown as { shifts: string[] }).shifts = kept;
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries() as unknown as Shift[]) {
      if (shift.hadRecentInput) continue;
      const nodes = shift.sources?.map(({ node }) => (node instanceof Element ? node.outerHTML.slice(0, 80) : node?.nodeName));
      kept.push(`${shift.value.toFixed(4)} ${nodes}`);
    }
  }).observe({ type: 'layout-shift', buffered: true });
}

function shifts(): string[] {
  return (window as unknown as { shifts: string[] }).shifts;
}

/** What reaches beyond the window without being in something that scrolls. */
function overflow(): string[] {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll('body *')].filter((element) => {
    const { right, width: own } = element.getBoundingClientRect();
    return own > 0 && right > width + 0.5 && !element.closest('.table');
  });
  return [`scrolls to ${document.documentElement.scrollWidth}`, ...wide.map((it) => it.outerHTML.slice(0, 100))];
}

/** Buttons and fields that are less than 44 px high. Links in a text are as high as it is. */
function smallTargets(): string[] {
  const targets = document.querySelectorAll('button, select, textarea, a.button, nav a, input:not([type=hidden]):not([hidden])');
  return [...targets]
    .map((element) => {
      // A box to tick is hit by its label, too.
      const hit = element.matches('[type=checkbox]') ? (element.closest('label') ?? element) : element;
      return { element, ...hit.getBoundingClientRect().toJSON() } as { element: Element; width: number; height: number };
    })
    .filter(({ width, height }) => width > 0 && (height < 43.9 || width < 43.9))
    .map(({ element, width, height }) => `${width}×${height} ${element.outerHTML.slice(0, 100)}`);
}
