/**
 * The socket calls as Linux has them: descriptors, numbers for options and flags, −1 and an errno. The numbers are Linux's own (`constants.ts`,
 * `errno.ts`), values of options its bytes, little-endian.
 */
export interface SocketCalls {
  socket(domain: number, type: number, protocol: number): Outcome;
  bind(fd: number, address: SocketAddress): Outcome;
  listen(fd: number, backlog: number): Outcome;
  /** `result` is the new descriptor, `address` the peer. `flags`: accept4's. */
  accept(fd: number, flags?: number): PendingCall;
  connect(fd: number, address: SocketAddress): PendingCall;
  /** read, readv, recv, recvfrom and recvmsg: `data` holds the bytes, `result` their count, `address` the sender of a datagram. */
  recv(fd: number, length: number, flags: number): PendingCall;
  /** write, writev, send, sendto and sendmsg. */
  send(fd: number, data: Uint8Array, flags: number, address?: SocketAddress): PendingCall;
  /** Waits only with SO_LINGER. */
  close(fd: number): PendingCall;
  shutdown(fd: number, how: number): Outcome;
  fcntl(fd: number, command: number, argument: number): Outcome;
  /** `data`: the int of SIOCINQ, SIOCOUTQ and SIOCOUTQNSD. */
  ioctl(fd: number, request: number): Outcome;
  /** `data`: at most `capacity` bytes of the value. */
  getsockopt(fd: number, level: number, option: number, capacity: number): Outcome;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): Outcome;
  getsockname(fd: number): Outcome;
  getpeername(fd: number): Outcome;
  /** Waits up to `timeoutMs` (negative: without end); fills in `revents`. */
  poll(fds: PollFd[], timeoutMs: number): PendingCall;
  epollCreate(flags: number): Outcome;
  /** `data` comes back with the events. */
  epollControl(epollFd: number, operation: number, fd: number, events: number, data: bigint): Outcome;
  /** `events`: at most `most` of them. */
  epollWait(epollFd: number, most: number, timeoutMs: number): PendingCall;
}

/** What a call came to: −1 and an errno, or a result of 0 and more and errno 0. */
export interface Outcome {
  readonly result: number;
  readonly errno: number;
  readonly data?: Uint8Array;
  readonly address?: SocketAddress;
  /** recvmsg's msg_flags, and its control messages. */
  readonly messageFlags?: number;
  readonly control?: readonly ControlMessage[];
  /** epoll_wait's. */
  readonly events?: readonly EpollEvent[];
}

/** A call that may have to wait for the network or the clock. What would not wait is complete as it is returned. */
export interface PendingCall {
  /** Undefined as long as it waits. */
  readonly outcome: Outcome | undefined;
  /** The instant at which it was completed. */
  readonly completedUs: number;
  /** It is not wanted any longer. */
  cancel(): void;
}

export interface SocketAddress {
  readonly family: number;
  /** Dotted quad for AF_INET, RFC 5952's form for AF_INET6; empty for other families. */
  readonly host: string;
  readonly port: number;
}

export interface ControlMessage {
  readonly level: number;
  readonly type: number;
  readonly data: Uint8Array;
}

export interface EpollEvent {
  readonly events: number;
  readonly data: bigint;
}

export interface PollFd {
  readonly fd: number;
  readonly events: number;
  revents: number;
}
