// Starts everything and shows the page that the address names: `#/block/1000`. Links can be shared, and the back button works.

import { call, explain, server } from './api.js';
import { address } from './address.js';
import { block } from './block.js';
import { charts } from './charts.js';
import { fill, h, notice } from './dom.js';
import { exit, exits } from './exits.js';
import { tick } from './format.js';
import { refresh as refreshHealth } from './health.js';
import { home } from './home.js';
import { blocks, transactions } from './lists.js';
import * as live from './live.js';
import { missing, searchPage } from './missing.js';
import { output } from './output.js';
import { search } from './search.js';
import { tx } from './tx.js';

const TICK_MS = 1000;
/** Before this a page is not even said to load: most are there. */
const LOADING_MS = 200;

const ROUTES = [
  [/^$/, home, () => 'Overview'],
  [/^blocks$/, blocks, () => 'Blocks'],
  [/^transactions$/, transactions, () => 'Transactions'],
  [/^block\/(\d{1,19})$/, block, (text) => `Block ${text}`],
  [/^tx\/(0x[0-9a-fA-F]{64})$/, tx, (text) => `Transaction ${text.slice(0, 10)}…`],
  [/^address\/(0x[0-9a-fA-F]{40})$/, address, (text) => `Account ${text.slice(0, 10)}…`],
  [/^output\/([\d:]{1,40})$/, output, (text) => `Output ${text}`],
  [/^exits\/?$/, exits, () => 'Exits'],
  [/^exit\/(\d{1,60})$/, exit, (text) => `Exit ${text.slice(0, 8)}…`],
  [/^charts$/, charts, () => 'Throughput and fees'],
  [/^search\/(.+)$/, searchPage, (text) => `Search for ${text.slice(0, 20)}`],
];

const main = document.getElementById('main');
let leave = new AbortController();
let isFirst = true;

/** Shows what the address names. */
async function show() {
  const path = currentPath();
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const [args, page, title] = find(path);
  const ctx = { signal, setTitle, redirect };
  setTitle(title);
  markNavigation(path);
  main.setAttribute('aria-busy', 'true');
  const waiting = setTimeout(() => !signal.aborted && fill(main, h('h1', { tabindex: '-1' }, title), notice('wait', 'Loading…')), LOADING_MS);
  let shown;
  try {
    shown = await page(args, ctx);
  } catch (error) {
    if (signal.aborted) return;
    shown = failure(title, error);
  } finally {
    clearTimeout(waiting);
  }
  if (signal.aborted || !shown) return;
  fill(main, shown);
  main.setAttribute('aria-busy', 'false');
  if (!isFirst) {
    scrollTo(0, 0);
    main.querySelector('h1')?.focus({ preventScroll: true });
  }
  isFirst = false;
  foot();
}

function currentPath() {
  const hash = location.hash.replace(/^#\/?/, '');
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}

function find(path) {
  for (const [pattern, page, title] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return [match.slice(1), page, title(...match.slice(1))];
  }
  const lost = (args, ctx) => missing(path, ['This address names no page. Perhaps a part of the link is missing.'], ctx, 'No such page');
  return [[], lost, 'No such page'];
}

function setTitle(title) {
  document.title = `${title} – Penning explorer`;
}

/** To another page in the place of this one. */
function redirect(path) {
  location.replace(`#/${path}`);
  return null;
}

function failure(title, error) {
  const again = h('button', { type: 'button', on: { click: show } }, 'Try again');
  return h('div', null, h('h1', { tabindex: '-1' }, title), notice('warn', explain(error)), h('p', null, again));
}

function markNavigation(path) {
  for (const link of document.querySelectorAll('#pages a')) {
    const isHere = link.getAttribute('href').replace(/^#\/?/, '') === path.replace(/\/$/, '');
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

let network = null;

function foot() {
  const parts = [server.service, server.version, network ? `network ${network}` : null].filter(Boolean);
  fill(document.getElementById('server'), parts.join(' · '));
}

async function askNetwork() {
  try {
    network = (await call('configuration.get')).network;
    foot();
  } catch {
    // The foot stays as it is.
  }
}

function start() {
  const form = document.getElementById('search');
  const box = form.querySelector('input');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const typed = box.value.trim().slice(0, 300);
    if (!typed) {
      box.focus();
      return;
    }
    const path = search(typed).path ?? `search/${encodeURIComponent(typed)}`;
    if (location.hash === `#/${path}`) show();
    else location.hash = `#/${path}`;
    box.blur();
  });
  document.getElementById('skip').addEventListener('click', (event) => {
    event.preventDefault();
    (main.querySelector('h1') ?? main).focus();
  });
  document.addEventListener('keydown', (event) => {
    const isTyping = event.target instanceof Element && event.target.matches('input, select, textarea');
    if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      box.focus();
    }
  });
  addEventListener('hashchange', show);
  addEventListener('online', refreshHealth);
  setInterval(tick, TICK_MS);
  refreshHealth();
  for (const topic of ['status', 'byzantine', 'blocks', 'exits', 'reset']) live.on(topic, refreshHealth);
  live.on('mode', (mode) => mode === 'offline' && refreshHealth());
  live.start();
  askNetwork();
  show();
}

start();
