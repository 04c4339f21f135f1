import { PASSWORD, Person, type Visitor, expect, test } from '../support/test.ts';

test.beforeEach(async ({ visitor, admin }) => visitor.signInAs(admin));

const rowOf = (visitor: Visitor, person: Person) => visitor.page.getByRole('row').filter({ hasText: person.email });

test.describe('the list', () => {
  test('everybody is listed, and their address leads to their page', async ({ visitor, server, admin }) => {
    const ann = await server.signUp();
    await visitor.visit('/admin/users');
    await visitor.isAt('/admin/users', 'Users');
    const heads = await visitor.page.getByRole('columnheader').allInnerTexts();
    expect(heads.map((head) => head.trim())).toEqual(['Email', 'Username', 'Name', 'Roles', 'Status', 'Created']);
    await visitor.fill({ Search: admin.username });
    await visitor.search();
    await expect(rowOf(visitor, admin)).toContainText('admin');
    await expect(rowOf(visitor, ann)).toHaveCount(0);
    await visitor.fill({ Search: ann.email });
    await visitor.search();
    const row = rowOf(visitor, ann);
    for (const text of [ann.username, ann.name, 'Active']) await expect(row).toContainText(text);
    await visitor.follow(row.getByRole('link', { name: ann.email }));
    await visitor.isAt(`/admin/users/${ann.id}`, ann.email);
  });

  test('it is filtered by words, role and status, which stay in the form and the address', async ({
    visitor,
    server,
    admin,
  }) => {
    const [ann, ben] = [await server.signUp(), await server.signUp(Person.new('ben'))];
    await server.disable(ben);
    await visitor.visit('/admin/users');
    await visitor.field('Status').selectOption('Disabled');
    await visitor.fill({ Search: ben.username });
    await visitor.search();
    await expect(rowOf(visitor, ben)).toContainText('Disabled');
    await expect(rowOf(visitor, ann)).toHaveCount(0);
    expect(new URL(visitor.page.url()).searchParams.get('q')).toBe(ben.username);
    expect(new URL(visitor.page.url()).searchParams.get('status')).toBe('disabled');
    await expect(visitor.field('Search')).toHaveValue(ben.username);
    await expect(visitor.field('Status')).toHaveValue('disabled');

    await visitor.field('Status').selectOption('Active');
    await visitor.search();
    await expect(rowOf(visitor, ben)).toHaveCount(0);
    await expect(visitor.page.locator('.empty')).toBeVisible();

    await visitor.field('Status').selectOption('Any');
    await visitor.fill({ Search: '', Role: 'admin' });
    await visitor.search();
    await expect(rowOf(visitor, admin)).toBeVisible();
    await expect(rowOf(visitor, ann)).toHaveCount(0);
  });

  test('it is turned page by page, with its filters', async ({ serverWith, another }) => {
    const server = await serverWith({});
    const visitor = await another({}, server);
    await visitor.signInAs(await server.makeAdmin());
    const people = await server.signUpMany(55, 'reader');
    const seen = new Set<string>();
    await visitor.visit('/admin/users?q=reader&status=active');
    const next = visitor.page.getByRole('link', { name: 'Next page' });
    for (let page = 1; ; page++) {
      for (const email of await visitor.page.getByRole('row').getByRole('link').allInnerTexts()) {
        expect(seen.has(email), `${email} stands on two pages`).toBe(false);
        seen.add(email);
      }
      if ((await next.count()) === 0) break;
      expect(page).toBeLessThan(people.length);
      await visitor.follow(next);
      await expect(visitor.field('Search')).toHaveValue('reader');
      await expect(visitor.field('Status')).toHaveValue('active');
    }
    expect([...seen].sort()).toEqual(people.map((person) => person.email).sort());
    await visitor.follow(visitor.page.getByRole('link', { name: 'First page' }));
    expect(new URL(visitor.page.url()).searchParams.has('cursor')).toBe(false);
    await expect(visitor.field('Search')).toHaveValue('reader');
  });

  test('odd questions get an empty list or a refusal, never a fault', async ({ visitor, watch }) => {
    watch.expectStatus(400, 404, 422);
    for (const query of ['q=%00', 'status=odd', 'cursor=nonsense', 'q=%27%3B--&role=%25', 'limit=-1', 'q=a&q=b', 'q=%ff']) {
      const answer = await visitor.visit(`/admin/users?${query}`);
      expect(answer.status(), query).toBeLessThan(500);
      await expect(visitor.page.getByRole('heading', { level: 1 })).toBeVisible();
    }
  });

  test('a mistyped filter is told at its field, where another can be chosen', async ({ visitor, admin, watch }) => {
    watch.expectStatus(422);
    const answer = await visitor.visit(`/admin/users?q=${admin.username}&status=odd`);
    expect(answer.status()).toBe(422);
    await visitor.sees('Users');
    await visitor.isRefused({
      title: 'Users',
      fields: { Status: 'There is no such status: choose one.' },
      kept: { Search: admin.username },
    });
    await visitor.field('Status').selectOption('Active');
    await visitor.button('Search').click();
    await expect(rowOf(visitor, admin)).toBeVisible();
    await visitor.isToldNothing();
  });
});

test.describe("one user's page", () => {
  test('roles are granted and taken away', async ({ visitor, server }) => {
    const ann = await server.signUp();
    await visitor.visit(`/admin/users/${ann.id}`);
    await visitor.fill({ Role: 'editor' });
    const { location } = await visitor.submit('Grant');
    expect(location).toBe(`/admin/users/${ann.id}`);
    await visitor.isAt(`/admin/users/${ann.id}`, ann.email);
    await visitor.isTold('The role is granted.');
    await visitor.reloadsHarmlessly();
    await visitor.submit('Take away editor');
    await visitor.isTold('The role is taken away.');
    await expect(visitor.button('Take away editor')).toHaveCount(0);
  });

  test('what is no role is refused at its field', async ({ visitor, server }) => {
    const ann = await server.signUp();
    await visitor.visit(`/admin/users/${ann.id}`);
    await visitor.fill({ Role: 'Ober Kellner' });
    await visitor.submit('Grant');
    expect(visitor.path).toBe(`/admin/users/${ann.id}`);
    await visitor.isRefused({ title: ann.email, fields: { Role: /role is 1 to 32/ }, kept: { Role: 'Ober Kellner' } });
  });

  test('a signed-in user who is disabled is out at once, and in again when enabled', async ({
    visitor,
    another,
    server,
  }) => {
    const ann = await server.signUp();
    const guest = await another();
    await guest.logIn(ann);
    await guest.isAt('/profile', 'Profile');

    await visitor.visit(`/admin/users/${ann.id}`);
    await visitor.submit('Disable account');
    await visitor.isTold('The account is disabled.');
    await visitor.reloadsHarmlessly();
    await guest.page.reload();
    await guest.isAt('/login?next=/profile', 'Sign in');
    await guest.logIn(ann);
    await guest.isAlerted('This account is disabled.');

    await visitor.submit('Enable account');
    await visitor.isTold('The account is enabled.');
    await guest.logIn(ann);
    await guest.isAt('/profile', 'Profile');
  });

  test('a form that a disabled user had open does nothing any more', async ({ visitor, another, server }) => {
    const ann = await server.signUp();
    const guest = await another();
    await guest.signInAs(ann);
    await guest.visit('/profile');
    await server.disable(ann);
    const details = guest.section('Details');
    await guest.fill({ Name: 'Still here' }, details);
    await guest.submit('Save', details);
    await guest.sees('Sign in');
    await visitor.visit(`/admin/users/${ann.id}`);
    await expect(visitor.page.getByText('Still here')).toHaveCount(0);
  });

  test('a user is signed out everywhere', async ({ visitor, another, server }) => {
    const ann = await server.signUp();
    const guest = await another();
    await guest.signInAs(ann);
    await visitor.visit(`/admin/users/${ann.id}`);
    await visitor.submit('Sign out everywhere');
    await visitor.isTold('All devices are signed out.');
    await guest.visit('/profile');
    await guest.isAt('/login?next=/profile', 'Sign in');
  });

  test('a reset link is mailed, and the admin never sees it', async ({ visitor, server }) => {
    const ann = await server.signUp();
    await visitor.visit(`/admin/users/${ann.id}`);
    await visitor.submit('Mail a reset link');
    await visitor.isTold('A reset link is on its way.');
    await server.mailbox.waitFor(ann.email, '/reset-password');
    await visitor.page.reload();
    expect(await visitor.page.content()).not.toContain('vst_lt_');
  });

  test('a mistyped address deletes nothing', async ({ visitor, server }) => {
    const ann = await server.signUp();
    const deletion = visitor.section('Delete account');
    await visitor.visit(`/admin/users/${ann.id}`);
    await visitor.submit('Delete account', deletion);
    const label = 'Email address of the account';
    await visitor.isRefused({ title: ann.email, fields: { [label]: 'This field is required' } }, deletion);
    const typed = `x${ann.email}`;
    await visitor.fill({ [label]: typed }, deletion);
    await visitor.submit('Delete account', deletion);
    expect(visitor.path).toBe(`/admin/users/${ann.id}`);
    await visitor.isRefused(
      { title: ann.email, fields: { [label]: 'This is not the address of the account' }, kept: { [label]: typed } },
      deletion,
    );
    await visitor.reloadsHarmlessly();
    await server.accessToken(ann);
  });

  test('an account is deleted by who types its address', async ({ visitor, another, server, watch }) => {
    watch.expectStatus(404);
    const ann = await server.signUp();
    const guest = await another();
    await guest.signInAs(ann);
    await visitor.visit(`/admin/users/${ann.id}`);
    await visitor.fill({ 'Email address of the account': ann.email.toUpperCase() });
    const { location } = await visitor.submit('Delete account');
    expect(location).toBe('/admin/users');
    await visitor.isAt('/admin/users', 'Users');
    await visitor.isTold('The account is deleted.');
    await guest.visit('/profile');
    await guest.isAt('/login?next=/profile', 'Sign in');
    expect((await visitor.visit(`/admin/users/${ann.id}`)).status()).toBe(404);
    await visitor.sees('Page not found');
  });

  test('an account that is gone meanwhile is not found', async ({ visitor, server, watch }) => {
    watch.expectStatus(404);
    for (const button of ['Grant', 'Mail a reset link', 'Sign out everywhere', 'Disable account']) {
      const ann = await server.signUp();
      await visitor.visit(`/admin/users/${ann.id}`);
      await visitor.fill({ Role: 'editor' });
      await server.command(['user', 'delete', '--yes', ann.email]);
      await visitor.going(() => visitor.button(button).click());
      await visitor.sees('Page not found');
    }
  });

  test('its audit trail tells what happened to the account', async ({ visitor, another, server }) => {
    const ann = await server.signUp();
    const guest = await another();
    await guest.logIn(ann, 'not my password');
    await guest.logIn(ann);
    await visitor.visit(`/admin/users/${ann.id}`);
    const trail = visitor.page.getByRole('region', { name: 'Audit trail' }).getByRole('row');
    await expect(trail.filter({ hasText: 'Sign-up' })).toHaveCount(1);
    await expect(trail.filter({ hasText: 'Sign-in' })).toHaveCount(2);
    expect(await visitor.page.content()).not.toContain(PASSWORD);
  });

  test('a long trail leads on to the audit log, by a link as high as a thumb', async ({ visitor, server }) => {
    const ann = await server.signUp();
    const token = await server.accessToken(ann);
    for (let times = 0; times < 50; times++) {
      const answer = await fetch(`${server.url}/api/auth/me`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: `Ann the ${times}th` }),
      });
      expect(answer.status).toBe(200);
    }
    await visitor.visit(`/admin/users/${ann.id}`);
    const link = visitor.page.getByRole('link', { name: 'All that is in the audit log' });
    expect((await link.boundingBox())?.height).toBeGreaterThanOrEqual(43.9);
    await link.click();
    await visitor.isAt(`/admin/audit?user=${ann.id}`, 'Audit log');
  });

  test('nobody is there under an id that nobody has', async ({ visitor, watch }) => {
    watch.expectStatus(404);
    for (const id of ['00000000-0000-7000-8000-000000000000', 'x']) {
      expect((await visitor.visit(`/admin/users/${id}`)).status(), id).toBe(404);
      await visitor.sees('Page not found');
    }
  });
});

test('the last admin can neither be demoted, disabled nor deleted', async ({ serverWith, another }) => {
  const server = await serverWith({});
  const root = await server.makeAdmin();
  const visitor = await another({}, server);
  await visitor.signInAs(root);
  for (const button of ['Take away admin', 'Disable account', 'Delete account']) {
    await visitor.visit(`/admin/users/${root.id}`);
    await visitor.fill({ 'Email address of the account': root.email });
    await visitor.submit(button);
    expect(visitor.path).toBe(`/admin/users/${root.id}`);
    await visitor.isRefused({ title: root.email, alert: /last active admin/ });
    await visitor.reloadsHarmlessly();
  }
  expect(await visitor.isSignedIn()).toBe(true);
});
