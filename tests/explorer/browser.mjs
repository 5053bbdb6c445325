// Finds a Chromium and opens pages in it that must not do what they should not: errors, requests elsewhere, broken rules of the CSP.

import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Where the browser is, or null. */
export function findBrowser() {
  const named = process.env.PENNING_CHROMIUM;
  const places = named ? [named] : (process.env.PATH ?? '').split(':').flatMap((path) => NAMES.map((name) => `${path}/${name}`));
  return places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }) ?? null;
}

/** Starts it with a new, empty profile. */
export async function launch() {
  const { chromium } = await import('playwright-core');
  return chromium.launch({ executablePath: findBrowser(), headless: true, chromiumSandbox: false, args: FLAGS });
}

/** Opens a page and watches it. `page.mistakes` holds what it did wrong; `prepare(page)` sets up what it will find. */
export async function open(browser, url, { prepare, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  page.mistakes = [];
  const { origin } = new URL(url);
  page.on('pageerror', (error) => page.mistakes.push(`error: ${error.stack}`));
  page.on('dialog', (dialog) => {
    page.mistakes.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('console', (message) => {
    // The browser itself says so when an answer does not come, or refuses a stream; tests of that kind want it.
    const isExpected = /^(Failed to load resource|EventSource's response has a MIME type)/.test(message.text());
    if (message.type() === 'error' && !isExpected) page.mistakes.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) page.mistakes.push(`request elsewhere: ${request.url()}`);
  });
  await prepare?.(page);
  await page.goto(url);
  return page;
}

/** Closes it, and fails if it did anything wrong. */
export async function close(page) {
  await page.context().close();
  assert.deepEqual(page.mistakes, []);
}

/** Waits until the page that is shown is complete. */
export async function ready(page) {
  await page.locator('main[aria-busy="false"]').waitFor();
}

/** Nothing sticks out to the right. */
export async function fits(page) {
  const { wide, screen } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, screen: document.documentElement.clientWidth }));
  assert.ok(wide <= screen, `the page is ${wide} wide on a screen of ${screen}: ${page.url()}`);
}

/** No violation of the rules of accessibility. */
export async function isAccessible(page, what) {
  const { AxeBuilder } = await import('@axe-core/playwright');
  // Rows after the fourth are like those before, and there are hundreds.
  const { violations } = await new AxeBuilder({ page }).exclude('tbody tr:nth-child(n+5)').analyze();
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html}\n${failureSummary}`).join('\n')}`);
  assert.deepEqual(told, [], what);
}
