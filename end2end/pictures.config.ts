// `make pictures`: takes the README's pictures anew.

import { defineConfig } from '@playwright/test';

import tests from './playwright.config.ts';

export default defineConfig({ ...tests, testDir: 'pictures', outputDir: 'results/pictures', projects: [{ name: 'pictures' }] });
