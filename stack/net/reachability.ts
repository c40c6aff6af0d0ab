import type { Address } from '../base/units.js';
import type { Clock } from '../time/clock.js';
import type { NeighborCache } from './neighbor.js';
import { Path, type PathCache } from './path.js';

/** Segment path. What transports know of a neighbour: that what was sent by way of it has arrived, or has not (RFC 4861 §7.3.1). */
export class Reachability {
  readonly #clock: Clock;
  readonly #paths: PathCache;
  readonly #neighbors: NeighborCache;
  /** The destination confirmed last, and when. 0.0.0.0 is none. */
  #confirmed = 0;
  #confirmedAtMs = 0;

  constructor(clock: Clock, paths: PathCache, neighbors: NeighborCache) {
    this.#clock = clock;
    this.#paths = paths;
    this.#neighbors = neighbors;
  }

  /** Each acknowledgment says so: once a millisecond is enough. */
  confirm(destination: Address): void {
    const now = this.#clock.ms;
    if (destination === this.#confirmed && now === this.#confirmedAtMs) return;
    this.#confirmed = destination;
    this.#confirmedAtMs = now;
    const row = this.#neighborOf(destination);
    if (row >= 0) this.#neighbors.confirm(row);
  }

  doubt(destination: Address): void {
    this.#confirmed = 0;
    const row = this.#neighborOf(destination);
    if (row >= 0) this.#neighbors.doubt(row);
  }

  /** The neighbour that the last datagram to there went to, if it is still known: its row, or -1. */
  #neighborOf(destination: Address): number {
    const p = this.#paths.find(destination);
    const t = this.#paths.t;
    const row = t[p + Path.NEIGHBOR];
    return row >= 0 && this.#neighbors.holds(row, t[p + Path.IFACE], t[p + Path.NEXT_HOP]) ? row : -1;
  }
}
