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
// Long enough that a slow machine challenges in time (half of it), and its passing costs nothing: the root chain's clock is moved.
const MIN_EXIT_PERIOD_S = 600;
const START_MS_MAX = 180_000;
const STOP_MS_MAX = 20_000;

/** Gives `{ file, stop }`: the parsed devnet.json, and what to await at the end. */
export async function openDevnet() {
  const given = process.env.PENNING_DEVNET_FILE;
  if (given) {
    progress(`using the network of ${given}`);
    return { file: JSON.parse(readFileSync(given, "utf8")), stop: async () => {} };
  }
  const binary = process.env.PENNING_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/penning");
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

  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  const kill = () => {
    if (!hasEnded) child.kill("SIGKILL");
    endOrphanedAnvil(dataDir);
    removeFolder();
  };
  process.once("exit", kill);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));

  const stop = async () => {
    if (!hasEnded) child.kill("SIGINT");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
    endOrphanedAnvil(dataDir);
    removeFolder();
    process.off("exit", kill);
  };
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
  const file = JSON.parse(readFileSync(path, "utf8"));
  return { file, stop, log: () => log };
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

// Only after a devnet that had to be killed: otherwise its file is gone.
function endOrphanedAnvil(dataDir) {
  try {
    const pid = Number(readFileSync(join(dataDir, "anvil.pid"), "utf8"));
    if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "anvil") process.kill(pid, "SIGKILL");
  } catch {
    // It is gone, as it should be.
  }
}
