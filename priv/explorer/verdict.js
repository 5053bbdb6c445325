// Decides what the banner says: safe, attention, unsafe or unknown, in words, with what to do. Pure: it reads no clock and no network.
//
// It must never say safe when the watcher did not say so just now. The last word belongs to the worst news.

import { amountText, positionText, short, when } from './format.js';

/** A watcher whose newest root chain block is older than this may miss what happens there. */
const ROOT_CHAIN_AGE_S_MAX = 600;
/** So many submitted blocks that are not validated yet are usual. */
const BLOCKS_BEHIND_MAX = 20;
/** A submitted block is usually validated within this time. */
const VALIDATION_S_MAX = 600;
/** So many blocks of lag of the database are usual. */
const DATABASE_BEHIND_MAX = 20;
const CHILD_BLOCK_INTERVAL = 1000;
/** What a status has to have before anybody is told that the chain is safe. */
const NUMBERS = [
  'last_validated_child_block_number', 'last_mined_child_block_number', 'last_mined_child_block_timestamp', 'last_seen_eth_block_number',
  'last_seen_eth_block_timestamp',
];

const LEAVE = '`penning wallet evacuate`';
const ALARMS = {
  __proto__: null,
  boot_in_progress: 'it is still starting',
  ethereum_connection_error: 'its Ethereum node cannot be reached',
  ethereum_stalled_sync: 'its Ethereum node shows no new blocks',
  main_supervisor_halted: 'a part of it keeps failing',
};

/**
 * What to say. `news` is `{status, error, alarms, indexed, databaseError, now}`: the answer of status.get or why there is none, names of
 * alarms, the newest block of the lists or why there are none, and the time in seconds.
 */
export function verdict(news) {
  const { status, error } = news;
  if (error) return silence(news);
  if (!status) return unknown('Asking the watcher…', 'One moment.');
  if (!Array.isArray(status.byzantine_events)) return unknown(UNREADABLE.title, UNREADABLE.text);
  const items = status.byzantine_events.map((event) => explainEvent(event, status));
  const fatal = items.filter((item) => item.isUnsafe);
  if (fatal.length) {
    return {
      state: 'unsafe',
      title: 'Unsafe: leave this chain',
      text: `Something is wrong that nobody can put right. Accept no payment, send none, and exit with everything you own: ${LEAVE}. The root chain pays out what you own, if you leave in time.`,
      items: [...fatal, ...items.filter((item) => !item.isUnsafe)],
    };
  }
  const doubt = behind(news);
  if (doubt) return { ...doubt, state: 'unknown', items };
  const urgent = items.filter((item) => !item.isOptional).length;
  if (urgent) {
    return {
      state: 'attention',
      title: `Safe, and ${urgent === 1 ? 'one thing has' : `${urgent} things have`} to be challenged in time`,
      text: 'Somebody tries to take what is not theirs. Anybody can stop it and earns the bond; a Sentinel does it by itself. If nobody does, the chain becomes unsafe.',
      items,
    };
  }
  return { state: 'safe', title: 'Safe', text: validated(status), items };
}

function validated(status) {
  return `The watcher has checked every block up to ${status.last_validated_child_block_number} and found nothing wrong. There is nothing to do.`;
}

function silence({ error, alarms }) {
  if (error.isOffline) {
    return unknown('Cannot tell: no connection to the watcher',
      'What is shown below may be old. Check your connection; this page tries again by itself. Until then, accept no payment because of what it shows.');
  }
  const reasons = (alarms ?? []).map((name) => ALARMS[name] ?? `alarm ${name}`);
  if (error.code === 'operation:service_unavailable') {
    return unknown('Cannot tell: the watcher is not ready',
      `It refuses to judge the chain${reasons.length ? `, because ${reasons.join(' and ')}` : ''}. Wait, or ask another watcher. Whoever runs it sees more in its log.`);
  }
  return unknown('Cannot tell: the watcher did not say',
    `It answered ${error.code}. Wait, or ask another watcher. Accept no payment until it says that the chain is safe.`);
}

function unknown(title, text) {
  return { state: 'unknown', title, text, items: [] };
}

const UNREADABLE = {
  title: 'Cannot tell: the answer of the watcher cannot be read',
  text: 'Its status lacks what this page has to know, or has something else in its place. Ask another watcher. Accept no payment until one says that the chain is safe.',
};

const isNumber = (value) => typeof value === 'bigint' || Number.isFinite(value);

function behind({ status, indexed, databaseError, now }) {
  const isReadable = NUMBERS.every((name) => isNumber(status[name])) && typeof status.eth_syncing === 'boolean' && isNumber(now);
  if (!isReadable) return UNREADABLE;
  const wait = 'Wait until it has caught up, or ask another watcher. Accept no payment until then.';
  if (status.eth_syncing) {
    return { title: 'Cannot tell: the watcher\u2019s Ethereum node is still syncing', text: wait };
  }
  const seen = Number(status.last_seen_eth_block_timestamp);
  if (now - seen > ROOT_CHAIN_AGE_S_MAX) {
    return {
      title: 'Cannot tell: the watcher has no news of the root chain',
      text: `The newest root chain block it has seen, ${status.last_seen_eth_block_number}, is of ${when(seen)}. ${wait}`,
    };
  }
  const checked = Number(status.last_validated_child_block_number);
  const mined = Number(status.last_mined_child_block_number);
  const blocks = Math.floor((mined - checked) / CHILD_BLOCK_INTERVAL);
  const isLate = blocks > 0 && seen - Number(status.last_mined_child_block_timestamp) > VALIDATION_S_MAX;
  if (blocks > BLOCKS_BEHIND_MAX || isLate) {
    return {
      title: `Cannot tell: the watcher is ${blocks} ${blocks === 1 ? 'block' : 'blocks'} behind`,
      text: `It has checked the chain up to block ${checked}, and block ${mined} is submitted. ${wait}`,
    };
  }
  return databaseBehind(status, checked, indexed, databaseError);
}

function databaseBehind(status, checked, indexed, error) {
  const text = `${validated(status)} But balances and histories on this page may be incomplete. Wait until it has caught up; exits work all the same.`;
  if (error?.isDatabase || error?.code === 'operation:service_unavailable') {
    const lag = error.messages?.lag_blocks;
    const by = lag === undefined || lag === null ? '' : ` (${lag} blocks behind)`;
    return { title: `Cannot tell what accounts hold: the database is not available${by}`, text };
  }
  if (!isNumber(indexed)) return { title: 'Cannot tell what accounts hold: the lists do not say how far they are', text };
  const lag = Math.floor((checked - Number(indexed)) / CHILD_BLOCK_INTERVAL);
  if (lag <= DATABASE_BEHIND_MAX) return null;
  return { title: `Cannot tell what accounts hold: the database is ${lag} blocks behind`, text };
}

/** One byzantine event: what happened, until when something can be done, and the command. */
export function explainEvent(told, status) {
  const event = typeof told?.event === 'string' ? told.event : 'without a name';
  try {
    if (EVENTS[event]) return { name: event, ...EVENTS[event](told.details ?? {}, status) };
  } catch {
    // Its details are not what they should be: then it is not known what it says.
  }
  return {
    name: event, isUnsafe: true, title: `Unknown condition: ${event}`,
    what: 'This page does not know it, so it counts as unsafe.', until: 'Now.', act: [`Ask whoever runs the watcher, and be ready to leave: ${LEAVE}`],
  };
}

const BEFORE_BLOCK = 'Start your exits within one exit period after that block was submitted. They are then paid before anything that only this block made.';

// Without a prototype, here and in other tables of names from answers: `toString` is no condition.
const EVENTS = {
  __proto__: null,
  invalid_block: ({ blknum, error_type: rule }) => ({
    isUnsafe: true, title: `Block ${blknum} is invalid`,
    what: `The operator submitted a block that breaks a rule (${rule}). The watcher accepts neither it nor what comes after.`,
    until: BEFORE_BLOCK, act: [LEAVE],
  }),
  block_withholding: ({ blknum }) => ({
    isUnsafe: true, title: `Block ${blknum} is withheld`,
    what: 'The operator submitted a block and does not hand out what is in it. Nobody can check who owns what since.',
    until: BEFORE_BLOCK, act: [LEAVE],
  }),
  unchallenged_exit: (details) => ({
    isUnsafe: true, title: `An invalid exit was not challenged: output ${positionText(details.utxo_pos ?? 0)}`,
    what: `${shortAddress(details.owner)} takes out ${what(details)} that was spent before, at the cost of everybody else.`,
    until: `It can be paid after ${when(details.scheduled_finalization_time)}. Have your exits started well before.`,
    act: [LEAVE, `As long as it is not paid, a challenge still ends it: \`penning wallet challenge ${positionText(details.utxo_pos ?? 0)}\``],
    position: details.utxo_pos,
  }),
  invalid_exit: (details) => ({
    title: `An exit is invalid: output ${positionText(details.utxo_pos ?? 0)}`,
    what: `${shortAddress(details.owner)} wants to take out ${what(details)} that was spent before.`,
    until: `Challenge it before ${when(details.scheduled_finalization_time)}.`,
    act: [`\`penning wallet challenge ${positionText(details.utxo_pos ?? 0)}\``], position: details.utxo_pos,
  }),
  unchallenged_non_canonical_ife: (details, status) => ({
    isUnsafe: true, title: `A double spend in an in-flight exit was not challenged: ${inFlight(details, status).name}`,
    what: 'A competitor spends the same inputs, and nobody showed it in time: outputs would be paid that are not theirs.',
    until: 'Have your exits started before that exit is due.', act: [LEAVE], txhash: inFlight(details, status).txhash,
  }),
  non_canonical_ife: (details, status) => ({
    title: `An in-flight exit has a competitor: ${inFlight(details, status).name}`,
    what: 'Another transaction spends one of its inputs.', until: 'Show it in the first half of the exit period.',
    act: [challenge(details, status)], txhash: inFlight(details, status).txhash,
  }),
  invalid_ife_challenge: (details, status) => ({
    title: `An in-flight exit was challenged wrongly: ${inFlight(details, status).name}`,
    what: 'Its transaction was included before the competitor that was shown.', until: 'Answer before the exit is due.',
    act: [challenge(details, status)], txhash: inFlight(details, status).txhash,
  }),
  invalid_piggyback: (details, status) => ({
    title: `Somebody joined an in-flight exit with what was spent: ${inFlight(details, status).name}`,
    what: `${slots(details)} must not be paid.`, until: 'Block it before the exit is due.',
    act: [challenge(details, status)], txhash: inFlight(details, status).txhash,
  }),
  unchallenged_piggyback: (details, status) => ({
    isUnsafe: true, title: `A wrong piggyback was not blocked: ${inFlight(details, status).name}`,
    what: `${slots(details)} would be paid, or was paid, although spent.`,
    until: 'Have your exits started before that exit is due.', act: [LEAVE], txhash: inFlight(details, status).txhash,
  }),
  piggyback_available: (details, status) => ({
    isOptional: true, title: `Owners can join an in-flight exit: ${inFlight(details, status).name}`,
    what: `Open to ${openTo(details)}.`, until: 'In the first half of the exit period.',
    act: [`\`penning wallet exit piggyback --exit ${inFlight(details, status).txhash ?? 'TXHASH'}\``],
    txhash: inFlight(details, status).txhash,
  }),
};

function what({ amount: value, currency }) {
  return value === undefined ? 'an output' : amountText(value, currency);
}

const shortAddress = (address) => short(address ?? 'somebody', 6);

/** Events name an in-flight exit by its bytes; the list of exits knows the hash. */
function inFlight({ txbytes }, status) {
  const txhash = (status?.in_flight_exits ?? []).find((exit) => exit.txbytes === txbytes)?.txhash;
  return { txhash, name: txhash ? short(txhash, 6) : 'bytes ' + short(txbytes ?? '', 6) };
}

function challenge(details, status) {
  return `\`penning wallet challenge ${inFlight(details, status).txhash ?? 'TXHASH'}\``;
}

function slots({ inputs = [], outputs = [] }) {
  return [...inputs.map((index) => `input ${index}`), ...outputs.map((index) => `output ${index}`)].join(', ') || 'Something';
}

function openTo({ available_inputs: inputs = [], available_outputs: outputs = [] }) {
  const shown = (side) => ({ index, address }) => `${shortAddress(address)} (${side} ${index})`;
  return [...inputs.map(shown('input')), ...outputs.map(shown('output'))].join(', ') || 'nobody';
}
