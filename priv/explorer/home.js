// The first page: how much happens, the latest blocks and payments as they come.

import { ask, call, explain } from './api.js';
import { announce, fill, h, notice, row, section, table, tile } from './dom.js';
import { addressLink, ago, blockLink, briefAmount, duration, grouped, link, txLink } from './format.js';
import { lastStatus, onStatus } from './health.js';
import { on } from './live.js';

const ROWS = 10;
/** Payments are asked for at most so often. */
const PAYMENTS_MS_MIN = 1500;
/** The database follows the watcher: a block's payments are asked for again so many times. */
const PAYMENTS_TRIES_MAX = 5;
const ANNOUNCE_MS_MIN = 10000;

const MODES = {
  connecting: 'Connecting…',
  live: 'Live',
  polling: 'Asking every few seconds',
  offline: 'No connection',
  asleep: 'Asleep',
};

const BLOCKS = [
  { label: 'Block' }, { label: 'Transactions', class: 'right' }, { label: 'When', class: 'right' },
];
const PAYMENTS = [
  { label: 'Transaction', class: 'name' }, { label: 'To', class: 'name' }, { label: 'Amount', class: 'right' }, { label: 'Block', class: 'right place' },
];

/** The page. */
export async function home(_, ctx) {
  const state = { blocks: new Map(), isPaused: false, missed: 0, tries: 0, timer: 0, frame: 0, spokeAt: 0, payments: '' };
  const blocks = liveTable('Latest blocks', BLOCKS, 'blocks');
  const payments = liveTable('Latest payments', PAYMENTS, 'payments');
  const tiles = h('div', { class: 'tiles tall' });
  const pause = pauseControl(state, load, ctx.signal);
  const page = h('div', null,
    h('div', { class: 'title' }, h('h1', { tabindex: '-1' }, 'Overview'), pause.element),
    tiles,
    h('div', { class: 'columns' },
      section('Latest blocks', blocks, h('p', { class: 'more' }, h('a', { href: '#/blocks' }, 'All blocks'))),
      section('Latest payments', payments, h('p', { class: 'more' }, h('a', { href: '#/transactions' }, 'All transactions')))));
  ctx.signal.addEventListener('abort', () => {
    clearTimeout(state.timer);
    cancelAnimationFrame(state.frame);
  });

  async function load() {
    await Promise.all([loadBlocks(), loadPayments(), loadTiles()]);
  }

  async function loadBlocks() {
    await guarded(blocks, async () => {
      const found = await call('block.all', { limit: ROWS }, ctx.signal);
      state.blocks = new Map(found.map((block) => [block.blknum, block]));
      drawBlocks(null);
    });
  }

  function drawBlocks(fresh) {
    const newest = [...state.blocks.values()].sort((a, b) => b.blknum - a.blknum).slice(0, ROWS);
    state.blocks = new Map(newest.map((block) => [block.blknum, block]));
    const rows = newest.map((block) => row(BLOCKS, [
      blockLink(block.blknum), grouped(block.tx_count), ago(block.timestamp),
    ], { class: block.blknum === fresh ? 'fresh' : null }));
    place(blocks, BLOCKS, rows, 'No block yet.');
  }

  function drawNews() {
    state.frame = 0;
    drawBlocks(Math.max(...state.blocks.keys()));
  }

  async function loadPayments() {
    await guarded(payments, async () => {
      const { data } = await ask('transaction.all', { limit: ROWS, txtypes: [1] }, ctx.signal);
      const key = data.map((tx) => tx.txhash).join();
      if (key === state.payments) return;
      state.payments = key;
      place(payments, PAYMENTS, data.map(paymentRow), 'No payment yet.');
    });
  }

  async function loadTiles() {
    let stats = null;
    let exits = null;
    try {
      [stats, exits] = await Promise.all([
        call('stats.get', {}, ctx.signal).catch(() => null),
        call('exit.all', { limit: 100 }, ctx.signal).catch(() => null),
      ]);
    } finally {
      if (!ctx.signal.aborted) fill(tiles, drawTiles(stats, exits));
    }
  }

  /** Payments of a block, a little later: many blocks may come at once, and the database may not have this one yet. */
  function payLater(tries) {
    state.tries = Math.max(state.tries, tries);
    if (state.timer || !state.tries) return;
    state.timer = setTimeout(async () => {
      state.timer = 0;
      state.tries -= 1;
      const before = state.payments;
      if (!state.isPaused) await Promise.all([loadPayments(), loadTiles()]);
      if (state.payments !== before) state.tries = 0;
      if (!ctx.signal.aborted) payLater(state.tries);
    }, PAYMENTS_MS_MIN);
  }

  on('blocks', (block) => {
    if (state.isPaused) {
      state.missed += 1;
      pause.note(state.missed);
      return;
    }
    state.blocks.set(block.blknum, block);
    // Many may come at once: a picture shows them all.
    if (!state.frame) state.frame = requestAnimationFrame(drawNews);
    if (Date.now() - state.spokeAt > ANNOUNCE_MS_MIN) {
      state.spokeAt = Date.now();
      announce(`New block ${block.blknum} with ${block.tx_count} transactions`);
    }
    payLater(block.tx_count ? PAYMENTS_TRIES_MAX : 1);
  }, ctx.signal);
  on('exits', () => state.isPaused || loadTiles(), ctx.signal);
  on('reset', () => state.isPaused || load(), ctx.signal);
  onStatus(() => state.isPaused || drawChecked(tiles), ctx.signal);

  await load();
  return page;
}

/** Says whether it is live, and stops it. */
function pauseControl(state, load, signal) {
  const mode = h('span', { class: 'mode' });
  const button = h('button', { type: 'button', id: 'pause', 'aria-pressed': 'false' }, 'Pause');
  on('mode', (name) => {
    mode.dataset.mode = name;
    fill(mode, MODES[name]);
  }, signal);
  const note = (missed) => {
    button.textContent = missed ? `Resume (${missed} new)` : 'Resume';
  };
  button.addEventListener('click', () => {
    state.isPaused = !state.isPaused;
    state.missed = 0;
    button.setAttribute('aria-pressed', String(state.isPaused));
    if (state.isPaused) {
      note(0);
    } else {
      button.textContent = 'Pause';
      load();
    }
  });
  return { element: h('p', { class: 'control' }, mode, button), note };
}

function liveTable(caption, columns, kind) {
  const place = h('div', { class: `live ${kind}` }, table(caption, columns, []));
  padded(place.querySelector('tbody'), columns, []);
  return place;
}

/** Always as many rows, so that nothing below ever moves. */
function padded(body, columns, rows) {
  const empty = Array.from({ length: Math.max(0, ROWS - rows.length) }, () =>
    h('tr', { class: 'empty', 'aria-hidden': 'true' }, columns.map(() => h('td', null, '\u00a0'))));
  fill(body, rows, empty);
}

function place(element, columns, rows, none) {
  const caption = element.querySelector('caption').textContent;
  if (!element.querySelector('tbody')) fill(element, table(caption, columns, []));
  padded(element.querySelector('tbody'), columns, rows);
  element.querySelector('.notice')?.remove();
  if (!rows.length) element.append(notice('over', none));
}

/** Tells of a failure beside what was there before. */
async function guarded(element, action) {
  try {
    await action();
  } catch (error) {
    if (error.name === 'AbortError') return;
    element.querySelector('.notice')?.remove();
    element.append(notice('over warn', explain(error)));
  }
}

function paymentRow(tx) {
  const from = tx.inputs?.[0]?.owner;
  const outputs = tx.outputs ?? [];
  const main = outputs.find((output) => output.owner !== from) ?? outputs[0];
  const others = outputs.filter((output) => output !== main && output.owner !== from).length;
  return row(PAYMENTS, [
    txLink(tx.txhash),
    main ? [addressLink(main.owner), others ? ` +${others}` : null] : '–',
    main ? briefAmount(main.amount, main.currency) : '–',
    blockLink(tx.block?.blknum ?? main?.blknum ?? 0),
  ]);
}

function drawTiles(stats, exits) {
  const interval = stats?.average_block_interval_seconds;
  const number = (value) => (value === undefined || value === null ? '–' : grouped(value));
  const day = (pair) => (pair ? [number(pair.last_24_hours), h('small', null, 'last 24 hours, ', number(pair.all_time), ' in all')] : '–');
  const open = exits ? [`${exits.exits.filter((exit) => !exit.is_over).length}${exits.cursor === null ? '' : '+'}`, h('small', null, link('exits', '', 'see the exit board'))] : '–';
  const mean = interval?.last_24_hours ?? interval?.all_time;
  return [
    tile('Checked up to block', h('span', { class: 'checked' }, ...checkedParts())),
    tile('Transactions', day(stats?.transaction_count)),
    tile('Blocks', [day(stats?.block_count), mean ? h('small', null, `one every ${duration(mean)}`) : null]),
    tile('Open exits', open),
  ];
}

function checkedParts() {
  const status = lastStatus();
  if (!status) return ['–'];
  return [String(status.last_validated_child_block_number),
    h('small', null, `root chain block ${status.last_seen_eth_block_number}`)];
}

function drawChecked(tiles) {
  const place = tiles.querySelector('.checked');
  if (place) fill(place, checkedParts());
}
