// Numbers, names and times as people read them, without losing a digit.

import { copyButton, h } from './dom.js';

export const ETHER = '0x0000000000000000000000000000000000000000';
const WEI_DIGITS = 18;
const BRIEF_LEN_MAX = 22;
const POSITION_OF_BLOCK = 1_000_000_000n;
const POSITION_OF_TX = 10_000n;
const TXINDEX_MAX = 65_535n;
const OINDEX_MAX = 3n;

/** Wei as Ether: every digit that is there, no zeros after the last. */
export function ethers(amount) {
  const wei = BigInt(amount);
  const sign = wei < 0n ? '-' : '';
  const digits = (wei < 0n ? -wei : wei).toString().padStart(WEI_DIGITS + 1, '0');
  const fraction = digits.slice(-WEI_DIGITS).replace(/0+$/, '');
  return `${sign}${digits.slice(0, -WEI_DIGITS)}${fraction ? `.${fraction}` : ''}`;
}

/** A number in groups of three. The gaps are drawn, not written: what is copied are digits. */
export function grouped(text) {
  const [whole, fraction] = String(text).split('.');
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, ' ').split(' ');
  const spans = groups.map((digits, index) => h('span', { class: index ? 'group' : null }, digits));
  return h('span', { class: 'number' }, spans, fraction === undefined ? null : `.${fraction}`);
}

/** An amount with its currency. */
export function amount(value, currency) {
  if (currency === ETHER) {
    return h('span', { class: 'amount' }, grouped(ethers(value)), ' ETH');
  }
  return h('span', { class: 'amount' }, grouped(BigInt(value)), ' ', token(currency));
}

/** The same where one line has to do: a number that does not fit is said to be about so large, and its title has every digit. */
export function briefAmount(value, currency) {
  const exact = currency === ETHER ? ethers(value) : String(BigInt(value));
  const unit = currency === ETHER ? ' ETH' : [' ', h('code', { title: currency }, short(currency))];
  if (exact.length <= BRIEF_LEN_MAX) return h('span', { class: 'amount' }, grouped(exact), unit);
  const [whole] = exact.split('.');
  const about = whole.length > 9 ? `${whole[0]}.${whole.slice(1, 4)} × 10^${whole.length - 1}` : exact.slice(0, BRIEF_LEN_MAX);
  return h('span', { class: 'amount', title: amountText(value, currency) }, `≈ ${about}`, unit);
}

/** A token, which has no name here but its address. */
export function token(currency) {
  if (currency === ETHER) return 'ETH';
  return h('span', { class: 'token' }, h('code', { title: `Smallest units of token ${currency}` }, short(currency)),
    copyButton(currency, `token address ${currency}`));
}

/** An amount as plain text. */
export function amountText(value, currency) {
  return currency === ETHER ? `${ethers(value)} ETH` : `${BigInt(value)} of token ${currency}`;
}

/** The ends of a long hex string. */
export function short(hex, ends = 4) {
  const text = String(hex);
  return text.length > 2 * ends + 6 ? `${text.slice(0, 2 + ends)}…${text.slice(-ends)}` : text;
}

/** A link to a page here. */
export function link(kind, id, text, label) {
  return h('a', { href: `#/${kind}/${encodeURIComponent(id).replaceAll('%3A', ':')}`, 'aria-label': label }, text ?? String(id));
}

function hexLink(kind, hex, isFull, name) {
  if (isFull) return h('span', { class: 'long' }, h('code', null, link(kind, hex)), copyButton(hex, `${name} ${hex}`));
  return h('code', { class: 'short', title: hex }, link(kind, hex, short(hex, 6), `${name} ${hex}`));
}

export const addressLink = (hex, isFull = false) => hexLink('address', hex, isFull, 'address');
export const txLink = (hex, isFull = false) => hexLink('tx', hex, isFull, 'transaction');
export const blockLink = (blknum) => link('block', blknum, String(blknum), `block ${blknum}`);

/** A hash of the root chain: there is no page for it here. */
export function rootChainHash(hex) {
  return h('span', { class: 'long' }, h('code', null, hex), copyButton(hex, `root chain transaction ${hex}`));
}

/** `1000:2:1` of a position. */
export function positionText(position) {
  const number = BigInt(position);
  const inBlock = number % POSITION_OF_BLOCK;
  return `${number / POSITION_OF_BLOCK}:${inBlock / POSITION_OF_TX}:${inBlock % POSITION_OF_TX}`;
}

/** The position of `1000:2:1` or of its number; null when there can be no such output. */
export function positionOf(text) {
  const parts = /^(\d{1,20}):(\d{1,5}):(\d{1,4})$/.exec(text);
  const [blknum, txindex, oindex] = parts ? parts.slice(1).map(BigInt) : split(text);
  if (blknum === undefined || blknum < 1n || txindex > TXINDEX_MAX || oindex > OINDEX_MAX) return null;
  return { blknum, txindex, oindex, utxo_pos: blknum * POSITION_OF_BLOCK + txindex * POSITION_OF_TX + oindex };
}

function split(text) {
  if (!/^\d{1,30}$/.test(text)) return [];
  return positionText(BigInt(text)).split(':').map(BigInt);
}

export const outputLink = (position) => h('code', { class: 'short' }, link('output', positionText(position)));

const UNITS = [['day', 86400], ['h', 3600], ['min', 60], ['s', 1]];

/** Seconds as the two largest units. */
export function duration(seconds) {
  let rest = Math.max(0, Math.round(Number(seconds)));
  const parts = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count && parts.length < 2) parts.push(`${count} ${name}${name === 'day' && count > 1 ? 's' : ''}`);
    else if (parts.length) break;
  }
  return parts.join(' ') || '0 s';
}

/** `2026-11-21 16:31:39 UTC` of seconds since 1970. */
export function when(seconds) {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return `second ${seconds}`;
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** How long ago, or how long until then; kept up to date by `tick`. */
export function ago(seconds) {
  const at = Number(seconds);
  if (!Number.isFinite(at) || Math.abs(at) > 8e12) return h('span', null, `second ${seconds}`);
  const element = h('time', { datetime: new Date(at * 1000).toISOString(), title: when(at), data: { at } });
  element.textContent = distance(at);
  return element;
}

/** The moment and how far it is. */
export function moment(seconds) {
  return h('span', null, when(seconds), ' (', ago(seconds), ')');
}

function distance(at) {
  const seconds = Math.round(Date.now() / 1000 - at);
  if (seconds < 0) return `in ${coarse(-seconds)}`;
  return seconds < 5 ? 'just now' : `${coarse(seconds)} ago`;
}

function coarse(seconds) {
  const text = duration(seconds);
  return seconds >= 3600 ? text : text.split(' ').slice(0, 2).join(' ');
}

/** Rewrites all relative times on the page. */
export function tick() {
  for (const element of document.querySelectorAll('time[data-at]')) {
    const text = distance(Number(element.dataset.at));
    if (element.textContent !== text) element.textContent = text;
  }
}

/** Metadata: the bytes, and the text in them if they look like one. */
export function metadata(hex) {
  if (!/^0x([0-9a-f]{2})*$/i.test(hex ?? '')) return { hex: String(hex ?? ''), text: null };
  const bytes = Uint8Array.from(hex.slice(2).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const start = Math.max(0, bytes.findIndex((byte) => byte !== 0));
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.slice(start, end));
    // Controls and marks that reorder text could make it look like something else.
    return { hex, text: text && !/[\p{C}]/u.test(text) ? text : null };
  } catch {
    return { hex, text: null };
  }
}
