// Each page, in every state worth a look: light and dark, on a desk and on a phone. axe finds nothing, nothing is cut
// off or shifts, everything can be hit with a thumb, and a picture is taken to be looked at.

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

import {
  type Circumstances,
  NEW_PASSWORD,
  Person,
  type Server,
  type Settings,
  Visitor,
  type Watch,
  expect,
  test,
} from '../support/test.ts';

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

type Scene = {
  visitor: Visitor;
  server: Server;
  admin: Person;
  watch: Watch;
  /** The same window, in front of a server of its own. */
  at: (settings: Settings, circumstances?: Circumstances) => Promise<Visitor>;
};

/** Brings a page into a state. */
type Arrange = (scene: Scene) => Promise<unknown>;

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

async function signIn({ visitor, server }: Pick<Scene, 'visitor' | 'server'>): Promise<Person> {
  const person = await server.signUp();
  await visitor.signInAs(person);
  return person;
}

/** Signed in, on the profile. */
async function atProfile(scene: Scene): Promise<Person> {
  const person = await signIn(scene);
  await scene.visitor.visit('/profile');
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
  'login-disabled': async ({ visitor, server }) => {
    const ann = await server.signUp();
    await server.disable(ann);
    await visitor.logIn(ann);
  },
  'login-unverified': async ({ at }) => {
    const visitor = await at({ REQUIRE_VERIFIED_EMAIL: 'true' });
    await visitor.logIn(await visitor.server.signUp());
  },
  'login-after-signing-out': async (scene) => {
    await atProfile(scene);
    await scene.visitor.signOut();
  },
  'login-after-reset': async ({ visitor, server }) => {
    await visitor.visit(`/reset-password?token=${await server.resetToken(await server.signUp())}`);
    await visitor.fill({ 'New password': NEW_PASSWORD });
    await visitor.submit('Change password');
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
  'signup-taken': async ({ visitor, server }) => {
    const ann = await server.signUp();
    await visitor.visit('/signup');
    await visitor.fill({ 'Email address': ann.email, 'Username (optional)': ann.username, Password: ann.password });
    await visitor.submit('Create account');
  },
  'signup-private': async ({ at }) => {
    const visitor = await at({ PRIVATE_SIGNUP: 'true', SITE_NAME: 'Zum Löwen & Söhne', SITE_ACCENT: '#7a1f5c' });
    await visitor.visit('/signup');
  },
  'signup-closed': async ({ at }) => {
    const visitor = await at({ ALLOW_SIGNUP: 'false' });
    await visitor.visit('/signup');
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
  'forgot-password-refused': async ({ visitor }) => {
    await visitor.visit('/forgot-password');
    await visitor.fill({ 'Email address': 'ann at example' });
    await visitor.submit('Send a link');
  },
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
  'reset-password-without-token': ({ visitor }) => visitor.visit('/reset-password'),
  'reset-password-old-link': ({ visitor }) => visitor.visit('/reset-password?token=none'),
  'verify-email': async ({ visitor, server }) => {
    await visitor.visit(`/verify-email?token=${await server.verificationToken(await server.signUp())}`);
  },
  'verify-email-old-link': ({ visitor }) => visitor.visit('/verify-email?token=none'),
  'verify-email-without-token': ({ visitor }) => visitor.visit('/verify-email'),
  'verify-email-refused': async ({ visitor }) => {
    await visitor.visit('/verify-email');
    await visitor.fill({ 'Email address': 'ann at example' });
    await visitor.submit('Send the link again');
  },
  'verify-email-sent-again': async ({ visitor }) => {
    await visitor.visit('/verify-email');
    await visitor.fill({ 'Email address': 'ann@example.com' });
    await visitor.submit('Send the link again');
  },
  profile: async (scene) => {
    const ann = await signIn(scene);
    await signInElsewhere(scene.server, ann, FIREFOX);
    await signInElsewhere(scene.server, ann, 'curl/8.14.1');
    await scene.visitor.visit('/profile');
  },
  'profile-saved': async (scene) => {
    await atProfile(scene);
    await scene.visitor.submit('Save', scene.visitor.section('Details'));
  },
  'profile-verified': async (scene) => {
    const ann = await signIn(scene);
    await scene.visitor.visit(`/verify-email?token=${await scene.server.verificationToken(ann)}`);
    await scene.visitor.submit('Verify address');
  },
  'profile-longest': async ({ visitor, server }) => {
    await visitor.signInAs(await server.signUp(Person.withLongestWords()));
    await visitor.visit('/profile');
  },
  'profile-details-refused': async (scene) => {
    const other = await scene.server.signUp();
    await atProfile(scene);
    const details = scene.visitor.section('Details');
    await scene.visitor.fill({ Name: 'Ann', Username: other.username }, details);
    await scene.visitor.submit('Save', details);
  },
  'profile-email-refused': async (scene) => {
    await atProfile(scene);
    const email = scene.visitor.section('Email address');
    await scene.visitor.fill({ 'New email address': 'ann at example', 'Current password': 'not my password' }, email);
    await scene.visitor.submit('Change address', email);
  },
  'profile-password-refused': async (scene) => {
    const ann = await atProfile(scene);
    const password = scene.visitor.section('Password');
    await scene.visitor.fill({ 'Current password': ann.password, 'New password': 'short' }, password);
    await scene.visitor.submit('Change password', password);
  },
  'profile-delete-refused': async (scene) => {
    await atProfile(scene);
    const deletion = scene.visitor.section('Delete account');
    await scene.visitor.fill({ 'Current password': 'not my password' }, deletion);
    await scene.visitor.submit('Delete account', deletion);
  },
  products: async (scene) => {
    const other = await scene.server.signUp(Person.new('ben'));
    await addProducts(scene.server, other);
    await addProducts(scene.server, await signIn(scene));
    await scene.visitor.visit('/products');
  },
  'products-none': async ({ at }) => {
    const visitor = await at({});
    await signIn({ visitor, server: visitor.server });
    await visitor.visit('/products');
  },
  'products-added': async (scene) => {
    await signIn(scene);
    await scene.visitor.visit('/products');
    await scene.visitor.fill({ Name: 'LampLamp'.repeat(12), Description: 'Gives light. '.repeat(20) });
    await scene.visitor.submit('Add product');
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
  'product-refused': async (scene) => {
    const id = await addProducts(scene.server, await signIn(scene));
    await scene.visitor.visit(`/products/${id}`);
    await scene.visitor.fill({ Name: '' });
    await scene.visitor.submit('Save');
  },
  'product-saved': async (scene) => {
    const id = await addProducts(scene.server, await signIn(scene));
    await scene.visitor.visit(`/products/${id}`);
    await scene.visitor.submit('Save');
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
  'admin-users-later': async ({ at }) => {
    const visitor = await at({});
    await visitor.signInAs(await visitor.server.makeAdmin());
    await visitor.server.signUpMany(60, 'reader');
    await visitor.visit('/admin/users?status=active');
    await visitor.follow(visitor.page.getByRole('link', { name: 'Next page' }));
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
  'admin-user-with-history': async ({ visitor, server, admin }) => {
    const ann = await server.signUp();
    await server.makeHistory(ann, 50);
    await visitor.logIn(ann, 'not my password');
    await visitor.signInAs(admin);
    await visitor.visit(`/admin/users/${ann.id}`);
    for (const button of ['Mail a reset link', 'Disable account', 'Enable account']) await visitor.submit(button);
  },
  'admin-user-last-admin': async ({ at }) => {
    const visitor = await at({});
    const root = await visitor.server.makeAdmin();
    await visitor.signInAs(root);
    await visitor.visit(`/admin/users/${root.id}`);
    await visitor.submit('Take away admin');
  },
  'admin-audit-later': async ({ at }) => {
    const visitor = await at({});
    await visitor.signInAs(await visitor.server.makeAdmin());
    await visitor.server.makeHistory(await visitor.server.signUp(), 110);
    await visitor.visit('/admin/audit?event=update_profile');
    await visitor.follow(visitor.page.getByRole('link', { name: 'Next page' }));
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
  'admin-mail-sent-again': async ({ visitor, server, admin }) => {
    const ann = await server.signUp();
    await server.verificationToken(ann);
    await visitor.signInAs(admin);
    await visitor.visit('/admin/mail');
    const row = visitor.page.getByRole('row').filter({ hasText: ann.email });
    await visitor.submit(row.getByRole('button', { name: /^Send again/ }));
  },
  'admin-mail-none': async ({ visitor, admin }) => {
    await visitor.signInAs(admin);
    await visitor.visit('/admin/mail?state=failed');
  },
  'dev-mail': async ({ visitor, server }) => {
    await server.verificationToken(await server.signUp());
    await visitor.visit('/dev/mail');
  },
  'dev-mail-none': async ({ at }) => {
    const visitor = await at({});
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
  'error-405': ({ visitor }) => visitor.visit('/form/log_in'),
  'error-422': ({ visitor }) => visitor.visit('/login?next=a&next=b'),
  'error-500': async ({ at, watch }) => {
    watch.expectStatus(500);
    watch.expect(/^server log: .*request failed/);
    const visitor = await at({});
    await visitor.server.loseMailbox();
    await visitor.visit('/dev/mail');
  },
  'error-503': async ({ at, watch }) => {
    watch.expectStatus(503);
    watch.expect(/^server log: .*the database is not available/);
    const visitor = await at({}, { diskKiB: 1024 });
    const ann = await signIn({ visitor, server: visitor.server });
    await visitor.server.fillDisk(ann);
    await visitor.visit('/profile');
    await visitor.fill({ Name: 'Somebody New' }, visitor.section('Details'));
    await visitor.going(() => visitor.button('Save').click());
  },
};

for (const [name, arrange] of Object.entries(PAGES)) {
  test(`${name} looks right and is open to everybody`, async ({ visitor, server, admin, serverWith, watch }) => {
    watch.expectStatus(403, 404, 405, 422);
    // Playwright looks into every frame before it takes a picture, also into that of a letter, where no script may run.
    watch.expect(/^console error: Blocked script execution in '\S+\/dev\/mail\/\S+\/html'/);
    const { page } = visitor;
    await page.addInitScript(recordShifts);
    const at: Scene['at'] = async (...own) => new Visitor(page, await serverWith(...own));
    await arrange({ visitor, server, admin, watch, at });
    expect(await page.evaluate(shifts), 'layout shifts').toEqual([]);
    for (const look of LOOKS) {
      await show(page, look);
      expect(await page.evaluate(overflow), `sideways at ${look.width} px`).toEqual([]);
      expect(await page.evaluate(smallTargets), `small targets at ${look.width} px`).toEqual([]);
      expect(await page.evaluate(motion), 'what moves for whoever asked for less of it').toEqual([]);
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
  // What answers typing moves what is below it, and may take longer than the half second in which a browser forgives that.
  let isTyped = false;
  addEventListener('input', () => (isTyped = true), true);
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries() as unknown as Shift[]) {
      if (shift.hadRecentInput || isTyped) continue;
      const nodes = shift.sources?.map(({ node }) => (node instanceof Element ? node.outerHTML.slice(0, 80) : node?.nodeName));
      kept.push(`${shift.value.toFixed(4)} ${nodes}`);
    }
  }).observe({ type: 'layout-shift', buffered: true });
}

/** What has shifted until now, once the page is drawn. */
async function shifts(): Promise<string[]> {
  for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame);
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  const [paint] = performance.getEntriesByType('paint');
  // Asked to wait for the whole page, a browser waits only so long. Where it was too busy to read on, the rest comes later.
  if (navigation && paint && paint.startTime < navigation.domInteractive) return [];
  return (window as unknown as { shifts: string[] }).shifts;
}

/** What would move by itself, or on its way to another colour. */
function motion(): string[] {
  const moving = [...document.querySelectorAll('*')].filter((element) => {
    const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(element);
    return /[1-9]/.test(transitionDuration) || animationName !== 'none' || scrollBehavior !== 'auto';
  });
  return moving.map((element) => element.outerHTML.slice(0, 100));
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

/** What can be hit and is less than 44 px high or wide. A link within a text is as high as that. */
function smallTargets(): string[] {
  const isInText = (link: Element) => link.closest('p, li, td, dd, pre')?.textContent?.trim() !== link.textContent?.trim();
  const fields = document.querySelectorAll('button, select, textarea, input:not([type=hidden]):not([hidden])');
  const links = [...document.querySelectorAll('a')].filter((link) => link.matches('.button, nav a, .row a, .brand') || !isInText(link));
  return [...fields, ...links]
    .map((element) => {
      // A box to tick is hit by its label, too.
      const hit = element.matches('[type=checkbox]') ? (element.closest('label') ?? element) : element;
      return { element, ...hit.getBoundingClientRect().toJSON() } as { element: Element; width: number; height: number };
    })
    .filter(({ width, height }) => width > 0 && (height < 43.9 || width < 43.9))
    .map(({ element, width, height }) => `${width}×${height} ${element.outerHTML.slice(0, 100)}`);
}
