import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A suite of suites is hundreds; more is somebody's root directory. */
const FILES_MAX = 100_000;

/** The scripts that `paths` name: files as they are, of folders all `.pkt` below, in the order of their names. Throws Node's errors. */
export function collectScripts(paths: readonly string[]): string[] {
  return paths.flatMap((path) => (statSync(path).isDirectory() ? below(path) : [path]));
}

function below(folder: string): string[] {
  const found: string[] = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      // Links to folders are not followed: they may lead back.
      if (entry.isDirectory()) folders.push(path);
      else if (entry.name.endsWith('.pkt')) found.push(path);
      if (found.length > FILES_MAX) throw new RangeError(`${folder} has more than ${FILES_MAX} scripts`);
    }
  }
  return found.sort();
}
