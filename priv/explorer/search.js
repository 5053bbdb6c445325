// Recognises what somebody typed. Pure: `{path}` when it is clear, `{hash}` when two kinds share the form, `{reason}` when it is nothing.

import { positionOf } from './format.js';

const CHILD_BLOCK_INTERVAL = 1000n;
/** Smaller numbers are blocks, larger ones positions: those of block 1 begin here. */
const POSITION_MIN = 1_000_000_000n;
/** Larger than any position: what is above is the id of an exit. */
const EXIT_ID_MIN = 1n << 96n;
const EXIT_ID_BOUND = 1n << 160n;
const ADDRESS_DIGITS = 40;
const HASH_DIGITS = 64;

/** What the text means. */
export function search(typed) {
  const text = String(typed).trim().replace(/^["'<(]+|["'>),.;]+$/g, '');
  if (!text) return { reason: 'Nothing was typed.' };
  if (/^(0x)?[0-9a-f]+$/i.test(text) && (/^0x/i.test(text) || /[a-f]/i.test(text) || isHexLength(text))) return hex(text);
  if (/^\d+$/.test(text)) return number(text);
  if (/^\d+:\d+:\d+$/.test(text)) {
    return positionOf(text) ? { path: `output/${text}` } : { reason: 'No output can have this position: transactions of a block are 0 to 65535, outputs of a transaction 0 to 3, and blocks count from 1.' };
  }
  if (/^\d+:\d+$/.test(text)) return { reason: 'An output has three numbers: block:transaction:output, such as 1000:0:1.' };
  if (/^0x/i.test(text)) return { reason: 'After 0x there may only be hex digits: 0 to 9 and a to f.' };
  return { reason: 'This is no address, hash, block number or position. There are no names here to search for.' };
}

const isHexLength = (text) => [ADDRESS_DIGITS, HASH_DIGITS].includes(text.length);

function hex(text) {
  const digits = text.replace(/^0x/i, '').toLowerCase();
  if (digits.length === ADDRESS_DIGITS) return { path: `address/0x${digits}` };
  if (digits.length === HASH_DIGITS) return { hash: `0x${digits}` };
  return { reason: `These are ${digits.length} hex digits. An address has ${ADDRESS_DIGITS}, a hash ${HASH_DIGITS}: perhaps a part is missing.` };
}

function number(text) {
  if (text.length > 60) return { reason: 'No block, position or exit has such a large number.' };
  const found = BigInt(text);
  if (found === 0n) return { reason: 'Blocks and positions count from 1.' };
  if (found >= EXIT_ID_MIN) {
    return found < EXIT_ID_BOUND ? { path: `exit/${found}` } : { reason: 'No block, position or exit has such a large number.' };
  }
  if (found >= POSITION_MIN) {
    const position = positionOf(text);
    if (position) return { path: `output/${position.blknum}:${position.txindex}:${position.oindex}` };
    return { reason: 'No output can have this position: transactions of a block are 0 to 65535, outputs of a transaction 0 to 3.' };
  }
  return { path: found % CHILD_BLOCK_INTERVAL === 0n ? `block/${found}` : `output/${found}:0:0` };
}
