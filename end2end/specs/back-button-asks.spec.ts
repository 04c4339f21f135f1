// With the script alone: without it the browser asks nobody whether the session still lives. At a sign-out on this very
// device it sees its cookies change. Chromium keeps pages as they were left for the back button, which Playwright switches
// off unless asked not to.

import { ARGUMENTS, systemChromium } from '../support/chromium.js';
import { expect, test } from '../support/test.ts';

test.use({
  launchOptions: {
    executablePath: systemChromium(),
    args: ARGUMENTS,
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  },
});

test('the back button shows nothing private after the session was ended from elsewhere', async ({ visitor, user, server }) => {
  const { page } = visitor;
  await visitor.visit('/profile');
  await expect(page.getByText(user.email)).toBeVisible();
  await visitor.visit('/dev/mail');
  await server.disable(user);
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sign in');
  expect(await page.content()).not.toContain(user.email);
});
