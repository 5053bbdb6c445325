// The same page on a real watcher: PENNING_EXPLORER_URL=http://127.0.0.1:7534/explorer/.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fits, isAccessible, ready } from './browser.mjs';
import { Scene } from './scene.mjs';

const url = process.env.PENNING_EXPLORER_URL;
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

test('the watcher says how safe the chain is, and news come as events', options, async () => {
  await visit('');
  await page.waitForFunction(() => document.getElementById('health').dataset.state !== 'unknown' || !document.querySelector('#health h2').textContent.startsWith('Asking'));
  assert.match(await page.locator('#health h2').innerText(), /^(Safe|Unsafe|Cannot tell)/);
  await page.locator('.mode[data-mode="live"]').waitFor();
});

test('every page can be read, from the overview on', options, async () => {
  await visit('');
  assert.equal(await page.locator('main .notice.warn').count(), 0, await page.locator('main').innerText());
  for (const path of ['blocks', 'transactions', 'exits', 'charts']) {
    await visit(path);
    assert.equal(await page.locator('main .notice.warn').count(), 0, await page.locator('main').innerText());
    await fits(page);
  }
  await visit('blocks');
  const block = page.locator('main a[href^="#/block/"]').first();
  if (!await block.count()) return;
  await block.click();
  await page.locator('main h1', { hasText: /^Block \d+$/ }).waitFor();
  for (const [kind, title] of [['tx', /^(Payment|Fee claim)$/], ['address', /^Account$/], ['output', /^Output \d+:\d+:\d+$/]]) {
    const next = page.locator(`main a[href^="#/${kind}/"]`).first();
    if (!await next.count()) continue;
    await next.click();
    await page.locator('main h1', { hasText: title }).waitFor();
    await ready(page);
    assert.equal(await page.locator('main .notice.warn').count(), 0, await page.locator('main').innerText());
  }
});

test('a search finds the newest block by number and by hash', options, async () => {
  const newest = await (await fetch(new URL('../block.all', url), { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"limit":1}' })).json();
  assert.ok(newest.success, JSON.stringify(newest));
  const [block] = newest.data;
  if (!block) return;
  await visit('');
  for (const typed of [String(block.blknum), block.hash]) {
    await page.fill('#q', typed);
    await page.press('#q', 'Enter');
    await page.locator('main h1', { hasText: `Block ${block.blknum}` }).waitFor();
    await visit('exits');
  }
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds no fault on a phone in ${colorScheme} colours`, options, async () => {
    for (const path of ['', 'blocks', 'exits', 'charts']) {
      await visit(path, { colorScheme, viewport: { width: 360, height: 740 } });
      await fits(page);
      await isAccessible(page, path);
    }
  });
}
