// Waiting for a condition, with a deadline a slow machine keeps and a line for whoever watches.

const started = Date.now();
const POLL_MS = 150;

/** One line on standard error, with the seconds since the start. */
export function progress(text) {
  process.stderr.write(`  ${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}

/** Calls `check` until it gives something truthy, and gives that. Errors of `check` end the waiting. */
export async function until(what, msMax, check) {
  const deadline = Date.now() + msMax;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`after ${msMax} ms still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
