import type { FrameSlab } from '../memory/frame-slab.js';

/**
 * Packets that wait for a neighbour's MAC. They stay in their slots; a queue is a chain through an array beside the slab,
 * so waiting costs no memory of its own and no queue has a size to choose beforehand.
 */
export class SlotChain {
  readonly #next: Int32Array;
  readonly #length: Int32Array;
  readonly #shift: number;

  constructor(slab: FrameSlab) {
    this.#next = new Int32Array(slab.slots);
    this.#length = new Int32Array(slab.slots);
    this.#shift = 31 - Math.clz32(slab.slotBytes);
  }
  /** Remembers the packet at `at`, as the last of a chain. */
  put(at: number, length: number): void {
    const slot = at >>> this.#shift;
    this.#next[slot] = 0;
    this.#length[slot] = length;
  }
  /** `at` comes behind `before`. */
  link(before: number, at: number): void {
    this.#next[before >>> this.#shift] = at;
  }
  /** Offset of the packet behind the one at `at`; 0, which the headroom keeps from being one, at the end. */
  nextOf(at: number): number {
    return this.#next[at >>> this.#shift];
  }
  lengthOf(at: number): number {
    return this.#length[at >>> this.#shift];
  }
}
