import type { Address, Us } from '../base/units.js';
import type { PoolReport } from '../memory/pool-report.js';
import { emitIcmpv4, finishIcmpv4Checksum, Icmpv4, Icmpv4Type, icmpv4Id, icmpv4Seq } from '../wire/icmpv4.js';
import { IpProtocol, Ipv4 } from '../wire/ipv4.js';
import { Verdict } from '../wire/verdict.js';
import type { Context } from './context.js';
import type { IpOutput } from './ip-output.js';
import { Cause } from './note.js';
import { Path, type PathCache } from './path.js';
import { type ErrorReport, type InboundPacket, OutputFlag, PathError } from './transport.js';

/** The longest payload of an echo: 65,535 less the IP and ICMP headers. */
export const ECHO_BYTES_MAX = Ipv4.DATAGRAM_BYTES_MAX - Ipv4.HEADER_BYTES - Icmpv4.HEADER_BYTES;

/** One answer to an echo request of ours. */
export interface EchoResult {
  /** Who answered: the destination, or for an error whoever reported it. */
  source: Address;
  id: number;
  seq: number;
  /** Of the payload; 0 for an error. */
  bytes: number;
  ttl: number;
  at: Us;
  /** A PathError, or -1 for a reply. */
  error: PathError | -1;
  /** Of an error TOO_BIG. */
  mtu: number;
  /** The payload came back as it was sent. */
  intact: boolean;
}

const enum Row {
  SOURCE = 0,
  ID = 1,
  SEQ = 2,
  BYTES = 3,
  TTL = 4,
  ERROR = 5,
  MTU = 6,
  INTACT = 7,
  STRIDE = 8,
}

/** Echo requests of our own, and a bounded queue of what came of them, which the program polls. */
export class Echo {
  /** Filled by `next`. */
  readonly result: EchoResult = {
    source: 0 as Address,
    id: 0,
    seq: 0,
    bytes: 0,
    ttl: 0,
    at: 0 as Us,
    error: -1,
    mtu: 0,
    intact: true,
  };
  readonly #ctx: Context;
  readonly #paths: PathCache;
  readonly #output: IpOutput;
  readonly #rows: Int32Array;
  readonly #times: Float64Array;
  #head = 0;
  #count = 0;
  #highWater = 0;
  #evicted = 0;
  /** One bit for each identifier ever used: a reply with another is none of ours, and must not fill the queue. */
  readonly #ids = new Uint8Array(8192);
  /** Where requests are built. Made by the first one. */
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);

  constructor(ctx: Context, paths: PathCache, output: IpOutput) {
    this.#ctx = ctx;
    this.#paths = paths;
    this.#output = output;
    this.#rows = new Int32Array(ctx.limits.echoRepliesMax * Row.STRIDE);
    this.#times = new Float64Array(ctx.limits.echoRepliesMax);
  }

  /**
   * Sends an echo request with a payload that can be recognised; up to `ECHO_BYTES_MAX`, in fragments if need be. The TTL is
   * brought into 1…255: RFC 1122 §3.2.1.7 forbids to send 0.
   */
  send(
    destination: Address,
    id: number,
    seq: number,
    payloadBytes: number,
    ttl: number,
    dontFragment: boolean,
  ): Verdict {
    if (payloadBytes > ECHO_BYTES_MAX) return Verdict.TOO_BIG;
    ttl = Math.min(255, Math.max(1, ttl));
    if (this.#bytes.length === 0) this.#growRequest();
    const source = this.#paths.t[this.#paths.find(destination) + Path.SOURCE];
    this.#ids[(id & 0xffff) >>> 3] |= 1 << (id & 7);
    emitIcmpv4(this.#view, 0, Icmpv4Type.ECHO, 0, ((id & 0xffff) << 16) | (seq & 0xffff));
    finishIcmpv4Checksum(this.#view, 0, Icmpv4.HEADER_BYTES + payloadBytes);
    this.#ctx.stats.icmpOutMsgs += 1;
    this.#ctx.stats.icmpOutEchos += 1;
    return this.#output.outputFrom(
      this.#bytes,
      0,
      Icmpv4.HEADER_BYTES + payloadBytes,
      IpProtocol.ICMP,
      source,
      destination,
      0,
      ttl,
      dontFragment ? OutputFlag.DONT_FRAGMENT : OutputFlag.NONE,
      Cause.ICMP_ECHO_REQUEST,
    );
  }

  /** Takes the oldest answer into `result`; false when there is none. */
  next(): boolean {
    if (this.#count === 0) return false;
    const r = this.#head * Row.STRIDE;
    const result = this.result;
    result.source = this.#rows[r + Row.SOURCE] as Address;
    result.id = this.#rows[r + Row.ID];
    result.seq = this.#rows[r + Row.SEQ];
    result.bytes = this.#rows[r + Row.BYTES];
    result.ttl = this.#rows[r + Row.TTL];
    result.error = this.#rows[r + Row.ERROR];
    result.mtu = this.#rows[r + Row.MTU];
    result.intact = this.#rows[r + Row.INTACT] === 1;
    result.at = this.#times[this.#head] as Us;
    this.#head = (this.#head + 1) % this.#times.length;
    this.#count -= 1;
    return true;
  }

  /** Control path. */
  report(): PoolReport {
    return {
      name: 'net.echoReplies',
      unit: 'entries',
      used: this.#count,
      limit: this.#times.length,
      reserve: 0,
      highWater: this.#highWater,
      refused: 0,
      evicted: this.#evicted,
    };
  }

  /** An echo reply, its checksum verified. */
  reply(packet: InboundPacket): Verdict {
    const id = icmpv4Id(packet.view, packet.at);
    if (!this.#ours(id)) return Verdict.ICMP_IMPLAUSIBLE;
    const bytes = packet.length - Icmpv4.HEADER_BYTES;
    let intact = 1;
    for (let i = 0; i < bytes; i++)
      if (packet.bytes[packet.at + Icmpv4.DATA + i] !== (i & 0xff)) {
        intact = 0;
        break;
      }
    this.#push(packet.source, id, icmpv4Seq(packet.view, packet.at), bytes, packet.ttl, -1, 0, intact);
    return Verdict.OK;
  }

  /** An error about an ICMP message of ours: only requests are answered for. */
  error(report: ErrorReport): Verdict {
    if (report.view.getUint8(report.at) !== Icmpv4Type.ECHO) return Verdict.ICMP_IMPLAUSIBLE;
    const id = icmpv4Id(report.view, report.at);
    if (!this.#ours(id)) return Verdict.ICMP_IMPLAUSIBLE;
    this.#push(report.reporter, id, icmpv4Seq(report.view, report.at), 0, 0, report.error, report.mtu, 0);
    return Verdict.OK;
  }

  #growRequest(): void {
    this.#bytes = new Uint8Array(Icmpv4.HEADER_BYTES + ECHO_BYTES_MAX);
    this.#view = new DataView(this.#bytes.buffer);
    for (let i = 0; i < ECHO_BYTES_MAX; i++) this.#bytes[Icmpv4.DATA + i] = i & 0xff;
  }

  #ours(id: number): boolean {
    return (this.#ids[id >>> 3] & (1 << (id & 7))) !== 0;
  }

  /** The oldest gives way: a program that asks late wants to know how things are, not how they were. */
  #push(
    source: number,
    id: number,
    seq: number,
    bytes: number,
    ttl: number,
    error: number,
    mtu: number,
    intact: number,
  ): void {
    const size = this.#times.length;
    if (this.#count === size) {
      this.#head = (this.#head + 1) % size;
      this.#count -= 1;
      this.#evicted += 1;
    }
    const i = (this.#head + this.#count) % size;
    const r = i * Row.STRIDE;
    this.#rows[r + Row.SOURCE] = source;
    this.#rows[r + Row.ID] = id;
    this.#rows[r + Row.SEQ] = seq;
    this.#rows[r + Row.BYTES] = bytes;
    this.#rows[r + Row.TTL] = ttl;
    this.#rows[r + Row.ERROR] = error;
    this.#rows[r + Row.MTU] = mtu;
    this.#rows[r + Row.INTACT] = intact;
    this.#times[i] = this.#ctx.clock.us;
    this.#count += 1;
    if (this.#count > this.#highWater) this.#highWater = this.#count;
  }
}
