// The network that is driven: the one PENNING_DEVNET_FILE describes, or a fresh one in a temporary folder on free ports.
// Nothing is left behind: the devnet ends with this process, however that ends, and its folder goes with it.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { progress, until } from "./wait.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");
// Long enough that a slow machine challenges in time (half of it). Its passing costs nothing: the root chain's clock is moved.
const MIN_EXIT_PERIOD_S = 600;
const START_MS_MAX = 180_000;
const STOP_MS_MAX = 20_000;
const LOG_LINES_MAX = 40;
const LOG_LINE_LEN_MAX = 200;

/** Gives `{ file, stop }`: the parsed devnet.json, and what to await at the end. A devnet of our own has a `wallet(...args)`, too. */
export async function openDevnet() {
  const given = process.env.PENNING_DEVNET_FILE;
  if (given) {
    progress(`using the network of ${given}`);
    return { file: JSON.parse(readFileSync(given, "utf8")), stop: async () => {} };
  }
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  const binary = process.env.PENNING_BIN ?? join(target, "debug/penning");
  if (!existsSync(binary)) {
    throw new Error(`there is no ${binary}: run \`make build\`, or set PENNING_BIN or PENNING_DEVNET_FILE`);
  }
  return startDevnet(binary);
}

async function startDevnet(binary) {
  const folder = mkdtempSync(join(tmpdir(), "penning-omg-js-"));
  const dataDir = join(folder, ".penning");
  const args = ["devnet", "--fresh", "--json", "--data-dir", dataDir, "--min-exit-period-s", `${MIN_EXIT_PERIOD_S}`];
  args.push(...(await portArguments(binary)));
  progress(`starting ${binary} ${args.join(" ")}`);
  const child = spawn(binary, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve(`${error}`));
    child.on("exit", (code, signal) => resolve(`it ended with ${code ?? signal}`));
  });
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  child.stdout.resume();
  child.stderr.on("data", (text) => (log = (log + text).slice(-20_000)));

  // It ends its own processes, which it cannot when it is killed: that is for when it does not answer.
  const stop = async () => {
    if (!hasEnded) child.kill("SIGINT");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
    cleanUp();
    // Warnings of the nodes, next to what went wrong.
    for (const line of log.split("\n").filter(Boolean).slice(-LOG_LINES_MAX)) progress(line.slice(0, LOG_LINE_LEN_MAX));
  };
  const cleanUp = () => {
    process.off("exit", onExit);
    endOrphanedAnvil(dataDir);
    rmSync(folder, { recursive: true, force: true });
  };
  // Nothing asynchronous happens any more.
  const onExit = () => {
    child.kill("SIGINT");
    const deadline = Date.now() + STOP_MS_MAX;
    while (isRunning(child.pid) && Date.now() < deadline) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    child.kill("SIGKILL");
    cleanUp();
  };
  process.once("exit", onExit);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

  const path = join(dataDir, "devnet.json");
  try {
    await until("the devnet is ready", START_MS_MAX, () => {
      if (hasEnded) throw new Error(`the devnet ended before it was ready:\n${log}`);
      return existsSync(path);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const wallet = (...args) => {
    const done = spawnSync(binary, ["wallet", "--network", path, ...args], { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`penning wallet ${args.join(" ")}: ${done.error ?? done.stderr}`);
  };
  return { file: JSON.parse(readFileSync(path, "utf8")), wallet, stop };
}

// Every port that `penning devnet --help` lets one choose, so that a server that is added later does not collide with another run.
async function portArguments(binary) {
  const help = spawnSync(binary, ["devnet", "--help"], { encoding: "utf8" });
  if (help.status !== 0) throw new Error(`${binary} devnet --help failed: ${help.error ?? help.stderr}`);
  const options = [...help.stdout.matchAll(/^\s*(--[a-z-]*port) <PORT>/gm)].map((match) => match[1]);
  // All are taken at the same time before any is given back: no two are the same.
  const servers = await Promise.all(options.map(listen));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return options.flatMap((option, index) => [option, `${ports[index]}`]);
}

function listen() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

// A process that ended stays as a zombie until its end is read, which node does later.
function isRunning(pid) {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

// Only after a devnet that had to be killed: otherwise its file is gone.
function endOrphanedAnvil(dataDir) {
  try {
    const pid = Number(readFileSync(join(dataDir, "anvil.pid"), "utf8"));
    if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "anvil") process.kill(pid, "SIGKILL");
  } catch {
    // It is gone, as it should be.
  }
}
