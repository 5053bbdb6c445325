// A chain of the imagination with the exact shapes of the protocol (6.5): the same every time, with hostile and huge things in it.

import { createHash } from 'node:crypto';

export const ETHER = `0x${'00'.repeat(20)}`;
export const TOKEN = `0x${'70'.repeat(20)}`;
export const MAX = 2n ** 256n - 1n;
/** Above 2^53, and no multiple of a power of two: JSON.parse would make 9007199254740992 of it. */
export const ODD = 9007199254740993n;
export const BLOCKS = 130;
export const INTERVAL = 1000;
export const NOW = Math.floor(Date.now() / 1000);

export const hash = (seed) => `0x${createHash('sha256').update(String(seed)).digest('hex')}`;
export const account = (name) => `0x${createHash('sha256').update(String(name)).digest('hex').slice(0, 40)}`;

export const ALICE = account('alice');
export const BOB = account('bob');
export const WHALE = account('whale');
export const FRAMEWORK = account('framework');

const time = (at) => new Date(at * 1000).toISOString().replace(/\.\d+Z/, 'Z');
const stamps = (at) => ({ inserted_at: time(at), updated_at: time(at) });

/** Text as the 32 bytes of metadata. */
export const metadataOf = (text) => `0x${Buffer.from(text, 'utf8').toString('hex').slice(0, 64).padEnd(64, '0')}`;
export const HOSTILE = '<img src=x onerror=alert(1)>';

export const positionOf = (blknum, txindex, oindex) => BigInt(blknum) * 1_000_000_000n + BigInt(txindex) * 10_000n + BigInt(oindex);

export function utxo(blknum, txindex, oindex, owner, amount, currency = ETHER, more = {}) {
  return {
    blknum, txindex, oindex, otype: 1, utxo_pos: positionOf(blknum, txindex, oindex), owner, currency, amount,
    creating_txhash: blknum % INTERVAL ? null : hash(`tx ${blknum} ${txindex}`), spending_txhash: null, ...stamps(NOW), ...more,
  };
}

export function block(index) {
  const blknum = index * INTERVAL;
  const at = NOW - (BLOCKS - index) * 12 - (index % 7);
  return { blknum, hash: hash(`block ${blknum}`), eth_height: 1000 + index * 2, timestamp: at, tx_count: 2 + ((index * 7) % 9), ...stamps(at) };
}

function payment(of, txindex, spends, makes, metadata) {
  const txhash = hash(`tx ${of.blknum} ${txindex}`);
  const inputs = spends.map((input) => ({ ...input, spending_txhash: txhash }));
  const outputs = makes.map(([owner, amount, currency], oindex) => utxo(of.blknum, txindex, oindex, owner, amount, currency));
  return { txindex, txhash, txtype: 1, txbytes: `0xf8${'ab'.repeat(240)}`, metadata, block: of, inputs, outputs, ...stamps(of.timestamp) };
}

function claim(of, txindex) {
  const txhash = hash(`tx ${of.blknum} ${txindex}`);
  const fee = 1_000_000_000_000n * BigInt(of.tx_count - 1) + 1n;
  const outputs = [{ ...utxo(of.blknum, txindex, 0, account('collector'), fee), otype: 2 }];
  return { txindex, txhash, txtype: 3, txbytes: '0xf8c0', metadata: null, block: of, inputs: [], outputs, ...stamps(of.timestamp) };
}

/** All there is, the oldest first. */
export function chain() {
  const blocks = Array.from({ length: BLOCKS }, (_, index) => block(index + 1));
  const transactions = [];
  for (const of of blocks) {
    const names = [ALICE, BOB, WHALE];
    for (let txindex = 0; txindex < of.tx_count - 1; txindex += 1) {
      const from = names[txindex % 3];
      const to = names[(txindex + 1) % 3];
      const isToken = txindex % 3 === 2;
      const currency = isToken ? TOKEN : ETHER;
      const amount = isToken ? MAX : txindex === 0 ? ODD : 1_500_000_000_000_000_000n + BigInt(of.blknum);
      const spent = utxo(of.blknum - INTERVAL + 1, 0, 0, from, isToken ? amount : amount + 1_000_000_000_000n, currency);
      const said = txindex === 0 ? metadataOf(HOSTILE) : txindex === 1 ? metadataOf('Thanks for lunch') : metadataOf('');
      transactions.push(payment(of, txindex, [spent], isToken || txindex === 0 ? [[to, amount, currency]] : [[to, amount, currency], [from, 7n, currency]], said));
    }
    transactions.push(claim(of, of.tx_count - 1));
  }
  const deposits = [ALICE, BOB].flatMap((owner, who) => [0, 1].map((index) => ({
    event_type: 'deposit', root_chain_txhash: hash(`deposit ${owner} ${index}`), log_index: index, eth_height: 900 + index,
    txoutputs: [utxo(1 + who * 2 + index, 0, 0, owner, 5_000_000_000_000_000_000n)], ...stamps(NOW - 4000),
  })));
  return { blocks, transactions, deposits };
}

export function status(changes = {}) {
  return {
    last_validated_child_block_number: BLOCKS * INTERVAL, last_validated_child_block_timestamp: NOW - 12,
    last_mined_child_block_number: BLOCKS * INTERVAL, last_mined_child_block_timestamp: NOW - 12,
    last_seen_eth_block_number: 1300, last_seen_eth_block_timestamp: NOW, eth_syncing: false, byzantine_events: [],
    in_flight_exits: [{ txhash: hash('ife'), txbytes: '0xf8f8f8f8', eth_height: 1290, piggybacked_inputs: [], piggybacked_outputs: [0] }],
    contract_addr: { plasma_framework: FRAMEWORK, eth_vault: account('ev'), erc20_vault: account('tv'), payment_exit_game: account('game') },
    services_synced_heights: [{ service: 'root_chain_height', height: 1300 }], ...changes,
  };
}

const byzantine = (event, details) => ({ event, details: { name: event, ...details } });
const exitEvent = {
  amount: MAX, currency: ETHER, owner: BOB, eth_height: 1200, utxo_pos: positionOf(2000, 0, 0), root_chain_txhash: hash('exit start'),
  scheduled_finalization_time: NOW + 86400, spending_txhash: hash('tx 3000 0'),
};

/** Every condition there is, by name. */
export const BYZANTINE = {
  invalid_block: byzantine('invalid_block', { hash: hash('bad'), blknum: 9000, error_type: '<b>tx_execution</b>' }),
  block_withholding: byzantine('block_withholding', { blknum: 9000, hash: hash('bad') }),
  invalid_exit: byzantine('invalid_exit', exitEvent),
  unchallenged_exit: byzantine('unchallenged_exit', exitEvent),
  non_canonical_ife: byzantine('non_canonical_ife', { txbytes: '0xf8f8f8f8' }),
  unchallenged_non_canonical_ife: byzantine('unchallenged_non_canonical_ife', { txbytes: '0xf8f8f8f8' }),
  invalid_ife_challenge: byzantine('invalid_ife_challenge', { txbytes: '0xf8f8f8f8' }),
  invalid_piggyback: byzantine('invalid_piggyback', { txbytes: '0xf8f8f8f8', inputs: [0], outputs: [1] }),
  unchallenged_piggyback: byzantine('unchallenged_piggyback', { txbytes: '0xf8f8f8f8', inputs: [], outputs: [1] }),
  piggyback_available: byzantine('piggyback_available', {
    txbytes: '0xf8f8f8f8', available_inputs: [{ index: 0, address: ALICE }], available_outputs: [{ index: 1, address: BOB }],
  }),
};

const EXIT_ID = 1461501637330902918203684832716283019655932542975n;

/** Exits as exit.all has them. */
export function exits() {
  const none = {
    utxo_pos: null, currency: null, amount: null, spending_txhash: null, txhash: null, started_at_s: null, is_canonical: null,
    included_at: null, slots: [], queue: [], windows: [], bond: null,
  };
  const standard = (index, changes) => ({
    ...none, exit_id: EXIT_ID - BigInt(index), kind: 'standard', phase: 'waiting', is_over: false, exitor: ALICE, eth_height: 1200 + index,
    root_chain_txhash: hash(`exit ${index}`), utxo_pos: positionOf(2000 + index * INTERVAL, 0, 0), currency: ETHER, amount: ODD,
    exitable_at_s: NOW + 86400, eta_s: 86400, eta_eth_height: 8500, queue: [{ currency: ETHER, exitable_at_s: NOW + 86400, place: index + 1, of: 4 }],
    windows: [{ step: 'challenge', by: 'anybody', until_s: NOW + 86400, until_eth_height: 8499, is_hard: false }],
    next: 'wait', advice: 'wait: it is due in 86400 s, about root chain block 8500; do not spend what leaves meanwhile', ...changes,
  });
  return [
    standard(0),
    standard(1, { phase: 'invalid', exitor: BOB, amount: MAX, currency: TOKEN, spending_txhash: hash('tx 3000 0'), next: 'challenge',
      advice: 'its output was spent: earn its bond with `penning wallet challenge 3000:0:0`' }),
    standard(2, { phase: 'due', exitable_at_s: NOW - 60, eta_s: 0, eta_eth_height: 1300, next: 'process', advice: 'have it paid: `penning wallet exit process --currency eth`' }),
    { ...none, exit_id: 42n, kind: 'in_flight', phase: 'piggyback_window', is_over: false, exitor: WHALE, eth_height: 1290, root_chain_txhash: hash('ife start'),
      txhash: hash('ife'), started_at_s: NOW - 3600, is_canonical: false, included_at: { blknum: 5000, txindex: 1 },
      slots: [
        { side: 'input', index: 0, owner: ALICE, currency: ETHER, amount: ODD, phase: 'open', exitable_at_s: null },
        { side: 'output', index: 0, owner: BOB, currency: ETHER, amount: 7n, phase: 'joined', exitable_at_s: NOW + 90000 },
        { side: 'output', index: 1, owner: WHALE, currency: TOKEN, amount: MAX, phase: 'blocked', exitable_at_s: null },
      ],
      exitable_at_s: NOW + 90000, eta_s: 90000, eta_eth_height: 8800, queue: [{ currency: ETHER, exitable_at_s: NOW + 90000, place: 4, of: 4 }],
      windows: [{ step: 'piggyback_output', by: 'output_owners', until_s: NOW + 40000, until_eth_height: 4500, is_hard: true }],
      next: 'challenge_canonicity', advice: `a competitor spends its inputs: show it with \`penning wallet challenge ${hash('ife')}\`` },
  ];
}

export const fees = () => [
  { sequence: 3, txtype: 1, currency: ETHER, amount: 1_000_000_000_000n, inserted_at: time(NOW - 3600) },
  { sequence: 2, txtype: 1, currency: TOKEN, amount: MAX, inserted_at: time(NOW - 7200) },
  { sequence: 1, txtype: 1, currency: ETHER, amount: 2_000_000_000_000n, inserted_at: time(NOW - 7200) },
];
