// One exit as a card: how far it is, when it is paid, what to do next, who can do what until when.

import { facts, h, prose, table } from './dom.js';
import { addressLink, amount, link, moment, outputLink, positionText, rootChainHash, short, token, txLink } from './format.js';

const PHASES = {
  __proto__: null,
  waiting: ['Waiting', 'calm', 'It waits for its time. Anybody can still challenge it.'],
  due: ['Due', 'act', 'It can be paid: somebody has to process the queue.'],
  invalid: ['Invalid', 'bad', 'Its output was spent before. It has to be challenged.'],
  superseded: ['Superseded', 'calm', 'Its output left with another exit. Nothing is paid.'],
  piggyback_window: ['Open to join', 'act', 'Owners of inputs and outputs can join; anybody can show a competitor.'],
  response_window: ['Open to answers', 'calm', 'Nobody can join any more. Wrong challenges can be answered, wrong piggybacks blocked.'],
  deletable: ['Nobody joined', 'calm', 'It pays nothing. Whoever started it can have it deleted for the bond.'],
  challenged: ['Challenged', 'over', 'It was stopped. The bond went to the challenger.'],
  paid: ['Paid', 'over', 'The money is on the root chain.'],
  paid_wrongly: ['Paid wrongly', 'bad', 'Money left that belonged to others.'],
  omitted: ['Omitted', 'over', 'Its output had left with another exit.'],
  unpaid: ['Ended unpaid', 'over', 'It ended without a payment.'],
  deleted: ['Deleted', 'over', 'Nobody joined, and it was deleted.'],
};

/** Phases and their names, as far as the board has exits of them: of open ones, and of those that took what was not theirs. */
export const BOARD_PHASES = Object.entries(PHASES).filter(([, [, tone]]) => tone !== 'over').map(([name, [label]]) => [name, label]);

const SLOT_PHASES = {
  __proto__: null,
  open: 'can join', spent: 'spent: joining would lose the bond', missed: 'did not join', joined: 'joined', invalid: 'joined and spent: to be blocked',
  blocked: 'blocked', paid: 'paid', paid_wrongly: 'paid wrongly', returned: 'bond came back',
};

const STEPS = {
  __proto__: null,
  wait: 'wait', piggyback_input: 'join with an input', piggyback_output: 'join with an output', challenge: 'challenge', challenge_canonicity: 'show a competitor',
  challenge_piggyback: 'block a piggyback', respond: 'answer a challenge', process: 'process', delete: 'delete', leave: 'leave the chain', nothing: 'nothing',
};

const MOVERS = { __proto__: null, anybody: 'Anybody', input_owners: 'Owners of inputs', output_owners: 'Owners of outputs' };

/** The card. `isOpen` shows all of it at once. */
export function exitCard(exit, { isOpen = false, level = 3 } = {}) {
  const [label, tone, meaning] = PHASES[exit.phase] ?? [exit.phase, 'calm', ''];
  const isStandard = exit.kind === 'standard';
  const title = isStandard ? ['Standard exit of ', positionText(exit.utxo_pos ?? 0)] : ['In-flight exit of ', short(exit.txhash ?? '', 6)];
  const heading = h(`h${level}`, null, link('exit', exit.exit_id, title));
  return h('article', { class: 'exit', data: { id: String(exit.exit_id), phase: exit.phase } },
    h('header', null, heading, h('span', { class: `badge ${tone}` }, label)),
    h('p', { class: 'meaning' }, meaning),
    exit.is_over ? null : h('p', { class: 'next' }, h('b', null, 'Next: '), prose(exit.advice)),
    facts([
      ['Amount', isStandard ? amount(exit.amount ?? 0, exit.currency) : null],
      ['Started by', addressLink(exit.exitor)],
      ['Can be paid', exit.is_over ? null : payable(exit)],
      ['In the queue', exit.queue?.length ? exit.queue.map((place, index) => [index ? '; ' : null, queued(place)]) : null],
      ['Challenge', contested(exit)],
    ]),
    h('details', { open: isOpen }, h('summary', null, 'Details', h('span', { class: 'hidden' }, ' of ', title)), details(exit, isStandard)));
}

function payable(exit) {
  if (exit.exitable_at_s === null || exit.exitable_at_s === undefined) return 'not yet: nobody joined';
  const after = ['after ', moment(exit.exitable_at_s)];
  if (!exit.eta_s) return after;
  return [after, h('small', null, `, about root chain block ${exit.eta_eth_height}`)];
}

function queued({ place, of, currency }) {
  return [`place ${place} of ${of}, `, token(currency)];
}

function contested(exit) {
  if (exit.kind === 'standard') return exit.spending_txhash ? ['its output was spent by ', txLink(exit.spending_txhash)] : null;
  const blocked = (exit.slots ?? []).filter(({ phase }) => phase === 'blocked').length;
  const canonical = exit.is_canonical === false ? 'a competitor was shown: inputs would be paid' : 'none stands: outputs would be paid';
  return blocked ? `${canonical}; ${blocked} blocked` : canonical;
}

function details(exit, isStandard) {
  return h('div', null,
    facts([
      ['Exit id', h('code', { class: 'wrap' }, String(exit.exit_id))],
      ['Output', isStandard ? outputLink(exit.utxo_pos) : null],
      ['Transaction', isStandard ? null : txLink(exit.txhash, true)],
      ['Included', isStandard ? null : exit.included_at ? `block ${exit.included_at.blknum}, transaction ${exit.included_at.txindex}` : 'in no block'],
      ['Started at', exit.started_at_s ? moment(exit.started_at_s) : null],
      ['Root chain block', String(exit.eth_height)],
      ['Root chain transaction', rootChainHash(exit.root_chain_txhash)],
    ]),
    exit.slots?.length ? table('Inputs and outputs', SLOTS, exit.slots.map(slotCells), { showsCaption: true }) : null,
    exit.windows?.length ? table('Who can do what until when', WINDOWS, exit.windows.map(windowCells), { showsCaption: true }) : null);
}

const SLOTS = [{ label: 'Which', class: 'tight' }, { label: 'Owner', class: 'tight' }, { label: 'Amount', class: 'right' }, { label: 'State', class: 'tight' }];
const WINDOWS = [{ label: 'What' }, { label: 'Who' }, { label: 'Until' }];

function slotCells(slot) {
  return [`${slot.side} ${slot.index}`, addressLink(slot.owner), amount(slot.amount, slot.currency), SLOT_PHASES[slot.phase] ?? slot.phase];
}

function windowCells(open) {
  const later = open.is_hard ? null : h('small', null, ' or until somebody processes it');
  return [STEPS[open.step] ?? open.step, MOVERS[open.by] ?? open.by, [moment(open.until_s), `, about block ${open.until_eth_height}`, later]];
}
