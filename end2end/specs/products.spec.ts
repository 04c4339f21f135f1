import { Person, type Server, expect, test } from '../support/test.ts';

const TITLE = 'Products';

/** A product made through the API; gives its id. */
async function makeProduct(server: Server, owner: Person, name: string): Promise<string> {
  const token = await server.accessToken(owner);
  const body = { name, description: 'What it is' };
  const product = await server.post('/api/products', body, { authorization: `Bearer ${token}` });
  return String(product.id);
}

test('products are for who is signed in', async ({ visitor, user, another }) => {
  expect(user.id).not.toBe('');
  await visitor.visit('/products');
  await visitor.isAt('/products', TITLE);
  const stranger = await another();
  await stranger.visit('/products');
  await stranger.isAt('/login?next=/products', 'Sign in');
});

test('a product is added, changed and deleted by its owner', async ({ visitor, user }) => {
  const name = `Chair of ${user.username} <i>`;
  await visitor.visit('/products');
  await visitor.fill({ Name: name, Description: 'Four legs & a "back"' });
  const { location } = await visitor.submit('Add product');
  expect(location).toBe('/products');
  await visitor.isAt('/products', TITLE);
  await visitor.isTold('The product is added.');
  const row = visitor.page.getByRole('listitem').filter({ hasText: name });
  await expect(row).toContainText('Four legs & a "back"');
  await expect(row).toContainText('Yours');
  await visitor.reloadsHarmlessly();

  await visitor.follow(row.getByRole('link', { name: /^Edit/ }));
  await visitor.sees(name);
  await expect(visitor.field('Name')).toHaveValue(name);
  await visitor.fill({ Name: `Table of ${user.username}`, Description: '' });
  await visitor.submit('Save');
  await visitor.isTold('The product is saved.');
  await visitor.reloadsHarmlessly();
  await visitor.visit('/products');
  const renamed = visitor.page.getByRole('listitem').filter({ hasText: `Table of ${user.username}` });
  await visitor.follow(renamed.getByRole('link', { name: /^Edit/ }));
  await visitor.submit('Delete');
  await visitor.isAt('/products', TITLE);
  await visitor.isTold('The product is deleted.');
  await expect(visitor.page.getByText(`Table of ${user.username}`)).toHaveCount(0);
  await visitor.reloadsHarmlessly();
});

test('a product without a name, or with one too long, is refused at the field', async ({ visitor, user, server }) => {
  await visitor.visit('/products');
  await visitor.fill({ Description: 'A thing without a name' });
  await visitor.submit('Add product');
  expect(visitor.path).toBe('/products');
  await visitor.isRefused({
    title: TITLE,
    fields: { Name: 'This field is required.' },
    kept: { Description: 'A thing without a name' },
  });
  const name = 'x'.repeat(300);
  await visitor.fill({ Name: name });
  await visitor.submit('Add product');
  await visitor.isRefused({ title: TITLE, fields: { Name: 'A name is at most 100 characters' }, kept: { Name: name } });

  const id = await makeProduct(server, user, `Lamp of ${user.username}`);
  await visitor.visit(`/products/${id}`);
  await visitor.fill({ Name: '', Description: 'Bright' });
  await visitor.submit('Save');
  expect(visitor.path).toBe(`/products/${id}`);
  await visitor.isRefused({
    title: `Lamp of ${user.username}`,
    fields: { Name: 'This field is required.' },
    kept: { Description: 'Bright' },
  });
});

test("somebody else's product may be looked at, not touched", async ({ visitor, user, server, watch }) => {
  expect(user.id).not.toBe('');
  watch.expectStatus(403);
  const ben = await server.signUp(Person.new('ben'));
  const id = await makeProduct(server, ben, `Bench of ${ben.username}`);
  await visitor.visit('/products');
  const row = visitor.page.getByRole('listitem').filter({ hasText: `Bench of ${ben.username}` });
  await expect(row).toBeVisible();
  await expect(row.getByRole('link', { name: /^Edit/ })).toHaveCount(0);
  await expect(row).not.toContainText('Yours');
  await visitor.visit(`/products/${id}`);
  await visitor.sees(`Bench of ${ben.username}`);
  const card = visitor.section(`Bench of ${ben.username}`);
  await expect(card).toHaveClass(/\bcard\b/);
  await expect(card).toContainText('What it is');
  await expect(visitor.button('Save')).toHaveCount(0);
  await expect(visitor.button('Delete')).toHaveCount(0);
  for (const form of ['update_product', 'delete_product']) {
    const answer = await visitor.page.request.post(`/form/${form}`, {
      form: { id, name: 'Mine now', description: '' },
      headers: { accept: 'application/json' },
    });
    expect(answer.status(), form).toBe(403);
    expect((await answer.json()).code).toBe('forbidden');
  }
});

test('an admin may change what belongs to others', async ({ visitor, admin, server }) => {
  const ben = await server.signUp(Person.new('ben'));
  const id = await makeProduct(server, ben, `Bench of ${ben.username}`);
  await visitor.signInAs(admin);
  await visitor.visit(`/products/${id}`);
  await visitor.fill({ Name: `Stool of ${ben.username}` });
  await visitor.submit('Save');
  await visitor.isTold('The product is saved.');
});

test('a product that is not there is not found', async ({ visitor, user, watch }) => {
  expect(user.id).not.toBe('');
  watch.expectStatus(404);
  for (const id of ['00000000-0000-7000-8000-000000000000', 'x', '%00']) {
    const answer = await visitor.visit(`/products/${id}`);
    expect(answer.status(), id).toBe(404);
    await visitor.sees('Page not found');
  }
});

test('odd questions get a refusal, never a fault', async ({ visitor, user, watch }) => {
  expect(user.id).not.toBe('');
  watch.expectStatus(400, 422);
  for (const query of ['cursor=nonsense', 'cursor=%00', 'cursor=a&cursor=b']) {
    const answer = await visitor.visit(`/products?${query}`);
    expect(answer.status(), query).toBeLessThan(500);
    await expect(visitor.page.getByRole('heading', { level: 1 })).toBeVisible();
  }
});

test('a product that is gone meanwhile is not found', async ({ visitor, user, server, watch }) => {
  watch.expectStatus(404);
  const id = await makeProduct(server, user, `Vase of ${user.username}`);
  for (const button of ['Save', 'Delete']) {
    await visitor.visit(`/products/${id}`);
    // Its form, opened before it was deleted.
    await visitor.page.locator('input[name="id"]').evaluateAll((all) => {
      for (const input of all) (input as HTMLInputElement).value = '00000000-0000-7000-8000-000000000000';
    });
    await visitor.going(() => visitor.button(button).click());
    await visitor.sees('Page not found');
  }
});

test('a long list is turned page by page', async ({ serverWith, another }) => {
  const server = await serverWith({});
  const reader = await another({}, server);
  const ann = await server.signUp();
  const authorization = `Bearer ${await server.accessToken(ann)}`;
  const names = Array.from({ length: 60 }, (_, index) => `Product number ${index + 1}.`);
  for (const name of names) await server.post('/api/products', { name }, { authorization });
  await reader.signInAs(ann);
  await reader.visit('/products');
  const seen = new Set<string>();
  const next = reader.page.getByRole('link', { name: 'Next page' });
  for (let page = 1; ; page++) {
    for (const text of await reader.page.getByRole('listitem').allInnerTexts()) {
      const name = names.find((name) => text.includes(name));
      if (!name) continue;
      expect(seen.has(name), `${name} stands on two pages`).toBe(false);
      seen.add(name);
    }
    if ((await next.count()) === 0) break;
    expect(page).toBeLessThan(names.length);
    await reader.follow(next);
    await expect(reader.page.getByRole('link', { name: 'First page' })).toBeVisible();
  }
  expect(seen.size).toBe(names.length);
  await reader.follow(reader.page.getByRole('link', { name: 'First page' }));
  await reader.isAt('/products', TITLE);
});

test('without the worked example there is no trace of it', async ({ serverWith, another, watch }) => {
  watch.expectStatus(404);
  const server = await serverWith({ PRODUCTS: 'false' });
  const visitor = await another({}, server);
  await visitor.signInAs(await server.signUp());
  await visitor.visit('/profile');
  await visitor.sees('Profile');
  await expect(visitor.page.getByRole('link', { name: 'Products' })).toHaveCount(0);
  expect((await visitor.visit('/products')).status()).toBe(404);
});
