import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { type ErrorCode, StackError } from '../stack/base/errors.js';

/**
 * The C library, called through koffi: the few functions that Node does not offer, or offers at a price. A call costs
 * about 210 ns; `fs.readSync` on an empty descriptor throws, which costs fifteen times that.
 *
 * koffi is loaded when the first device is opened, so that everything that needs no system call works without it.
 *
 * Memory is passed as an address, a number: an argument of pointer type would want a `Uint8Array` that begins where the
 * data does, and that is an allocation a frame. The backing store of an ArrayBuffer does not move; who keeps an address
 * must keep the buffer, too.
 */
export interface Libc {
  /** Returns a descriptor, or -1. Like all of these it sets `errno`. */
  open(path: string, flags: number): number;
  close(fd: number): number;
  read(fd: number, address: number, count: number): number;
  write(fd: number, address: number, count: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  socket(domain: number, type: number, protocol: number): number;
  epollCreate(flags: number): number;
  epollControl(epoll: number, operation: number, fd: number, event: number): number;
  /** Of the last call; read it before anything else is called. */
  errno(): number;
  /** Where `bytes` begins. */
  addressOf(bytes: Uint8Array): number;
}

/** The error numbers that are decided on, as every Linux port but a few retired ones numbers them. */
export const enum Errno {
  EPERM = 1,
  ENOENT = 2,
  EINTR = 4,
  EIO = 5,
  ENXIO = 6,
  EBADF = 9,
  EAGAIN = 11,
  EACCES = 13,
  EFAULT = 14,
  EBUSY = 16,
  ENODEV = 19,
  EINVAL = 22,
  EBADFD = 77,
  EADDRNOTAVAIL = 99,
  ENOBUFS = 105,
}

export const enum Open {
  O_RDWR = 0o2,
  O_NONBLOCK = 0o4000,
  O_CLOEXEC = 0o2000000,
}

export const enum Socket {
  AF_INET = 2,
  SOCK_DGRAM = 2,
  SOCK_CLOEXEC = 0o2000000,
}

let loaded: Libc | undefined;

/** The C library; the first call loads it. Throws `EOPNOTSUPP` where there is none that can be called. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  if (process.platform !== 'linux') {
    throw new StackError(
      'EOPNOTSUPP',
      `TAP and TUN devices need Linux, and this is ${process.platform}: use the device "loopback", or run in a Linux VM`,
    );
  }
  // Asked for, Bun does not fail but ends the process.
  if (process.versions.bun !== undefined) {
    throw new StackError(
      'EOPNOTSUPP',
      `TAP and TUN devices need libuv's poll, which Bun ${process.versions.bun} has not: run with Node 20 or newer, or use the device "loopback"`,
    );
  }
  const koffi = loadKoffi();
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load('libc.so.6');
  } catch {
    // Not glibc. Node itself is linked to the C library, whatever it is called, so its symbols are in the process.
    library = koffi.load(null);
  }
  return {
    open: library.func('int open(const char *path, int flags)'),
    close: library.func('int close(int fd)'),
    read: library.func('intptr_t read(int fd, uintptr_t address, size_t count)'),
    write: library.func('intptr_t write(int fd, uintptr_t address, size_t count)'),
    // Declared with a fixed third argument: on the Linux ABIs koffi knows, a variadic word travels as a fixed one does.
    ioctl: library.func('int ioctl(int fd, ulong request, uintptr_t argument)'),
    fcntl: library.func('int fcntl(int fd, int command, intptr_t argument)'),
    socket: library.func('int socket(int domain, int type, int protocol)'),
    epollCreate: library.func('int epoll_create1(int flags)'),
    epollControl: library.func('int epoll_ctl(int epoll, int operation, int fd, uintptr_t event)'),
    errno: () => koffi.errno(),
    addressOf: (bytes) => Number(koffi.address(bytes)),
  };
}

export function loadKoffi(): typeof import('koffi') {
  try {
    return createRequire(import.meta.url)('koffi') as typeof import('koffi');
  } catch (cause) {
    throw new StackError(
      'EOPNOTSUPP',
      `TAP and TUN devices need the package koffi, which could not be loaded (${firstLine(cause)}): run "npm install", or use the device "loopback"`,
    );
  }
}

function firstLine(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause).split('\n', 1)[0] as string;
}

/** Codes that the API's errors may carry; any other error number is reported as EIO, with its own name in the message. */
const CODES: readonly ErrorCode[] = [
  'EACCES',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EAGAIN',
  'EBADF',
  'EBUSY',
  'EINVAL',
  'EMFILE',
  'ENETDOWN',
  'ENOBUFS',
  'ENODEV',
  'ENOENT',
  'EOPNOTSUPP',
  'EPERM',
];

/** `EBUSY` for 16; `errno 524` for a number that has no name. */
export function errnoName(errno: number): string {
  for (const [name, value] of Object.entries(constants.errno)) {
    if (value === errno) return name;
  }
  return errno === Errno.EBADFD ? 'EBADFD' : `errno ${errno}`;
}

/** The error for a failed call: what was being done, the error's name, and what to do about it. */
export function systemError(errno: number, doing: string, advice: string): StackError {
  const name = errnoName(errno);
  const code = CODES.find((known) => known === name) ?? 'EIO';
  return new StackError(code, `${doing}: ${name}. ${advice}`);
}
