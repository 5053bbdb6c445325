import { Watcher } from './server.mjs';
import { launch, open, ready } from './browser.mjs';
const w = new Watcher(); await w.start();
const b = await launch();
const page = await open(b, w.url + (process.argv[2] ?? ''), { colorScheme: process.argv[4] ?? 'light', viewport: { width: Number(process.argv[5] ?? 1280), height: 900 } });
await ready(page); await page.waitForTimeout(600);
await page.screenshot({ path: process.argv[3] ?? '/tmp/s.png', fullPage: true });
console.log(page.mistakes);
await b.close(); await w.stop();
