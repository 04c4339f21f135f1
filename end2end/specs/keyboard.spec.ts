// Every main flow, with Tab, Enter and Space alone.

import type { Locator } from '@playwright/test';

import { NEW_PASSWORD, Person, type Visitor, expect, test, tokenIn } from '../support/test.ts';

class Hands {
  constructor(private readonly visitor: Visitor) {}

  /** Goes on with Tab until `target` has the focus, which has to be seen. */
  async reach(target: Locator): Promise<void> {
    const { page } = this.visitor;
    for (let presses = 0; presses < 80; presses++) {
      if (await target.evaluate((element) => element === document.activeElement)) {
        expect(await target.evaluate(hasVisibleFocus), 'the focus is seen').toBe(true);
        return;
      }
      await page.keyboard.press('Tab');
    }
    throw new Error(`${target} cannot be reached by keyboard`);
  }

  async type(label: string, text: string, within?: Locator): Promise<void> {
    await this.reach(this.visitor.field(label, within));
    await this.visitor.page.keyboard.press('ControlOrMeta+A');
    await this.visitor.page.keyboard.type(text);
  }

  /** Sends the form whose field has the focus. */
  async enter(): Promise<void> {
    await this.visitor.submitting(() => this.visitor.page.keyboard.press('Enter'));
  }

  async push(button: string | Locator, within?: Locator): Promise<void> {
    await this.reach(typeof button === 'string' ? this.visitor.button(button, within) : button);
    await this.visitor.submitting(() => this.visitor.page.keyboard.press('Space'));
  }

  async follow(link: Locator): Promise<void> {
    await this.reach(link);
    const loaded = this.visitor.page.waitForEvent('domcontentloaded');
    await this.visitor.page.keyboard.press('Enter');
    await loaded;
  }
}

/** Whether an element shows that it has the focus: an outline or a ring, of itself or of what holds it. */
function hasVisibleFocus(element: Element): boolean {
  const shows = (style: CSSStyleDeclaration) =>
    (style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
  return shows(getComputedStyle(element)) || (element.parentElement !== null && shows(getComputedStyle(element.parentElement)));
}

test('a visitor signs up, signs in, and finds where typing begins', async ({ visitor }) => {
  const hands = new Hands(visitor);
  const ann = Person.new();
  await visitor.visit('/login');
  await hands.follow(visitor.page.getByRole('link', { name: 'Create an account' }));
  await hands.type('Email address', ann.email);
  await hands.type('Password', ann.password);
  await hands.enter();
  await visitor.isAt('/login', 'Sign in');
  await hands.type('Password', ann.password);
  await hands.reach(visitor.field('Remember me on this device'));
  await visitor.page.keyboard.press('Space');
  await expect(visitor.field('Remember me on this device')).toBeChecked();
  await hands.push('Sign in');
  await visitor.isAt('/profile', 'Profile');
});

test('the first Tab offers to skip to the content', async ({ visitor, user }) => {
  expect(user.id).not.toBe('');
  await visitor.visit('/profile');
  await visitor.page.keyboard.press('Tab');
  const skip = visitor.page.getByRole('link', { name: 'Skip to content' });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await visitor.page.keyboard.press('Enter');
  await visitor.page.keyboard.press('Tab');
  await expect(visitor.field('Name', visitor.section('Details'))).toBeFocused();
});

test('a failed submit is mended where the focus is', async ({ visitor, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await visitor.visit('/login');
  await hands.type('Username or email address', ann.email);
  await hands.enter();
  await visitor.isRefused({ title: 'Sign in', fields: { Password: 'This field is required' } });
  await visitor.page.keyboard.type(ann.password);
  await hands.enter();
  await visitor.isAt('/profile', 'Profile');
});

test('a password is forgotten and reset', async ({ visitor, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await visitor.visit('/login');
  await hands.follow(visitor.page.getByRole('link', { name: 'Forgot your password?' }));
  await hands.type('Email address', ann.email);
  await hands.enter();
  const letter = await server.mailbox.waitFor(ann.email, '/reset-password');
  await visitor.visit(`/reset-password?token=${tokenIn(letter)}`);
  await hands.type('New password', NEW_PASSWORD);
  await hands.enter();
  await visitor.isAt('/login', 'Sign in');
});

test('an address is verified, and a link that is too old asks for another', async ({ visitor, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await visitor.visit(`/verify-email?token=${await server.verificationToken(ann)}`);
  await hands.push('Verify address');
  await visitor.isTold('Your address is verified.');
});

test('a profile is changed in each of its parts', async ({ visitor, another, user }) => {
  const hands = new Hands(visitor);
  const other = await another();
  await other.signInAs(user);
  await visitor.visit('/profile');
  await hands.type('Name', 'Ann of the Keys', visitor.section('Details'));
  await hands.push('Save');
  await visitor.isTold('Your profile is saved.');

  await hands.type('New email address', Person.new().email);
  await hands.type('Current password', user.password, visitor.section('Email address'));
  await hands.push('Change address');
  await visitor.isTold('We have sent a link to the new address.');

  await hands.push('Sign out all other devices');
  await visitor.isTold('All other devices are signed out.');

  await hands.type('Current password', user.password, visitor.section('Password'));
  await hands.type('New password', NEW_PASSWORD, visitor.section('Password'));
  await hands.enter();
  await visitor.isTold('Your password is changed.');

  await hands.reach(visitor.page.getByRole('link', { name: 'Download your data' }));
  await hands.type('Current password', NEW_PASSWORD, visitor.section('Delete account'));
  await hands.push('Delete account');
  await visitor.isTold('Your account is deleted.');
});

test('products are added, changed and deleted, and the browser signed out', async ({ visitor, user }) => {
  const hands = new Hands(visitor);
  const name = `Key of ${user.username}`;
  await visitor.visit('/profile');
  await hands.follow(visitor.page.getByRole('link', { name: 'Products' }));
  await hands.type('Name', name);
  await hands.push('Add product');
  await hands.follow(visitor.page.getByRole('listitem').filter({ hasText: name }).getByRole('link', { name: /^Edit/ }));
  await hands.type('Name', `${name}, brass`);
  await hands.enter();
  await visitor.isTold('The product is saved.');
  await hands.push('Delete');
  await visitor.isTold('The product is deleted.');
  await hands.push('Sign out', visitor.page.getByRole('banner'));
  await visitor.isTold('You are signed out.');
});

test('an admin finds a user, gives a role and shuts the account', async ({ visitor, admin, server }) => {
  const hands = new Hands(visitor);
  const ann = await server.signUp();
  await visitor.signInAs(admin);
  await visitor.visit('/profile');
  await hands.follow(visitor.page.getByRole('link', { name: 'Users' }));
  await hands.type('Search', ann.email);
  const loaded = visitor.page.waitForEvent('domcontentloaded');
  await visitor.page.keyboard.press('Enter');
  await loaded;
  await hands.follow(visitor.page.getByRole('link', { name: ann.email }));
  await hands.type('Role', 'editor');
  await hands.push('Grant');
  await visitor.isTold('The role is granted.');
  await hands.push('Disable account');
  await visitor.isTold('The account is disabled.');
  await hands.push('Enable account');
  await visitor.isTold('The account is enabled.');
  await hands.push('Mail a reset link');
  await visitor.isTold('A reset link is on its way.');

  await visitor.visit('/admin/mail');
  const row = visitor.page.getByRole('row').filter({ hasText: ann.email }).first();
  await hands.push(row.getByRole('button', { name: /^Send again/ }));
  await visitor.isTold('The message is sent again.');
});
