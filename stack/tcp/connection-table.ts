import { assert } from '../base/assert.js';
import type { KeyHash } from '../base/keyed-hash.js';
import type { ConnectionId } from '../base/units.js';
import { HashIndex } from '../memory/hash-index.js';
import { RowPool } from '../memory/row-pool.js';
import type { TcpLimits } from './limits.js';
import { mayFollow, State } from './state.js';
import { Cold, Flag, Name, Tally, Tcb } from './tcb.js';

/**
 * Segment path. The rows of all connections (the TCBs of RFC 9293 §3.3.1), by temperature, and the index that finds one by its addresses and
 * ports.
 */

/** An id is generation × 2^24 + row. */
const ROWS_MAX = 1 << 24;
/** Generations count to 2^28 before they come round: at a million closes a second on one row, four minutes; on rows taken in turn, never. */
const GENERATION_MASK = (1 << 28) - 1;

export class ConnectionTable {
  readonly hot: Int32Array;
  readonly names: Int32Array;
  readonly cold: Int32Array;
  /** Offset of a cold row that is never given out. */
  readonly spareRow: number;
  /** Empty when tallies are off. */
  readonly tally: Int32Array;
  /** Why a connection failed: an index into the error table of `errors.ts`; zero: it has not. */
  readonly errors: Uint8Array;
  readonly index: HashIndex;
  readonly #rows: RowPool;
  readonly #coldRows: RowPool;

  constructor(limits: TcpLimits, hash: KeyHash) {
    assert(limits.connectionsMax <= ROWS_MAX, 'connectionsMax is at most 2^24');
    this.hot = new Int32Array(limits.connectionsMax * Tcb.SIZE);
    this.names = new Int32Array(limits.connectionsMax * Name.SIZE);
    this.cold = new Int32Array((limits.activeMax + 2) * Cold.SIZE);
    this.spareRow = (limits.activeMax + 1) * Cold.SIZE;
    this.tally = new Int32Array(limits.tally ? limits.connectionsMax * Tally.SIZE : 0);
    this.errors = new Uint8Array(limits.connectionsMax);
    this.index = new HashIndex(this.names, Name.SIZE, hash);
    this.#rows = new RowPool(limits.connectionsMax);
    this.#coldRows = new RowPool(limits.activeMax + 1);
    // Cold row zero is "none".
    this.#coldRows.take();
  }

  get count(): number {
    return this.#rows.used;
  }
  /** Rows below were used at least once. */
  get highWater(): number {
    return this.#rows.highWater;
  }
  get activeCount(): number {
    return this.#coldRows.used - 1;
  }
  get activeHighWater(): number {
    return this.#coldRows.highWater - 1;
  }

  /** The next of the cold rows in use, round and round, or 0 when the one looked at is free. */
  nextActive(): number {
    this.#hand = this.#hand + 1 < this.#coldRows.highWater ? this.#hand + 1 : 1;
    return this.#coldRows.isTaken(this.#hand) ? this.#hand * Cold.SIZE : 0;
  }
  #hand = 0;

  /** A zeroed hot row, entered in the index; the offset of it, or -1 when the table is full. */
  take(local: number, remote: number, ports: number): number {
    const row = this.#rows.take();
    if (row < 0) return -1;
    const c = row << Tcb.SHIFT;
    const n = row * Name.SIZE;
    // Its place in the line of those that wait for memory stays until it comes up there: one row never stands in it twice.
    const inLine = this.hot[c + Tcb.STATE] & Flag.STARVED;
    // So few words are cleared faster one by one than by a call.
    for (let i = c + Tcb.SIZE - 1; i > c; i--) this.hot[i] = 0;
    this.hot[c + Tcb.STATE] = inLine;
    this.names[n + Name.LOCAL] = local;
    this.names[n + Name.REMOTE] = remote;
    this.names[n + Name.PORTS] = ports;
    if (this.names[n + Name.GENERATION] === 0) this.names[n + Name.GENERATION] = 1;
    this.errors[row] = 0;
    if (this.tally.length > 0) this.tally.fill(0, row * Tally.SIZE, (row + 1) * Tally.SIZE);
    this.index.insert(row);
    return c;
  }

  /** The id given out so far is stale from now on; the row lives on. */
  disown(c: number): void {
    const n = (c >>> Tcb.SHIFT) * Name.SIZE;
    const generation = (this.names[n + Name.GENERATION] + 1) & GENERATION_MASK;
    this.names[n + Name.GENERATION] = generation === 0 ? 1 : generation;
  }

  /** Gives the row back, and makes its id stale. */
  give(c: number): void {
    const row = c >>> Tcb.SHIFT;
    assert(this.hot[c + Tcb.COLD] === 0, 'a row is given back without its cold row');
    this.disown(c);
    this.hot[c + Tcb.STATE] = State.CLOSED | (this.hot[c + Tcb.STATE] & Flag.STARVED);
    this.#rows.give(row);
  }

  /** Takes the connection out of the index: segments no longer find it. */
  unname(c: number): void {
    this.index.remove(c >>> Tcb.SHIFT);
  }

  /** A zeroed cold row for `c`; 0 when none is left. */
  takeCold(c: number): number {
    const row = this.#coldRows.take();
    if (row < 0) return 0;
    const k = row * Cold.SIZE;
    this.cold.fill(0, k, k + Cold.SIZE);
    this.hot[c + Tcb.COLD] = k;
    return k;
  }

  giveCold(c: number): void {
    const k = this.hot[c + Tcb.COLD];
    if (k === 0) return;
    this.hot[c + Tcb.COLD] = 0;
    this.#coldRows.give((k / Cold.SIZE) | 0);
  }

  /** The row of the connection these three name, or -1. */
  find(local: number, remote: number, ports: number): number {
    return this.index.find(local, remote, ports);
  }

  idOf(row: number): ConnectionId {
    return (this.names[row * Name.SIZE + Name.GENERATION] * ROWS_MAX + row) as ConnectionId;
  }

  /** The offset of the hot row an id names, or -1 when the id is stale or never was. */
  offsetOf(id: number): number {
    // The same as id % 2^24, which for doubles is a call; what is no whole number has no whole generation.
    const row = id & (ROWS_MAX - 1);
    const generation = (id - row) / ROWS_MAX;
    if (row * Tcb.SIZE >= this.hot.length || generation <= 0) return -1;
    if (this.names[row * Name.SIZE + Name.GENERATION] !== generation) return -1;
    return row << Tcb.SHIFT;
  }

  state(c: number): State {
    return this.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  }

  setState(c: number, to: State): void {
    const word = this.hot[c + Tcb.STATE];
    const from = word & Flag.STATE_MASK;
    assert(mayFollow(from, to), 'every change of state is an arrow of RFC 9293 figure 5');
    this.hot[c + Tcb.STATE] = (word & ~Flag.STATE_MASK) | to;
  }
}

export function localPort(ports: number): number {
  return ports >>> 16;
}
export function remotePort(ports: number): number {
  return ports & 0xffff;
}
export function portPair(local: number, remote: number): number {
  return (local << 16) | remote;
}
