import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Somebody without rights, by number: `nobody`. */
export const NOBODY = 65_534;

/** The repository, from the compiled test. */
const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The outermost folder on the way to the repository that others may not pass; undefined when there is none. */
function barrier(): string | undefined {
  let found: string | undefined;
  for (let path = repository; path !== '/'; path = dirname(path)) {
    if ((statSync(path).mode & 0o005) !== 0o005) found = path;
  }
  return found;
}

/**
 * A shell command for a mount namespace of the child's own (`unshare --mount`): from there everybody can read the repository at its own
 * path, even where it lies in somebody's private folder, as a checkout of a test machine may.
 */
export function reveal(): string {
  const closed = barrier();
  // The test runner has every Node program report to it, in files that are not nobody's to write.
  const alone = 'unset NODE_OPTIONS';
  if (closed === undefined) return alone;
  const path = `'${repository.replaceAll("'", `'\\''`)}'`;
  const outer = `'${closed.replaceAll("'", `'\\''`)}'`;
  return closed === repository
    ? `${alone} && mount -t tmpfs -o mode=755 none /mnt && cp -a ${path}/. /mnt && chmod 755 /mnt && mount --bind /mnt ${path}`
    : `${alone} && mount --bind ${path} /mnt && mount -t tmpfs -o mode=755 none ${outer} && mkdir -p ${path} && mount --bind /mnt ${path}`;
}
