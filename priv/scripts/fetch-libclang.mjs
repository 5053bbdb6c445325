// Puts libclang under .tools/libclang, because RocksDB's bindings are generated at build time and a plain Debian
// machine has no libclang and we ask nobody for root. One file out of one pinned, hash-checked PyPI wheel.
// Does nothing when the file is already there, or when LIBCLANG_PATH names a libclang of the machine.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";

const WHEELS = {
  "linux-x64": {
    url: "https://files.pythonhosted.org/packages/1d/fc/716c1e62e512ef1c160e7984a73a5fc7df45166f2ff3f254e71c58076f7c/libclang-18.1.1-py2.py3-none-manylinux2010_x86_64.whl",
    sha256: "c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b",
  },
  "linux-arm64": {
    url: "https://files.pythonhosted.org/packages/3c/3d/f0ac1150280d8d20d059608cf2d5ff61b7c3b7f7bcf9c0f425ab92df769a/libclang-18.1.1-py2.py3-none-manylinux2014_aarch64.whl",
    sha256: "54dda940a4a0491a9d1532bf071ea3ef26e6dbaf03b5000ed94dd7174e8f9592",
  },
};

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const target = join(root, ".tools", "libclang");
const library = join(target, "lib", "libclang.so");

/** The bytes of the one entry of a zip archive whose name ends with `suffix`. */
function unzipOne(zip, suffix) {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0) throw new Error("not a zip archive");
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [method, packed, nameLength] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20), zip.readUInt16LE(at + 28)];
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
    if (name.endsWith(suffix)) {
      const local = zip.readUInt32LE(at + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(start, start + packed);
      return method === 0 ? bytes : inflateRawSync(bytes);
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`no ${suffix} in the archive`);
}

async function download({ url, sha256 }) {
  let failure;
  for (let attempt = 1; attempt <= 4; attempt++) {
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const bytes = Buffer.from(await answer.arrayBuffer());
      const found = createHash("sha256").update(bytes).digest("hex");
      if (found !== sha256) throw new Error(`sha256 is ${found}, expected ${sha256}`);
      return bytes;
    } catch (error) {
      failure = error;
      await new Promise((wake) => setTimeout(wake, 1000 * attempt));
    }
  }
  throw new Error(`cannot fetch ${url}: ${failure.message}`);
}

if (process.env.LIBCLANG_PATH || existsSync(library)) process.exit(0);
const wheel = WHEELS[`${process.platform}-${process.arch}`];
if (!wheel) {
  console.error(`No pinned libclang for ${process.platform}-${process.arch}: install libclang and set LIBCLANG_PATH to its folder.`);
  process.exit(1);
}
console.error("Fetching libclang (25 MB, once) …");
const bytes = unzipOne(await download(wheel), "/native/libclang.so");
mkdirSync(join(target, "lib"), { recursive: true });
const headers = execFileSync("gcc", ["-print-file-name=include"], { encoding: "utf8" }).trim();
rmSync(join(target, "include"), { force: true, recursive: true });
symlinkSync(headers, join(target, "include"));
writeFileSync(`${library}.part`, bytes);
renameSync(`${library}.part`, library);
console.error(`libclang is in ${library}`);
