// A list of any length: the first page, and more on demand. Rows that came before do not come twice, however the list grows meanwhile.

import { ask, explain } from './api.js';
import { announce, fill, h, notice, row, table } from './dom.js';

/**
 * `{method, params, limit, caption, columns, cells(item), key(item), empty, signal, list?(data), next?(answer)}`. The answer names the next
 * page by `data_paging.next_cursor`; where it does not, by counting.
 */
export function paged(what) {
  const body = h('div', { class: 'paged', 'aria-busy': 'true' }, notice('wait', 'Loading…'));
  const state = { seen: new Set(), cursor: undefined, page: 1, shown: null };
  const ready = more(what, state, body);
  body.ready = ready;
  return body;
}

async function more(what, state, body) {
  let answer;
  try {
    const page = state.cursor === undefined && state.page > 1 ? state.page : undefined;
    answer = await ask(what.method, { ...what.params, limit: what.limit, page, cursor: state.cursor }, what.signal);
  } catch (error) {
    if (error.name === 'AbortError') return;
    failed(what, state, body, error);
    return;
  }
  const items = answer.data.filter((item) => !state.seen.has(what.key(item)));
  for (const item of items) state.seen.add(what.key(item));
  body.setAttribute('aria-busy', 'false');
  const isFirst = state.shown === null;
  if (isFirst && !items.length) {
    fill(body, notice('none', what.empty));
    return;
  }
  const rows = items.map((item) => row(what.columns, what.cells(item)));
  if (isFirst) {
    state.shown = table(what.caption, what.columns, []);
    fill(body, state.shown);
  }
  state.shown.tBodies[0].append(...rows);
  body.querySelector('.pager')?.remove();
  const limit = answer.data_paging?.limit ?? what.limit;
  const hasCursor = answer.data_paging && 'next_cursor' in answer.data_paging;
  state.cursor = answer.data_paging?.next_cursor ?? undefined;
  state.page += 1;
  const hasMore = hasCursor ? state.cursor !== undefined : answer.data.length >= limit;
  if (!isFirst) {
    announce(`${items.length} more`);
    rows[0]?.querySelector('a')?.focus();
  }
  if (hasMore) body.append(pager(what, state, body, 'Show more'));
}

function pager(what, state, body, text) {
  const button = h('button', { type: 'button' }, text);
  button.addEventListener('click', () => {
    button.disabled = true;
    button.textContent = 'Loading…';
    more(what, state, body);
  });
  return h('p', { class: 'pager' }, button);
}

function failed(what, state, body, error) {
  body.setAttribute('aria-busy', 'false');
  body.querySelector('.pager')?.remove();
  body.querySelector('.notice')?.remove();
  const box = pager(what, state, body, 'Try again');
  box.prepend(notice('warn', explain(error)));
  fill(body, state.shown, h('div', { class: 'pager' }, notice('warn', explain(error)), box.querySelector('button')));
}
