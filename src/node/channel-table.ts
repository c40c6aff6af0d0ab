import { type ErrorCode, StackError } from '../../stack/base/errors.js';
import type { Address } from '../../stack/base/units.js';

/** What a channel tells the socket above it. */
export interface ChannelOwner {
  /** Bytes have come: `bytes[0…count)`, which are used again as soon as this returns. */
  channelData(bytes: Uint8Array, count: number): void;
  /** The peer has sent its FIN. */
  channelEnd(): void;
  /** The connection is gone. Told once, to a channel that reads; others find out when they next read or write. */
  channelFailed(code: ErrorCode): void;
  /** The open that was begun has succeeded, or failed with this code. */
  channelConnected(code: ErrorCode | undefined): void;
  /** The write that had to wait is in the stack's hands, or has failed. */
  channelWritten(code: ErrorCode | undefined): void;
}

/** A write that waits: chunks from `chunk` on, of the first of them the bytes from `from` on. */
export interface Waiting {
  readonly chunks: readonly Uint8Array[];
  chunk: number;
  from: number;
}

export function waitingBytes({ chunks, chunk, from }: Waiting): number {
  let bytes = -from;
  for (let i = chunk; i < chunks.length; i++) bytes += chunks[i].length;
  return bytes;
}

/** Where the open of a channel is to come from; zero: anywhere. */
export interface Bound {
  readonly address: Address;
  readonly port: number;
}

/** What is known of a channel by yes and no. */
export const enum Bit {
  CONNECTING = 1,
  READING = 2,
  /** `unref` was called. */
  UNREFERENCED = 4,
  /** The failure of the connection has been reported. */
  FAILED = 8,
  /** The end of what the peer sends has been reported. */
  ENDED = 16,
  /** Nothing more is sent: `shutdown` was called. */
  SHUT = 32,
  /** The channel is one of those that keep the process alive. */
  ALIVE = 64,
  WAITS_FOR_TICKS = 128,
  /** Bytes have been reported. */
  BROUGHT_BYTES = 256,
  /** `bind` was called. */
  BOUND = 512,
  /** A write waits. */
  WAITING = 1024,
  /** A read must not bring more than the owner has room for. */
  LIMITED = 2048,
  /** Node's own flag of its handles: it has asked for bytes. */
  NODE_READS = 4096,
  /** It came by a listener. */
  ACCEPTED = 8192,
}

/** The row of every channel that is closed. Rows of channels that are not begin behind it. */
export const CLOSED_ROW = 0;

/** Throws EBADF for the row of a channel that is closed. */
export function checkNotClosed(row: number): void {
  if (row === CLOSED_ROW) throw new StackError('EBADF', 'the socket is closed');
}

/**
 * The rows of all channels of a host: programs keep many sockets that do nothing, and a row of typed arrays takes 24 bytes outside of
 * V8's heap where an object with the same fields takes 120 in it.
 */
export class ChannelTable {
  /** Zero before the open and after the close. */
  ids = new Float64Array(64);
  bits = new Int32Array(64);
  /** In which stretch of JavaScript the channel last called its owner: see `Stretches`. */
  stretches = new Int32Array(64);
  /** Bytes given to `write`, whether the stack has taken them yet or not. */
  written = new Float64Array(64);
  readonly owners: (ChannelOwner | undefined)[] = [undefined];
  readonly #free: number[] = [];

  take(owner: ChannelOwner): number {
    const row = this.#free.pop() ?? this.owners.length;
    if (row >= this.bits.length) this.#grow();
    this.owners[row] = owner;
    return row;
  }
  /** From now on the row is another channel's. */
  free(row: number): void {
    this.owners[row] = undefined;
    this.ids[row] = 0;
    this.bits[row] = 0;
    this.stretches[row] = 0;
    this.written[row] = 0;
    this.#free.push(row);
  }

  set(row: number, bits: number): void {
    this.bits[row] |= bits;
  }
  clear(row: number, bits: number): void {
    this.bits[row] &= ~bits;
  }

  /** libuv's rule of what keeps the process alive: whoever connects or writes, and whoever reads unless it was told not to. */
  keepsAlive(row: number): boolean {
    const bits = this.bits[row];
    const reads = (bits & (Bit.READING | Bit.UNREFERENCED | Bit.ENDED | Bit.FAILED)) === Bit.READING;
    return this.ids[row] !== 0 && (reads || (bits & (Bit.CONNECTING | Bit.WAITING)) !== 0);
  }

  #grow(): void {
    const size = this.bits.length * 2;
    this.ids = grown(this.ids, new Float64Array(size));
    this.bits = grown(this.bits, new Int32Array(size));
    this.stretches = grown(this.stretches, new Int32Array(size));
    this.written = grown(this.written, new Float64Array(size));
  }
}

function grown<A extends Float64Array | Int32Array>(from: A, into: A): A {
  into.set(from);
  return into;
}
