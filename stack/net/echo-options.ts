import { copyBytes } from '../memory/copy.js';
import type { Clock } from '../time/clock.js';
import { Ipv4, ipv4HeaderBytes } from '../wire/ipv4.js';
import {
  countTimestampOverflow,
  Ipv4OptionBit,
  Ipv4Options,
  parseIpv4Options,
  recordRoute,
  recordTimestamp,
  Stamped,
} from '../wire/ipv4-options.js';
import { Verdict } from '../wire/verdict.js';
import type { InboundPacket } from './transport.js';

/** Tells that a time does not count from midnight UT: RFC 791 §3.1. */
const NOT_FROM_MIDNIGHT = 0x80000000;

/**
 * IP options of an echo reply, RFC 1122 §3.2.2.6: record route and timestamp of the request are returned whole and go on
 * recording, so that `ping -R` sees the way there and back. Other options are the request's alone.
 */
export class EchoOptions {
  readonly bytes = new Uint8Array(Ipv4.HEADER_BYTES_MAX - Ipv4.HEADER_BYTES);
  /** Of the reply's options, a multiple of four. */
  length = 0;
  readonly #view = new DataView(this.bytes.buffer);
  readonly #clock: Clock;
  readonly #ours: (address: number) => boolean;
  readonly #parsed = new Ipv4Options();

  constructor(clock: Clock, ours: (address: number) => boolean) {
    this.#clock = clock;
    this.#ours = ours;
  }

  /**
   * Makes the options of the reply to `request`, which may be none. As Linux we record ourselves twice where there is room: the
   * request has come to us, and the reply leaves us. Each host on the way does it once in either direction, and so do we.
   */
  make(request: InboundPacket): void {
    this.length = 0;
    const optionBytes = ipv4HeaderBytes(request.view, request.ipAt) - Ipv4.HEADER_BYTES;
    if (optionBytes === 0) return;
    const parsed = this.#parsed;
    if (parseIpv4Options(request.view, request.ipAt + Ipv4.OPTIONS, optionBytes, parsed) !== Verdict.OK) return;
    const view = this.#view;
    const own = request.destination;
    this.bytes.fill(0);
    if ((parsed.present & Ipv4OptionBit.RECORD_ROUTE) !== 0) {
      const at = this.#take(request, parsed.recordRouteAt);
      recordRoute(view, at, own);
      recordRoute(view, at, own);
    }
    if ((parsed.present & Ipv4OptionBit.TIMESTAMP) !== 0) {
      const at = this.#take(request, parsed.timestampAt);
      // The stack does not know the time of day.
      const time = this.#clock.ms | NOT_FROM_MIDNIGHT;
      const stamped = recordTimestamp(view, at, own, time, this.#ours);
      if (stamped === Stamped.FULL) countTimestampOverflow(view, at);
      if (stamped === Stamped.YES) recordTimestamp(view, at, own, time, this.#ours);
    }
    this.length = (this.length + 3) & ~3;
  }

  /** Appends the request's option at `from`, and returns where it is. */
  #take(request: InboundPacket, from: number): number {
    const at = this.length;
    const length = request.view.getUint8(from + 1);
    copyBytes(request.bytes, from, this.bytes, at, length);
    this.length = at + length;
    return at;
  }
}
