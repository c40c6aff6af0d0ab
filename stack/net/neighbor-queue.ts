import type { FrameSlab } from '../memory/frame-slab.js';
import type { PoolReport } from '../memory/pool-report.js';
import { RowLists } from '../memory/row-lists.js';
import type { Context } from './context.js';

/**
 * Packets that wait for a neighbour's MAC. They stay in their slots; a queue is a chain through an array beside the slab,
 * so waiting costs no memory of its own and no queue has a size to choose beforehand.
 */
class SlotChain {
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

/**
 * The queues of all neighbours, by row of the neighbour table, and how they share the slots they may hold.
 *
 * RFC 1122 §2.3.2.2: at least the latest packet should be kept, not thrown away, until the address is resolved. RFC 4861 §7.2.2: when a queue is
 * full the new packet replaces the oldest. That is the limit of one neighbour. When the limit of all is reached, the longest queue gives its
 * oldest packet; among queues of one length it is the one that has had this length longest. So whoever sends to hosts that are not there
 * takes from himself, and a packet to a host not asked for yet always finds a place.
 */
export class NeighborQueues {
  readonly #ctx: Context;
  readonly #chain: SlotChain;
  readonly #head: Int32Array;
  readonly #tail: Int32Array;
  readonly #count: Int32Array;
  readonly #perNeighbor: number;
  readonly #total: number;
  readonly #byLength: RowLists;
  /** No queue is longer. */
  #longest = 0;
  #used = 0;
  #highWater = 0;
  #refused = 0;
  #evicted = 0;

  constructor(ctx: Context) {
    const { neighborsMax, neighborQueueFrames, neighborQueueFramesTotal } = ctx.limits;
    this.#ctx = ctx;
    this.#chain = new SlotChain(ctx.slab);
    this.#head = new Int32Array(neighborsMax);
    this.#tail = new Int32Array(neighborsMax);
    this.#count = new Int32Array(neighborsMax);
    this.#perNeighbor = Math.min(neighborQueueFrames, neighborQueueFramesTotal);
    this.#total = neighborQueueFramesTotal;
    this.#byLength = new RowLists(neighborsMax, this.#perNeighbor + 1);
  }

  /** Packets in all queues. */
  get used(): number {
    return this.#used;
  }

  /** Queues a packet, in place of another where a limit is reached. False, and the slot given back, where the limit is zero. */
  put(row: number, at: number, length: number): boolean {
    const count = this.#count[row];
    if (count >= this.#perNeighbor || this.#used >= this.#total) {
      const from = count >= this.#perNeighbor ? row : this.#longestRow(count, row);
      if (from < 0 || this.#count[from] === 0) {
        this.#refused += 1;
        this.#ctx.slab.give(at);
        return false;
      }
      this.#dropOldest(from);
    }
    this.#chain.put(at, length);
    if (this.#count[row] === 0) this.#head[row] = at;
    else this.#chain.link(this.#tail[row], at);
    this.#tail[row] = at;
    this.#resize(row, this.#count[row] + 1);
    if (this.#used > this.#highWater) this.#highWater = this.#used;
    return true;
  }

  /** Empties the queue and returns its first packet, 0 for none; `nextOf` goes on. The slots are the caller's. */
  takeAll(row: number): number {
    const head = this.#head[row];
    this.#resize(row, 0);
    this.#head[row] = 0;
    this.#tail[row] = 0;
    return head;
  }
  nextOf(at: number): number {
    return this.#chain.nextOf(at);
  }
  lengthOf(at: number): number {
    return this.#chain.lengthOf(at);
  }

  /** Control path. */
  report(): PoolReport {
    return {
      name: 'net.neighborQueue',
      unit: 'frames',
      used: this.#used,
      limit: this.#total,
      reserve: Math.min(1, this.#total),
      highWater: this.#highWater,
      refused: this.#refused,
      evicted: this.#evicted,
    };
  }

  /** Whose oldest packet gives way to one of `row`, which has `count`: its own when no queue is longer. -1: nobody's. */
  #longestRow(count: number, row: number): number {
    while (this.#longest > 0 && this.#byLength.first(this.#longest) < 0) this.#longest -= 1;
    if (this.#longest === 0) return -1;
    return count === this.#longest ? row : this.#byLength.first(this.#longest);
  }

  #dropOldest(row: number): void {
    const oldest = this.#head[row];
    this.#head[row] = this.#chain.nextOf(oldest);
    this.#resize(row, this.#count[row] - 1);
    this.#evicted += 1;
    this.#ctx.stats.neighborQueueDrops += 1;
    this.#ctx.slab.give(oldest);
  }

  #resize(row: number, count: number): void {
    const before = this.#count[row];
    if (before === count) return;
    if (before > 0) this.#byLength.remove(before, row);
    if (count > 0) this.#byLength.append(count, row);
    this.#count[row] = count;
    this.#used += count - before;
    if (count > this.#longest) this.#longest = count;
  }
}
