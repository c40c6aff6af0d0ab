/** Folders of ours for what tools fetch: whole or not there, and shared by all clones. */
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env as environment } from 'node:process';

/** A folder that a killed fetch left behind is removed after this long. */
const STALE_MS = 3_600_000;
const PART = '.part-';

/** `$XDG_CACHE_HOME/millrace/NAME`. Beside the project, not in it: `npm ci` empties node_modules, and clones share it. */
export function toolCache(name: string, env: NodeJS.ProcessEnv = environment): string {
  const base = env.XDG_CACHE_HOME;
  // The XDG specification ignores a relative path.
  return join(base?.startsWith('/') === true ? base : join(homedir(), '.cache'), 'millrace', name);
}

/** A fresh folder in the cache, to be filled; what killed fetches left there long ago is removed. Undefined: it cannot be written. */
export function partFolder(cache: string): string | undefined {
  try {
    mkdirSync(cache, { recursive: true });
    accessSync(cache, constants.W_OK);
  } catch {
    return undefined;
  }
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (!name.startsWith(PART)) continue;
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - changed > STALE_MS) rmSync(path, { recursive: true, force: true });
  }
  return mkdtempSync(join(cache, PART));
}

/** Whole or not at all: only what is complete gets the name that is looked for. */
export function putInPlace(folder: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  renameSync(folder, target);
}
