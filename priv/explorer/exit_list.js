// Exits that are shown, kept up to date: read again after news, and when the clock of the root chain passes a time that is shown.

import { call, explain } from './api.js';
import { announce, fill, h, notice } from './dom.js';
import { exitCard } from './exit_card.js';
import { onStatus } from './health.js';
import { stringify } from './json.js';
import { on } from './live.js';

const PAGE = 50;
/** News are read this much later, once for many of them. */
const REFRESH_MS = 1500;

/**
 * A list of any length. `{params?(), level, empty(), order?(exits), drawn?(state), signal}`: parameters of exit.all, the level of headings, what is
 * said where there is none, the order within what was read, and who wants to know. What comes back is `ready` when it was read, and has
 * `again()`, which reads it from its beginning.
 */
export function exitList({ params = () => ({}), level, empty, order = (exits) => exits, drawn = () => {}, signal }) {
  const told = h('div', null, notice('wait', 'Loading…'));
  const board = h('div', { class: 'exits' });
  const more = h('p', { class: 'pager' });
  const state = { found: [], cursor: undefined, pages: 1, error: null };

  /** As many pages as were opened, in one go, so that the list stays what it was. */
  async function read() {
    let cursor;
    let found = [];
    for (let page = 0; page < state.pages; page += 1) {
      const answer = await call('exit.all', { ...params(), limit: PAGE, cursor }, signal);
      found = found.concat(answer.exits);
      cursor = answer.cursor ?? undefined;
      if (cursor === undefined) break;
    }
    return { found: order(found), cursor };
  }

  function show(answer, error) {
    Object.assign(state, answer, { error });
    const hadFocus = more.contains(document.activeElement);
    // A filter may leave out all of a page, and more may follow.
    const none = state.cursor === undefined ? empty() : 'None of those that were looked at so far fits.';
    fill(told, error ? notice('warn', explain(error)) : state.found.length ? null : notice('none', none));
    drawCards(board, state.found, { level });
    fill(more, state.cursor === undefined ? null : h('button', { type: 'button', on: { click: next } }, 'Show more'));
    if (hadFocus) (more.querySelector('button') ?? board.querySelector('article:last-child a'))?.focus({ preventScroll: true });
    drawn(state);
  }

  async function next() {
    state.pages += 1;
    await refresh();
    announce(`${state.found.length} exits are shown`);
  }

  const refresh = follow({ read, show, shown: () => state.found, signal });
  const list = h('div', null, told, board, more);
  list.again = () => {
    state.pages = 1;
    return refresh();
  };
  list.ready = refresh();
  return list;
}

/** Cards in the place of those before. What was open stays open, and the focus where it was. */
export function drawCards(board, exits, { isOpen = false, level }) {
  const before = new Map([...board.querySelectorAll('article')].map((card) => [card.dataset.id, card.querySelector('details').open]));
  const focused = board.contains(document.activeElement) ? document.activeElement.closest('article')?.dataset.id : null;
  fill(board, exits.map((exit) => exitCard(exit, { isOpen: before.get(String(exit.exit_id)) ?? isOpen, level })));
  if (focused) board.querySelector(`article[data-id="${CSS.escape(focused)}"] a`)?.focus({ preventScroll: true });
}

/**
 * Gives a function that reads and shows, which also runs by itself. `{read(), show(answer, error), shown(), signal}`: `show` gets the answer or why there
 * is none, and only when it differs from the one before; `shown` gives the exits whose times count. An answer that comes after that of
 * a later question is left out: it is old.
 */
export function follow({ read, show, shown, signal }) {
  let asked = 0;
  let text = '';
  let timer = 0;
  let rootChainTime = 0;

  async function refresh() {
    const number = (asked += 1);
    let answer;
    let error = null;
    try {
      answer = await read();
    } catch (failure) {
      error = failure;
    }
    if (signal.aborted || number !== asked) return;
    const said = stringify([answer, error?.code]);
    if (said === text) return;
    text = said;
    show(answer, error);
  }

  function later() {
    timer ||= setTimeout(() => {
      timer = 0;
      refresh();
    }, REFRESH_MS);
  }

  signal.addEventListener('abort', () => clearTimeout(timer));
  for (const topic of ['exits', 'byzantine', 'reset']) on(topic, later, signal);
  // The watcher goes by the clock of the root chain, not by that of this browser. health.js asks for it every few seconds.
  onStatus(({ last_seen_eth_block_timestamp: now }) => {
    if (shown().flatMap(times).some((at) => rootChainTime <= at && at <= now)) later();
    rootChainTime = now;
  }, signal);
  return refresh;
}

/** When something about an exit changes without any news. */
function times({ exitable_at_s: exitable, windows = [] }) {
  return [exitable, ...windows.map(({ until_s: until }) => until)].filter((at) => at !== null && at !== undefined).map(Number);
}
