import { assert } from '../base/assert.js';

/**
 * Four levels of 256 slots are exactly the 32 bits of a time in milliseconds: no overflow list, and a timer is moved three
 * times at the most on its way down. The usual ones (delayed ACK 40 ms, RTO 200 ms and up) are placed in level 0 or 1, so
 * they are moved once or never; 64 slots would need six levels and move them twice.
 */
const enum Wheel {
  LEVEL_BITS = 8,
  SLOTS = 1024,
  /** The first slot of the last level, which is circular. */
  TOP = 768,
  WORDS = 32,
  TOP_WORD = 24,
}

/** Three lists that are no slots of the wheel, but are linked like them. */
const enum List {
  /** Expired, and about to be returned by `expire`. */
  DUE = 1024,
  /** Armed for a time already past: due in the next round. */
  LATE = 1025,
  /** Taken out of a slot whose time has come, not placed again yet. */
  SPILL = 1026,
  COUNT = 1027,
}

/**
 * An entry, 12 bytes. Links hold id + 1; NEXT is 0 at the end of a list; PREV of the first is ~list, which is negative.
 * An armed entry has a PREV other than 0, so untouched memory is a wheel of unarmed timers.
 */
const enum Entry {
  DEADLINE = 0,
  NEXT = 1,
  PREV = 2,
  INTS = 3,
}

/**
 * Timers moved to a lower level in one round of `expire`, about a tenth of a millisecond of work. A slot of the third
 * level holds every keepalive of one minute, which may be millions: the rest waits for the next round, so that frames
 * are handled in between.
 */
const SPILL_MAX = 2048;

/** A jump back of up to 12 days is refused as one; beyond, it is a jump forward of more than 2^31 ms. */
const BACK_MIN = 0xc0000000;

/**
 * A hierarchical timing wheel (Varghese and Lauck) with ticks of 1 ms. Times are int32 milliseconds modulo 2^32, compared by
 * signed difference; a deadline is at most 2^31 - 1 ms ahead.
 *
 * An entry's level is that of the highest byte in which its deadline differs from the wheel's time, and its slot is that
 * byte. So all of a lower level comes before all of a higher one, and the first occupied slot is found with two bit scans,
 * however long the silence before it. Arming, cancelling and expiring touch no entry but their own and its neighbours.
 */
export class TimerWheel {
  readonly max: number;
  readonly #entries: Int32Array;
  readonly #heads = new Int32Array(List.COUNT);
  /** For each slot a time no later than its earliest deadline: exact unless that one was cancelled. */
  readonly #soonest = new Int32Array(Wheel.SLOTS);
  /** A bit for each slot: occupied. Eight words a level. */
  readonly #occupied = new Int32Array(Wheel.WORDS);
  /** A bit for each word of `#occupied`: not 0. */
  #words = 0;
  /** Every deadline up to here has left the slots. */
  #now: number;
  /** The time last given to `expire`; `#now` stays behind it until the round has ended. */
  #reached: number;
  #count = 0;
  #inRound = false;
  #spillLeft = SPILL_MAX;

  constructor(max: number, nowMs: number) {
    assert(Number.isInteger(max) && max >= 1 && max < 0x7fffffff / Entry.INTS, 'a wheel has between 1 and 2^29 timers');
    this.max = max;
    this.#entries = new Int32Array(max * Entry.INTS);
    this.#now = nowMs | 0;
    this.#reached = nowMs | 0;
  }

  /** Timers armed. */
  get count(): number {
    return this.#count;
  }

  armed(id: number): boolean {
    assert(id >= 0 && id < this.max, 'a timer is one of the wheel');
    return this.#entries[id * Entry.INTS + Entry.PREV] !== 0;
  }

  /** When the timer was last armed for; meaningful while it is armed. */
  deadlineOf(id: number): number {
    return this.#entries[id * Entry.INTS + Entry.DEADLINE];
  }

  /**
   * Arms the timer, or re-arms it. A deadline that has passed expires in the next round of `expire`: one armed so by a handler
   * in the middle of a round does not come up in that same round, so no handler can keep a round from ending.
   */
  arm(id: number, deadlineMs: number): void {
    assert(id >= 0 && id < this.max, 'a timer is one of the wheel');
    const entries = this.#entries;
    const row = id * Entry.INTS;
    const deadline = deadlineMs | 0;
    const reached = this.#reached;
    const list = ((deadline - reached) | 0) <= 0 ? List.LATE : slotFor(deadline, this.#now);
    if (entries[row + Entry.PREV] !== 0) {
      // A timer put off by a little mostly stays in its slot. Its neighbours, which nobody has touched for long, are left alone.
      // One that is due, or late, is in no slot; one of a spilled slot is placed by whatever deadline it has by then.
      const old = entries[row + Entry.DEADLINE];
      if (((old - reached) | 0) > 0 && slotFor(old, this.#now) === list) {
        entries[row + Entry.DEADLINE] = deadline;
        if (((deadline - this.#soonest[list]) | 0) < 0) this.#soonest[list] = deadline;
        return;
      }
      this.#unlink(row);
    } else {
      this.#count += 1;
    }
    entries[row + Entry.DEADLINE] = deadline;
    this.#link(row, id + 1, list);
  }

  cancel(id: number): void {
    assert(id >= 0 && id < this.max, 'a timer is one of the wheel');
    const row = id * Entry.INTS;
    if (this.#entries[row + Entry.PREV] === 0) return;
    this.#unlink(row);
    this.#count -= 1;
  }

  /**
   * An id whose deadline has come, no longer armed, in the order of deadlines; or -1, which ends the round: nothing more is
   * due, or so many timers had to be moved first that the rest is left to the next round (`msToNext` is then 0).
   */
  expire(nowMs: number): number {
    if ((nowMs - this.#reached) >>> 0 < BACK_MIN) this.#reached = nowMs | 0;
    if (!this.#inRound) {
      this.#inRound = true;
      this.#spillLeft = SPILL_MAX;
      this.#relabel(List.LATE, List.DUE);
    }
    if (this.#heads[List.DUE] === 0) this.#advance();
    const first = this.#heads[List.DUE];
    if (first === 0) {
      this.#inRound = false;
      return -1;
    }
    this.#unlink((first - 1) * Entry.INTS);
    this.#count -= 1;
    return first - 1;
  }

  /** Milliseconds until `expire` has something to do: never later than the earliest deadline, and mostly just then. Infinity when none is armed. */
  msToNext(nowMs: number): number {
    if (this.#count === 0) return Number.POSITIVE_INFINITY;
    if ((this.#heads[List.DUE] | this.#heads[List.LATE] | this.#heads[List.SPILL]) !== 0) return 0;
    const ms = (this.#soonest[this.#firstSlot()] - nowMs) | 0;
    return ms > 0 ? ms : 0;
  }

  /** Moves the wheel's time on until something is due, the present is reached or the round has moved enough. */
  #advance(): void {
    const start = this.#now;
    // Unsigned: a process stopped for 30 days comes back to a distance of more than 2^31.
    const distance = (this.#reached - start) >>> 0;
    while (this.#heads[List.DUE] === 0) {
      if (this.#heads[List.SPILL] !== 0) {
        if (!this.#place()) return;
        continue;
      }
      const slot = this.#words === 0 ? -1 : this.#firstSlot();
      const opens = slot < 0 ? 0 : this.#opens(slot);
      if (slot < 0 || (opens - start) >>> 0 > distance) {
        // Nothing lies between, so no entry's highest differing byte changes.
        this.#now = this.#reached;
        return;
      }
      this.#now = opens;
      this.#clearBit(slot);
      this.#relabel(slot, slot < 1 << Wheel.LEVEL_BITS ? List.DUE : List.SPILL);
    }
  }

  /** Puts the entries of an opened slot where they belong now. False when there are more than this round may move. */
  #place(): boolean {
    const entries = this.#entries;
    const now = this.#now;
    for (let first = this.#heads[List.SPILL]; first !== 0; first = this.#heads[List.SPILL]) {
      if (this.#spillLeft === 0) return false;
      this.#spillLeft -= 1;
      const row = (first - 1) * Entry.INTS;
      const deadline = entries[row + Entry.DEADLINE];
      this.#unlink(row);
      this.#link(row, first, deadline === now ? List.DUE : slotFor(deadline, now));
    }
    return true;
  }

  /** The time at which an occupied slot begins. */
  #opens(slot: number): number {
    const shift = (slot >>> Wheel.LEVEL_BITS) << 3;
    const index = slot & ((1 << Wheel.LEVEL_BITS) - 1);
    // The bytes above are the wheel's own; above the last level there are none.
    const above = shift === 24 ? 0 : (this.#now >>> (shift + 8)) << (shift + 8);
    return above | (index << shift);
  }

  /** The occupied slot that opens first. There is one. */
  #firstSlot(): number {
    const word = lowestBit(this.#words);
    if (word < Wheel.TOP_WORD) return (word << 5) + lowestBit(this.#occupied[word]);
    // Only the last level is occupied. It is circular: what comes first is the next one after the wheel's own. No deadline is
    // more than half the circle ahead, so in the wheel's own word nothing lies behind it.
    const ownWord = Wheel.TOP_WORD + (this.#now >>> 29);
    if (this.#occupied[ownWord] !== 0) return (ownWord << 5) + lowestBit(this.#occupied[ownWord]);
    const later = this.#words & (-2 << ownWord);
    const next = lowestBit(later !== 0 ? later : this.#words);
    return (next << 5) + lowestBit(this.#occupied[next]);
  }

  #link(row: number, link: number, list: number): void {
    const entries = this.#entries;
    const heads = this.#heads;
    const next = heads[list];
    entries[row + Entry.NEXT] = next;
    entries[row + Entry.PREV] = ~list;
    heads[list] = link;
    if (next !== 0) entries[(next - 1) * Entry.INTS + Entry.PREV] = link;
    if (list >= Wheel.SLOTS) return;
    const deadline = entries[row + Entry.DEADLINE];
    if (next !== 0) {
      if (((deadline - this.#soonest[list]) | 0) < 0) this.#soonest[list] = deadline;
    } else {
      this.#soonest[list] = deadline;
      this.#occupied[list >>> 5] |= 1 << (list & 31);
      this.#words |= 1 << (list >>> 5);
    }
  }

  #unlink(row: number): void {
    const entries = this.#entries;
    const next = entries[row + Entry.NEXT];
    const prev = entries[row + Entry.PREV];
    if (next !== 0) entries[(next - 1) * Entry.INTS + Entry.PREV] = prev;
    if (prev > 0) {
      entries[(prev - 1) * Entry.INTS + Entry.NEXT] = next;
    } else {
      this.#heads[~prev] = next;
      if (next === 0 && ~prev < Wheel.SLOTS) this.#clearBit(~prev);
    }
    entries[row + Entry.PREV] = 0;
  }

  /** Makes one list another, which is empty. */
  #relabel(from: number, to: number): void {
    const first = this.#heads[from];
    if (first === 0) return;
    assert(this.#heads[to] === 0, 'a list is moved to an empty one');
    this.#heads[from] = 0;
    this.#heads[to] = first;
    this.#entries[(first - 1) * Entry.INTS + Entry.PREV] = ~to;
  }

  #clearBit(slot: number): void {
    const word = slot >>> 5;
    if ((this.#occupied[word] &= ~(1 << (slot & 31))) === 0) this.#words &= ~(1 << word);
  }
}

/** The slot for a deadline other than now. */
function slotFor(deadline: number, now: number): number {
  const level = (31 - Math.clz32(deadline ^ now)) >>> 3;
  return (level << Wheel.LEVEL_BITS) | ((deadline >>> (level << 3)) & ((1 << Wheel.LEVEL_BITS) - 1));
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
