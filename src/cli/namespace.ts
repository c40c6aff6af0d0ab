import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * A network namespace for a child process of ours. Node cannot move itself into one, so the program starts itself again
 * under unshare(1). The namespace has no name and no mount: it lives as long as processes are in it, and the TAP device in
 * it as long as its descriptor. So nothing can be left behind, not even when every process is killed at once.
 */
export type NamespaceKind = 'net' | 'user';

const UNSHARE: Readonly<Record<NamespaceKind, readonly string[]>> = {
  net: ['--net'],
  // Root within it, and only there: enough to configure the interfaces of its network namespace, which it owns.
  user: ['--user', '--map-root-user', '--net'],
};

export interface NamespaceChoice {
  readonly kind: NamespaceKind | undefined;
  /** Why there is none. */
  readonly reason: string;
}

/** The kind of namespace this user may make, found by making one. */
export function chooseNamespace(): NamespaceChoice {
  if (process.platform !== 'linux') {
    return { kind: undefined, reason: `network namespaces are Linux's, and this is ${process.platform}` };
  }
  let reason = '';
  for (const kind of process.getuid?.() === 0 ? (['net', 'user'] as const) : (['user'] as const)) {
    const trial = spawnSync('unshare', [...UNSHARE[kind], process.execPath, '--version'], { encoding: 'utf8' });
    if (trial.status === 0) return { kind, reason: '' };
    if (trial.error !== undefined) {
      return { kind: undefined, reason: 'unshare is not installed (Debian and Ubuntu: apt install util-linux)' };
    }
    reason = `no network namespace may be made here (${trial.stderr.trim()})`;
  }
  return { kind: undefined, reason };
}

/** What the child tells: that there can be no TAP, before it has done anything else. */
export interface NoTap {
  readonly noTap: string;
}

/** This program again, with other arguments, in a namespace of its own. It hears of our end by losing its channel. */
export function spawnInNamespace(kind: NamespaceKind, args: readonly string[]): ChildProcess {
  const program = fileURLToPath(new URL('../../../bin/millrace.js', import.meta.url));
  return spawn('unshare', [...UNSHARE[kind], process.execPath, ...process.execArgv, program, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
}

/** How somebody at another terminal runs a program in the namespace of process `pid`. */
export function enterCommand(kind: NamespaceKind, pid: number | 'PID', command: string): string {
  return kind === 'net'
    ? `${process.env.SUDO_UID === undefined ? '' : 'sudo '}nsenter --net=/proc/${pid}/ns/net ${command}`
    : `nsenter --target ${pid} --user --net --preserve-credentials ${command}`;
}
