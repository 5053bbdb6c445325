// Runs all tests, or says why it cannot.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findBrowser } from './browser.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

if (!findBrowser()) {
  console.log('\n  SKIPPED: no browser found, install chromium\n');
  process.exit(process.env.PENNING_REQUIRE_BROWSER === '1' ? 1 : 0);
}
try {
  await import('playwright-core');
} catch {
  console.log('\n  The packages are missing: npm ci --prefix tests/explorer\n');
  process.exit(1);
}
const files = readdirSync(here).filter((name) => name.endsWith('.test.mjs')).map((name) => here + name);
const ended = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...process.argv.slice(2), ...files], { stdio: 'inherit' });
process.exit(ended.status ?? 1);
