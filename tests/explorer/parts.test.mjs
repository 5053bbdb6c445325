// The parts that only compute, imported in the browser that will run them.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ALICE, BYZANTINE, MAX, NOW, ODD, hash, status } from './fixtures.mjs';
import { Scene } from './scene.mjs';

const scene = new Scene();
const { watcher } = scene;
let page;

beforeEach(async () => {
  page = await scene.open('blocks');
});

/** Runs a function of a module with JSON arguments; BigInts come back as `123n`. */
function run(module, name, ...args) {
  return page.evaluate(async ([from, which, given]) => {
    const told = (value) => {
      if (typeof value === 'bigint') return `${value}n`;
      if (value instanceof Node) return value.textContent;
      if (Array.isArray(value)) return value.map(told);
      return value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, told(item)])) : value;
    };
    try {
      return told((await import(from))[which](...given));
    } catch (error) {
      return `${error.name}`;
    }
  }, [new URL(module, watcher.url).href, name, args]);
}

test('integers of any size are read whole', async () => {
  for (const [text, expected] of [
    ['0', 0], ['-1', -1], ['9007199254740991', 9007199254740991], ['9007199254740993', `${ODD}n`], ['-9007199254740993', '-9007199254740993n'],
    [String(MAX), `${MAX}n`], ['[1,18446744073709551616]', [1, '18446744073709551616n']], ['1.5', 1.5], ['1e3', 1000], ['12.053', 12.053],
    [' {"a" : [ true , false, null ] } ', { a: [true, false, null] }], ['"\\u0041\\n\\"\\\\\\/é😀"', 'A\n"\\/é😀'], ['{"a":1,"a":2}', { a: 2 }], ['[]', []], ['{}', {}],
  ]) assert.deepEqual(await run('json.js', 'parse', text), expected, text);
  const inherited = await page.evaluate(async (from) => (await import(from)).parse('{"__proto__":{"x":1}}').x, new URL('json.js', watcher.url).href);
  assert.equal(inherited, undefined);
});

test('what is not JSON is refused', async () => {
  for (const text of [
    '', ' ', '01', '+1', '1.', '.5', '1e', '-', '0x10', 'NaN', 'Infinity', 'tru', 'True', "'a'", '"a', '"\n"', '"\\x41"', '"\\u12g4"', '[1,]', '[,1]', '[1 2]',
    '{"a"}', '{"a":}', '{"a":1,}', '{a:1}', '1 2', '[', '{', '/**/1', '['.repeat(100), '1'.repeat(101),
  ]) assert.equal(await run('json.js', 'parse', text), 'SyntaxError', text);
});

test('the parser agrees with that of the browser about everything both can hold', async () => {
  const differs = await page.evaluate(async (from) => {
    const { parse } = await import(from);
    let seed = 7;
    const random = (below) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    const any = (depth) => {
      const kind = random(depth > 4 ? 5 : 7);
      if (kind === 0) return random(2147483648) - 1073741824;
      if (kind === 1) return random(1000000) / 977;
      if (kind === 2) return [null, true, false][random(3)];
      if (kind < 5) return Array.from({ length: random(8) }, () => String.fromCharCode(random(2) ? random(128) : random(55000))).join('');
      const items = Array.from({ length: random(5) }, () => any(depth + 1));
      return kind === 5 ? items : Object.fromEntries(items.map((item, index) => [`k${index}"\\`, item]));
    };
    for (let round = 0; round < 2000; round += 1) {
      const text = JSON.stringify(any(0), null, random(3));
      if (JSON.stringify(parse(text)) !== JSON.stringify(JSON.parse(text))) return text;
      const cut = text.slice(0, random(text.length));
      let isJson = true;
      try {
        JSON.parse(cut);
      } catch {
        isJson = false;
      }
      let isRead = true;
      try {
        parse(cut);
      } catch {
        isRead = false;
      }
      if (isJson !== isRead) return cut;
    }
    return null;
  }, new URL('json.js', watcher.url).href);
  assert.equal(differs, null);
});

test('Ether is shown to the last digit', async () => {
  for (const [wei, shown] of [
    ['0', '0'], ['1', '0.000000000000000001'], ['1000000000000000000', '1'], [String(ODD), '0.009007199254740993'], ['1500000000000000000', '1.5'],
    [String(MAX), '115792089237316195423570985008687907853269984665640564039457.584007913129639935'],
  ]) assert.equal(await run('format.js', 'ethers', wei), shown);
});

test('what is typed is recognised, and refused with a reason', async () => {
  const address = ALICE.slice(2);
  const id = hash('x').slice(2);
  for (const [typed, expected] of [
    [ALICE, { path: `address/${ALICE}` }], [` 0X${address.toUpperCase()} `, { path: `address/${ALICE}` }], [address, { path: `address/${ALICE}` }],
    [`0x${id}`, { hash: `0x${id}` }], [id, { hash: `0x${id}` }], ['1'.repeat(64), { hash: `0x${'1'.repeat(64)}` }], ['1000', { path: 'block/1000' }], ['1001', { path: 'output/1001:0:0' }],
    ['1000000020001', { path: 'output/1000:2:1' }], ['1000:2:1', { path: 'output/1000:2:1' }], ['1461501637330902918203684832716283019655932542975', { path: 'exit/1461501637330902918203684832716283019655932542975' }],
  ]) assert.deepEqual(await run('search.js', 'search', typed), expected, typed);
  for (const [typed, reason] of [
    ['', /typed/], ['0x12', /2 hex digits/], [`${ALICE}ab`, /42 hex digits/], ['0xzz', /hex digits/], ['alice.eth', /no names/], ['0', /from 1/], ['1000:2', /three numbers/],
    ['1000:2:4', /No output/], ['1000:65536:0', /No output/], ['0:0:0', /No output/], ['1000999990009', /No output/], ['9'.repeat(61), /large/], ['<script>', /no address/],
  ]) assert.match((await run('search.js', 'search', typed)).reason ?? '', reason, typed);
});

/** JSON with BigInts as integers. */
const plain = (value) => JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `\u0001${item}\u0001` : item)).replace(/"\\u0001(-?\d+)\\u0001"/g, '$1');

async function judges(news, state, title) {
  const text = plain({ status: status(), error: null, alarms: [], indexed: 130000, databaseError: null, now: NOW, ...news });
  const said = await page.evaluate(async ([from, given]) => {
    const { verdict } = await import(new URL('verdict.js', from).href);
    const { parse } = await import(new URL('json.js', from).href);
    try {
      return verdict(parse(given));
    } catch (error) {
      return { state: 'broken', title: error.stack };
    }
  }, [watcher.url, text]);
  assert.equal(said.state, state, `${said.title}: ${text}`);
  assert.match(said.title, title, text);
}

test('the banner says safe only when the watcher said so just now', async () => {
  const unavailable = { code: 'operation:service_unavailable' };
  for (const [news, state, title] of [
    [{}, 'safe', /^Safe$/],
    [{ status: null }, 'unknown', /Asking/],
    [{ error: { code: 'page:offline', isOffline: true } }, 'unknown', /no connection/],
    [{ error: unavailable, alarms: ['boot_in_progress'] }, 'unknown', /not ready/],
    [{ error: { code: 'operation:overloaded' } }, 'unknown', /did not say/],
    [{ status: status({ eth_syncing: true }) }, 'unknown', /syncing/],
    [{ now: NOW + 601 }, 'unknown', /no news of the root chain/],
    [{ now: NOW + 599 }, 'safe', /^Safe$/],
    [{ status: status({ last_mined_child_block_number: 151000 }) }, 'unknown', /21 blocks behind/],
    [{ status: status({ last_mined_child_block_number: 150000 }) }, 'safe', /^Safe$/],
    [{ status: status({ last_mined_child_block_number: 131000, last_mined_child_block_timestamp: NOW - 601 }) }, 'unknown', /1 block behind/],
    [{ indexed: 109000 }, 'unknown', /database is 21 blocks behind/],
    [{ databaseError: { code: 'watcher_db:unavailable', isDatabase: true, messages: { lag_blocks: 17 } } }, 'unknown', /database is not available \(17 blocks behind\)/],
    // The worst news counts, whatever else is wrong.
    [{ status: status({ byzantine_events: [BYZANTINE.invalid_block], eth_syncing: true }) }, 'unsafe', /Unsafe/],
    [{ status: status({ byzantine_events: [{ event: 'something_new', details: {} }] }) }, 'unsafe', /Unsafe/],
    [{ status: status({ byzantine_events: [{ event: 'toString' }] }) }, 'unsafe', /Unsafe/],
  ]) await judges(news, state, title);
});

test('the banner cannot tell what an answer means that lacks something', async () => {
  const numbers = Object.keys(status()).filter((name) => /^last_(mined|seen)|^last_validated_child_block_number/.test(name));
  assert.equal(numbers.length, 5);
  const broken = [undefined, null, '130000', 'soon', {}, [], true];
  for (const answer of [
    {}, [], 'safe', 1, true, { byzantine_events: [] },
    ...broken.filter((value) => !Array.isArray(value)).map((value) => status({ byzantine_events: value })),
    ...numbers.flatMap((name) => broken.map((value) => status({ [name]: value }))),
    ...[undefined, null, 'false', 0].map((value) => status({ eth_syncing: value })),
  ]) await judges({ status: answer }, 'unknown', /^Cannot tell: the answer of the watcher cannot be read$/);
  await judges({ now: null }, 'unknown', /cannot be read/);
  for (const indexed of [undefined, null, '130000', {}]) await judges({ indexed }, 'unknown', /^Cannot tell what accounts hold/);
});

test('a condition that cannot be read counts as unsafe', async () => {
  for (const event of [
    null, 'invalid_block', 7, [], {}, { event: null }, { event: {} }, { event: 'invalid_exit', details: { ...BYZANTINE.invalid_exit.details, utxo_pos: 'x' } },
    { event: 'invalid_exit', details: { ...BYZANTINE.invalid_exit.details, amount: 'much' } }, { event: 'invalid_piggyback', details: { inputs: 'all' } },
  ]) await judges({ status: { byzantine_events: [event] } }, 'unsafe', /Unsafe/);
});

test('every condition is explained, with what to do', async () => {
  const fatal = ['invalid_block', 'block_withholding', 'unchallenged_exit', 'unchallenged_non_canonical_ife', 'unchallenged_piggyback'];
  for (const [name, event] of Object.entries(BYZANTINE)) {
    const item = await page.evaluate(async ([from, text]) => {
      const { explainEvent } = await import(new URL('verdict.js', from).href);
      const { parse } = await import(new URL('json.js', from).href);
      const { event: given, of } = parse(text);
      const { isUnsafe = false, title, what, until, act } = explainEvent(given, of);
      return { isUnsafe, title, what, until, act };
    }, [watcher.url, plain({ event, of: status() })]);
    assert.equal(item.isUnsafe, fatal.includes(name), name);
    assert.ok(item.title && item.what && item.until, name);
    assert.match(item.act.join(' '), fatal.includes(name) ? /`penning wallet evacuate`/ : /`penning wallet (challenge|exit piggyback --exit) [0-9a-fx:]+`/, name);
    assert.doesNotMatch(JSON.stringify(item), /undefined|NaN|\[object/, name);
  }
});

test('axes end at round numbers', async () => {
  for (const [largest, last] of [[0, 1], [1, 1], [10, 10], [18, 20], [1234, 1500], [0.000009, 0.00001]]) {
    const marks = await run('chart.js', 'ticks', largest);
    assert.ok(Math.abs(marks.at(-1) - last) < last / 1e6, `${largest}: ${marks}`);
    assert.ok(marks.length <= 7);
  }
});
