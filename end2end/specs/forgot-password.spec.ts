import { Person, expect, test } from '../support/test.ts';

const TITLE = 'Forgot your password?';
const TOLD = 'If there is an account with this address, a link is on its way.';

test('an address is answered alike whether or not it has an account', async ({ visitor, server }) => {
  const ann = await server.signUp();
  const nobody = Person.new();
  const answers = [];
  for (const person of [ann, nobody]) {
    await visitor.visit('/forgot-password');
    await visitor.isAt('/forgot-password', TITLE);
    await visitor.fill({ 'Email address': person.email });
    const { location } = await visitor.submit('Send a link');
    expect(location).toBe('/forgot-password');
    await visitor.isAt('/forgot-password', TITLE);
    await visitor.isTold(TOLD);
    await expect(visitor.field('Email address')).toHaveValue(person.email);
    answers.push(await visitor.page.getByRole('main').innerText());
    await visitor.reloadsHarmlessly();
  }
  expect(answers[1]).toBe(answers[0]);
  await server.mailbox.waitFor(ann.email, '/reset-password');
  expect(await server.mailbox.lettersTo(nobody.email)).toEqual([]);
});

test('what is no address is refused at its field', async ({ visitor }) => {
  await visitor.visit('/forgot-password');
  await visitor.submit('Send a link');
  await visitor.isRefused({ title: TITLE, fields: { 'Email address': 'This field is required' } });
  await visitor.fill({ 'Email address': 'ann at example' });
  await visitor.submit('Send a link');
  expect(visitor.path).toBe('/forgot-password');
  await visitor.isRefused({
    title: TITLE,
    fields: { 'Email address': 'This is not an email address' },
    kept: { 'Email address': 'ann at example' },
  });
});
