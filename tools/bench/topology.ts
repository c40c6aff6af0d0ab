/**
 * Two network namespaces: the load program's, and that of the server on the kernel's sockets.
 *
 *   client namespace                                    server namespace
 *     load program ── veth0 10.99.0.1 ════════════════ veth0 10.99.0.2 ── node:net
 *                  ├─ tap0  10.99.1.1 ── (fd) Millrace 10.99.1.2
 *                  └─ tap1  10.99.2.1 ── (fd) Millrace 10.99.2.2
 *
 * A TAP has its kernel end in the namespace it was made in and its other end in a file descriptor, so a Millrace server runs in the client's
 * namespace, where its driver makes the TAP as it does for anybody; it uses nothing else of that namespace.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const PREFIX = 'mrbench';

export const NODE_ADDRESS = '10.99.0.2';

export interface TapLink {
  readonly device: string;
  /** The kernel's address on the link, the load program's. */
  readonly kernel: string;
  /** The stack's address. */
  readonly stack: string;
}

export const TAPS: readonly TapLink[] = [
  { device: 'tap0', kernel: '10.99.1.1', stack: '10.99.1.2' },
  { device: 'tap1', kernel: '10.99.2.1', stack: '10.99.2.2' },
];
export const PREFIX_LENGTH = 24;

/** The machine cannot do what the benchmark needs; `code` is an errno's name. */
export class TopologyError extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(`${message} (${code})`);
    this.name = 'TopologyError';
    this.code = code;
  }
}

function ip(args: readonly string[], input?: string): void {
  const result = spawnSync('ip', args, { encoding: 'utf8', ...(input === undefined ? {} : { input }) });
  if (result.error !== undefined) {
    throw new TopologyError(`cannot run ip (package iproute2): ${result.error.message}`, 'ENOENT');
  }
  if (result.status !== 0) {
    const detail = result.stderr.trim();
    const hint = /not permitted|denied/i.test(detail) ? '; run as root' : '';
    throw new TopologyError(`ip ${args.join(' ')}: ${detail}${hint}`, hint === '' ? 'EINVAL' : 'EPERM');
  }
}

function batch(namespace: string, lines: readonly string[]): void {
  ip(['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`);
}

function sysctl(namespace: string, settings: Readonly<Record<string, string>>): void {
  const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  ip(['netns', 'exec', namespace, 'sysctl', '-qw', ...assignments]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, it is only not ours.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Namespaces left by a run that was killed outright. The name holds the pid, so nobody's live namespace is touched. */
function removeStale(): void {
  let names: string[];
  try {
    names = readdirSync('/run/netns');
  } catch {
    return; // the directory appears with the first namespace
  }
  for (const name of names) {
    const match = new RegExp(`^${PREFIX}-(\\d+)-[cs]$`).exec(name);
    if (match !== null && !isAlive(Number(match[1]))) spawnSync('ip', ['netns', 'del', name]);
  }
}

export class Topology {
  readonly client = `${PREFIX}-${process.pid}-c`;
  readonly server = `${PREFIX}-${process.pid}-s`;
  /** Of every link. */
  readonly mtu: number;
  readonly #made: string[] = [];

  constructor(mtu: number) {
    this.mtu = mtu;
  }

  /** Throws TopologyError, with nothing left behind. */
  open(): void {
    try {
      removeStale();
      this.#open();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #open(): void {
    for (const name of [this.client, this.server]) {
      ip(['netns', 'add', name]);
      this.#made.push(name);
      // No router solicitations or duplicate address detection between the frames that are measured.
      sysctl(name, { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' });
      // A new namespace has the machine's default. BBR, which some machines have, paces by timers and so measures its timers on a link without
      // delay. Reno is what the stack is told to do here, is in every kernel, and is the one a namespace may always choose.
      sysctl(name, { 'net.ipv4.tcp_congestion_control': 'reno' });
    }
    // The client closes first and holds TIME-WAIT: tens of thousands of connections a second need every port, and each again after a second.
    sysctl(this.client, { 'net.ipv4.ip_local_port_range': '1024 65535', 'net.ipv4.tcp_tw_reuse': '1' });
    batch(this.client, [
      'link set lo up',
      `link add veth0 type veth peer name veth0 netns ${this.server}`,
      `address add 10.99.0.1/${PREFIX_LENGTH} dev veth0`,
      `link set veth0 mtu ${this.mtu} up`,
    ]);
    batch(this.server, [
      'link set lo up',
      `address add ${NODE_ADDRESS}/${PREFIX_LENGTH} dev veth0`,
      `link set veth0 mtu ${this.mtu} up`,
    ]);
  }

  /** Idempotent. Devices go with their namespaces. */
  close(): void {
    for (const name of this.#made.splice(0)) spawnSync('ip', ['netns', 'del', name]);
  }
}
