// News as they come, and what happens when they do not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BYZANTINE, hash, status } from './fixtures.mjs';
import { Scene, until } from './scene.mjs';

const scene = new Scene();
const { watcher } = scene;
let page;

async function start(path, options) {
  page = await scene.open(path, options);
}

const mode = (name) => page.locator(`.mode[data-mode="${name}"]`).waitFor();
const newest = (blknum) => page.waitForFunction((wanted) => document.querySelector('.blocks tbody tr a')?.textContent === wanted, String(blknum));
const asked = (wanted) => watcher.calls.filter((method) => method === wanted).length;
const paid = (tx) => page.locator(`.payments a[href="#/tx/${tx.txhash}"]`).waitFor();

test('blocks and payments appear as they come, and nothing moves', async () => {
  await start();
  await mode('live');
  assert.equal(watcher.topics, 'blocks,deposits,exits,byzantine,status');
  const shape = () => page.evaluate(() => [...document.querySelectorAll('main h1, main h2, main table, main tr, footer')].map((element) => {
    const { top, height } = element.getBoundingClientRect();
    return `${element.tagName} ${Math.round(top)} ${Math.round(height)}`;
  }));
  const before = await shape();
  for (const count of [1, 2, 3]) {
    const { block, tx } = watcher.grow();
    await newest(block.blknum);
    await paid(tx);
    assert.equal(await page.locator('.blocks tbody tr').count(), 10, `block ${count}`);
  }
  assert.deepEqual(await shape(), before);
  await page.waitForFunction(() => document.getElementById('announcer').textContent.startsWith('New block'));
});

test('the page opens without moving what is there', async () => {
  const prepare = (opened) => opened.addInitScript(() => {
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const { value } of list.getEntries()) window.shifts += value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
  for (const viewport of [{ width: 1280, height: 900 }, { width: 360, height: 740 }]) {
    await start('', { prepare, viewport });
    await mode('live');
    const shifts = await page.evaluate(() => window.shifts);
    assert.ok(shifts < 0.1, `layout shift of ${shifts} at ${viewport.width}`);
  }
});

test('a pause holds everything, and going on shows what came', async () => {
  await start();
  await mode('live');
  await page.getByRole('button', { name: 'Pause' }).click();
  const { block } = watcher.grow();
  await page.getByRole('button', { name: 'Resume (1 new)' }).waitFor();
  assert.equal(await page.locator('.blocks tbody tr a').first().innerText(), '130000');
  await page.getByRole('button', { name: 'Resume (1 new)' }).click();
  await newest(block.blknum);
});

test('after a cut the page goes on where it was', async () => {
  await start();
  await mode('live');
  await newest(watcher.grow().block.blknum);
  const { length } = watcher.events;
  watcher.cut();
  const { block, tx } = watcher.grow();
  await newest(block.blknum);
  await paid(tx);
  await mode('live');
  assert.equal(watcher.lastEventIds.at(-1), `all:${length}`);
});

test('a page that was too slow for the server goes on where it was', async () => {
  await start();
  await mode('live');
  await newest(watcher.grow().block.blknum);
  watcher.end();
  await newest(watcher.grow().block.blknum);
  assert.match(watcher.lastEventIds.at(-1), /^all:\d+$/);
});

test('a new stream goes on where the last one was', async () => {
  await start();
  await mode('live');
  await newest(watcher.grow().block.blknum);
  assert.deepEqual(watcher.places, [null]);
  const { length } = watcher.events;
  await watcher.stop();
  try {
    // By then the page has closed its stream, and will open a new one.
    await mode('offline');
    watcher.tell('status', { is_safe: true });
  } finally {
    await watcher.start();
  }
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await mode('live');
  assert.equal(watcher.places.at(-1), `all:${length}`);
  assert.equal(watcher.lastEventIds.at(-1), undefined);
});

test('a server that was set up anew is followed from where it is', async () => {
  await start();
  await mode('live');
  await newest(watcher.grow().block.blknum);
  watcher.events.length = 0;
  watcher.cut();
  await until(() => watcher.lastEventIds.includes('all:1') && watcher.streams.size > 0 && watcher.places.length > 2);
  await mode('live');
  assert.equal(watcher.places.at(-1), null);
  await newest(watcher.grow().block.blknum);
});

test('where there are no events the page asks', async () => {
  watcher.hasEvents = false;
  await start();
  await mode('polling');
  const { block, tx } = watcher.grow({ isTold: false });
  await newest(block.blknum);
  await paid(tx);
});

test('a chain that becomes unsafe is told at once', async () => {
  await start();
  await mode('live');
  await page.locator('#health[data-state="safe"]').waitFor();
  watcher.status = status({ byzantine_events: [BYZANTINE.block_withholding] });
  watcher.tell('byzantine', { change: 'appeared', event: BYZANTINE.block_withholding });
  await page.locator('#health[data-state="unsafe"] h2', { hasText: 'Unsafe' }).waitFor();
  await page.waitForFunction(() => document.getElementById('announcer').textContent.startsWith('Unsafe'));
  watcher.status = status();
  watcher.tell('byzantine', { change: 'resolved', event: BYZANTINE.block_withholding });
  await page.locator('#health[data-state="safe"]').waitFor();
});

test('the exit board follows, and keeps open what was open', async () => {
  await start('exits');
  await page.locator('article summary').first().click();
  watcher.exits.pop();
  watcher.tell('exits', { event: 'in_flight_exit_deleted', root_chain_txhash: hash('deleted'), log_index: 0, eth_height: 1301, exit_id: 42n });
  await page.waitForFunction(() => document.querySelectorAll('article').length === 3);
  assert.equal(await page.locator('article').first().locator('details[open]').count(), 1);
});

test('exits are read again after a condition, a cut, and a time that passed on the root chain', async () => {
  const [first] = watcher.exits;
  for (const path of ['exits', `exit/${first.exit_id}`, `address/${first.exitor}`]) {
    watcher.reset();
    const at = watcher.status.last_seen_eth_block_timestamp + 100;
    const becomes = async (phase, name, act) => {
      watcher.exits[0] = { ...first, phase, exitable_at_s: at };
      await act();
      await page.locator(`article[data-id="${first.exit_id}"] .badge`, { hasText: name }).waitFor();
    };
    await becomes('waiting', 'Waiting', () => start(path));
    await page.locator('#health[data-state="safe"]').waitFor();
    await becomes('invalid', 'Invalid', () => watcher.tell('byzantine', { change: 'appeared', event: BYZANTINE.invalid_exit }));
    await becomes('superseded', 'Superseded', () => watcher.cut());
    await becomes('due', 'Due', () => {
      watcher.status = status({ last_seen_eth_block_timestamp: at + 1 });
      watcher.tell('status', { is_safe: true });
    });
  }
});

test('an answer that comes late does not take the place of a newer one', async () => {
  await start('exits');
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  watcher.hold = (method, text) => (method === 'exit.all' && text.includes('in_flight') ? held : null);
  const cards = (count) => page.waitForFunction((wanted) => document.querySelectorAll('article').length === wanted, count);
  await page.selectOption('select[name=kind]', 'in_flight');
  await page.selectOption('select[name=kind]', 'standard');
  await cards(3);
  const late = page.waitForResponse((response) => response.request().postData()?.includes('in_flight'));
  release();
  await (await late).finished();
  // What the page asks for afterwards is answered after the page has read it.
  await page.evaluate(async () => (await fetch('../alarm.get')).text());
  await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
  assert.equal(await page.locator('article').count(), 3);
});

test('without a connection the page says that it cannot tell, and recovers by itself', async () => {
  await start();
  await page.locator('#health[data-state="safe"]').waitFor();
  await watcher.stop();
  try {
    await page.locator('#health[data-state="unknown"] h2', { hasText: 'no connection' }).waitFor({ timeout: 40000 });
    await page.goto(`${watcher.url}#/blocks`);
    await page.getByText('The watcher does not answer').waitFor();
  } finally {
    await watcher.start();
  }
  await page.locator('#health[data-state="safe"]').waitFor({ timeout: 40000 });
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('main tbody tr').first().waitFor();
});

test('a browser that is offline says so', async () => {
  await start();
  await page.locator('#health[data-state="safe"]').waitFor();
  await page.context().setOffline(true);
  watcher.cut();
  await page.locator('#health[data-state="unknown"] h2', { hasText: 'no connection' }).waitFor({ timeout: 40000 });
  await page.context().setOffline(false);
  await page.locator('#health[data-state="safe"]').waitFor({ timeout: 40000 });
});

test('a database that is late is asked again for the payments of a block', async () => {
  await start();
  await mode('live');
  const { block } = watcher.grow();
  const late = watcher.transactions.pop();
  await newest(block.blknum);
  const before = asked('transaction.all');
  await until(() => asked('transaction.all') > before);
  watcher.transactions.push(late);
  await paid(late);
});

test('a tab that was opened in the background lets its connection go, and comes back when it is looked at', async () => {
  const prepare = async (opened) => {
    await opened.clock.install();
    await opened.addInitScript(() => Object.defineProperty(document, 'hidden', { get: () => !window.isLookedAt }));
  };
  await start('', { prepare });
  await mode('live');
  assert.equal(watcher.streams.size, 1);
  await page.clock.fastForward(61_000);
  await mode('asleep');
  await until(() => watcher.streams.size === 0);
  const { block } = watcher.grow();
  await page.evaluate(() => {
    window.isLookedAt = true;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await mode('live');
  await newest(block.blknum);
  await page.clock.fastForward(61_000);
  await until(() => watcher.streams.size === 1);
  await mode('live');
});
