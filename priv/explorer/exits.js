// The exit board: all open exits, and one by one.

import { ApiError, call } from './api.js';
import { announce, fill, h } from './dom.js';
import { BOARD_PHASES } from './exit_card.js';
import { drawCards, exitList, follow } from './exit_list.js';
import { missing } from './missing.js';

/** The board. */
export async function exits(_, ctx) {
  const count = h('p', { class: 'lead' });
  const kind = select('kind', 'Kind', [['', 'all'], ['standard', 'standard'], ['in_flight', 'in flight']]);
  const phase = select('phase', 'Phase', [['', 'all'], ...BOARD_PHASES]);
  const isFiltered = () => Boolean(kind.control.value || phase.control.value);
  const list = exitList({
    params: () => ({ kind: kind.control.value || undefined, phase: phase.control.value || undefined }), level: 2, signal: ctx.signal,
    empty: () => (isFiltered() ? 'No open exit fits.' : 'Nobody is leaving.'),
    drawn: ({ found, cursor, error }) => {
      if (error) {
        fill(count);
        return;
      }
      const doing = found.filter(({ next }) => !['wait', 'nothing'].includes(next)).length;
      fill(count, `${found.length}${cursor === undefined ? '' : ' or more'} ${isFiltered() ? 'that fit' : 'open'}. `,
        doing ? `Something can be done about ${doing}.` : 'Nothing has to be done by anybody.');
    },
  });
  for (const { control } of [kind, phase]) {
    control.addEventListener('change', async () => {
      await list.again();
      announce(count.textContent);
    });
  }
  await list.ready;
  return h('div', null,
    h('h1', { tabindex: '-1' }, 'Exits'), count,
    h('form', { class: 'filters', 'aria-label': 'Filter exits', on: { submit: (event) => event.preventDefault() } }, kind.field, phase.field),
    list);
}

function select(name, label, options) {
  const control = h('select', { name }, options.map(([value, text]) => h('option', { value }, text)));
  return { control, field: h('label', null, h('span', null, label), control) };
}

/** The page of one exit. */
export async function exit([text], ctx) {
  const read = () => call('exit.get', { exit_id: BigInt(text) }, ctx.signal);
  let shown;
  try {
    shown = await read();
  } catch (error) {
    if (error instanceof ApiError && error.code === 'exit:not_found') {
      return missing(text, ['No exit with this id was started in this deployment, as far as the watcher has read the root chain.'], ctx);
    }
    throw error;
  }
  const place = h('div', { class: 'exits' });
  const draw = () => drawCards(place, [shown], { isOpen: true, level: 2 });
  draw();
  const show = (answer) => {
    // Without an answer the last one stays; the banner says that the watcher is silent.
    shown = answer ?? shown;
    draw();
  };
  follow({ read, show, shown: () => [shown], signal: ctx.signal });
  return h('div', null, h('h1', { tabindex: '-1' }, 'Exit'), place);
}
