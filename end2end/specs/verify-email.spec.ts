import { Person, expect, test, tokenIn } from '../support/test.ts';

const TITLE = 'Verify your email address';
const OLD_LINK = 'This link is not valid any more.';

test('an address is verified by a click, signed out or in', async ({ visitor, another, server }) => {
  const ann = await server.signUp();
  await visitor.visit(`/verify-email?token=${await server.verificationToken(ann)}`);
  await visitor.sees(TITLE);
  const text = await visitor.page.getByText('One click, and we know').boundingBox();
  const button = await visitor.button('Verify address').boundingBox();
  expect((button?.y ?? 0) - (text?.y ?? 0) - (text?.height ?? 0), 'room between the two').toBeGreaterThan(12);
  await visitor.submit('Verify address');
  await visitor.isAt('/login', 'Sign in');
  await visitor.isTold('Your address is verified.');
  await visitor.reloadsHarmlessly();

  const ben = await server.signUp(Person.new('ben'));
  const elsewhere = await another();
  await elsewhere.signInAs(ben);
  await elsewhere.visit(`/verify-email?token=${await server.verificationToken(ben)}`);
  await elsewhere.submit('Verify address');
  await elsewhere.isAt('/profile', 'Profile');
  await elsewhere.isTold('Your address is verified.');
  await expect(elsewhere.section('Email address').getByText('Verified', { exact: true })).toBeVisible();
});

test('to look at the link verifies nothing', async ({ visitor, user, server }) => {
  const token = await server.verificationToken(user);
  await visitor.visit(`/verify-email?token=${token}`);
  await visitor.visit(`/verify-email?token=${token}`);
  await visitor.visit('/profile');
  await expect(visitor.section('Email address').getByText('Not verified', { exact: true })).toBeVisible();
});

test('a used link is worth nothing, and another can be asked for', async ({ visitor, server }) => {
  const ann = await server.signUpVerified();
  const token = await server.verificationToken(ann);
  await visitor.visit(`/verify-email?token=${token}`);
  await visitor.isAlerted(OLD_LINK);
  await expect(visitor.button('Verify address')).toHaveCount(0);
});

test('who has lost the link gets another, and everybody else the same answer', async ({ visitor, server }) => {
  const ann = await server.signUp();
  await server.mailbox.waitFor(ann.email, '/verify-email');
  const nobody = Person.new();
  const answers = [];
  for (const person of [ann, nobody]) {
    await visitor.visit('/verify-email?token=none');
    await visitor.isAlerted(OLD_LINK);
    await visitor.fill({ 'Email address': person.email });
    await visitor.submit('Send the link again');
    await visitor.isTold('If this address waits for verification, a link is on its way.');
    answers.push(await visitor.page.getByRole('main').innerText());
  }
  expect(answers[1]).toBe(answers[0]);

  const letter = await server.mailbox.waitFor(ann.email, '/verify-email', 2);
  await visitor.visit(`/verify-email?token=${tokenIn(letter)}`);
  await visitor.submit('Verify address');
  await visitor.isTold('Your address is verified.');
  expect(await server.mailbox.lettersTo(nobody.email)).toEqual([]);
});

test('what is no address is refused at its field', async ({ visitor }) => {
  await visitor.visit('/verify-email?token=none');
  await visitor.fill({ 'Email address': 'ann at example' });
  await visitor.submit('Send the link again');
  await visitor.isRefused({
    title: TITLE,
    fields: { 'Email address': 'This is not an email address' },
    kept: { 'Email address': 'ann at example' },
  });
});
