// Throughput and fees, of the newest blocks.

import { ApiError, ask, call, explain } from './api.js';
import { barChart } from './chart.js';
import { fill, h, notice, section, table, tile } from './dom.js';
import { ago, blockLink, duration, ETHER, ethers, grouped, short, token } from './format.js';
import { kindOf } from './lists.js';

const BLOCKS = 100;
const FEE_CLAIM = 3;
/** A block has a claim for each currency: so many are read at once, and so many times at most. */
const CLAIMS = 200;
const CLAIM_PAGES_MAX = 10;
const FEE_CHANGES = 50;

/** The page. */
export async function charts(_, ctx) {
  const throughput = h('div', null);
  const fees = h('div', null);
  const newest = call('block.all', { limit: BLOCKS }, ctx.signal).then((found) => found.reverse());
  await Promise.all([part(throughput, drawThroughput, newest, ctx), part(fees, drawFees, newest, ctx)]);
  return h('div', null,
    h('h1', { tabindex: '-1' }, 'Throughput and fees'),
    h('p', { class: 'lead' }, `Of the newest ${BLOCKS} blocks, the oldest on the left.`),
    throughput, fees);
}

async function part(element, make, newest, ctx) {
  try {
    fill(element, await make(await newest, ctx));
  } catch (error) {
    if (ctx.signal.aborted) return;
    fill(element, notice('warn', explain(error)));
  }
}

function drawThroughput(found, ctx) {
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

/** The claims of these blocks, the oldest first. */
async function claimsOf(blocks, ctx) {
  const [first, last] = [blocks[0]?.blknum, blocks.at(-1)?.blknum];
  const claims = [];
  let cursor;
  for (let page = 0; blocks.length && page < CLAIM_PAGES_MAX; page += 1) {
    const answer = await ask('transaction.all', { txtypes: [FEE_CLAIM], limit: CLAIMS, cursor }, ctx.signal);
    claims.push(...answer.data.filter(({ block }) => first <= block.blknum && block.blknum <= last));
    cursor = answer.data_paging?.next_cursor ?? undefined;
    if (cursor === undefined || answer.data.some(({ block }) => block.blknum < first)) return { claims: claims.reverse(), isWhole: true };
  }
  return { claims: claims.reverse(), isWhole: !blocks.length };
}

async function drawFees(blocks, ctx) {
  const { claims, isWhole } = await claimsOf(blocks, ctx);
  const asked = await history(ctx);
  const currencies = [...new Set(claims.flatMap((claim) => claim.outputs.map(({ currency }) => currency)))].sort();
  if (!currencies.length) return [section('Fees collected', notice('none', 'No fee was collected in these blocks.')), asked];
  const place = h('div', null);
  const choose = h('select', { name: 'currency' }, currencies.map((currency) =>
    h('option', { value: currency }, currency === ETHER ? 'Ether' : `token ${short(currency, 6)}`)));
  choose.addEventListener('change', () => draw(choose.value));
  const draw = (currency) => fill(place, collected(claims, currency, ctx));
  draw(currencies[0]);
  const picker = currencies.length > 1 ? h('p', { class: 'filters' }, h('label', null, h('span', null, 'Currency'), choose)) : null;
  const since = isWhole ? null : notice('none', `Fees before block ${claims[0].block.blknum} are not shown: there are too many.`);
  return [picker, place, since, asked];
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
