// A strict JSON parser that keeps integers whole. `JSON.parse` rounds them above 2^53, and amounts have 256 bits.
//
// Integers that a double holds exactly are Numbers, larger ones BigInts: `BigInt(value)` takes either. Objects have no prototype, so
// that no key of a hostile answer means anything. Whatever is not JSON is a SyntaxError.

/** Deeper answers are refused: they would only be there to exhaust the stack. */
const DEPTH_MAX = 64;

/** Longer numbers are refused: 256 bits have 78 digits, and turning digits into a BigInt takes quadratic time. */
const NUMBER_LEN_MAX = 100;

const SPACE = /[\x20\t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
// eslint-disable-next-line no-control-regex
const PLAIN = /[^"\\\x00-\x1f]*/y;
const HEX4 = /^[0-9a-fA-F]{4}$/;
const ESCAPES = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const WORDS = { t: ['true', true], f: ['false', false], n: ['null', null] };

/** What the text says. Throws a SyntaxError for anything but one JSON value. */
export function parse(text) {
  const reader = { text, at: 0 };
  const found = value(reader, 0);
  skip(reader);
  if (reader.at !== text.length) fail(reader);
  return found;
}

/** JSON with BigInts as integers. Fields that are undefined or null are left out. */
export function stringify(value) {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(stringify).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null);
  const fields = Object.entries(value).filter(([, item]) => item !== undefined && item !== null);
  return `{${fields.map(([key, item]) => `${JSON.stringify(key)}:${stringify(item)}`).join(',')}}`;
}

function fail(reader) {
  throw new SyntaxError(`not JSON at character ${reader.at}`);
}

function match(reader, pattern) {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text);
  if (found) reader.at = pattern.lastIndex;
  return found;
}

function skip(reader) {
  match(reader, SPACE);
  return reader.text[reader.at];
}

function value(reader, depth) {
  if (depth > DEPTH_MAX) fail(reader);
  const next = skip(reader);
  if (next === '{') return object(reader, depth);
  if (next === '[') return list(reader, depth);
  if (next === '"') return string(reader);
  const word = WORDS[next];
  if (!word) return number(reader);
  if (!reader.text.startsWith(word[0], reader.at)) fail(reader);
  reader.at += word[0].length;
  return word[1];
}

function number(reader) {
  const found = match(reader, NUMBER);
  if (!found || found[0].length > NUMBER_LEN_MAX) fail(reader);
  const [digits, fraction, exponent] = found;
  const rounded = Number(digits);
  const isWhole = fraction === undefined && exponent === undefined;
  return isWhole && !Number.isSafeInteger(rounded) ? BigInt(digits) : rounded;
}

function string(reader) {
  reader.at += 1;
  let out = '';
  for (;;) {
    out += match(reader, PLAIN)[0];
    const next = reader.text[reader.at];
    reader.at += 1;
    if (next === '"') return out;
    if (next !== '\\') fail(reader);
    out += escaped(reader);
  }
}

function escaped(reader) {
  const name = reader.text[reader.at];
  reader.at += 1;
  if (name !== 'u') {
    if (!Object.hasOwn(ESCAPES, name)) fail(reader);
    return ESCAPES[name];
  }
  const digits = reader.text.slice(reader.at, reader.at + 4);
  if (!HEX4.test(digits)) fail(reader);
  reader.at += 4;
  return String.fromCharCode(Number.parseInt(digits, 16));
}

function list(reader, depth) {
  const items = [];
  reader.at += 1;
  if (skip(reader) === ']') {
    reader.at += 1;
    return items;
  }
  for (;;) {
    items.push(value(reader, depth + 1));
    if (ends(reader, ']')) return items;
  }
}

function object(reader, depth) {
  const fields = Object.create(null);
  reader.at += 1;
  if (skip(reader) === '}') {
    reader.at += 1;
    return fields;
  }
  for (;;) {
    if (skip(reader) !== '"') fail(reader);
    const key = string(reader);
    if (skip(reader) !== ':') fail(reader);
    reader.at += 1;
    fields[key] = value(reader, depth + 1);
    if (ends(reader, '}')) return fields;
  }
}

/** Whether this is the end of a list or object. Otherwise a comma has to be there. */
function ends(reader, close) {
  const next = skip(reader);
  if (next !== close && next !== ',') fail(reader);
  reader.at += 1;
  return next === close;
}
