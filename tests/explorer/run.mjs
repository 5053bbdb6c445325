// Runs all tests, or says why it cannot. Where PENNING_EXPLORER_URL names no running watcher, a devnet of our own is one.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openDevnet } from '../omg-js/lib/devnet.mjs';
import { findBrowser } from './browser.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

if (!findBrowser()) {
  console.log('\n  SKIPPED: no browser found, install chromium\n');
  process.exit(process.env.PENNING_REQUIRE_BROWSER === '1' ? 1 : 0);
}
try {
  await import('playwright-core');
} catch {
  console.log('\n  The packages are missing: npm ci --ignore-scripts --prefix tests/explorer\n');
  process.exit(1);
}
/** A file of tests that takes longer has stopped somewhere, and all of them together cannot take longer either. */
const FILE_MS_MAX = 10 * 60_000;
const RUN_MS_MAX = 30 * 60_000;
const files = readdirSync(here).filter((name) => name.endsWith('.test.mjs')).map((name) => here + name);

/** A network with something to look at: deposits, payments, an exit. */
async function liveNetwork() {
  const devnet = await openDevnet();
  const [, bob] = devnet.file.accounts;
  devnet.wallet('--account', '0', 'deposit', '1.5', '--wait');
  for (const amount of ['0.25', '0.5']) devnet.wallet('--account', '0', 'pay', '--to', `${bob.address}:${amount}`, '--wait');
  devnet.wallet('--account', '1', 'evacuate', '--no-merge');
  return devnet;
}

const given = process.env.PENNING_EXPLORER_URL;
const devnet = given ? null : await liveNetwork();
const PENNING_EXPLORER_URL = given ?? devnet.file.explorer_url;
const args = ['--test', '--test-concurrency=1', `--test-timeout=${FILE_MS_MAX}`, ...process.argv.slice(2), ...files];
const env = { ...process.env, PENNING_EXPLORER_URL, PENNING_EXPLORER_IS_OURS: devnet ? '1' : '' };
const ended = spawnSync(process.execPath, args, { stdio: 'inherit', env, timeout: RUN_MS_MAX });
if (ended.error) console.log(`\n  The tests did not end: ${ended.error.message}\n`);
await devnet?.stop();
process.exit(ended.status ?? 1);
