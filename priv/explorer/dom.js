// Builds elements. Everything that comes from the network becomes a text node or an attribute that cannot run: no HTML is ever parsed.

const SVG = 'http://www.w3.org/2000/svg';

/** An element. Properties: `on` (listeners by event), `data` (data-…), `class`, anything else as an attribute. Null and false: left out. */
export function h(name, props, ...children) {
  return build(document.createElement(name), props, children);
}

/** The same in SVG. */
export function svg(name, props, ...children) {
  return build(document.createElementNS(SVG, name), props, children);
}

function build(element, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'on') {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (key === 'data') {
      Object.assign(element.dataset, value);
    } else {
      // Links lead to places of this page only, so that no answer can name another one.
      if (key === 'href' && !String(value).startsWith('#')) throw new Error('links stay here');
      element.setAttribute(key, value === true ? '' : String(value));
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Puts these in the place of what is there. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** One of the small pictures. They repeat what words say. */
export function icon(name) {
  const paths = {
    safe: 'M4 12.5l5 5L20 6.5',
    attention: 'M12 3.5L22 20.5H2zM12 10v4.5M12 17.2v.3',
    unsafe: 'M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8zM8.5 8.5l7 7M15.5 8.5l-7 7',
    unknown: 'M8.5 9a3.5 3.5 0 1 1 5 3.2c-1 .5-1.5 1.2-1.5 2.3M12 18v.3',
    copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  };
  const shape = svg('path', { d: paths[name], fill: 'none' });
  return svg('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' }, shape);
}

/** A button that copies a text. */
export function copyButton(text, what) {
  const label = `Copy ${what}`;
  const button = h('button', { type: 'button', class: 'copy', 'aria-label': label, title: label }, icon('copy'));
  button.addEventListener('click', async () => {
    let isDone = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      isDone = copyByHand(text);
    }
    button.dataset.done = String(isDone);
    announce(isDone ? `Copied ${what}` : 'Copying is not allowed here');
    setTimeout(() => delete button.dataset.done, 1500);
  });
  return button;
}

/** Pages without TLS have no clipboard of their own. */
function copyByHand(text) {
  const area = h('textarea', { class: 'hidden', 'aria-hidden': 'true', tabindex: '-1' });
  area.value = text;
  document.body.append(area);
  const focused = document.activeElement;
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();
  focused?.focus();
  return isDone;
}

/** Says something to screen readers, politely. */
export function announce(text) {
  const place = document.getElementById('announcer');
  if (place.textContent === text) place.textContent = '';
  place.textContent = text;
}

/**
 * A table with a caption. Columns: `{label, class?}`; rows: lists of cells, or `{key, cells}`.
 * Roles are spelled out because the table becomes cards on phones, and browsers then forget what it was.
 */
export function table(caption, columns, rows, props = {}) {
  const body = h('tbody', { role: 'rowgroup' }, rows.map((cells) => row(columns, cells)));
  const head = columns.map(({ label, class: name }) =>
    h('th', { role: 'columnheader', scope: 'col', class: name }, label));
  return h('table', { role: 'table', class: props.class },
    h('caption', { class: props.showsCaption ? null : 'hidden' }, caption),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, head)),
    body);
}

/** One row for such a table. */
export function row(columns, cells, props = {}) {
  return h('tr', { role: 'row', ...props }, columns.map(({ label, class: name }, index) =>
    h('td', { role: 'cell', class: name, data: { label } }, h('div', null, cells[index]))));
}

/** Names and values. Pairs whose value is null are left out. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined);
  return h('dl', { class: 'facts' }, shown.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))));
}

/** One number that matters, and its name. */
export function tile(name, value) {
  return h('dl', { class: 'tile' }, h('dt', null, name), h('dd', null, value));
}

/** A section with a heading, named by it. */
export function section(title, ...children) {
  const heading = h('h2', null, title);
  heading.id = `s${(section.count = (section.count ?? 0) + 1)}`;
  return h('section', { 'aria-labelledby': heading.id }, heading, children);
}

/** A sentence in a box: nothing there, or something failed. */
export function notice(kind, ...children) {
  return h('p', { class: `notice ${kind}` }, children);
}

/** A text with commands between backticks. */
export function prose(text) {
  return String(text).split('`').map((part, index) => (index % 2 ? command(part) : part));
}

/** A command that can be copied. */
export function command(text) {
  return h('span', { class: 'command' }, h('code', null, text), copyButton(text, 'the command'));
}
