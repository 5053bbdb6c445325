// Phones, keyboards, screen readers, colours.

import assert from 'node:assert/strict';
import { readFile, readdir, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { fits, isAccessible, ready } from './browser.mjs';
import { ALICE, BYZANTINE, status } from './fixtures.mjs';
import { Scene } from './scene.mjs';
import { PAGES, TYPES } from './server.mjs';

const scene = new Scene();
const { watcher } = scene;

const tx = () => watcher.transactions.at(-2);
const paths = () => ['', 'blocks', 'transactions', 'block/130000', `tx/${tx().txhash}`, `address/${ALICE}`, 'output/2000:0:0', 'exits', `exit/${watcher.exits[0].exit_id}`, 'exit/42', 'charts', 'search/lunch', 'nonsense'];

async function visit(path) {
  await scene.go(path);
  await scene.page.evaluate(() => document.querySelectorAll('main details').forEach((closed) => closed.setAttribute('open', '')));
}

test('no page sticks out on a phone', async () => {
  watcher.status = status({ byzantine_events: Object.values(BYZANTINE) });
  const page = await scene.open('', { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true });
  for (const path of paths()) {
    await visit(path);
    await fits(page);
  }
});

const DESK = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

// What differs between the themes are colours, and those do not depend on the screen.
for (const [colorScheme, viewports] of [['light', [DESK, PHONE]], ['dark', [PHONE]]]) {
  test(`axe finds no fault in ${colorScheme} colours`, async () => {
    for (const viewport of viewports) {
      const page = await scene.open('', { colorScheme, viewport });
      for (const path of paths()) {
        await visit(path);
        await isAccessible(page, `${path} at ${viewport.width}`);
      }
    }
    const page = await scene.open('', { colorScheme });
    for (const [state, change] of [['unsafe', { byzantine_events: Object.values(BYZANTINE) }], ['attention', { byzantine_events: [BYZANTINE.invalid_exit] }], ['unknown', { eth_syncing: true }]]) {
      watcher.status = status(change);
      await page.reload();
      await page.locator(`#health[data-state="${state}"]`).waitFor();
      await ready(page);
      await isAccessible(page, `${state} banner`);
    }
  });
}

test('the theme can be switched, and stays', async () => {
  const page = await scene.open('', { colorScheme: 'dark' });
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), 'dark');
  await page.getByRole('button', { name: 'Switch to light colours' }).click();
  assert.equal(await theme(), 'light');
  await page.reload();
  assert.equal(await theme(), 'light');
  await page.getByRole('button', { name: 'Switch to dark colours' }).waitFor();
});

test('everything can be done with the keyboard alone', async () => {
  const page = await scene.open();
  const focused = () => page.evaluate(() => {
    const element = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return { name: element.getAttribute('aria-label') ?? element.textContent.trim(), id: element.id, tag: element.tagName, isSeen: outlineStyle !== 'none' && outlineWidth !== '0px' };
  });
  await page.keyboard.press('Tab');
  assert.equal((await focused()).id, 'skip');
  await page.keyboard.press('Enter');
  assert.equal((await focused()).tag, 'H1');
  assert.equal(new URL(page.url()).hash, '');
  await page.keyboard.press('Tab');
  assert.deepEqual(await focused(), { name: 'Pause', id: 'pause', tag: 'BUTTON', isSeen: true });
  await page.keyboard.press('Space');
  assert.equal(await page.locator('#pause').getAttribute('aria-pressed'), 'true');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  const block = await focused();
  assert.equal(block.name, 'block 130000');
  assert.ok(block.isSeen);
  await page.keyboard.press('Enter');
  await page.locator('main h1', { hasText: 'Block 130000' }).waitFor();
  // The new page is read from its heading on.
  assert.equal((await focused()).tag, 'H1');
  await page.keyboard.press('/');
  assert.equal((await focused()).id, 'q');
  await page.keyboard.type('2000:0:0');
  await page.keyboard.press('Enter');
  await page.locator('main h1', { hasText: 'Output 2000:0:0' }).waitFor();
  assert.equal((await focused()).tag, 'H1');
  await page.goBack();
  await page.locator('main h1', { hasText: 'Block 130000' }).waitFor();
  assert.match(await page.title(), /^Block 130000/);
});

test('every stop of the keyboard can be seen and has a name', async () => {
  const page = await scene.open('exits');
  const stops = new Set();
  for (let step = 0; step < 200; step += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return null;
      const name = element.getAttribute('aria-label') ?? (element.labels?.[0]?.textContent || element.textContent.trim());
      const { outlineStyle } = getComputedStyle(element);
      return { name, isSeen: outlineStyle !== 'none', where: `${element.tagName} ${name}` };
    });
    if (!stop) break;
    assert.ok(stop.name, `a ${stop.where} without a name`);
    assert.ok(stop.isSeen, `${stop.where} cannot be seen`);
    stops.add(stop.where);
  }
  assert.ok(stops.size > 15, [...stops].join(', '));
});

test('copying works where the page has no clipboard of its own', async () => {
  const page = await scene.open(`address/${ALICE}`);
  await page.getByRole('button', { name: 'Copy the address' }).click();
  await page.waitForFunction(() => document.getElementById('announcer').textContent === 'Copied the address');
});

test('the page is small, and made of plain files that are all asked for at once', async () => {
  const index = await readFile(`${PAGES}index.html`, 'utf8');
  let bytes = 0;
  for (const name of await readdir(PAGES)) {
    assert.ok(TYPES[name.split('.').pop()], name);
    if (name !== 'index.html') assert.ok(index.includes(`"${name}"`), `${name} is not named in index.html`);
    bytes += (await stat(PAGES + name)).size;
    const text = await readFile(PAGES + name, 'utf8');
    assert.ok(text.split('\n').length < 500, name);
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|style=|https?:\/\/(?!www\.w3\.org\/2000\/svg)/, name);
  }
  assert.ok(bytes < 131_072, `${bytes} bytes`);
});
