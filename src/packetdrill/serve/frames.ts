import { SOCKET } from '../../posix/constants.js';
import type { PollFd, SocketAddress } from '../../posix/socket-calls.js';

/** The operations packetdrill's module asks for. */
export const enum Op {
  SOCKET = 1,
  BIND = 2,
  LISTEN = 3,
  ACCEPT = 4,
  CONNECT = 5,
  RECV = 6,
  SEND = 7,
  FCNTL = 8,
  IOCTL = 9,
  CLOSE = 10,
  SHUTDOWN = 11,
  GETSOCKOPT = 12,
  SETSOCKOPT = 13,
  POLL = 14,
  /** A datagram arrives at the stack. */
  NDSEND = 15,
  /** The next datagram the stack sends. */
  NDRECV = 16,
  USLEEP = 17,
  GETTIME = 18,
  /** A script begins: a fresh world. */
  HELLO = 19,
  /** The script is over. */
  FREE = 20,
  /** `name=value`: one of Linux's settings, from now on. */
  SYSCTL = 21,
}

/** What arrives is a datagram, or what one write of a script has: more is no packetdrill. */
const FRAME_BYTES_MAX = 1 << 24;
const LENGTH_BYTES = 4;

/** What was sent is no request of the protocol. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolError';
  }
}

/** Cuts a stream of bytes into requests: u32 length, u8 operation, payload; little-endian. */
export class FrameReader {
  #kept: Buffer = Buffer.alloc(0);

  /** The requests that are whole now. Throws ProtocolError, after which the stream cannot be understood any more. */
  *push(chunk: Buffer): Generator<Request> {
    this.#kept = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
    while (this.#kept.length >= LENGTH_BYTES) {
      const length = this.#kept.readUInt32LE(0);
      if (length < 1 || length > FRAME_BYTES_MAX) throw new ProtocolError(`a request of ${length} bytes`);
      const end = LENGTH_BYTES + length;
      if (this.#kept.length < end) return;
      const request = new Request(this.#kept[LENGTH_BYTES], this.#kept.subarray(LENGTH_BYTES + 1, end));
      this.#kept = this.#kept.subarray(end);
      yield request;
    }
  }
}

/** One request. Fields are read in their order; a payload that is too short throws ProtocolError. */
export class Request {
  #at = 0;
  constructor(
    readonly op: number,
    readonly payload: Buffer,
  ) {}

  int(): number {
    this.#need(4);
    const value = this.payload.readInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  /** All that follows. */
  rest(): Buffer {
    const rest = this.payload.subarray(this.#at);
    this.#at = this.payload.length;
    return rest;
  }

  /** A `sockaddr` up to the end: Linux's sockaddr_in or sockaddr_in6; of any other family only the family is read. */
  address(): SocketAddress {
    const bytes = this.rest();
    if (bytes.length < 2) throw new ProtocolError(`a socket address of ${bytes.length} bytes`);
    const family = bytes.readUInt16LE(0);
    if (family === SOCKET.AF_INET && bytes.length >= 8) {
      return { family, host: [...bytes.subarray(4, 8)].join('.'), port: bytes.readUInt16BE(2) };
    }
    if (family === SOCKET.AF_INET6 && bytes.length >= 24) {
      return { family, host: ipv6Text(bytes.subarray(8, 24)), port: bytes.readUInt16BE(2) };
    }
    return { family, host: '', port: 0 };
  }

  pollFds(): PollFd[] {
    const bytes = this.rest();
    if (bytes.length % 8 !== 0) throw new ProtocolError(`${bytes.length} bytes are no array of pollfd`);
    return Array.from({ length: bytes.length / 8 }, (_, i) => ({
      fd: bytes.readInt32LE(i * 8),
      events: bytes.readUInt16LE(i * 8 + 4),
      revents: 0,
    }));
  }

  #need(count: number): void {
    if (this.#at + count > this.payload.length) {
      throw new ProtocolError(`operation ${this.op} with a payload of ${this.payload.length} bytes`);
    }
  }
}

/** The call waits; its answer comes later, on the same connection. */
export const QUEUED = Buffer.alloc(LENGTH_BYTES);

export function reply(result: number, errno = 0, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const frame = Buffer.alloc(12 + payload.length);
  frame.writeUInt32LE(8 + payload.length, 0);
  frame.writeInt32LE(result, 4);
  frame.writeInt32LE(errno, 8);
  frame.set(payload, 12);
  return frame;
}

export function timeBytes(us: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(us), 0);
  return bytes;
}

export function addressBytes(address: SocketAddress): Buffer {
  if (address.family === SOCKET.AF_INET6) {
    const bytes = Buffer.alloc(28);
    bytes.writeUInt16LE(address.family, 0);
    bytes.writeUInt16BE(address.port, 2);
    // Only mapped addresses, and "any", come from this stack.
    const quad = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address.host);
    if (quad !== null) {
      bytes.fill(0xff, 18, 20);
      bytes.set(quad.slice(1).map(Number), 20);
    }
    return bytes;
  }
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(address.family, 0);
  bytes.writeUInt16BE(address.port, 2);
  bytes.set(address.host.split('.').map(Number), 4);
  return bytes;
}

export function pollBytes(fds: readonly PollFd[]): Buffer {
  const bytes = Buffer.alloc(fds.length * 8);
  for (const [i, { fd, events, revents }] of fds.entries()) {
    bytes.writeInt32LE(fd, i * 8);
    bytes.writeUInt16LE(events & 0xffff, i * 8 + 4);
    bytes.writeUInt16LE(revents & 0xffff, i * 8 + 6);
  }
  return bytes;
}

function ipv6Text(bytes: Buffer): string {
  if (bytes.every((byte) => byte === 0)) return '::';
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff) {
    return `::ffff:${[...bytes.subarray(12)].join('.')}`;
  }
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':');
}
