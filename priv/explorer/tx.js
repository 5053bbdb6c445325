// A transaction: what it spends, what it makes, what it pays.

import { ApiError, call } from './api.js';
import { copyButton, facts, h, section, table } from './dom.js';
import { amount, blockLink, metadata, moment } from './format.js';
import { kindOf, outputCells, OUTPUTS } from './lists.js';
import { missing } from './missing.js';

/** The page of a transaction hash. */
export async function tx([hash], ctx) {
  const id = hash.toLowerCase();
  let found;
  try {
    found = await call('transaction.get', { id }, ctx.signal);
  } catch (error) {
    if (error instanceof ApiError && error.isNotFound && error.code !== 'operation:not_found') {
      return missing(hash, [
        'There is no transaction with this hash in any block that this watcher has listed.',
        'It may be waiting for its block: look again in a moment. A transaction that the operator refused appears nowhere.',
      ], ctx);
    }
    throw error;
  }
  const inputs = found.inputs ?? [];
  const outputs = found.outputs ?? [];
  const blknum = found.block?.blknum;
  return h('div', null,
    h('h1', { tabindex: '-1' }, kindOf(found.txtype)),
    facts([
      ['Hash', h('span', { class: 'long' }, h('code', null, found.txhash), copyButton(found.txhash, 'the transaction hash'))],
      ['Place', ['block ', blockLink(blknum), `, transaction ${found.txindex}`]],
      ['Root chain time', found.block?.timestamp ? moment(found.block.timestamp) : null],
      ['Fee', fee(inputs, outputs, found.txtype)],
      ['Metadata', meta(found.metadata)],
    ]),
    section('Inputs', inputs.length ? table('Inputs', OUTPUTS.slice(0, 3), inputs.map((input) => outputCells(input).slice(0, 3)), { class: 'io' })
      : h('p', { class: 'notice none' }, 'It spends nothing.')),
    section('Outputs', table('Outputs', OUTPUTS, outputs.map(outputCells), { class: 'io' })),
    h('details', { class: 'raw' }, h('summary', null, 'Signed bytes'),
      h('div', { class: 'bytes' }, copyButton(found.txbytes, 'the signed bytes'), h('pre', { tabindex: '0', 'aria-label': 'Signed bytes' }, found.txbytes))));
}

/** What the inputs hold beyond the outputs, for each currency. */
export function surplus(inputs, outputs) {
  const sums = new Map();
  const add = (items, sign) => {
    for (const { currency, amount: value } of items) sums.set(currency, (sums.get(currency) ?? 0n) + sign * BigInt(value));
  };
  add(inputs, 1n);
  add(outputs, -1n);
  return [...sums].filter(([, value]) => value !== 0n);
}

function fee(inputs, outputs, txtype) {
  if (txtype !== 1) return null;
  const paid = surplus(inputs, outputs);
  if (!paid.length) return 'none';
  return paid.map(([currency, value], index) => [index ? ', ' : null, amount(value, currency)]);
}

function meta(hex) {
  if (!hex || /^0x0*$/.test(hex)) return 'none';
  const said = metadata(hex);
  return h('span', null, said.text ? [h('q', { class: 'said-text' }, said.text), h('br')] : null, h('code', { class: 'wrap' }, said.hex), copyButton(said.hex, 'the metadata'));
}

