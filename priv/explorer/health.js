// The banner: asks for the status, lets verdict.js decide, and draws it. It goes on asking on every page.

import { ApiError, call } from './api.js';
import { announce, fill, h, icon, prose } from './dom.js';
import { link, positionText } from './format.js';
import { stringify } from './json.js';
import { verdict } from './verdict.js';

const ASK_MS = 15000;
const RETRY_MS_MIN = 3000;
const RETRY_MS_MAX = 24000;
/** News that come while it asks are asked about together. */
const AGAIN_MS = 1000;
const WORDS = { safe: 'Safe', attention: 'Attention', unsafe: 'Unsafe', unknown: 'Cannot tell' };

const news = { status: null, error: null, alarms: [], indexed: null, databaseError: null };
const listeners = new Set();
let shown = '';
let timer = 0;
let retryMs = RETRY_MS_MIN / 2;
let isAsking = false;
let isAskedAgain = false;
let isOpen = null;

/** The last status that came, or null. */
export const lastStatus = () => news.status;

/** Calls back after every answer of status.get, until the signal. */
export function onStatus(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener('abort', () => listeners.delete(listener));
  if (news.status) listener(news.status);
}

/** Asks now, and from now on again and again. */
export async function refresh() {
  if (isAsking) {
    isAskedAgain = true;
    return;
  }
  isAsking = true;
  clearTimeout(timer);
  try {
    await Promise.all([askStatus(), askNewestBlock()]);
  } finally {
    isAsking = false;
  }
  draw();
  if (news.status && !news.error) for (const listener of listeners) listener(news.status);
  retryMs = news.error ? Math.min(retryMs * 2, RETRY_MS_MAX) : RETRY_MS_MIN / 2;
  timer = setTimeout(refresh, isAskedAgain ? AGAIN_MS : news.error ? retryMs : ASK_MS);
  isAskedAgain = false;
}

async function askStatus() {
  try {
    news.status = await call('status.get');
    news.error = null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    news.error = error;
    news.alarms = error.code === 'operation:service_unavailable' ? await alarms() : [];
  }
}

async function askNewestBlock() {
  try {
    const newest = await call('block.all', { limit: 1 });
    // What is no list tells nothing, which verdict.js notices.
    news.indexed = Array.isArray(newest) ? (newest.length ? newest[0]?.blknum : 0) : undefined;
    news.databaseError = null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    news.databaseError = error.isOffline ? null : error;
  }
}

async function alarms() {
  try {
    const raised = await call('alarm.get');
    return raised.flatMap((alarm) => Object.keys(alarm));
  } catch {
    return [];
  }
}

function draw() {
  const says = verdict({ ...news, now: Date.now() / 1000 });
  const text = stringify(says);
  if (text === shown) return;
  const banner = document.getElementById('health');
  const isNew = banner.dataset.state !== says.state;
  const held = banner.querySelector('details')?.open;
  if (held !== undefined && !isNew) isOpen = held;
  if (isNew) isOpen = says.state === 'unsafe' || says.state === 'attention';
  shown = text;
  banner.dataset.state = says.state;
  fill(banner,
    icon(says.state),
    h('div', { class: 'said' },
      h('h2', null, says.title),
      h('p', null, prose(says.text)),
      says.items.length ? conditions(says.items) : null));
  document.documentElement.dataset.health = says.state;
  if (isNew) announce(`${WORDS[says.state]}. ${says.title}`);
}

function conditions(items) {
  const title = items.length === 1 ? 'One condition' : `${items.length} conditions`;
  const list = items.map((item) => h('li', { class: item.isUnsafe ? 'unsafe' : null },
    h('h3', null, item.title),
    h('p', null, item.what),
    h('p', null, h('b', null, 'Until when: '), item.until),
    item.act.map((act) => h('p', { class: 'act' }, h('b', null, 'Do: '), prose(act))),
    where(item)));
  return h('details', { open: isOpen }, h('summary', null, `${title}, and what to do`), h('ul', { class: 'conditions' }, list));
}

function where({ position, txhash }) {
  if (position) return h('p', null, link('output', positionText(position), 'Look at the output'));
  return txhash ? h('p', null, link('tx', txhash, 'Look at the transaction')) : null;
}
