// `?next=`: where a visitor wanted to go, which a stranger may have written into the link.

import { expect, test } from '../support/test.ts';

test('a page that needs somebody signed in is returned to, with its query', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await visitor.visit('/products?x=a%26b&y=%2F');
  await visitor.sees('Sign in');
  const next = new URL(visitor.page.url()).searchParams.get('next');
  expect(next).toBe('/products?x=a%26b&y=%2F');
  await visitor.fill({ 'Username or email address': ann.email, Password: ann.password });
  await visitor.submit('Sign in');
  await visitor.sees('Products');
  expect(visitor.page.url()).toBe(`${server.url}/products?x=a%26b&y=%2F`);
});

test('the wish survives a wrong password', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await visitor.visit('/login?next=/products');
  await visitor.fill({ 'Username or email address': ann.email, Password: 'not my password' });
  await visitor.submit('Sign in');
  await visitor.isAlerted('Wrong username, address or password.');
  await visitor.fill({ Password: ann.password });
  await visitor.submit('Sign in');
  await visitor.isAt('/products', 'Products');
});

test('nobody who signs in through a foreign link leaves the house', async ({ visitor, server }) => {
  const ann = await server.signUp();
  // One of each kind through the page, with everything that a browser does to an address.
  const kinds = ['https://evil.example/', '//evil.example', '/\\evil.example', '/\t/evil.example', 'javascript:alert(1)'];
  for (const next of kinds) {
    await visitor.visit(`/login?next=${encodeURIComponent(next)}`);
    await visitor.fill({ 'Username or email address': ann.email, Password: ann.password });
    const { location } = await visitor.submit('Sign in');
    expect(location, next).toBe('/profile');
    await visitor.isAt('/profile', 'Profile');
    await visitor.signOut();
  }
});

test('an allowed origin may be returned to', async ({ serverWith, another, server, watch }) => {
  // Any server will do for the application behind the sign-in.
  const house = await serverWith({ ALLOWED_ORIGINS: server.url });
  const visitor = await another({}, house);
  watch.trust(server.url);
  const ann = await house.signUp();
  const target = `${server.url}/dev/mail`;
  await visitor.visit(`/login?next=${encodeURIComponent(target)}`);
  await visitor.fill({ 'Username or email address': ann.email, Password: ann.password });
  const { location } = await visitor.submit('Sign in');
  expect(location).toBe(target);
  await expect(visitor.page).toHaveURL(target);
  await expect(visitor.page.getByRole('heading', { level: 1 })).toHaveText('Mail of Vestibule');
});
