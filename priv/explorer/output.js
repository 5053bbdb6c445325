// One output: whose it is, what made and spent it, and whether it leaves.

import { ApiError, call, explain } from './api.js';
import { copyButton, facts, h, notice, section } from './dom.js';
import { exitCard } from './exit_card.js';
import { addressLink, amount, blockLink, positionOf, txLink } from './format.js';
import { missing } from './missing.js';

const CHILD_BLOCK_INTERVAL = 1000n;

/** The page of a position, `1000:0:1` or its number. */
export async function output([text], ctx) {
  const position = positionOf(text);
  if (!position) return missing(text, ['No output can have this position: transactions of a block are 0 to 65535, outputs of a transaction 0 to 3.'], ctx);
  const { blknum, txindex, oindex, utxo_pos: number } = position;
  const isDeposit = blknum % CHILD_BLOCK_INTERVAL !== 0n;
  const [found, exit] = await Promise.all([optional('utxo.get', number, ctx), optional('exit.get', number, ctx)]);
  const failure = [found, exit].find((answer) => answer.error)?.error;
  if (!found.data && !exit.data && !failure) {
    return missing(text, [
      isDeposit ? `Block ${blknum} would be a deposit, since it is no multiple of 1000. There is no such deposit yet.`
        : `No transaction ${txindex} of block ${blknum} makes an output ${oindex}, as far as this watcher has listed blocks.`,
      'A deposit appears once it has enough confirmations on the root chain.',
    ], ctx);
  }
  return h('div', null,
    h('h1', { tabindex: '-1' }, 'Output ', `${blknum}:${txindex}:${oindex}`),
    found.error ? notice('warn', explain(found.error)) : null,
    found.data ? known(found.data, isDeposit, exit.data) : null,
    facts([
      ['Position as a number', h('span', { class: 'long' }, h('code', null, String(number)), copyButton(String(number), 'the position'))],
      ['Block', isDeposit ? `${blknum} (a deposit)` : blockLink(blknum)],
      ['Place', `transaction ${txindex}, output ${oindex}`],
    ]),
    section('Exit', exit.data ? exitCard(exit.data, { isOpen: true }) : exit.error ? notice('warn', explain(exit.error))
      : notice('none', 'It was never taken out by a standard exit.')));
}

/** The answer, nothing where there is no such thing, or why it failed. */
async function optional(method, position, ctx) {
  try {
    return { data: await call(method, { utxo_pos: position }, ctx.signal) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const isAbsent = error.isNotFound && error.code !== 'operation:not_found';
    return isAbsent ? {} : { error };
  }
}

/** Who left with an in-flight exit is not known here: what no payment spent need not be there any more. */
function unspent(exit) {
  if (['superseded', 'omitted'].includes(exit?.phase)) return 'Left the chain by another exit';
  if (['paid', 'paid_wrongly'].includes(exit?.phase)) return 'Left the chain by an exit';
  return exit && !exit.is_over ? 'Not spent on this chain, and leaving by an exit' : 'Not spent on this chain';
}

function known(found, isDeposit, exit) {
  return facts([
    ['Amount', amount(found.amount, found.currency)],
    ['Owner', addressLink(found.owner, true)],
    ['State', found.spending_txhash ? ['Spent by ', txLink(found.spending_txhash)] : unspent(exit)],
    ['Made by', found.creating_txhash ? txLink(found.creating_txhash, true) : isDeposit ? 'a deposit on the root chain' : 'unknown'],
  ]);
}
