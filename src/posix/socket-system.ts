import { type EventQueue, SocketKind } from '../../stack/net/event-queue.js';
import type { Stack } from '../../stack/stack.js';
import { Bindings } from './bindings.js';
import { EPOLL, FILE, IP, IPV6, POLL, SO, SOCKET } from './constants.js';
import { DatagramSocket } from './datagram-socket.js';
import { DescriptorTable } from './descriptor-table.js';
import { Epoll } from './epoll.js';
import { intBytes } from './option-value.js';
import { failed, succeeded } from './outcome.js';
import { errnoOf, PosixError } from './posix-error.js';
import { addressFor, endpointFrom, type PosixSocket, type SocketEnvironment } from './socket.js';
import type { Outcome, PendingCall, PollFd, SocketAddress, SocketCalls } from './socket-calls.js';
import { StreamSocket } from './stream-socket.js';
import { Settings } from './sysctl.js';
import { Waits } from './waits.js';

export interface SocketSystemOptions {
  readonly stack: Stack;
  /** The stack's time, in whole µs. */
  readonly nowUs: () => number;
  /** Lets the stack send what it has to; called after every call. */
  readonly flush: () => void;
  /** 3 if not given: below are the standard streams. */
  readonly firstDescriptor?: number;
}

/** Events of one round before the socket layer is taken to run in circles. */
const ROUNDS_MAX = 100_000;
/** Type bits that are flags. */
const TYPE_FLAGS = SOCKET.SOCK_NONBLOCK | SOCKET.SOCK_CLOEXEC;

/**
 * The socket calls of one process over one stack: descriptors, their sockets, and the calls that wait. It does nothing by itself: whoever drives the
 * stack calls `settle` after every turn, and `expire` when `nextDeadlineUs` has come.
 */
export class SocketSystem implements SocketCalls, SocketEnvironment {
  readonly stack: Stack;
  readonly waits: Waits;
  readonly settings: Settings;
  readonly bindings: Bindings;
  readonly #descriptors: DescriptorTable<PosixSocket | Epoll>;
  readonly #flush: () => void;
  readonly #epolls = new Set<Epoll>();
  /** Sockets of which something is to be told that no event of the stack tells: that a buffer lent to MSG_ZEROCOPY is free. */
  readonly #noticing = new Set<PosixSocket>();
  /** By the stack's row: which socket an event is for. */
  readonly #byRow: [Map<number, PosixSocket>, Map<number, PosixSocket>, Map<number, PosixSocket>] = [
    new Map(),
    new Map(),
    new Map(),
  ];

  constructor(options: SocketSystemOptions) {
    this.stack = options.stack;
    this.waits = new Waits(options.nowUs);
    this.settings = new Settings(options.stack);
    this.bindings = new Bindings(() => [this.settings.limits.portFirst, this.settings.limits.portLast]);
    this.#descriptors = new DescriptorTable(options.firstDescriptor);
    this.#flush = options.flush;
  }

  // For whoever drives it.

  /** What the stack has to tell reaches the sockets, and the calls that waited for it; what they bring about is sent. */
  settle(): void {
    const { events } = this.stack;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.#flush();
      this.#lookForNotices();
      this.waits.retryWatching();
      if (!this.#dispatch(events)) return;
    }
    throw new Error('millrace: the sockets do not come to rest');
  }

  #dispatch(events: EventQueue): boolean {
    let any = false;
    while (events.next()) {
      any = true;
      const socket = this.#byRow[events.kind].get(events.row);
      if (socket === undefined) continue;
      socket.happened(events.events);
      this.#wake(socket);
    }
    return any;
  }

  #wake(socket: PosixSocket): void {
    this.waits.retry(socket);
    for (const epoll of this.#epolls) epoll.happened(socket);
  }

  #lookForNotices(): void {
    for (const socket of this.#noticing) {
      if (socket.notices?.hasNewNotice() !== true) continue;
      this.#wake(socket);
      if (!socket.notices.expectsNotices()) this.#noticing.delete(socket);
    }
  }

  nextDeadlineUs(): number {
    return this.waits.nextDeadlineUs();
  }

  expire(): void {
    this.waits.expire();
  }

  /** The descriptors in use, lowest first. */
  get descriptors(): number[] {
    return Array.from(this.#descriptors, ([fd]) => fd);
  }

  // For the sockets.

  adopt(socket: PosixSocket): number {
    return this.#descriptors.open(socket);
  }
  watch(kind: SocketKind, row: number, socket: PosixSocket): void {
    this.#byRow[kind].set(row, socket);
  }
  expectNotices(socket: PosixSocket): void {
    this.#noticing.add(socket);
  }
  unwatch(kind: SocketKind, row: number, socket: PosixSocket): void {
    if (this.#byRow[kind].get(row) === socket) this.#byRow[kind].delete(row);
  }

  // The calls.

  socket(domain: number, type: number, protocol: number): Outcome {
    return this.#do(() => {
      const socket = this.#make(domain, type & ~TYPE_FLAGS, protocol);
      socket.nonBlocking = (type & SOCKET.SOCK_NONBLOCK) !== 0;
      return succeeded(this.#descriptors.open(socket));
    });
  }

  #make(domain: number, kind: number, protocol: number): PosixSocket {
    if (domain !== SOCKET.AF_INET && domain !== SOCKET.AF_INET6) {
      throw new PosixError('EAFNOSUPPORT', `family ${domain} is neither AF_INET nor AF_INET6`);
    }
    if (kind < 1 || kind > 10) throw new PosixError('EINVAL', `${kind} is no type of socket`);
    const natural =
      kind === SOCKET.SOCK_STREAM ? SOCKET.IPPROTO_TCP : kind === SOCKET.SOCK_DGRAM ? SOCKET.IPPROTO_UDP : -1;
    if (natural < 0) throw new PosixError('ESOCKTNOSUPPORT', `type ${kind} is neither SOCK_STREAM nor SOCK_DGRAM`);
    if (protocol !== 0 && protocol !== natural) {
      throw new PosixError('EPROTONOSUPPORT', `protocol ${protocol} does not go with type ${kind}`);
    }
    return kind === SOCKET.SOCK_STREAM ? new StreamSocket(this, domain) : new DatagramSocket(this, domain);
  }

  bind(fd: number, address: SocketAddress): Outcome {
    return this.#on(fd, (socket) => {
      socket.bind(endpointFrom(this.stack, socket.family, bindFamily(socket, address)));
      return succeeded();
    });
  }

  listen(fd: number, backlog: number): Outcome {
    return this.#on(fd, (socket) => {
      socket.listen(backlog);
      return succeeded();
    });
  }

  accept(fd: number, flags = 0): PendingCall {
    if ((flags & ~TYPE_FLAGS) !== 0) return this.waits.done(failed('EINVAL'));
    return this.#wait(fd, (socket) => socket.accept(flags));
  }

  connect(fd: number, address: SocketAddress): PendingCall {
    return this.#wait(fd, (socket) =>
      socket.connect(
        address.family === SOCKET.AF_UNSPEC ? undefined : endpointFrom(this.stack, socket.family, address),
      ),
    );
  }

  recv(fd: number, length: number, flags: number): PendingCall {
    return this.#wait(fd, (socket) => {
      if (length < 0) throw new PosixError('EINVAL', `${length} bytes cannot be read`);
      return socket.recv(length, flags);
    });
  }

  send(fd: number, data: Uint8Array, flags: number, address?: SocketAddress): PendingCall {
    return this.#wait(fd, (socket) =>
      socket.send(data, flags, address === undefined ? undefined : endpointFrom(this.stack, socket.family, address)),
    );
  }

  close(fd: number): PendingCall {
    const file = this.#descriptors.find(fd);
    if (file instanceof Epoll) {
      this.#descriptors.close(fd);
      this.#epolls.delete(file);
      for (const call of [...file.waiting]) call.cancel();
      return this.waits.done(succeeded());
    }
    return this.#wait(fd, (socket) => {
      this.#descriptors.close(fd);
      for (const epoll of this.#epolls) epoll.forget(socket);
      this.#noticing.delete(socket);
      // Whoever waits on it waits in vain: nobody will hear of it again.
      for (const call of [...socket.waiting]) call.cancel();
      return socket.close();
    });
  }

  shutdown(fd: number, how: number): Outcome {
    return this.#on(fd, (socket) => {
      if (how < SOCKET.SHUT_RD || how > SOCKET.SHUT_RDWR) throw new PosixError('EINVAL', `${how} is no side to shut`);
      socket.shutdown(how);
      this.#wake(socket);
      return succeeded();
    });
  }

  fcntl(fd: number, command: number, argument: number): Outcome {
    return this.#on(fd, (socket) => {
      switch (command) {
        case FILE.F_GETFL:
          return succeeded(FILE.O_RDWR | (socket.nonBlocking ? FILE.O_NONBLOCK : 0));
        case FILE.F_SETFL:
          socket.nonBlocking = (argument & FILE.O_NONBLOCK) !== 0;
          return succeeded();
        case FILE.F_GETFD:
        case FILE.F_SETFD:
          // There is no exec that a descriptor could outlive.
          return succeeded();
        default:
          throw new PosixError('EINVAL', `fcntl command ${command} is not for sockets here`);
      }
    });
  }

  ioctl(fd: number, request: number): Outcome {
    return this.#on(fd, (socket) => {
      const length = socket.queueLength(request);
      if (length === undefined) throw new PosixError('ENOTTY', `ioctl request ${request} is not for sockets here`);
      return succeeded(0, { data: intBytes(length) });
    });
  }

  getsockopt(fd: number, level: number, option: number, capacity: number): Outcome {
    return this.#on(fd, (socket) => {
      if (capacity < 0) throw new PosixError('EINVAL', `there are no ${capacity} bytes for the value`);
      const value = level === SO.SOL_SOCKET ? socket.level.get(option) : socket.getOption(level, option, capacity);
      if (value === undefined) throw isLevelOf(socket, level) ? unknownOption(level, option) : unknownLevel(level);
      return succeeded(0, { data: value.subarray(0, capacity) });
    });
  }

  setsockopt(fd: number, level: number, option: number, value: Uint8Array): Outcome {
    return this.#on(fd, (socket) => {
      const known = level === SO.SOL_SOCKET ? socket.level.set(option, value) : socket.setOption(level, option, value);
      if (!known) throw unknownOption(level, option);
      return succeeded();
    });
  }

  getsockname(fd: number): Outcome {
    return this.#on(fd, (socket) =>
      succeeded(0, { address: addressFor(this.stack, socket.family, socket.localEndpoint()) }),
    );
  }

  getpeername(fd: number): Outcome {
    return this.#on(fd, (socket) => {
      const peer = socket.remoteEndpoint();
      if (peer === undefined) throw new PosixError('ENOTCONN', 'the socket is not connected');
      return succeeded(0, { address: addressFor(this.stack, socket.family, peer) });
    });
  }

  poll(fds: PollFd[], timeoutMs: number): PendingCall {
    const sockets = fds.flatMap(({ fd }) => this.#descriptors.find(fd) ?? []);
    const attempt = (): Outcome | undefined => {
      let ready = 0;
      for (const entry of fds) {
        entry.revents = entry.fd < 0 ? 0 : this.#revents(entry);
        if (entry.revents !== 0) ready += 1;
      }
      return ready > 0 ? succeeded(ready) : undefined;
    };
    return this.waits.call(attempt, sockets, timeoutMs < 0 ? Infinity : timeoutMs, () => succeeded(0));
  }

  epollCreate(flags: number): Outcome {
    return this.#do(() => {
      if ((flags & ~EPOLL.EPOLL_CLOEXEC) !== 0) throw new PosixError('EINVAL', `epoll_create1 has no flags ${flags}`);
      const epoll = new Epoll(this.waits);
      this.#epolls.add(epoll);
      return succeeded(this.#descriptors.open(epoll));
    });
  }

  epollControl(epollFd: number, operation: number, fd: number, events: number, data: bigint): Outcome {
    return this.#do(() => {
      const epoll = this.#findEpoll(epollFd);
      const file = this.#descriptors.find(fd);
      if (file === undefined) throw new PosixError('EBADF', `descriptor ${fd} is not open`);
      // One epoll instance in another is left to those who need it.
      if (file instanceof Epoll) throw new PosixError('EINVAL', 'an epoll instance watches sockets');
      epoll.control(operation, file, events, data);
      return succeeded();
    });
  }

  epollWait(epollFd: number, most: number, timeoutMs: number): PendingCall {
    let pending: PendingCall;
    try {
      pending = this.#findEpoll(epollFd).wait(most, timeoutMs);
    } catch (error) {
      pending = this.waits.done(failed(errnoOf(error)));
    }
    this.settle();
    return pending;
  }

  #findEpoll(fd: number): Epoll {
    const file = this.#descriptors.find(fd);
    if (file === undefined) throw new PosixError('EBADF', `descriptor ${fd} is not open`);
    if (!(file instanceof Epoll)) throw new PosixError('EINVAL', `descriptor ${fd} is no epoll instance`);
    return file;
  }

  #revents(entry: PollFd): number {
    const socket = this.#descriptors.find(entry.fd);
    if (socket === undefined) return POLL.POLLNVAL;
    return socket.readiness() & (entry.events | POLL.POLLERR | POLL.POLLHUP);
  }

  // Around every call.

  #on(fd: number, call: (socket: PosixSocket) => Outcome): Outcome {
    return this.#do(() => call(this.#find(fd)));
  }

  #wait(fd: number, call: (socket: PosixSocket) => PendingCall): PendingCall {
    let pending: PendingCall;
    try {
      pending = call(this.#find(fd));
    } catch (error) {
      pending = this.waits.done(failed(errnoOf(error)));
    }
    this.settle();
    return pending;
  }

  #do(call: () => Outcome): Outcome {
    let outcome: Outcome;
    try {
      outcome = call();
    } catch (error) {
      outcome = failed(errnoOf(error));
    }
    this.settle();
    return outcome;
  }

  #find(fd: number): PosixSocket {
    const socket = this.#descriptors.find(fd);
    if (socket === undefined) throw new PosixError('EBADF', `descriptor ${fd} is not open`);
    if (socket instanceof Epoll) throw new PosixError('ENOTSOCK', `descriptor ${fd} is no socket`);
    return socket;
  }
}

/** Linux takes AF_UNSPEC with the "any" address for AF_INET in bind(2). */
function bindFamily(socket: PosixSocket, address: SocketAddress): SocketAddress {
  const any =
    address.family === SOCKET.AF_UNSPEC && socket.family === SOCKET.AF_INET && /^(0\.0\.0\.0)?$/.test(address.host);
  return any ? { ...address, family: SOCKET.AF_INET, host: '0.0.0.0' } : address;
}

/** SOL_TCP and SOL_UDP are the protocols' numbers. */
function isLevelOf({ family, protocol }: PosixSocket, level: number): boolean {
  if (level === SO.SOL_SOCKET || level === IP.SOL_IP || level === protocol) return true;
  return level === IPV6.SOL_IPV6 && family === SOCKET.AF_INET6;
}

/** As Linux: asked for an option of a level that is not the socket's; setting one is ENOPROTOOPT like any other unknown. */
function unknownLevel(level: number): PosixError {
  return new PosixError('EOPNOTSUPP', `the socket has no options at level ${level}`);
}

function unknownOption(level: number, option: number): PosixError {
  return new PosixError('ENOPROTOOPT', `there is no option ${option} at level ${level}`);
}
