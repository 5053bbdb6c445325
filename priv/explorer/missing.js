// The page for what is not there, and why.

import { ApiError, ask, call, explain } from './api.js';
import { h } from './dom.js';
import { lastStatus } from './health.js';
import { search } from './search.js';

const BLOCKS_PAGE = 100;
/** A block hash is looked for among so many pages of the newest blocks, where the watcher does not look it up itself. */
const BLOCK_PAGES_MAX = 10;

/** Says why nothing is found for a text. */
export function missing(text, reasons, ctx, title = 'Nothing found') {
  const status = lastStatus();
  const upTo = status ? `The watcher has checked blocks up to ${status.last_validated_child_block_number}.` : null;
  ctx.setTitle(title);
  return h('div', { class: 'missing' },
    h('h1', { tabindex: '-1' }, title),
    h('p', { class: 'lead' }, 'You looked for ', h('code', { class: 'wrap' }, String(text).slice(0, 200)), '.'),
    reasons.map((reason) => h('p', null, reason)),
    upTo ? h('p', null, upTo) : null,
    h('h2', null, 'What can be searched'),
    h('ul', null,
      h('li', null, 'an address: 0x and 40 hex digits'),
      h('li', null, 'a transaction or a block hash: 0x and 64 hex digits'),
      h('li', null, 'a block number, such as 1000'),
      h('li', null, 'an output: 1000:0:1 (block, transaction, output) or its number, such as 1000000000001')));
}

/** The page of a search: goes to what the text is, or says why that is nothing. */
export async function searchPage([text], ctx) {
  const found = search(text);
  if (found.path) return ctx.redirect(found.path);
  if (!found.hash) return missing(text, [found.reason], ctx);
  return hashPage(found.hash, text, ctx);
}

async function hashPage(hash, text, ctx) {
  let databaseError = null;
  try {
    await call('transaction.get', { id: hash }, ctx.signal);
    return ctx.redirect(`tx/${hash}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (!error.isNotFound || error.code === 'operation:not_found') databaseError = error;
  }
  if (databaseError) return missing(text, ['This may be a transaction or a block.', explain(databaseError)], ctx, 'Cannot search now');
  const blknum = await blockOfHash(hash, ctx.signal);
  if (blknum.found) return ctx.redirect(`block/${blknum.found}`);
  return missing(text, [
    `No transaction has this hash, and no block${blknum.looked ? ` among the newest ${blknum.looked}` : ''}.`,
    'A transaction that waits for its block, or that the operator refused, is not listed. A hash of an Ethereum transaction is looked up in an Ethereum explorer.',
  ], ctx);
}

async function blockOfHash(hash, signal) {
  try {
    // The originals take a number only, and say that a hash is no number.
    const block = await call('block.get', { hash }, signal);
    return { found: block.blknum };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code !== 'operation:bad_request') return {};
  }
  let cursor;
  let looked = 0;
  for (let page = 0; page < BLOCK_PAGES_MAX; page += 1) {
    const { data, data_paging: paging } = await ask('block.all', { limit: BLOCKS_PAGE, cursor }, signal);
    const block = data.find((candidate) => candidate.hash === hash);
    if (block) return { found: block.blknum };
    looked += data.length;
    cursor = paging?.next_cursor;
    if (cursor === undefined) break;
  }
  return { looked };
}
