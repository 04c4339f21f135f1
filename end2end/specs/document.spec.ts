// What stands around the pages: heads, headers, weight, and what helps password managers.

import { expect, test } from '../support/test.ts';

const PUBLIC = ['/login', '/signup', '/forgot-password', '/reset-password?token=x', '/verify-email?token=x'];
const PRIVATE = ['/profile', '/products', '/admin/users', '/admin/audit', '/admin/mail'];

test('every page names itself and the site, and says what a browser wants to know', async ({ visitor, admin }) => {
  const titles = new Set<string>();
  const look = async (path: string) => {
    await visitor.visit(path);
    const { page } = visitor;
    await expect(page.locator('html')).toHaveAttribute('lang', 'en');
    await expect(page.locator('meta[name="viewport"]')).toHaveAttribute('content', /width=device-width/);
    expect(await page.locator('meta[name="viewport"]').getAttribute('content')).not.toMatch(/user-scalable|maximum-scale/);
    await expect(page.locator('meta[name="color-scheme"]')).toHaveAttribute('content', 'light dark');
    const themes = page.locator('meta[name="theme-color"]');
    await expect(themes).toHaveCount(2);
    for (const theme of await themes.all()) {
      await expect(theme).toHaveAttribute('content', /^#[0-9a-f]{6}$/i);
      await expect(theme).toHaveAttribute('media', /prefers-color-scheme/);
    }
    await expect(page.locator('link[rel~="icon"]')).toHaveAttribute('href', /^\/assets\/logo-\S+\.svg$/);
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
    await expect(page.getByRole('main')).toHaveCount(1);
    const title = await page.title();
    expect(title).toMatch(/^\S.* · Vestibule$/);
    titles.add(title);
  };
  for (const path of PUBLIC) await look(path);
  await visitor.signInAs(admin);
  for (const path of PRIVATE) await look(path);
  expect(titles.size).toBe(PUBLIC.length + PRIVATE.length);
});

test('search engines are shown the doors only', async ({ visitor, admin }) => {
  const indexable = ['/login', '/signup', '/forgot-password'];
  const robots = visitor.page.locator('meta[name="robots"]');
  const description = visitor.page.locator('meta[name="description"]');
  for (const path of PUBLIC) {
    await visitor.visit(path);
    await expect(robots, path).toHaveCount(indexable.includes(path) ? 0 : 1);
    if (indexable.includes(path)) await expect(description, path).toHaveAttribute('content', /\S+ \S+/);
    else await expect(robots, path).toHaveAttribute('content', /noindex/);
  }
  await visitor.signInAs(admin);
  for (const path of PRIVATE) {
    await visitor.visit(path);
    await expect(robots, path).toHaveAttribute('content', /noindex/);
  }
});

test('the policy allows what the pages need and nothing else', async ({ visitor, user }) => {
  expect(user.id).not.toBe('');
  const nonces = new Set<string>();
  for (const path of ['/profile', '/profile', '/products']) {
    const answer = await visitor.visit(path);
    const policy = answer.headers()['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("base-uri 'none'");
    expect(policy).toContain("form-action 'self'");
    expect(policy).not.toMatch(/unsafe-|\*|data:|https?:/);
    const nonce = /'nonce-([^']+)'/.exec(policy)?.[1] ?? '';
    expect(nonce.length).toBeGreaterThanOrEqual(16);
    nonces.add(nonce);
    const html = await answer.text();
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:|<!--/i);
    const scripts = [...html.matchAll(/<script[^>]*>([^<]*)/g)];
    expect(scripts).toHaveLength(1);
    expect(scripts[0]?.[0]).toMatch(/type="module"/);
    expect(scripts[0]?.[0]).toMatch(/src="\/assets\/vestibule-\S+\.js"/);
    expect(scripts[0]?.[1]).toBe('');
    expect(answer.headers()['x-content-type-options']).toBe('nosniff');
    expect(answer.headers()['referrer-policy']).toBe('same-origin');
    expect(answer.headers()['cross-origin-opener-policy']).toBe('same-origin');
  }
  expect(nonces.size).toBe(3);
});

test('the sign-in page weighs less than 15 KB with everything it loads, in at most three requests more', async ({
  visitor,
  javaScriptEnabled,
}) => {
  const client = await visitor.page.context().newCDPSession(visitor.page);
  await client.send('Network.enable');
  const loaded: string[] = [];
  let bytes = 0;
  client.on('Network.responseReceived', ({ response }) => {
    // The icon is the logo, which the page has already loaded.
    if (!response.fromDiskCache) loaded.push(new URL(response.url).pathname);
  });
  client.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
  await visitor.visit('/login');
  await visitor.page.waitForLoadState('networkidle');
  test.info().annotations.push({ type: 'weight', description: `${bytes} bytes: ${loaded.join(' ')}` });
  expect(bytes).toBeGreaterThan(1000);
  expect(bytes).toBeLessThan(15_000);
  expect(loaded[0]).toBe('/login');
  expect(loaded.length - 1).toBeLessThanOrEqual(3);
  expect(loaded.some((path) => path.endsWith('.css'))).toBe(true);
  if (javaScriptEnabled) expect(loaded.some((path) => path.endsWith('.js'))).toBe(true);
});

test('what a page loads is compressed, kept for a year, and named by what is in it', async ({ visitor, page }) => {
  const answer = await visitor.visit('/login');
  expect(answer.headers()['content-encoding']).toMatch(/^(br|gzip|zstd)$/);
  const html = await answer.text();
  const paths = new Set([...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? ''));
  expect(paths.size).toBe(3);
  for (const path of paths) {
    const asset = await page.request.get(path);
    expect(asset.status(), path).toBe(200);
    expect(asset.headers()['cache-control'], path).toMatch(/max-age=31536000/);
    expect(asset.headers()['cache-control'], path).toMatch(/immutable/);
    expect(path).toMatch(/^\/assets\/\w+-[\w-]{6,}\.(css|js|svg)$/);
    if (!path.endsWith('.svg')) expect(asset.headers()['content-encoding'], path).toMatch(/^(br|gzip|zstd)$/);
  }
});

test.describe('password managers', () => {
  const USERNAME = { autocomplete: 'username' };
  const CURRENT = { autocomplete: 'current-password', type: 'password' };
  const FRESH = {
    autocomplete: 'new-password',
    type: 'password',
    passwordrules: 'minlength: 8; maxlength: 128;',
  };
  const EMAIL = { autocomplete: 'email', type: 'email', inputmode: 'email' };

  test('know each field of the pages for who is signed out', async ({ visitor, server }) => {
    const reset = `/reset-password?token=${await server.resetToken(await server.signUp())}`;
    const pages: Record<string, Record<string, Record<string, string>>> = {
      '/login': { 'Username or email address': { ...USERNAME, name: 'username' }, Password: { ...CURRENT, name: 'password' } },
      '/signup': {
        'Email address': { ...EMAIL, name: 'email' },
        'Username (optional)': { ...USERNAME, name: 'username' },
        'Name (optional)': { autocomplete: 'name', name: 'name' },
        Password: { ...FRESH, name: 'password' },
      },
      '/forgot-password': { 'Email address': { ...EMAIL, name: 'email' } },
      [reset]: { 'New password': { ...FRESH, name: 'new_password' } },
    };
    for (const [path, fields] of Object.entries(pages)) {
      await visitor.visit(path);
      for (const [label, attributes] of Object.entries(fields)) {
        for (const [name, value] of Object.entries(attributes)) {
          await expect(visitor.field(label), `${path} ${label}`).toHaveAttribute(name, value);
        }
      }
    }
  });

  test('know each field of the profile', async ({ visitor, user }) => {
    expect(user.id).not.toBe('');
    await visitor.visit('/profile');
    const fields: [string, string, Record<string, string>][] = [
      ['Details', 'Name', { autocomplete: 'name' }],
      ['Details', 'Username', USERNAME],
      ['Email address', 'New email address', EMAIL],
      ['Email address', 'Current password', CURRENT],
      ['Password', 'Current password', CURRENT],
      ['Password', 'New password', FRESH],
      ['Delete account', 'Current password', CURRENT],
    ];
    for (const [section, label, attributes] of fields) {
      for (const [name, value] of Object.entries(attributes)) {
        await expect(visitor.field(label, visitor.section(section)), `${section} ${label}`).toHaveAttribute(name, value);
      }
    }
    // Each form with a password says whose it is.
    for (const section of ['Email address', 'Password', 'Delete account']) {
      const name = visitor.section(section).locator('form:has([type=password]) input[autocomplete="username"]');
      await expect(name, section).toHaveCount(1);
    }
  });

  test('are told of a house with other rules', async ({ serverWith, another }) => {
    const visitor = await another({}, await serverWith({ PASSWORD_MIN_LENGTH: '12' }));
    await visitor.visit('/signup');
    await expect(visitor.field('Password')).toHaveAttribute('passwordrules', 'minlength: 12; maxlength: 128;');
  });
});

test('a site has its own name on its pages', async ({ serverWith, another }) => {
  const visitor = await another({}, await serverWith({ SITE_NAME: 'Zum <Löwen> & Söhne' }));
  await visitor.visit('/login');
  await expect(visitor.page).toHaveTitle('Sign in · Zum <Löwen> & Söhne');
  await expect(visitor.page.getByRole('banner')).toContainText('Zum <Löwen> & Söhne');
});

test('the bar shows who is signed in where they may go', async ({ visitor, admin, another, server }) => {
  const stranger = await another();
  await stranger.visit('/login');
  await expect(stranger.page.getByRole('navigation')).toHaveCount(0);
  await expect(stranger.page.getByRole('button', { name: 'Sign out' })).toHaveCount(0);

  const links = (of: typeof visitor) => of.page.getByRole('navigation', { name: 'Main' }).getByRole('link');
  await stranger.signInAs(await server.signUp());
  await stranger.visit('/products');
  await expect(links(stranger)).toHaveText(['Profile', 'Products']);

  await visitor.signInAs(admin);
  await visitor.visit('/profile');
  await expect(links(visitor)).toHaveText(['Profile', 'Products', 'Users', 'Audit log', 'Mail']);
  for (const name of ['Profile', 'Products', 'Users', 'Audit log', 'Mail']) {
    await visitor.follow(links(visitor).filter({ hasText: new RegExp(`^${name}$`) }));
    await visitor.sees(name);
    await expect(visitor.page.locator('[aria-current="page"]')).toHaveText(name);
  }
});
