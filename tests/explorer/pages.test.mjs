// Every page, every kind of search, and what hostile or huge things look like.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { fits, ready } from './browser.mjs';
import { ALICE, BOB, BYZANTINE, ETHER, HOSTILE, MAX, ODD, TOKEN, WHALE, account, hash, positionOf, status } from './fixtures.mjs';
import { Scene } from './scene.mjs';

const scene = new Scene();
const { watcher } = scene;
let page;

beforeEach(async () => {
  page = await scene.open();
});

const go = (path) => scene.go(path);
const heading = () => page.locator('main h1').innerText();
const said = (text) => page.getByText(text, { exact: false }).first().waitFor();

async function search(text) {
  await page.fill('#q', text);
  await page.press('#q', 'Enter');
}

test('the overview shows the newest blocks and payments', async () => {
  assert.equal(await heading(), 'Overview');
  assert.equal(await page.locator('.blocks tbody tr').count(), 10);
  assert.equal(await page.locator('.blocks tbody tr').first().locator('a').innerText(), '130000');
  assert.equal(await page.locator('.payments tbody tr a[href^="#/tx/"]').count(), 10);
  await said('0.009007199254740993 ETH');
  await page.locator('#health[data-state="safe"] h2', { hasText: 'Safe' }).waitFor();
  await said('root chain block 1300');
});

test('a block lists its transactions, page by page, none of them twice', async () => {
  const big = watcher.blocks.at(-1);
  const pattern = watcher.transactions.at(-2);
  for (let txindex = big.tx_count; txindex < 60; txindex += 1) watcher.transactions.push({ ...pattern, txindex, txhash: hash(`more ${txindex}`) });
  await go('block/130000');
  assert.equal(await heading(), 'Block 130000');
  await said(big.hash);
  const rows = page.locator('main tbody tr');
  assert.equal(await rows.count(), 25);
  // The list grows between two pages.
  watcher.transactions.push({ ...pattern, txindex: 60, txhash: hash('late') });
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction(() => document.querySelectorAll('main tbody tr').length === 49);
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction(() => document.querySelectorAll('main tbody tr').length === 60);
  const hashes = await page.locator('main tbody tr td:first-child a').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
  assert.equal(new Set(hashes).size, hashes.length);
});

test('a transaction shows inputs, outputs, fee, bytes, and hostile metadata as text', async () => {
  const tx = watcher.transactions.find((found) => found.txindex === 0 && found.block.blknum === 130000);
  await go(`tx/${tx.txhash}`);
  assert.equal(await heading(), 'Payment');
  assert.equal(await page.locator('main q').innerText(), HOSTILE);
  assert.equal(await page.locator('main img').count(), 0);
  await said('0.000001 ETH');
  await said('0.009007199254740993 ETH');
  await page.getByText('Signed bytes').first().click();
  assert.equal(await page.locator('main pre').innerText(), tx.txbytes);
  await page.locator(`main a[href="#/address/${tx.outputs[0].owner}"]`).first().click();
  await page.locator('main h1', { hasText: 'Account' }).waitFor();
  await page.goBack();
  await page.locator('main h1', { hasText: 'Payment' }).waitFor();
});

test('metadata that would change how text reads is shown as bytes only', async () => {
  const tx = watcher.transactions.at(-2);
  tx.metadata = `0x${Buffer.from('safe\u202egnorw', 'utf8').toString('hex').padEnd(64, '0')}`;
  await go(`tx/${tx.txhash}`);
  assert.equal(await page.locator('main q').count(), 0);
  await said(tx.metadata);
});

test('an account shows balances to the last digit, outputs, transactions, deposits and exits', async () => {
  await go(`address/${ALICE}`);
  const text = await page.locator('main').evaluate((main) => main.textContent);
  assert.ok(text.includes('0.009007199254740993 ETH'));
  assert.ok(text.includes(String(MAX)));
  assert.ok(text.includes(TOKEN));
  for (const title of ['Balance', 'Unspent outputs', 'Transactions', 'Deposits', 'Exits']) await page.getByRole('region', { name: title }).first().waitFor();
  assert.equal(await page.getByRole('region', { name: 'Deposits' }).locator('tbody tr').count(), 2);
  assert.equal(await page.getByRole('region', { name: 'Exits' }).locator('article').count(), 2);
  await page.getByRole('region', { name: 'Transactions' }).getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction(() => document.querySelectorAll('section:nth-of-type(3) tbody tr').length === 20);
  await go(`address/${account('nobody')}`);
  for (const none of ['holds nothing', 'No unspent output', 'No transaction', 'No deposit', 'No exit']) await said(none);
});

test('an output tells who owns it, what made it and whether it leaves', async () => {
  await go('output/2000:0:0');
  assert.equal(await heading(), 'Output 2000:0:0');
  await said('Not spent on this chain, and leaving by an exit');
  await said(String(positionOf(2000, 0, 0)));
  await said('place 1 of 4');
  await go('output/1:0:0');
  await said('a deposit on the root chain');
  await said('never taken out');
});

test('an output that no payment spent may have left all the same', async () => {
  const state = page.locator('main dt', { hasText: /^State$/ }).locator('xpath=following-sibling::dd');
  const [exit] = watcher.exits;
  for (const [phase, text] of [['paid', 'Left the chain by an exit'], ['omitted', 'Left the chain by another exit'], ['challenged', 'Not spent on this chain']]) {
    watcher.exits = [{ ...exit, phase, is_over: true }];
    await page.reload();
    await go('output/2000:0:0');
    assert.equal(await state.innerText(), text);
  }
  // Nobody asks for in-flight exits of each output of a list.
  watcher.exits = [];
  const tx = watcher.transactions.at(-2);
  await go(`output/${tx.block.blknum}:${tx.txindex}:0`);
  assert.equal(await state.innerText(), 'Not spent on this chain');
  await go(`tx/${tx.txhash}`);
  await page.getByRole('cell', { name: 'not spent on this chain' }).first().waitFor();
  assert.doesNotMatch(await page.locator('main').innerText(), /\bunspent/i);
});

test('the exit board says what to do, and can be filtered', async () => {
  await go('exits');
  assert.equal(await page.locator('article').count(), 4);
  await said('Something can be done about 3');
  await said('penning wallet challenge 3000:0:0');
  await said('a competitor was shown');
  await page.selectOption('select[name=kind]', 'in_flight');
  await page.waitForFunction(() => document.querySelectorAll('article').length === 1);
  await page.getByText('Details').first().click();
  await said('Owners of outputs');
  await page.getByRole('cell', { name: 'joined' }).waitFor();
  await page.locator('article a').first().click();
  await page.locator('main h1', { hasText: /^Exit$/ }).waitFor();
  await page.goBack();
  await page.selectOption('select[name=phase]', 'deletable');
  await said('No open exit fits');
  const offered = await page.locator('select[name=phase] option').evaluateAll((options) => options.map(({ value }) => value));
  // Exits that are over are not on the board, but for those that took what was not theirs.
  assert.deepEqual(offered, ['', 'waiting', 'due', 'invalid', 'superseded', 'piggyback_window', 'response_window', 'deletable', 'paid_wrongly']);
});

test('an account lists all of its exits, page by page, the open ones first', async () => {
  const [pattern] = watcher.exits;
  watcher.exits = Array.from({ length: 120 }, (_, index) => {
    const isOver = index % 60 !== 40;
    return { ...pattern, exit_id: BigInt(1000 + index), is_over: isOver, phase: isOver ? 'paid' : 'waiting' };
  });
  await go(`address/${ALICE}`);
  const list = page.getByRole('region', { name: 'Exits' });
  const ids = () => list.locator('article').evaluateAll((cards) => cards.map((card) => card.dataset.id));
  assert.equal((await ids()).length, 50);
  assert.equal((await ids())[0], '1040');
  for (const [count, first] of [[100, ['1040', '1100', '1000']], [120, ['1040', '1100', '1000']]]) {
    await list.getByRole('button', { name: 'Show more' }).click();
    await page.waitForFunction((wanted) => document.querySelectorAll('article').length === wanted, count);
    if (count === 120) assert.deepEqual((await ids()).slice(0, 3), first);
  }
  assert.equal(new Set(await ids()).size, 120);
  assert.equal(await list.getByRole('button', { name: 'Show more' }).count(), 0);
});

test('charts have the same numbers as tables', async () => {
  await go('charts');
  assert.equal(await page.locator('svg[role=img]').count(), 3);
  await page.locator('figure summary').first().click();
  const rows = page.locator('figure').first().locator('tbody tr');
  assert.equal(await rows.count(), 100);
  const newest = watcher.blocks.at(-1);
  assert.deepEqual((await rows.first().innerText()).split(/\s+/), [String(newest.blknum), String(newest.tx_count)]);
  assert.equal(await page.locator('figure').first().locator('rect').count(), 100);
  await said('Fees asked');
});

test('the chart of fees has the same blocks as the others', async () => {
  const isFee = ({ txtype }) => txtype === 3;
  const rows = page.locator('figure').last().locator('tbody tr');
  // Fewer claims than blocks.
  watcher.transactions = watcher.transactions.filter((tx) => !isFee(tx) || tx.block.blknum <= 90_000);
  await go('charts');
  assert.equal(await rows.count(), 60);
  // And more: a block has one for each currency.
  watcher.reset();
  watcher.transactions = watcher.transactions.flatMap((tx) => (isFee(tx) ? [tx, ...['a', 'b', 'c'].map((name) => (
    { ...tx, txhash: hash(`${name} ${tx.txhash}`), outputs: [{ ...tx.outputs[0], currency: account(name) }] }))] : [tx]));
  await page.reload();
  await ready(page);
  assert.equal(await page.locator('select[name=currency] option').count(), 4);
  assert.equal(await rows.count(), 100);
});

test('a search goes to what the text is', async () => {
  const tx = watcher.transactions.at(-2);
  for (const [typed, url, title] of [
    [ALICE, `#/address/${ALICE}`, 'Account'], [` ${BOB.toUpperCase().replace('0X', '0x')} `, `#/address/${BOB}`, 'Account'], [tx.txhash, `#/tx/${tx.txhash}`, 'Payment'], [tx.txhash.slice(2), `#/tx/${tx.txhash}`, 'Payment'],
    ['7000', '#/block/7000', 'Block 7000'], [watcher.blocks[2].hash, '#/block/3000', 'Block 3000'], ['2000:0:0', '#/output/2000:0:0', 'Output 2000:0:0'],
    [String(positionOf(130000, 0, 0)), '#/output/130000:0:0', 'Output 130000:0:0'], ['1', '#/output/1:0:0', 'Output 1:0:0'], [String(watcher.exits[0].exit_id), `#/exit/${watcher.exits[0].exit_id}`, 'Exit'],
  ]) {
    await search(typed);
    await page.locator('main h1', { hasText: new RegExp(`^${title}$`) }).waitFor();
    await ready(page);
    assert.equal(new URL(page.url()).hash, url, typed);
  }
});

test('a search that finds nothing says why', async () => {
  for (const [typed, reason] of [
    ['0x1234', '4 hex digits'], ['lunch', 'There are no names here'], [hash('nothing'), 'No transaction and no block has this hash'], ['999000', 'There is no block 999000'],
    ['999001', 'There is no such deposit yet'], ['2000:900:0', 'No transaction 900 of block 2000'], ['5:70000:0', 'No output can have this position'], ['123456789012345678901234567890123', 'No exit with this id'],
    ['<script>alert(1)</script>', 'There are no names here'], ['%', 'There are no names here'],
  ]) {
    await search(typed);
    await said(reason);
    await page.locator('main code', { hasText: typed.slice(0, 20) }).or(page.getByText(reason)).first().waitFor();
  }
  await go('nonsense/1');
  await said('This address names no page');
});

test('an unsafe chain is said in words, with what to do, on every page', async () => {
  watcher.status = status({ byzantine_events: [BYZANTINE.invalid_block, BYZANTINE.unchallenged_exit, BYZANTINE.piggyback_available] });
  await page.reload();
  for (const path of ['', 'exits', 'charts', `address/${WHALE}`]) {
    await go(path);
    const banner = page.locator('#health[data-state="unsafe"]');
    await banner.locator('h2', { hasText: 'Unsafe: leave this chain' }).waitFor();
    await banner.getByText('penning wallet evacuate').first().waitFor();
    await banner.getByText('Block 9000 is invalid').waitFor();
    await banner.getByText('<b>tx_execution</b>').waitFor();
    assert.equal(await banner.locator('li b b').count(), 0);
  }
});

test('every condition has its place in the banner', async () => {
  watcher.status = status({ byzantine_events: Object.values(BYZANTINE) });
  await page.reload();
  await page.waitForFunction((count) => document.querySelectorAll('.conditions li').length === count, Object.keys(BYZANTINE).length);
  const text = await page.locator('#health').innerText();
  assert.doesNotMatch(text, /undefined|NaN|null/);
  assert.ok(text.includes(`penning wallet challenge ${hash('ife')}`));
});

test('without a database the page says so, and exits still work', async () => {
  watcher.isDatabaseUp = false;
  await page.reload();
  await page.locator('#health[data-state="unknown"] h2', { hasText: 'database is not available (17 blocks behind)' }).waitFor();
  await go('blocks');
  await said('The database behind the lists is not available');
  await go('exits');
  assert.equal(await page.locator('article').count(), 4);
  await go('output/2000:0:0');
  await said('place 1 of 4');
  await search(hash('anything'));
  await said('Cannot search now');
  watcher.isDatabaseUp = true;
  await go('block/5000');
  await page.locator('main h1', { hasText: 'Block 5000' }).waitFor();
});

test('a watcher that is not ready is told apart from one that is gone', async () => {
  watcher.isReady = false;
  watcher.alarms = ['ethereum_connection_error'];
  await page.reload();
  await page.locator('#health[data-state="unknown"]', { hasText: 'its Ethereum node cannot be reached' }).waitFor();
});

test('huge and hostile values neither break the page nor lose a digit', async () => {
  const tx = watcher.transactions.at(-2);
  tx.outputs = [0, 1, 2, 3].map((oindex) => ({ ...tx.outputs[0], oindex, amount: oindex % 2 ? MAX : ODD, currency: oindex < 2 ? ETHER : TOKEN }));
  await page.setViewportSize({ width: 320, height: 640 });
  await go(`tx/${tx.txhash}`);
  const text = await page.locator('main').evaluate((main) => main.textContent);
  assert.ok(text.includes('115792089237316195423570985008687907853269984665640564039457.584007913129639935 ETH'));
  assert.ok(text.includes(String(MAX)));
  assert.ok(text.includes(String(ODD)));
  await fits(page);
});

test('names that the page does not know are shown as they are', async () => {
  watcher.exits[0] = { ...watcher.exits[0], phase: 'constructor', next: 'toString', windows: [{ ...watcher.exits[0].windows[0], step: 'valueOf', by: 'toString' }] };
  watcher.transactions.at(-2).txtype = 77;
  await go('exits');
  await page.locator('.badge', { hasText: 'constructor' }).waitFor();
  await go(`tx/${watcher.transactions.at(-2).txhash}`);
  assert.equal(await heading(), 'Type 77');
});
