// The exit board: all open exits, and one by one.

import { ApiError, call, explain } from './api.js';
import { announce, fill, h, notice } from './dom.js';
import { exitCard, PHASE_NAMES } from './exit_card.js';
import { stringify } from './json.js';
import { on } from './live.js';
import { missing } from './missing.js';

const PAGE = 50;
/** The board is read again this long after news, once for many of them. */
const REFRESH_MS = 1500;

/** The board. */
export async function exits(_, ctx) {
  const state = { found: [], cursor: null, pages: 1, timer: 0, text: '', error: null };
  const board = h('div', { class: 'exits' });
  const count = h('p', { class: 'lead' });
  const more = h('p', { class: 'pager' });
  const kind = select('kind', 'Kind', [['', 'all'], ['standard', 'standard'], ['in_flight', 'in flight']]);
  const phase = select('phase', 'Phase', [['', 'all'], ...PHASE_NAMES]);
  for (const { control } of [kind, phase]) {
    control.addEventListener('change', async () => {
      state.pages = 1;
      await load();
      announce(count.textContent);
    });
  }

  /** As many pages as were opened, in one go, so that the board stays what it was. */
  async function load() {
    try {
      const params = { kind: kind.control.value || undefined, phase: phase.control.value || undefined };
      let cursor;
      let found = [];
      for (let page = 0; page < state.pages; page += 1) {
        const answer = await call('exit.all', { ...params, limit: PAGE, cursor }, ctx.signal);
        found = found.concat(answer.exits);
        cursor = answer.cursor ?? undefined;
        if (cursor === undefined) break;
      }
      Object.assign(state, { found, cursor, error: null });
    } catch (error) {
      if (ctx.signal.aborted) return;
      state.error = error;
    }
    draw();
  }

  function draw() {
    const text = stringify([state.found, state.error?.code]);
    if (text === state.text) return;
    state.text = text;
    const opened = new Set([...board.querySelectorAll('article:has(details[open])')].map((card) => card.dataset.id));
    const focused = board.contains(document.activeElement) ? document.activeElement.closest('article')?.dataset.id : null;
    const doing = state.found.filter(({ next }) => !['wait', 'nothing'].includes(next)).length;
    const isFiltered = kind.control.value || phase.control.value;
    fill(count, `${state.found.length}${state.cursor === undefined ? '' : ' or more'} ${isFiltered ? 'that fit' : 'open'}. `,
      doing ? `Something can be done about ${doing}.` : 'Nothing has to be done by anybody.');
    fill(board,
      state.error ? notice('warn', explain(state.error)) : null,
      state.found.length || state.error ? null : notice('none', isFiltered ? 'No open exit fits.' : 'Nobody is leaving.'),
      state.found.map((exit) => exitCard(exit, { isOpen: opened.has(String(exit.exit_id)), level: 2 })));
    if (focused) board.querySelector(`article[data-id="${CSS.escape(focused)}"] a`)?.focus({ preventScroll: true });
    fill(more, state.cursor === undefined || state.cursor === null ? null : h('button', { type: 'button', on: { click: next } }, 'Show more'));
  }

  async function next() {
    state.pages += 1;
    await load();
    announce(count.textContent);
  }

  function later() {
    if (state.timer) return;
    state.timer = setTimeout(async () => {
      state.timer = 0;
      await load();
    }, REFRESH_MS);
  }

  ctx.signal.addEventListener('abort', () => clearTimeout(state.timer));
  on('exits', later, ctx.signal);
  on('byzantine', later, ctx.signal);
  on('reset', later, ctx.signal);
  await load();
  return h('div', null,
    h('h1', { tabindex: '-1' }, 'Exits'), count,
    h('form', { class: 'filters', 'aria-label': 'Filter exits', on: { submit: (event) => event.preventDefault() } }, kind.field, phase.field),
    board, more);
}

function select(name, label, options) {
  const control = h('select', { name }, options.map(([value, text]) => h('option', { value }, text)));
  return { control, field: h('label', null, h('span', null, label), control) };
}

/** The page of one exit. */
export async function exit([text], ctx) {
  let found;
  try {
    found = await call('exit.get', { exit_id: BigInt(text) }, ctx.signal);
  } catch (error) {
    if (error instanceof ApiError && error.code === 'exit:not_found') {
      return missing(text, ['No exit with this id was started in this deployment, as far as the watcher has read the root chain.'], ctx);
    }
    throw error;
  }
  const place = h('div', { class: 'exits' }, exitCard(found, { isOpen: true, level: 2 }));
  on('exits', async () => {
    const now = await call('exit.get', { exit_id: BigInt(text) }, ctx.signal).catch(() => null);
    if (now) fill(place, exitCard(now, { isOpen: true, level: 2 }));
  }, ctx.signal);
  return h('div', null, h('h1', { tabindex: '-1' }, 'Exit'), place);
}
