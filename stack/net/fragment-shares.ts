import { KeyHash } from '../base/keyed-hash.js';
import { HashIndex } from '../memory/hash-index.js';
import { RowLists } from '../memory/row-lists.js';
import { RowPool } from '../memory/row-pool.js';

/** Columns of a source. The first three are its key. */
const enum Holder {
  SOURCE = 0,
  ZERO = 1,
  ZERO_TOO = 2,
  /** What its datagrams are charged. */
  CHARGE = 3,
  STRIDE = 4,
}

/** Sources are told apart by their charge in steps of a 256th of everything: enough to find the largest, few enough to look through. */
const STEPS = 256;
/** A source with less than this share of everything is not asked to give way before the others: one of 64. */
const RESERVE_SHARE = 64;

/**
 * Who holds how much of the reassembly's memory, by source address. A datagram is charged its chunks of payload, and for its row as many
 * chunks as there are to a row: so both ways to use the memory up, few large fragments and many small ones, count in one measure.
 */
export class FragmentShares {
  readonly #t: Int32Array;
  readonly #rows: RowPool;
  readonly #index: HashIndex;
  /** By datagram, the holder's row. */
  readonly #holderOf: Int32Array;
  /** A holder's datagrams, oldest first. */
  readonly #datagrams: RowLists;
  /** Holders by step of their charge, longest there first. */
  readonly #byStep: RowLists;
  readonly #stepSize: number;
  readonly #rowCharge: number;
  /** No holder stands on a higher one. */
  #highest = 0;
  readonly reserve: number;

  constructor(datagramsMax: number, chunksMax: number, secret0: number, secret1: number) {
    this.#rowCharge = Math.max(1, Math.floor(chunksMax / datagramsMax));
    const all = chunksMax + this.#rowCharge * datagramsMax;
    this.#stepSize = Math.ceil(all / STEPS);
    this.reserve = Math.floor(all / RESERVE_SHARE);
    this.#t = new Int32Array(datagramsMax * Holder.STRIDE);
    this.#rows = new RowPool(datagramsMax);
    this.#index = new HashIndex(this.#t, Holder.STRIDE, new KeyHash(secret0, secret1));
    this.#holderOf = new Int32Array(datagramsMax);
    this.#datagrams = new RowLists(datagramsMax, datagramsMax);
    this.#byStep = new RowLists(datagramsMax, STEPS + 1);
  }

  /** A datagram of `source` has a row now. */
  add(datagram: number, source: number): void {
    let holder = this.#index.find(source, 0, 0);
    if (holder < 0) {
      holder = this.#rows.take();
      this.#t.fill(0, holder * Holder.STRIDE, (holder + 1) * Holder.STRIDE);
      this.#t[holder * Holder.STRIDE + Holder.SOURCE] = source;
      this.#index.insert(holder);
      this.#byStep.append(0, holder);
    }
    this.#holderOf[datagram] = holder;
    this.#datagrams.append(holder, datagram);
    this.#charge(holder, this.#rowCharge);
  }

  /** The datagram has taken, or given back, so many chunks. */
  charge(datagram: number, chunks: number): void {
    this.#charge(this.#holderOf[datagram], chunks);
  }

  /** The datagram's row is given back; its chunks were. */
  remove(datagram: number): void {
    const holder = this.#holderOf[datagram];
    this.#datagrams.remove(holder, datagram);
    this.#charge(holder, -this.#rowCharge);
    if (this.#datagrams.first(holder) >= 0) return;
    this.#byStep.remove(0, holder);
    this.#index.remove(holder);
    this.#rows.give(holder);
  }

  /** The oldest datagram of the source that holds most, where it holds more than its reserve; else -1. */
  oldestOfLargest(): number {
    while (this.#highest > 0 && this.#byStep.first(this.#highest) < 0) this.#highest -= 1;
    const holder = this.#byStep.first(this.#highest);
    if (holder < 0 || this.#t[holder * Holder.STRIDE + Holder.CHARGE] <= this.reserve) return -1;
    return this.#datagrams.first(holder);
  }

  #charge(holder: number, chunks: number): void {
    const h = holder * Holder.STRIDE + Holder.CHARGE;
    const before = Math.floor(this.#t[h] / this.#stepSize);
    this.#t[h] += chunks;
    const after = Math.floor(this.#t[h] / this.#stepSize);
    if (after === before) return;
    this.#byStep.remove(before, holder);
    this.#byStep.append(after, holder);
    if (after > this.#highest) this.#highest = after;
  }
}
