// A block and what is in it.

import { ApiError, call } from './api.js';
import { copyButton, facts, h, section } from './dom.js';
import { grouped, link, moment } from './format.js';
import { lastStatus } from './health.js';
import { transactionList } from './lists.js';
import { missing } from './missing.js';

const CHILD_BLOCK_INTERVAL = 1000n;

/** The page of a block number. */
export async function block([text], ctx) {
  const blknum = BigInt(text);
  if (blknum % CHILD_BLOCK_INTERVAL !== 0n) {
    // Between the operator's blocks lie deposits: one block with one output each.
    location.replace(`#/output/${blknum}:0:0`);
    return h('div', null, h('h1', { tabindex: '-1' }, `Deposit block ${blknum}`));
  }
  let found;
  try {
    found = await call('block.get', { blknum }, ctx.signal);
  } catch (error) {
    if (error instanceof ApiError && error.isNotFound && error.code !== 'operation:not_found') {
      return missing(text, [`There is no block ${blknum}, or it is not in the lists of this watcher yet.`], ctx);
    }
    throw error;
  }
  const list = transactionList({ blknum }, `Transactions of block ${blknum}`, 'This block holds no transactions.', ctx.signal);
  await list.ready;
  const before = blknum - CHILD_BLOCK_INTERVAL;
  const isNewest = blknum >= BigInt(lastStatus()?.last_validated_child_block_number ?? 0);
  return h('div', null,
    h('div', { class: 'title' },
      h('h1', { tabindex: '-1' }, `Block ${blknum}`),
      h('nav', { class: 'steps', 'aria-label': 'Neighbouring blocks' },
        before > 0n ? link('block', before, '← Older') : null,
        isNewest ? null : link('block', blknum + CHILD_BLOCK_INTERVAL, 'Newer →'))),
    facts([
      ['Hash', h('span', { class: 'long' }, h('code', null, found.hash), copyButton(found.hash, 'the block hash'))],
      ['Transactions', grouped(found.tx_count)],
      ['Root chain block', String(found.eth_height)],
      ['Root chain time', moment(found.timestamp)],
    ]),
    section('Transactions', list));
}
