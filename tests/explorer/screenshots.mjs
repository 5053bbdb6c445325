// Draws docs/explorer/*.png from the fixtures: npm run screenshots --prefix tests/explorer.

import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch, open, ready } from './browser.mjs';
import { ALICE, BYZANTINE, status } from './fixtures.mjs';
import { Watcher } from './server.mjs';

const place = fileURLToPath(new URL('../../docs/explorer/', import.meta.url));
const BYTES_MAX = 150_000;
const DESK = { width: 1120, height: 780 };
const PHONE = { width: 360, height: 720 };

const watcher = new Watcher();
await watcher.start();
const browser = await launch();
mkdirSync(place, { recursive: true });
const tx = watcher.transactions.at(-2).txhash;
for (const [name, path, colorScheme, viewport, events] of [
  ['overview-light', '', 'light', DESK, []],
  ['overview-dark', '', 'dark', DESK, []],
  ['overview-phone-dark', '', 'dark', PHONE, []],
  ['unsafe-light', '', 'light', DESK, ['invalid_block', 'unchallenged_exit']],
  ['unsafe-phone-light', '', 'light', PHONE, ['invalid_block']],
  ['transaction-light', `tx/${tx}`, 'light', DESK, []],
  ['account-phone-light', `address/${ALICE}`, 'light', PHONE, []],
  ['exits-dark', 'exits', 'dark', DESK, []],
  ['exits-phone-light', 'exits', 'light', PHONE, []],
  ['charts-light', 'charts', 'light', DESK, []],
  ['charts-phone-dark', 'charts', 'dark', PHONE, []],
]) {
  watcher.status = status({ byzantine_events: events.map((event) => BYZANTINE[event]) });
  const page = await open(browser, `${watcher.url}#/${path}`, { colorScheme, viewport });
  await ready(page);
  const state = events.length ? 'unsafe' : 'safe';
  await page.locator(`#health[data-state="${state}"]`).waitFor();
  await page.screenshot({ path: `${place}${name}.png` });
  const { size } = statSync(`${place}${name}.png`);
  if (size > BYTES_MAX) throw new Error(`${name}.png has ${size} bytes`);
  await page.context().close();
}
await browser.close();
await watcher.stop();
