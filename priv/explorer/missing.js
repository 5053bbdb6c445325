// The page for what is not there, and why.

import { ApiError, call, explain } from './api.js';
import { h } from './dom.js';
import { lastStatus } from './health.js';
import { search } from './search.js';

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
  const questions = [
    ['transaction.get', { id: hash }, () => `tx/${hash}`],
    ['block.get', { hash }, ({ blknum }) => `block/${blknum}`],
  ];
  for (const [method, params, path] of questions) {
    try {
      return ctx.redirect(path(await call(method, params, ctx.signal)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!error.isNotFound || error.code === 'operation:not_found') {
        return missing(text, ['This may be a transaction or a block.', explain(error)], ctx, 'Cannot search now');
      }
    }
  }
  return missing(text, [
    'No transaction and no block has this hash.',
    'A transaction that waits for its block, or that the operator refused, is not listed. A hash of an Ethereum transaction is looked up in an Ethereum explorer.',
  ], ctx);
}
