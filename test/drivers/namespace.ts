import { existsSync, writeFileSync } from 'node:fs';
import koffi from 'koffi';

const CLONE_NEWNET = 0x40000000;

/**
 * Puts this thread, and what it starts, into a network namespace that ends with the process. Returns why it cannot, for a test to be
 * skipped with.
 */
export function enterNamespace(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root, for a network namespace and TAP devices';
  if (!existsSync('/dev/net/tun')) return 'needs /dev/net/tun';
  const unshare: (flags: number) => number = koffi.load('libc.so.6').func('int unshare(int flags)');
  if (unshare(CLONE_NEWNET) !== 0) return `needs a network namespace (errno ${koffi.errno()})`;
  // Otherwise the kernel solicits routers on every link, in the middle of the frames that are counted.
  for (const scope of ['all', 'default']) {
    const path = `/proc/sys/net/ipv6/conf/${scope}/disable_ipv6`;
    if (existsSync(path)) writeFileSync(path, '1');
  }
  return undefined;
}
