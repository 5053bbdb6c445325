// Lists that the pages share: blocks, transactions, outputs, deposits.

import { h } from './dom.js';
import { addressLink, ago, amount, blockLink, grouped, outputLink, rootChainHash, txLink } from './format.js';
import { paged } from './paged.js';

const BLOCKS = [
  { label: 'Block' }, { label: 'Hash' }, { label: 'Transactions', class: 'right' }, { label: 'Root chain block', class: 'right' }, { label: 'When', class: 'right' },
];
const TRANSACTIONS = [
  { label: 'Transaction' }, { label: 'Kind', class: 'tight' }, { label: 'From' }, { label: 'To' }, { label: 'Amount', class: 'right' }, { label: 'Place', class: 'right tight' }, { label: 'When', class: 'right tight' },
];
/** Columns of the inputs and outputs of a transaction. */
export const OUTPUTS = [{ label: 'Output', class: 'first' }, { label: 'Owner', class: 'first' }, { label: 'Amount', class: 'right' }, { label: 'State', class: 'right last' }];
const DEPOSITS = [{ label: 'Output' }, { label: 'Amount', class: 'right' }, { label: 'Root chain block', class: 'right' }, { label: 'Root chain transaction' }];

const KINDS = { __proto__: null, 1: 'Payment', 3: 'Fee claim' };

/** What a transaction type is called. */
export const kindOf = (txtype) => KINDS[txtype] ?? `Type ${txtype}`;

/** All blocks, the newest first. */
export async function blocks(_, ctx) {
  const list = paged({
    method: 'block.all', params: {}, limit: 50, caption: 'Blocks, the newest first', columns: BLOCKS,
    key: (block) => block.blknum, empty: 'No block yet.', signal: ctx.signal,
    cells: (block) => [
      blockLink(block.blknum), h('code', { class: 'short', title: block.hash }, block.hash.slice(0, 14), '…'),
      grouped(block.tx_count), String(block.eth_height), ago(block.timestamp),
    ],
  });
  await list.ready;
  return h('div', null, h('h1', { tabindex: '-1' }, 'Blocks'), h('p', { class: 'lead' }, 'Blocks of the operator. Deposits make blocks of their own, which are not listed.'), list);
}

/** All transactions, the newest first. */
export async function transactions(_, ctx) {
  const list = transactionList({}, 'Transactions, the newest first', 'No transaction yet.', ctx.signal);
  await list.ready;
  return h('div', null, h('h1', { tabindex: '-1' }, 'Transactions'), list);
}

/** Transactions that fit these filters. */
export function transactionList(params, caption, empty, signal) {
  return paged({
    method: 'transaction.all', params, limit: params.address ? 10 : 25, caption, columns: TRANSACTIONS, key: (tx) => tx.txhash, empty, signal,
    cells: transactionCells,
  });
}

function transactionCells(tx) {
  const inputs = tx.inputs ?? [];
  const outputs = tx.outputs ?? [];
  const from = inputs[0]?.owner;
  const main = outputs.find((output) => output.owner !== from) ?? outputs[0];
  const more = outputs.length > 1 ? h('small', null, ` of ${outputs.length} outputs`) : null;
  const blknum = tx.block?.blknum ?? main?.blknum;
  return [
    txLink(tx.txhash), kindOf(tx.txtype), from ? addressLink(from) : '–',
    main ? addressLink(main.owner) : '–', main ? [amount(main.amount, main.currency), more] : '–',
    [blockLink(blknum), `, ${tx.txindex}`], tx.block?.timestamp ? ago(tx.block.timestamp) : '–',
  ];
}

/** What a row of `OUTPUTS` says. */
export function outputCells(output) {
  return [
    outputLink(output.utxo_pos), addressLink(output.owner), amount(output.amount, output.currency),
    // It may have left with an exit: its own page looks for that.
    output.spending_txhash ? ['spent by ', txLink(output.spending_txhash)] : 'not spent on this chain',
  ];
}

/** Unspent outputs of an account. */
export function utxoList(address, signal) {
  const columns = [{ label: 'Output' }, { label: 'Made by' }, { label: 'Amount', class: 'right' }];
  return paged({
    method: 'account.get_utxos', params: { address }, limit: 10, caption: 'Unspent outputs', columns, key: (output) => String(output.utxo_pos),
    empty: 'No unspent output.', signal,
    cells: (output) => [
      outputLink(output.utxo_pos), output.creating_txhash ? txLink(output.creating_txhash) : 'deposit', amount(output.amount, output.currency),
    ],
  });
}

/** Deposits of an account. */
export function depositList(address, signal) {
  return paged({
    method: 'deposit.all', params: { address }, limit: 10, caption: 'Deposits', columns: DEPOSITS,
    key: (deposit) => `${deposit.root_chain_txhash}:${deposit.log_index}`, empty: 'No deposit.', signal,
    cells: (deposit) => {
      const made = deposit.txoutputs ?? [];
      return [
        made.map((output) => outputLink(output.utxo_pos)), made.map((output) => amount(output.amount, output.currency)),
        String(deposit.eth_height), rootChainHash(deposit.root_chain_txhash),
      ];
    },
  });
}
