// What the tests of a file share: a watcher, a browser, and one page at a time, which must not have done anything wrong in the end.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach } from 'node:test';
import { close, launch, open, ready } from './browser.mjs';
import { Watcher } from './server.mjs';

export class Scene {
  /** Starts before the first test of the file and ends after the last. With a URL the watcher is a real one. */
  constructor(url = null) {
    this.url = url;
    this.watcher = url ? null : new Watcher();
    this.page = null;
    before(() => this.start());
    beforeEach(() => this.watcher?.reset());
    afterEach(() => this.closePage());
    after(() => this.stop());
  }

  async start() {
    await this.watcher?.start();
    this.url ??= this.watcher.url;
    this.browser = await launch();
  }

  async stop() {
    await this.browser?.close();
    await this.watcher?.stop();
  }

  /** A new window at this path of the explorer, complete, in the place of the one before. Options are those of `browser.mjs`. */
  async open(path = '', options = {}) {
    await this.closePage();
    this.page = await open(this.browser, this.at(path), options);
    await ready(this.page);
    return this.page;
  }

  /** The same window at another path. */
  async go(path) {
    await this.page.goto(this.at(path));
    await this.page.locator('main h1').first().waitFor();
    await ready(this.page);
  }

  at(path) {
    return path ? `${this.url}#/${path}` : this.url;
  }

  async closePage() {
    const { page } = this;
    this.page = null;
    if (page) await close(page);
  }
}

const WAIT_MS_MAX = 20000;
const LOOK_MS = 50;

/** Waits for a condition on this side, for which the browser has no wait. */
export async function until(condition) {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `not within ${WAIT_MS_MAX} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
