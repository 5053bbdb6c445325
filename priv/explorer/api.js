// Calls of the watcher's API. One origin: the page lies below it at `explorer/`, whatever a proxy puts before that.
//
// It must never show an answer that did not come: every failure is an ApiError with a code.

import { parse, stringify } from './json.js';

const CALL_MS_MAX = 15000;
const GET_METHODS = new Set(['alarm.get', 'configuration.get']);

/** Where the API is, with a slash at the end. */
export const BASE = new URL('../', location.href.split('#')[0]);

/** What the answers said about the server, for the foot of the page. */
export const server = { version: null, service: null };

/** A call that was not answered with success. `code` is the server's, or `page:offline`, `page:timeout`, `page:malformed`. */
export class ApiError extends Error {
  constructor(code, description, messages) {
    super(description || code);
    this.code = code;
    this.description = description;
    this.messages = messages;
  }

  /** Nobody answered. */
  get isOffline() {
    return this.code === 'page:offline' || this.code === 'page:timeout';
  }

  /** The database behind the lists cannot answer; the watcher itself may well. */
  get isDatabase() {
    return this.code.startsWith('watcher_db:');
  }

  /** There is no such thing, or no such method. */
  get isNotFound() {
    return this.code.endsWith('not_found');
  }
}

/** The whole answer: `{data, data_paging}`. */
export async function ask(method, params = {}, signal = undefined) {
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(), CALL_MS_MAX);
  const leave = () => timer.abort();
  signal?.addEventListener('abort', leave);
  try {
    return await answer(method, params, timer.signal);
  } catch (error) {
    if (signal?.aborted) throw new DOMException('left the page', 'AbortError');
    if (error instanceof ApiError) throw error;
    const code = timer.signal.aborted ? 'page:timeout' : 'page:offline';
    throw new ApiError(code, 'The watcher does not answer.');
  } finally {
    clearTimeout(timeout);
    signal?.removeEventListener('abort', leave);
  }
}

/** The data of the answer. */
export async function call(method, params, signal) {
  return (await ask(method, params, signal)).data;
}

async function answer(method, params, signal) {
  const isGet = GET_METHODS.has(method);
  const response = await fetch(new URL(method, BASE), {
    method: isGet ? 'GET' : 'POST',
    headers: isGet ? {} : { 'content-type': 'application/json' },
    body: isGet ? undefined : stringify(params),
    cache: 'no-store',
    credentials: 'omit',
    signal,
  });
  const text = await response.text();
  let envelope;
  try {
    envelope = parse(text);
  } catch {
    throw new ApiError('page:malformed', `The answer (HTTP status ${response.status}) cannot be read.`);
  }
  if (typeof envelope?.version === 'string') server.version = envelope.version;
  if (typeof envelope?.service_name === 'string') server.service = envelope.service_name;
  if (envelope?.success === true) return envelope;
  const { code, description, messages } = envelope?.data ?? {};
  throw new ApiError(String(code ?? 'page:malformed'), description, messages);
}

/** Why a call failed, in words for people. */
export function explain(error) {
  if (!(error instanceof ApiError)) return 'This page made a mistake. Reload it.';
  const said = {
    __proto__: null,
    'page:offline': 'The watcher does not answer. Check the connection; this page tries again by itself.',
    'page:timeout': 'The watcher took too long to answer. Try again in a moment.',
    'operation:service_unavailable': 'The watcher is not ready yet. Try again in a moment.',
    'operation:overloaded': 'The watcher is at its limit. Try again in a moment.',
    'operation:not_found': 'This watcher does not offer that. It may run without a database.',
  }[error.code];
  if (said) return said;
  if (error.isDatabase) {
    const lag = error.messages?.lag_blocks;
    const by = lag === undefined || lag === null ? '' : ` It is ${lag} blocks behind.`;
    return `The database behind the lists is not available.${by} Whether the chain is safe does not depend on it.`;
  }
  return `${error.description || 'The watcher refused.'} (${error.code})`;
}
