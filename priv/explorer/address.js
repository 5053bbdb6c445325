// An account: what it holds, what it did, what leaves.

import { call, explain } from './api.js';
import { copyButton, h, notice, section, table } from './dom.js';
import { ETHER, ethers, grouped } from './format.js';
import { exitList } from './exit_list.js';
import { depositList, transactionList, utxoList } from './lists.js';

/** The page of an address. */
export async function address([text], ctx) {
  const account = text.toLowerCase();
  const balance = h('div', { 'aria-busy': 'true' }, notice('wait', 'Loading…'));
  const exits = exitList({
    params: () => ({ address: account }), level: 3, empty: () => 'No exit, neither open nor over.', signal: ctx.signal,
    order: (found) => [...found].sort((one, other) => one.is_over - other.is_over),
  });
  const utxos = utxoList(account, ctx.signal);
  const transactions = transactionList({ address: account }, 'Transactions of this account, the newest first', 'No transaction.', ctx.signal);
  const deposits = depositList(account, ctx.signal);
  await Promise.all([
    part(balance, ctx, async () => balances(await call('account.get_balance', { address: account }, ctx.signal))),
    utxos.ready, transactions.ready, deposits.ready, exits.ready,
  ]);
  return h('div', null,
    h('h1', { tabindex: '-1' }, 'Account'),
    h('p', { class: 'lead long' }, h('code', null, account), copyButton(account, 'the address')),
    section('Balance', balance),
    section('Unspent outputs', utxos),
    section('Transactions', transactions),
    section('Deposits', deposits),
    section('Exits', exits));
}

/** A part that may fail without the others. */
async function part(element, ctx, make) {
  try {
    element.replaceChildren(await make());
  } catch (error) {
    if (ctx.signal.aborted) return;
    element.replaceChildren(notice('warn', explain(error)));
  }
  element.setAttribute('aria-busy', 'false');
}

function balances(found) {
  if (!found.length) return notice('none', 'This account holds nothing that is unspent and not leaving.');
  const columns = [{ label: 'Currency' }, { label: 'Balance', class: 'right' }];
  const rows = found.map(({ currency, amount: value }) => [
    currency === ETHER ? 'Ether' : h('span', { class: 'long' }, h('code', null, currency), copyButton(currency, 'the token address')),
    h('span', { class: 'amount' }, grouped(currency === ETHER ? ethers(value) : BigInt(value)), currency === ETHER ? ' ETH' : null),
  ]);
  return table('Balance in each currency', columns, rows);
}
