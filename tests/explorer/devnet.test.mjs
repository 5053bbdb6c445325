// The same page on a real watcher: PENNING_EXPLORER_URL=http://127.0.0.1:7534/explorer/.
//
// The network that run.mjs made is known to be well and to have something on every page. Nothing is known of another one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fits, isAccessible, ready } from './browser.mjs';
import { Scene } from './scene.mjs';

const url = process.env.PENNING_EXPLORER_URL;
const isOurs = process.env.PENNING_EXPLORER_IS_OURS === '1';
const options = { skip: url ? false : 'PENNING_EXPLORER_URL names no running watcher' };
const scene = url ? new Scene(url) : null;

test('the files come with types and rules that keep everything else out', options, async () => {
  const { headers } = await fetch(url);
  assert.match(headers.get('content-type'), /^text\/html/);
  assert.match(headers.get('content-security-policy'), /(default|script)-src 'self'/);
  assert.doesNotMatch(headers.get('content-security-policy'), /unsafe/);
  for (const [name, type] of [['app.js', 'text/javascript'], ['style.css', 'text/css'], ['icon.svg', 'image/svg+xml']]) {
    const response = await fetch(new URL(name, url));
    assert.equal(response.status, 200, name);
    assert.ok(response.headers.get('content-type').startsWith(type), name);
  }
});

const isWell = async () => assert.equal(await scene.page.locator('main .notice.warn').count(), 0, await scene.page.locator('main').innerText());

/** Whether there is one; in our network there has to be. It may take a moment until the lists have it. */
async function isThere(locator, what) {
  if (isOurs) await locator.waitFor({ timeout: 30000 });
  const count = await locator.count();
  assert.ok(count || !isOurs, `no ${what} on ${scene.page.url()}`);
  return count > 0;
}

test('the watcher says how safe the chain is, and news come as events', options, async () => {
  const page = await scene.open();
  const said = page.locator('#health h2', { hasText: isOurs ? /^Safe$/ : /^(Safe|Unsafe|Cannot tell)/ });
  await said.waitFor({ timeout: 60000 });
  await page.locator('.mode[data-mode="live"]').waitFor();
});

test('every page can be read, from the overview on', options, async () => {
  const page = await scene.open();
  await isWell();
  for (const path of ['transactions', 'exits', 'charts', 'blocks']) {
    await scene.go(path);
    await isWell();
    await fits(page);
  }
  for (const [kind, title] of [['block', /^Block \d+$/], ['tx', /^(Payment|Fee claim)$/], ['address', /^Account$/], ['output', /^Output \d+:\d+:\d+$/]]) {
    const next = page.locator(`main a[href^="#/${kind}/"]`).first();
    if (!await isThere(next, kind)) continue;
    await next.click();
    await page.locator('main h1', { hasText: title }).waitFor();
    await ready(page);
    await isWell();
  }
});

test('an exit is on the board and has its page', options, async () => {
  const page = await scene.open('exits');
  const exit = page.locator('article.exit a[href^="#/exit/"]').first();
  if (!await isThere(exit, 'exit')) return;
  await exit.click();
  await page.locator('main h1', { hasText: /^Exit$/ }).waitFor();
  await ready(page);
  await isWell();
});

test('a search finds the newest block by number and by hash', options, async () => {
  const newest = await (await fetch(new URL('../block.all', url), { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"limit":1}' })).json();
  assert.ok(newest.success, JSON.stringify(newest));
  const [block] = newest.data;
  assert.ok(block || !isOurs, 'there is no block');
  if (!block) return;
  const page = await scene.open();
  for (const typed of [String(block.blknum), block.hash]) {
    await page.fill('#q', typed);
    await page.press('#q', 'Enter');
    await page.locator('main h1', { hasText: `Block ${block.blknum}` }).waitFor();
    await scene.go('exits');
  }
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds no fault on a phone in ${colorScheme} colours`, options, async () => {
    const page = await scene.open('', { colorScheme, viewport: { width: 360, height: 740 } });
    for (const path of ['', 'blocks', 'exits', 'charts']) {
      await scene.go(path);
      await fits(page);
      await isAccessible(page, path);
    }
  });
}
