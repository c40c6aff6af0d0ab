/**
 * The kernel's sockets and epoll, called through koffi without Node's event loop in between.
 *
 * A load program has to be cheaper than the server it measures, or it measures itself. Node's own `net` costs about as much on the
 * client as it does on the server; a bare system call from TypeScript costs about 0.3 µs on top of the call itself. Buffers are
 * allocated once and handed over as raw addresses, so a call allocates nothing.
 */

import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';

// The process itself: its C library is already loaded, under whatever name the distribution gives it.
const libc = koffi.load(null);

const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
const connect: (fd: number, address: number, length: number) => number = libc.func(
  'int connect(int fd, uintptr_t address, uint32_t length)',
);
const bind: (fd: number, address: number, length: number) => number = libc.func(
  'int bind(int fd, uintptr_t address, uint32_t length)',
);
const setsockopt: (fd: number, level: number, name: number, value: number, length: number) => number = libc.func(
  'int setsockopt(int fd, int level, int name, uintptr_t value, uint32_t length)',
);
const getsockopt: (fd: number, level: number, name: number, value: number, length: number) => number = libc.func(
  'int getsockopt(int fd, int level, int name, uintptr_t value, uintptr_t length)',
);
const shutdown: (fd: number, how: number) => number = libc.func('int shutdown(int fd, int how)');
const epollCreate: (flags: number) => number = libc.func('int epoll_create1(int flags)');
const epollCtl: (epoll: number, operation: number, fd: number, event: number) => number = libc.func(
  'int epoll_ctl(int epoll, int operation, int fd, uintptr_t event)',
);
const epollWait: (epoll: number, events: number, max: number, timeoutMs: number) => number = libc.func(
  'int epoll_wait(int epoll, uintptr_t events, int max, int timeout)',
);

/** Bytes read, 0 at end of stream, -1 with `errno()`; `buffer` is a raw address. */
export const read: (fd: number, buffer: number, count: number) => number = libc.func(
  'intptr_t read(int fd, uintptr_t buffer, size_t count)',
);
export const write: (fd: number, buffer: number, count: number) => number = libc.func(
  'intptr_t write(int fd, uintptr_t buffer, size_t count)',
);
export const close: (fd: number) => number = libc.func('int close(int fd)');

const enum Linux {
  AF_INET = 2,
  SOCK_STREAM = 1,
  SOCK_NONBLOCK = 0o4000,
  SOCK_CLOEXEC = 0o2000000,
  SOL_SOCKET = 1,
  SO_ERROR = 4,
  SO_LINGER = 13,
  SO_RCVTIMEO = 20,
  SO_SNDTIMEO = 21,
  IPPROTO_TCP = 6,
  TCP_NODELAY = 1,
  IPPROTO_IP = 0,
  IP_BIND_ADDRESS_NO_PORT = 24,
  SHUT_WR = 1,
  EPOLL_CTL_ADD = 1,
  EINTR = 4,
  EAGAIN = 11,
  ETIMEDOUT = 110,
  EINPROGRESS = 115,
}

export const enum Epoll {
  IN = 0x1,
  OUT = 0x4,
  ERR = 0x8,
  HUP = 0x10,
  RDHUP = 0x2000,
  EDGE = 0x80000000,
}

/** Memory the kernel reads and writes: `bytes` for us, `address` for a system call. The object must outlive every call. */
export class NativeBuffer {
  readonly bytes: Buffer;
  readonly address: number;

  constructor(sizeBytes: number) {
    // Not from Node's pool, and never moved: V8 keeps backing stores outside its heap.
    this.bytes = Buffer.alloc(sizeBytes);
    this.address = Number(koffi.address(this.bytes));
  }
}

/** A system call failed. `code` is the errno's name, such as `ECONNREFUSED`. */
export class SystemCallError extends Error {
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = errno === 0 ? 'EUNKNOWN' : getSystemErrorName(-errno);
    super(`${call}: ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
  }
}

export function lastError(call: string): SystemCallError {
  const errno = koffi.errno();
  // What a blocking call says when SO_RCVTIMEO or SO_SNDTIMEO has passed.
  return new SystemCallError(call, errno === Linux.EAGAIN ? Linux.ETIMEDOUT : errno);
}

/** `struct sockaddr_in` for an IPv4 address in text. */
export function socketAddress(address: string, port: number): NativeBuffer {
  const octets = address.split('.').map(Number);
  if (octets.length !== 4 || octets.some((octet) => !Number.isInteger(octet) || octet < 0 || octet > 255)) {
    throw new RangeError(`not an IPv4 address: ${address}`);
  }
  const buffer = new NativeBuffer(16);
  buffer.bytes.writeUInt16LE(Linux.AF_INET, 0);
  buffer.bytes.writeUInt16BE(port, 2);
  buffer.bytes.set(octets, 4);
  return buffer;
}

const int32 = new NativeBuffer(4);
const int32Length = new NativeBuffer(4);
const linger = new NativeBuffer(8);
const timeval = new NativeBuffer(16);

function setInt(fd: number, level: number, name: number, value: number): void {
  int32.bytes.writeInt32LE(value, 0);
  if (setsockopt(fd, level, name, int32.address, 4) !== 0) throw lastError('setsockopt');
}

/** A load program that waits for ever hides a server that lost something: a blocking call gives up after this long. */
const BLOCKING_TIMEOUT_S = 10;

function open(type: number, source: NativeBuffer | undefined): number {
  const fd = socket(Linux.AF_INET, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC | type, 0);
  if (fd < 0) throw lastError('socket');
  if (source !== undefined) {
    // The port is chosen at connect, from the ports free for that destination, not at bind.
    setInt(fd, Linux.IPPROTO_IP, Linux.IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(fd, source.address, 16) !== 0) throw lastError('bind');
  }
  return fd;
}

/** A connected blocking socket with TCP_NODELAY. */
export function connectBlocking(target: NativeBuffer, source?: NativeBuffer): number {
  const fd = open(0, source);
  setInt(fd, Linux.IPPROTO_TCP, Linux.TCP_NODELAY, 1);
  timeval.bytes.writeBigInt64LE(BigInt(BLOCKING_TIMEOUT_S), 0);
  if (setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_RCVTIMEO, timeval.address, 16) !== 0) throw lastError('setsockopt');
  if (setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_SNDTIMEO, timeval.address, 16) !== 0) throw lastError('setsockopt');
  if (connect(fd, target.address, 16) !== 0) throw lastError('connect');
  return fd;
}

/** A socket whose connect is under way; it becomes writable when the handshake is done. */
export function connectStart(target: NativeBuffer, source?: NativeBuffer): number {
  const fd = open(Linux.SOCK_NONBLOCK, source);
  if (connect(fd, target.address, 16) !== 0 && koffi.errno() !== Linux.EINPROGRESS) throw lastError('connect');
  return fd;
}

/** Throws what the socket failed with, if it did. */
export function throwPending(fd: number): void {
  int32Length.bytes.writeInt32LE(4, 0);
  if (getsockopt(fd, Linux.SOL_SOCKET, Linux.SO_ERROR, int32.address, int32Length.address) !== 0) {
    throw lastError('getsockopt');
  }
  const errno = int32.bytes.readInt32LE(0);
  if (errno !== 0) throw new SystemCallError('connect', errno);
}

/** Closing this socket, or ending the process, will reset the connection instead of closing it in order: nothing lingers in the kernel. */
export function resetOnClose(fd: number): void {
  linger.bytes.writeInt32LE(1, 0);
  linger.bytes.writeInt32LE(0, 4);
  if (setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_LINGER, linger.address, 8) !== 0) throw lastError('setsockopt');
}

export function shutdownWrite(fd: number): void {
  if (shutdown(fd, Linux.SHUT_WR) !== 0) throw lastError('shutdown');
}

// The kernel declares struct epoll_event packed on x86-64 only, so that 32-bit programs share its layout.
const EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
const EVENT_DATA = process.arch === 'x64' ? 4 : 8;

/** An epoll instance; a descriptor is registered with a number of the caller's, given back with each event. */
export class Poller {
  readonly #fd: number;
  readonly #events: NativeBuffer;
  readonly #view: DataView;
  readonly #one = new NativeBuffer(16);
  readonly #max: number;

  constructor(eventsMax: number) {
    this.#fd = epollCreate(Linux.SOCK_CLOEXEC);
    if (this.#fd < 0) throw lastError('epoll_create1');
    this.#max = eventsMax;
    this.#events = new NativeBuffer(eventsMax * EVENT_BYTES);
    this.#view = new DataView(this.#events.bytes.buffer, this.#events.bytes.byteOffset, this.#events.bytes.length);
  }

  add(fd: number, events: number, tag: number): void {
    this.#one.bytes.writeUInt32LE(events >>> 0, 0);
    this.#one.bytes.writeInt32LE(tag, EVENT_DATA);
    if (epollCtl(this.#fd, Linux.EPOLL_CTL_ADD, fd, this.#one.address) !== 0) throw lastError('epoll_ctl');
  }

  /** How many descriptors are ready; throws ETIMEDOUT when none is for `timeoutMs`. */
  wait(timeoutMs: number): number {
    for (;;) {
      const count = epollWait(this.#fd, this.#events.address, this.#max, timeoutMs);
      if (count > 0) return count;
      if (count === 0) throw new SystemCallError('epoll_wait', Linux.ETIMEDOUT);
      if (koffi.errno() !== Linux.EINTR) throw lastError('epoll_wait');
    }
  }

  eventsOf(index: number): number {
    return this.#view.getUint32(index * EVENT_BYTES, true);
  }

  tagOf(index: number): number {
    return this.#view.getInt32(index * EVENT_BYTES + EVENT_DATA, true);
  }

  close(): void {
    close(this.#fd);
  }
}
