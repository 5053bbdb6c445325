// Throughput and fees, of the newest blocks.

import { ApiError, ask, call, explain } from './api.js';
import { barChart } from './chart.js';
import { fill, h, notice, section, table, tile } from './dom.js';
import { ago, blockLink, duration, ETHER, ethers, grouped, short, token } from './format.js';
import { kindOf } from './lists.js';

const BLOCKS = 100;
const FEE_CLAIM = 3;
const FEE_CHANGES = 50;

/** The page. */
export async function charts(_, ctx) {
  const throughput = h('div', null);
  const fees = h('div', null);
  await Promise.all([part(throughput, drawThroughput, ctx), part(fees, drawFees, ctx)]);
  return h('div', null,
    h('h1', { tabindex: '-1' }, 'Throughput and fees'),
    h('p', { class: 'lead' }, `Of the newest ${BLOCKS} blocks, the oldest on the left.`),
    throughput, fees);
}

async function part(element, make, ctx) {
  try {
    fill(element, await make(ctx));
  } catch (error) {
    if (ctx.signal.aborted) return;
    fill(element, notice('warn', explain(error)));
  }
}

async function drawThroughput(ctx) {
  const found = (await call('block.all', { limit: BLOCKS }, ctx.signal)).reverse();
  if (!found.length) return notice('none', 'No block yet.');
  const perBlock = found.map((block) => ({
    label: `block ${block.blknum}`, value: Number(block.tx_count), text: String(block.tx_count), link: blockLink(block.blknum),
  }));
  const waits = found.slice(1).map((block, index) => {
    const wait = Math.max(0, Number(block.timestamp) - Number(found[index].timestamp));
    return { label: `block ${block.blknum}`, value: wait, text: String(wait), link: blockLink(block.blknum) };
  });
  const first = found[0];
  const last = found[found.length - 1];
  const seconds = Number(last.timestamp) - Number(first.timestamp);
  const count = found.slice(1).reduce((sum, block) => sum + Number(block.tx_count), 0);
  return [
    h('div', { class: 'tiles' },
      tile('Transactions per second', seconds > 0 ? rate(count / seconds) : '–'),
      tile('Transactions', grouped(count + Number(first.tx_count))),
      tile('Over', duration(seconds)),
      tile('One block every', found.length > 1 && seconds > 0 ? duration(seconds / (found.length - 1)) : '–')),
    h('div', { class: 'columns even' },
      barChart({ title: 'Transactions in each block', points: perBlock, xLabel: 'Block', yLabel: 'transactions', signal: ctx.signal }),
      barChart({ title: 'Time between blocks', points: waits, xLabel: 'Block', yLabel: 'seconds', signal: ctx.signal })),
  ];
}

const rate = (value) => (value >= 100 ? grouped(Math.round(value)) : String(Number(value.toPrecision(3))));

async function drawFees(ctx) {
  const claims = (await ask('transaction.all', { txtypes: [FEE_CLAIM], limit: BLOCKS }, ctx.signal)).data.reverse();
  const asked = await history(ctx);
  const currencies = [...new Set(claims.flatMap((claim) => claim.outputs.map(({ currency }) => currency)))].sort();
  if (!currencies.length) return [section('Fees collected', notice('none', 'No fee was collected yet.')), asked];
  const place = h('div', null);
  const choose = h('select', { name: 'currency' }, currencies.map((currency) =>
    h('option', { value: currency }, currency === ETHER ? 'Ether' : `token ${short(currency, 6)}`)));
  choose.addEventListener('change', () => draw(choose.value));
  const draw = (currency) => fill(place, collected(claims, currency, ctx));
  draw(currencies[0]);
  const picker = currencies.length > 1 ? h('p', { class: 'filters' }, h('label', null, h('span', null, 'Currency'), choose)) : null;
  return [picker, place, asked];
}

function collected(claims, currency, ctx) {
  const points = claims.flatMap((claim) => {
    const sum = claim.outputs.filter((output) => output.currency === currency).reduce((total, output) => total + BigInt(output.amount), 0n);
    if (!sum) return [];
    const exact = currency === ETHER ? ethers(sum) : String(sum);
    return [{ label: `block ${claim.block.blknum}`, value: Number(exact), text: exact, link: blockLink(claim.block.blknum) }];
  });
  const unit = currency === ETHER ? 'ETH' : 'units';
  return barChart({ title: `Fees collected in each block, in ${currency === ETHER ? 'Ether' : `token ${short(currency, 6)}`}`, points, xLabel: 'Block', yLabel: unit, signal: ctx.signal });
}

/** The currency stands beside it. */
const fee = ({ amount: value, currency }) => h('span', { class: 'amount' }, grouped(currency === ETHER ? ethers(value) : BigInt(value)));

/** What the operator asks, and since when. */
async function history(ctx) {
  let changes;
  try {
    changes = await call('fees.history', { limit: FEE_CHANGES }, ctx.signal);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return section('Fees asked', notice('warn', explain(error)));
  }
  if (!changes.length) return section('Fees asked', notice('none', 'This watcher has seen no fee yet.'));
  const seen = new Set();
  const columns = [{ label: 'Kind', class: 'tight' }, { label: 'Currency', class: 'tight' }, { label: 'Fee', class: 'right' }, { label: 'Since', class: 'right tight' }, { label: 'State', class: 'tight' }];
  const rows = changes.map((change) => {
    const key = `${change.txtype} ${change.currency}`;
    const isNow = !seen.has(key);
    seen.add(key);
    return [
      kindOf(change.txtype), token(change.currency), change.amount === null ? 'not taken' : fee(change),
      ago(Date.parse(change.inserted_at) / 1000), isNow ? h('b', null, 'now') : 'before',
    ];
  });
  return section('Fees asked', h('p', null, 'What the operator asks for a transaction, and when this watcher saw it first. Merges of one owner\u2019s outputs are free.'),
    table('Fees asked, the newest change first', columns, rows));
}
