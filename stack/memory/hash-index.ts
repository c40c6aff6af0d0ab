import { assert } from '../base/assert.js';
import type { KeyHash } from '../base/keyed-hash.js';

/** 4 KiB to begin with: one page. */
const CAPACITY_MIN = 1024;
/**
 * Linear probing looks at 1.6 slots for a hit and 3.1 for a miss at 9/16, the fullest a table gets; at 3/4 a miss takes 8.5.
 * So an entry costs 7 bytes in a table about to grow and 14 in one that has just grown.
 */
const LOAD_SIXTEENTHS = 9;
/** A table under 1/8 full is halved: far enough below the 9/32 that growing leaves that a table does not go to and fro. */
const SHRINK_SHIFT = 3;
/**
 * Old slots looked at by each insert or remove while a table moves. A table of n slots has moved after n/8 of them, well
 * before the new one can fill: that takes 9n/16 inserts after doubling and 5n/32 after halving. It bounds the longest
 * pause at eight re-hashes, under 2 µs with every row out of the cache.
 */
const MIGRATE_SLOTS = 8;

/**
 * Finds a row by its key, the first three ints of the row. Open addressing with linear probing; a slot is one int32, the row
 * plus 1 in the low bits and bits of the hash in those the row leaves free, so that a slot of another key nearly never costs
 * a look at its row, which at a million rows is a cache miss. 0 is an empty slot.
 *
 * The hash is keyed because the peer picks its port: with a known function it could pile its connections on one slot. The
 * whole HalfSipHash costs 20 ns; fewer rounds would save 5 to 10 of a look-up that takes 40 in the cache and 200 out of it,
 * not enough for a second hash function to trust.
 *
 * Resizing never stops the stack: for a while there are two tables. New entries go into the new one, each insert and remove
 * carries a few old ones over, and a look-up consults both.
 */
export class HashIndex {
  readonly #keys: Int32Array;
  readonly #stride: number;
  readonly #hash: KeyHash;
  /** The bits of a slot that hold the row plus 1; the others hold hash bits. */
  readonly #rowMask: number;
  #slots: Int32Array;
  #mask: number;
  #size = 0;
  #sizeMax: number;
  /** The table being left, or null. Its entries turn into `#moved`, never into empty slots, so no probe of it ends early. */
  #old: Int32Array | null = null;
  #oldMask = 0;
  /** Old slots below were carried over. */
  #oldNext = 0;
  /** No row plus 1 is 0, so a slot of only hash bits is no entry. */
  readonly #moved: number;

  /** `keys` holds the rows, `strideInts` apart. An indexed row's key must not change. Tables may share a `hash`. */
  constructor(keys: Int32Array, strideInts: number, hash: KeyHash) {
    assert(strideInts >= 3, 'a key is three ints');
    const rows = Math.floor(keys.length / strideInts);
    assert(rows <= 0x3fffffff, 'a row number leaves a bit of a slot free');
    this.#keys = keys;
    this.#stride = strideInts;
    this.#hash = hash;
    const rowBits = 32 - Math.clz32(rows + 1);
    this.#rowMask = (1 << rowBits) - 1;
    this.#moved = 1 << rowBits;
    this.#slots = new Int32Array(CAPACITY_MIN);
    this.#mask = CAPACITY_MIN - 1;
    this.#sizeMax = (CAPACITY_MIN >>> 4) * LOAD_SIXTEENTHS;
  }

  get size(): number {
    return this.#size;
  }

  /** Slots of the table, for tests and statistics. */
  get capacity(): number {
    return this.#mask + 1;
  }

  /** The row with this key, or -1. */
  find(a: number, b: number, c: number): number {
    const hash = this.#hash.of(a, b, c);
    const rowMask = this.#rowMask;
    const slots = this.#slots;
    const mask = this.#mask;
    const keys = this.#keys;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = slots[at];
      if (slot === 0) break;
      if (((slot ^ hash) & ~rowMask) === 0) {
        const row = (slot & rowMask) - 1;
        const key = row * this.#stride;
        if (keys[key] === a && keys[key + 1] === b && keys[key + 2] === c) return row;
      }
    }
    return this.#old === null ? -1 : this.#findOld(this.#old, hash, a, b, c);
  }

  /** Adds the row under the key it holds now. The key is not in the index yet. */
  insert(row: number): void {
    if (this.#old !== null) this.#migrate(this.#old);
    if (this.#size >= this.#sizeMax) this.#resize((this.#mask + 1) * 2);
    this.#put(this.#hashOf(row), row);
    this.#size += 1;
  }

  /** Takes the row out. It still holds the key it was inserted under. */
  remove(row: number): void {
    const hash = this.#hashOf(row);
    const entry = (hash & ~this.#rowMask) | (row + 1);
    const at = probe(this.#slots, this.#mask, hash, entry);
    if (at >= 0) {
      this.#close(at);
    } else {
      const old = this.#old;
      const oldAt = old === null ? -1 : probe(old, this.#oldMask, hash, entry);
      assert(old !== null && oldAt >= 0, 'a row taken out of the index is in it, under the same key');
      old[oldAt] = this.#moved;
    }
    this.#size -= 1;
    if (this.#old !== null) this.#migrate(this.#old);
    else if (this.#mask >= CAPACITY_MIN && this.#size < (this.#mask + 1) >>> SHRINK_SHIFT) {
      this.#resize((this.#mask + 1) >>> 1);
    }
  }

  #hashOf(row: number): number {
    const key = row * this.#stride;
    return this.#hash.of(this.#keys[key], this.#keys[key + 1], this.#keys[key + 2]);
  }

  #findOld(slots: Int32Array, hash: number, a: number, b: number, c: number): number {
    const rowMask = this.#rowMask;
    const keys = this.#keys;
    for (let at = hash & this.#oldMask; ; at = (at + 1) & this.#oldMask) {
      const slot = slots[at];
      if (slot === 0) return -1;
      if (((slot ^ hash) & ~rowMask) !== 0 || slot === this.#moved) continue;
      const row = (slot & rowMask) - 1;
      const key = row * this.#stride;
      if (keys[key] === a && keys[key + 1] === b && keys[key + 2] === c) return row;
    }
  }

  #put(hash: number, row: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    const entry = (hash & ~this.#rowMask) | (row + 1);
    let at = hash & mask;
    while (slots[at] !== 0) {
      assert(slots[at] !== entry, 'no row is put into the index twice');
      at = (at + 1) & mask;
    }
    slots[at] = entry;
  }

  /**
   * Empties a slot and moves back the entries that probing pushed beyond it, so that deletion leaves no marker behind and a
   * table in which connections come and go for weeks probes as short as a new one.
   */
  #close(hole: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let at = hole;
    while (true) {
      at = (at + 1) & mask;
      const slot = slots[at];
      if (slot === 0) break;
      const home = this.#hashOf((slot & this.#rowMask) - 1) & mask;
      // The entry may move back to the hole unless its home lies behind the hole.
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        slots[hole] = slot;
        hole = at;
      }
    }
    slots[hole] = 0;
  }

  /** Control path. A new table is addresses until it is written to, so even one of 64 MiB is made in well under a millisecond. */
  #resize(capacity: number): void {
    assert(this.#old === null, 'one resizing ends before the next begins');
    this.#old = this.#slots;
    this.#oldMask = this.#mask;
    this.#oldNext = 0;
    this.#slots = new Int32Array(capacity);
    this.#mask = capacity - 1;
    this.#sizeMax = (capacity >>> 4) * LOAD_SIXTEENTHS;
  }

  #migrate(old: Int32Array): void {
    const end = this.#oldNext + MIGRATE_SLOTS;
    for (let at = this.#oldNext; at < end; at++) {
      const slot = old[at];
      if (slot === 0 || slot === this.#moved) continue;
      const row = (slot & this.#rowMask) - 1;
      this.#put(this.#hashOf(row), row);
      old[at] = this.#moved;
    }
    this.#oldNext = end;
    if (end > this.#oldMask) this.#old = null;
  }
}

/** Where `entry` is in the table, or -1. */
function probe(slots: Int32Array, mask: number, hash: number, entry: number): number {
  for (let at = hash & mask; ; at = (at + 1) & mask) {
    const slot = slots[at];
    if (slot === entry) return at;
    if (slot === 0) return -1;
  }
}
