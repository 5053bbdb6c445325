// A watcher of the imagination: serves the page as ours does, answers with the envelopes of the protocol, and tells events.

import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import * as fixtures from './fixtures.mjs';

export const PAGES = fileURLToPath(new URL('../../priv/explorer/', import.meta.url));
/** That of `plasma-rpc/src/server/pages.rs`. */
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
  + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
export const TYPES = {
  html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', svg: 'image/svg+xml',
};

/** JSON with BigInts as integers. */
function json(value) {
  const marked = JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `\u0001${item}\u0001` : item));
  return marked.replace(/"\\u0001(-?\d+)\\u0001"/g, '$1');
}

class Refused extends Error {
  constructor(code, messages) {
    super(code);
    this.body = { object: 'error', code, description: null, ...(messages ? { messages } : {}) };
  }
}

export class Watcher {
  constructor() {
    this.reset();
    this.streams = new Set();
    this.sockets = new Set();
  }

  reset() {
    Object.assign(this, fixtures.chain());
    this.status = fixtures.status();
    this.exits = fixtures.exits();
    this.isReady = true;
    this.isDatabaseUp = true;
    this.hasEvents = true;
    this.alarms = [];
    this.events = [];
    this.calls = [];
    this.lastEventIds = [];
    this.places = [];
    /** `hold(method, text)` is awaited before an answer is sent. */
    this.hold = null;
  }

  /** Starts on a free port, or again on the same one. */
  async start() {
    this.server = createServer((request, response) => this.handle(request, response));
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise((resolve) => this.server.listen(this.port ?? 0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}/explorer/`;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Ends all event streams as a broken network does. */
  cut() {
    for (const stream of this.streams) stream.socket.destroy();
  }

  /** Ends all event streams as a server does that a reader is too slow for. */
  end() {
    const ended = [...this.streams];
    this.streams.clear();
    for (const stream of ended) stream.end('event: end\ndata: {"object":"error","code":"subscription:too_slow","description":null}\n\n');
  }

  /** Tells an event to everybody who listens, and remembers it for those who come back. */
  tell(topic, data) {
    const sequence = this.events.length + 1;
    const event = { sequence, topic, result: { topic, sequence, id: `${topic}:${sequence}`, at: new Date().toISOString(), data } };
    this.events.push(event);
    for (const stream of this.streams) this.write(stream, event);
  }

  write(stream, { topic, sequence, result }) {
    stream.write(`id: all:${sequence}\nevent: ${topic}\ndata: ${json(result)}\n\n`);
  }

  /** A new block with one payment, and the news of it. */
  grow({ isTold = true } = {}) {
    const block = { ...fixtures.block(this.blocks.length + 1), timestamp: Math.floor(Date.now() / 1000), tx_count: 1 };
    const tx = { ...this.transactions[1], txhash: fixtures.hash(`grown ${block.blknum}`), block, txindex: 0 };
    this.blocks.push(block);
    this.transactions.push(tx);
    this.status.last_validated_child_block_number = block.blknum;
    this.status.last_mined_child_block_number = block.blknum;
    const { blknum, hash, eth_height, timestamp, tx_count } = block;
    if (isTold) this.tell('blocks', { blknum, hash, eth_height, timestamp, tx_count });
    return { block, tx };
  }

  async handle(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    if (pathname.startsWith('/explorer/')) return this.page(pathname, response);
    if (pathname === '/events') return this.stream(request, searchParams, response);
    let text = '';
    for await (const chunk of request) text += chunk;
    const method = pathname.slice(1);
    this.calls.push(method);
    let body;
    try {
      if (!this.isReady && method === 'status.get') throw new Refused('operation:service_unavailable');
      body = { version: '0.1.0+1a2b3c4', success: true, ...this.answer(method, text ? JSON.parse(text) : {}, text), service_name: 'watcher_info' };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      body = { version: '0.1.0+1a2b3c4', success: false, data: error.body, service_name: 'watcher_info' };
    }
    await this.hold?.(method, text);
    response.writeHead(200, { 'content-type': 'application/json' }).end(json(body));
  }

  async page(pathname, response) {
    const name = pathname.slice('/explorer/'.length) || 'index.html';
    const known = await readdir(PAGES);
    if (!known.includes(name)) return response.writeHead(404).end();
    response.writeHead(200, {
      'content-type': TYPES[name.split('.').pop()], 'content-security-policy': CSP, 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache',
    });
    return response.end(await readFile(PAGES + name));
  }

  stream(request, params, response) {
    if (!this.hasEvents) return response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    this.topics = params.get('topics');
    const last = request.headers['last-event-id'] ?? params.get('place') ?? undefined;
    this.lastEventIds.push(request.headers['last-event-id']);
    this.places.push(params.get('place'));
    if (last && Number(last.split(':')[1]) > this.events.length) {
      return response.writeHead(200, { 'content-type': 'application/json' }).end('{"success":false}');
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(`retry: 300\nid: ${last ?? `all:${this.events.length}`}\n\n`);
    this.streams.add(response);
    response.on('close', () => this.streams.delete(response));
    if (last) {
      const after = Number(last.split(':')[1]);
      for (const event of this.events.filter(({ sequence }) => sequence > after)) this.write(response, event);
    }
    return undefined;
  }

  answer(method, params, text) {
    const needsDatabase = /^(account\.get_(balance|utxos|transactions)|transaction\.(get|all)|block\.|deposit\.|stats\.|utxo\.get$|fees\.history)/;
    if (!this.isDatabaseUp && needsDatabase.test(method)) {
      throw new Refused('watcher_db:unavailable', { lag_blocks: 17, last_indexed_child_block_number: 113000, reason: 'unreachable' });
    }
    const newest = (list) => [...list].reverse();
    const position = () => BigInt(/"utxo_pos":(\d+)/.exec(text)[1]);
    const outputs = () => [...this.transactions.flatMap((tx) => tx.outputs), ...this.deposits.flatMap((deposit) => deposit.txoutputs)];
    const found = (item, code) => {
      if (!item) throw new Refused(code);
      return { data: item };
    };
    const involves = (tx, address) => [...tx.inputs, ...tx.outputs].some(({ owner }) => owner === address);
    switch (method) {
      case 'status.get': return { data: this.status };
      case 'alarm.get': return { data: this.alarms.map((name) => ({ [name]: { node: 'watcher', reporter: 'test' } })) };
      case 'configuration.get': return { data: { deposit_finality_margin: 10, contract_semver: '1.0.4+a69c763', network: 'LOCALCHAIN', exit_processor_sla_margin: 5520 } };
      case 'stats.get': return { data: {
        transaction_count: { all_time: this.transactions.length, last_24_hours: this.transactions.length },
        block_count: { all_time: this.blocks.length, last_24_hours: this.blocks.length },
        average_block_interval_seconds: { all_time: 12.053, last_24_hours: 12.053 },
      } };
      case 'block.all': return paged(newest(this.blocks), params, 100);
      case 'block.get':
        return found(this.blocks.find(({ blknum, hash }) => (params.hash ? hash === params.hash : blknum === params.blknum)), 'get_block:block_not_found');
      case 'transaction.get': return found(this.transactions.find(({ txhash }) => txhash === params.id), 'transaction:not_found');
      case 'transaction.all': {
        const fits = (tx) => (!params.address || involves(tx, params.address)) && (!params.blknum || tx.block.blknum === params.blknum)
          && (!params.txtypes?.length || params.txtypes.includes(tx.txtype));
        return paged(newest(this.transactions).filter(fits), params, 200);
      }
      case 'account.get_balance': return { data: params.address === fixtures.ALICE
        ? [{ currency: fixtures.ETHER, amount: fixtures.ODD }, { currency: fixtures.TOKEN, amount: fixtures.MAX }] : [] };
      case 'account.get_utxos': return paged(outputs().filter(({ owner }) => owner === params.address), params, 200);
      case 'deposit.all': return paged(this.deposits.filter(({ txoutputs }) => txoutputs[0].owner === params.address), params, 100);
      case 'utxo.get': return found(outputs().find(({ utxo_pos: at }) => at === position()), 'utxo:not_found');
      case 'fees.history': return paged(fixtures.fees(), params, 200);
      case 'exit.all': {
        const isListed = (exit) => (params.address ? exit.exitor === params.address : !exit.is_over || exit.phase === 'paid_wrongly');
        const fits = this.exits.filter((exit) => isListed(exit) && (!params.kind || exit.kind === params.kind) && (!params.phase || exit.phase === params.phase));
        const after = /"cursor":(\d+)/.exec(text)?.[1];
        const start = after === undefined ? 0 : fits.findIndex(({ exit_id: id }) => id === BigInt(after)) + 1;
        const exits = fits.slice(start, start + (params.limit ?? 100));
        return { data: { exits, cursor: start + exits.length < fits.length ? exits.at(-1).exit_id : null } };
      }
      case 'exit.get': {
        const id = /"exit_id":(\d+)/.exec(text)?.[1];
        return found(this.exits.find((exit) => (id ? exit.exit_id === BigInt(id) : exit.utxo_pos === position())), 'exit:not_found');
      }
      default: throw new Refused('operation:not_found');
    }
  }
}

function paged(list, { limit = 100, page = 1, cursor }, limitMax) {
  const effective = Math.min(limit, limitMax);
  const start = cursor === undefined ? (page - 1) * effective : Number(cursor);
  const data = list.slice(start, start + effective);
  const next = data.length === effective ? { next_cursor: String(start + effective) } : {};
  return { data, data_paging: { page, limit: effective, ...next } };
}
