import type { Address } from '../../stack/base/units.js';
import type { SocketKind } from '../../stack/net/event-queue.js';
import type { Stack } from '../../stack/stack.js';
import type { Bindings } from './bindings.js';
import { SOCKET } from './constants.js';
import { failed } from './outcome.js';
import { PosixError } from './posix-error.js';
import type { Outcome, PendingCall, SocketAddress } from './socket-calls.js';
import type { SocketLevel } from './socket-level.js';
import type { Settings } from './sysctl.js';
import type { Waitable, Waits } from './waits.js';

/** An address as the stack has it, with a port; 0 is "any" of either. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

export const ANYWHERE: Endpoint = { address: 0 as Address, port: 0 };

/** What the sockets share. */
export interface SocketEnvironment {
  readonly stack: Stack;
  readonly waits: Waits;
  readonly bindings: Bindings;
  readonly settings: Settings;
  /** A descriptor for an accepted connection. Throws EMFILE. */
  adopt(socket: PosixSocket): number;
  /** The events of a row of the stack's are this socket's from now on. */
  watch(kind: SocketKind, row: number, socket: PosixSocket): void;
  unwatch(kind: SocketKind, row: number, socket: PosixSocket): void;
  /** The socket has lent a buffer to the stack, and is asked from now on whether it has it back. */
  expectNotices(socket: PosixSocket): void;
}

/** The error queue, as far as it fills without an event of the stack. */
export interface NoticeSource {
  /** True once for what has come since the last time. */
  hasNewNotice(): boolean;
  /** There will be more. */
  expectsNotices(): boolean;
}

/** What a descriptor stands for. Methods throw PosixError or the stack's error; the descriptors' side makes an errno of it. */
export interface PosixSocket extends Waitable {
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  readonly level: SocketLevel;
  nonBlocking: boolean;
  bind(endpoint: Endpoint): void;
  listen(backlog: number): void;
  accept(flags: number): PendingCall;
  connect(endpoint: Endpoint | undefined): PendingCall;
  recv(length: number, flags: number): PendingCall;
  send(data: Uint8Array, flags: number, to: Endpoint | undefined): PendingCall;
  shutdown(how: number): void;
  close(): PendingCall;
  /** For SIOCINQ, SIOCOUTQ and SIOCOUTQNSD; undefined: not of this socket. */
  queueLength(request: number): number | undefined;
  localEndpoint(): Endpoint;
  /** Undefined: not connected. */
  remoteEndpoint(): Endpoint | undefined;
  /** Bits of poll(2) that hold now. */
  readiness(): number;
  /** Undefined: nothing ever comes into its error queue. */
  readonly notices: NoticeSource | undefined;
  /** SO_ERROR: the errno, which is then forgotten. */
  takeError(): number;
  /** Bits of the stack's `Event`. */
  happened(events: number): void;
  /** A value for getsockopt at any level but SOL_SOCKET; undefined: ENOPROTOOPT. */
  getOption(level: number, option: number, capacity: number): Uint8Array | undefined;
  /** False: ENOPROTOOPT. */
  setOption(level: number, option: number, value: Uint8Array): boolean;
}

const MAPPED = '::ffff:';

/** The stack's address for a program's: an IPv4 one, or the same mapped into IPv6 (RFC 4291 §2.5.5.2), or "any" of either family. */
export function endpointFrom(stack: Stack, family: number, address: SocketAddress): Endpoint {
  if (address.family !== family) {
    throw new PosixError('EAFNOSUPPORT', `the address is of family ${address.family}, the socket of ${family}`);
  }
  let host = address.host.toLowerCase();
  if (family === SOCKET.AF_INET6) {
    if (host === '::') return { address: 0 as Address, port: address.port };
    if (!host.startsWith(MAPPED)) {
      throw new PosixError('EADDRNOTAVAIL', `${host}: of IPv6 there are only mapped addresses (::ffff:a.b.c.d)`);
    }
    host = host.slice(MAPPED.length);
  }
  return { address: stack.net.parseAddress(host), port: address.port };
}

export function addressFor(stack: Stack, family: number, endpoint: Endpoint): SocketAddress {
  const host = stack.net.formatAddress(endpoint.address);
  if (family !== SOCKET.AF_INET6) return { family, host, port: endpoint.port };
  return { family, host: endpoint.address === 0 ? '::' : MAPPED + host, port: endpoint.port };
}

/** What the call comes to when the socket has an error to tell; it is told once. */
export function pendingError(socket: PosixSocket): Outcome | undefined {
  const errno = socket.takeError();
  return errno === 0 ? undefined : failed(errno);
}
