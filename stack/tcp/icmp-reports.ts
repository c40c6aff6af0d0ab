import type { Address } from '../base/units.js';
import { type ErrorReport, PathError } from '../net/transport.js';
import { Icmpv4Type, Unreachable } from '../wire/icmpv4.js';

/**
 * Segment path. What ICMP said of connections that came to nothing by it (RFC 9293 §3.9.2.2), for programs that want to
 * know who said so and of what: Linux's MSG_ERRQUEUE. A connection has one at the most, because it ends by it. The
 * last 64 are kept until they are fetched; an older one gives way, and the program still has the error code.
 */

/** What a program gets. */
export interface IcmpReport {
  readonly type: number;
  readonly code: number;
  /** Whose ICMP message it was; this host's own address where the neighbour did not answer. */
  readonly reporter: Address;
  /** Of the segment it is about: from the TCP header on, as much as was quoted, up to 128 bytes. */
  readonly quote: Uint8Array;
}

const enum Kept {
  /** Row of the connection plus 1, and its generation; 0: nothing, or fetched. */
  ROW = 0,
  GENERATION = 1,
  TYPE = 2,
  CODE = 3,
  REPORTER = 4,
  LENGTH = 5,
  SIZE = 6,
}

const KEPT_MAX = 64;
/** A TCP header with all its options, and some of the data. */
const QUOTE_MAX = 128;

export class IcmpReports {
  readonly #rows = new Int32Array(KEPT_MAX * Kept.SIZE);
  readonly #quotes = new Uint8Array(KEPT_MAX * QUOTE_MAX);
  #next = 0;

  keep(row: number, generation: number, report: ErrorReport): void {
    const slot = this.#next;
    this.#next = (slot + 1) % KEPT_MAX;
    const rows = this.#rows;
    const at = slot * Kept.SIZE;
    const down = report.error === PathError.HOST_DOWN;
    const length = report.length < QUOTE_MAX ? report.length : QUOTE_MAX;
    rows[at + Kept.ROW] = row + 1;
    rows[at + Kept.GENERATION] = generation;
    rows[at + Kept.TYPE] = typeOf(report.error);
    rows[at + Kept.CODE] = down ? Unreachable.HOST : report.code;
    rows[at + Kept.REPORTER] = down ? report.source : report.reporter;
    rows[at + Kept.LENGTH] = length;
    for (let i = 0; i < length; i++) this.#quotes[slot * QUOTE_MAX + i] = report.view.getUint8(report.at + i);
  }

  /** Control path. That of a connection, once. */
  take(row: number, generation: number): IcmpReport | undefined {
    const rows = this.#rows;
    for (let slot = 0; slot < KEPT_MAX; slot++) {
      const at = slot * Kept.SIZE;
      if (rows[at + Kept.ROW] !== row + 1 || rows[at + Kept.GENERATION] !== generation) continue;
      rows[at + Kept.ROW] = 0;
      const from = slot * QUOTE_MAX;
      return {
        type: rows[at + Kept.TYPE],
        code: rows[at + Kept.CODE],
        reporter: rows[at + Kept.REPORTER] as Address,
        quote: this.#quotes.slice(from, from + rows[at + Kept.LENGTH]),
      };
    }
    return undefined;
  }
}

function typeOf(error: PathError): Icmpv4Type {
  if (error === PathError.TIME_EXCEEDED) return Icmpv4Type.TIME_EXCEEDED;
  return error === PathError.PARAMETER_PROBLEM ? Icmpv4Type.PARAMETER_PROBLEM : Icmpv4Type.DESTINATION_UNREACHABLE;
}
