import { assert } from '../base/assert.js';

/** A first-in-first-out queue of int32. Grows by doubling when it must, and keeps what it grew to. */
export class IntRing {
  #items: Int32Array;
  #mask: number;
  #head = 0;
  #length = 0;

  /** `capacity` is rounded up to a power of two. */
  constructor(capacity = 16) {
    const size = roundUp(capacity);
    this.#items = new Int32Array(size);
    this.#mask = size - 1;
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length > this.#mask) this.#grow();
    this.#items[(this.#head + this.#length) & this.#mask] = value;
    this.#length += 1;
  }

  /** Takes the oldest. */
  shift(): number {
    assert(this.#length > 0, 'only a ring that holds something is shifted');
    const value = this.#items[this.#head];
    this.#head = (this.#head + 1) & this.#mask;
    this.#length -= 1;
    return value;
  }

  /** The one `index` places behind the oldest. */
  at(index: number): number {
    assert(index >= 0 && index < this.#length, 'the index lies in the ring');
    return this.#items[(this.#head + index) & this.#mask];
  }

  clear(): void {
    this.#head = 0;
    this.#length = 0;
  }

  #grow(): void {
    const old = this.#items;
    const items = new Int32Array(old.length * 2);
    items.set(old.subarray(this.#head), 0);
    items.set(old.subarray(0, this.#head), old.length - this.#head);
    this.#items = items;
    this.#mask = items.length - 1;
    this.#head = 0;
  }
}

function roundUp(capacity: number): number {
  assert(capacity >= 1 && capacity <= 0x40000000, 'a ring holds between 1 and 2^30 items');
  return capacity <= 1 ? 1 : 1 << (32 - Math.clz32(capacity - 1));
}
