// News: server-sent events where the server gives them, else polling with back-off. Either way pages hear the same.
//
// EventSource resumes by itself after a cut, with the id of the last event. Where it gives up, a new one goes on from there by `place`.
// Pages that hear `reset` ask for what they show again: they show how things are, also where the server has forgotten the place.

import { BASE, call } from './api.js';
import { parse } from './json.js';

const TOPICS = ['blocks', 'deposits', 'exits', 'byzantine', 'status'];
const POLL_MS_MIN = 5000;
const POLL_MS_MAX = 60000;
const RECONNECT_MS = 2000;
/** Cuts one after the other, without an event between them, before polling begins. */
const CUTS_MAX = 3;
/** What lasted so long was no refusal. */
const STEADY_MS = 10000;
/** While polling, how often events are tried again. */
const TRY_EVENTS_MS = 60000;

/** A page that nobody looks at for so long lets its connection go: servers and browsers have few. */
const HIDDEN_MS_MAX = 60000;

const listeners = new Map();
const timers = { poll: 0, events: 0, hidden: 0 };
let source = null;
/** Id of the last event: where a new stream goes on. */
let place = '';
let cuts = 0;
let openedAt = Infinity;
let pollMs = POLL_MS_MIN;
let mode = 'connecting';

/** Calls back with `(data, sequence)` for a topic, with nothing for `reset`, and with the mode for `mode`; until the signal. */
export function on(topic, listener, signal) {
  if (signal?.aborted) return;
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
  signal?.addEventListener('abort', () => listeners.get(topic).delete(listener));
  if (topic === 'mode') listener(mode);
}

/** Begins. Nothing has to be closed: it ends with the page. */
export function start() {
  if (typeof EventSource === 'undefined') {
    poll();
    return;
  }
  connect();
  addEventListener('online', () => mode !== 'live' && mode !== 'asleep' && connect());
  document.addEventListener('visibilitychange', seen);
  // Opened in the background, it may never be looked at.
  seen();
}

function seen() {
  clearTimeout(timers.hidden);
  if (document.hidden) later('hidden', sleep, HIDDEN_MS_MAX);
  else if (mode === 'asleep') connect();
}

function sleep() {
  source.close();
  // Whoever comes back after days wants to see how things are, not all that happened since.
  place = '';
  later('poll', () => {}, 0);
  later('events', () => {}, 0);
  setMode('asleep');
}

/** Each timer runs once, and the last one set counts. */
function later(timer, action, ms) {
  clearTimeout(timers[timer]);
  timers[timer] = setTimeout(action, ms);
}

function tell(topic, ...news) {
  for (const listener of listeners.get(topic) ?? []) listener(...news);
}

function setMode(next) {
  if (mode === next) return;
  mode = next;
  tell('mode', mode);
}

function connect() {
  source?.close();
  const url = new URL('events', BASE);
  url.search = `topics=${TOPICS.join(',')}${place && `&place=${encodeURIComponent(place)}`}`;
  source = new EventSource(url);
  source.addEventListener('open', () => {
    clearTimeout(timers.poll);
    clearTimeout(timers.events);
    openedAt = Date.now();
    setMode('live');
    // What happened between two connections may not come again.
    tell('reset');
  });
  for (const topic of TOPICS) source.addEventListener(topic, (event) => hear(topic, event));
  // Also where the server ended the stream, because this browser was too slow: it goes on from its last event.
  source.addEventListener('error', lost);
}

function hear(topic, event) {
  let result;
  try {
    result = parse(event.data);
  } catch {
    return;
  }
  cuts = 0;
  if (event.lastEventId) place = event.lastEventId;
  if (result?.data) tell(topic, result.data, result.sequence);
}

function lost() {
  // Refused, perhaps because of the place: a server that was set up anew never had it.
  if (openedAt === Infinity && source.readyState === EventSource.CLOSED) place = '';
  cuts = Date.now() - openedAt > STEADY_MS ? 1 : cuts + 1;
  openedAt = Infinity;
  if (cuts < CUTS_MAX) {
    if (mode === 'live') setMode('connecting');
    if (source.readyState === EventSource.CLOSED) later('events', connect, RECONNECT_MS);
    return;
  }
  source.close();
  later('events', connect, TRY_EVENTS_MS);
  if (mode === 'polling' || mode === 'offline') return;
  pollMs = POLL_MS_MIN;
  poll();
}

async function poll() {
  let next = 'polling';
  try {
    await call('status.get');
    pollMs = POLL_MS_MIN;
  } catch (error) {
    pollMs = Math.min(pollMs * 2, POLL_MS_MAX);
    if (error.isOffline) next = 'offline';
  }
  if (mode === 'live' || mode === 'asleep') return;
  setMode(next);
  if (next === 'polling') tell('reset');
  later('poll', poll, pollMs);
}
