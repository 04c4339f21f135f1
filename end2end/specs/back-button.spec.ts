// Chromium keeps pages as they were left for the back button, which Playwright switches off unless asked not to.

import { ARGUMENTS, systemChromium } from '../support/chromium.js';
import { expect, test } from '../support/test.ts';

test.use({
  launchOptions: {
    executablePath: systemChromium(),
    args: ARGUMENTS,
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  },
});

test('the back button shows nothing private after signing out', async ({ visitor, user }) => {
  const { page } = visitor;
  await visitor.visit('/products');
  await visitor.visit('/profile');
  await expect(page.getByText(user.email)).toBeVisible();
  await visitor.signOut();
  for (let times = 0; times < 2; times++) {
    await page.goBack();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sign in');
    expect(await page.content()).not.toContain(user.email);
    expect(await page.content()).not.toContain(user.name);
  }
});
