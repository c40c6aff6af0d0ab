import { copyBytes } from '../memory/copy.js';
import { emitIcmpv4, finishIcmpv4Checksum, Icmpv4, Icmpv4Type, icmpv4IsError } from '../wire/icmpv4.js';
import {
  IpProtocol,
  Ipv4,
  Ipv4Fragment,
  ipv4Destination,
  ipv4FragmentWord,
  ipv4HeaderBytes,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
} from '../wire/ipv4.js';
import { Verdict } from '../wire/verdict.js';
import { isThisNetwork } from './address.js';
import type { Context } from './context.js';
import type { IpOutput } from './ip-output.js';
import { Local, type LocalAddresses } from './local-addresses.js';
import { Cause, Note, NoteKind } from './note.js';
import { PeerBuckets } from './peer-buckets.js';
import { TokenBucket } from './token-bucket.js';
import { OutputFlag } from './transport.js';

/** RFC 1812 §4.3.2.3: as much of the datagram as fits 576 bytes with both headers of our own. */
const ERROR_DATAGRAM_BYTES_MAX = 576;
/** RFC 1812 §4.3.2.5: errors go out with precedence 6, internetwork control. */
const ERROR_TOS = 0xc0;
const ERROR_TTL = 64;
/** Address mask reply, the last type of RFC 950's time; what came later may be an error of a new kind. */
const ICMP_TYPE_KNOWN_MAX = 18;

/** ICMP errors out: whether one may be sent at all, how often, and what it quotes. */
export class IcmpErrors {
  readonly #ctx: Context;
  readonly #local: LocalAddresses;
  readonly #output: IpOutput;
  readonly #bucket: TokenBucket;
  /** Who asks for an error with every datagram does not use up what others are owed. */
  readonly #peers: PeerBuckets;

  constructor(ctx: Context, local: LocalAddresses, output: IpOutput) {
    this.#ctx = ctx;
    this.#local = local;
    this.#output = output;
    const { icmpErrorsPerSecond, icmpErrorsBurst, icmpErrorsPeerPerSecond, icmpErrorsPeerBurst } = ctx.limits;
    this.#bucket = new TokenBucket(ctx.clock, ctx.prng, icmpErrorsPerSecond, icmpErrorsBurst);
    this.#peers = new PeerBuckets(ctx.clock, icmpErrorsPeerPerSecond, icmpErrorsPeerBurst);
  }

  /**
   * Reports the datagram at `at`, of which `length` bytes are there, to its sender. Everything is looked up in the datagram
   * itself, so that no caller can forget a rule. `broadcast`: it came as one, on the link or in IP.
   */
  send(
    type: Icmpv4Type,
    code: number,
    rest: number,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    broadcast: boolean,
  ): Verdict {
    if (broadcast || !this.#mayReport(view, at, length)) return Verdict.ICMP_BROADCAST;
    const peer = this.#output.peerHash(ipv4Source(view, at));
    if (!this.#peers.has(peer) || !this.#bucket.take()) {
      this.#ctx.stats.icmpOutRateLimited += 1;
      return Verdict.ICMP_RATE_LIMITED;
    }
    this.#peers.take(peer);
    const slab = this.#ctx.slab;
    const slot = slab.takeToSend();
    if (slot < 0) return Verdict.NO_BUFFER;
    const to = slot + slab.headroom;
    const quoted = Math.min(length, ERROR_DATAGRAM_BYTES_MAX - Ipv4.HEADER_BYTES - Icmpv4.QUOTE);
    emitIcmpv4(slab.view, to, type, code, rest);
    copyBytes(bytes, at, slab.bytes, to + Icmpv4.QUOTE, quoted);
    finishIcmpv4Checksum(slab.view, to, Icmpv4.QUOTE + quoted);
    if (slab.notes !== null) {
      const row = slab.noteRow(slot);
      slab.notes[row + Note.KIND] = NoteKind.SENT;
      slab.notes[row + Note.REASON] = Cause.ICMP_ERROR;
      slab.notes[row + Note.ROW] = -1;
    }
    this.#count(type);
    return this.#output.output(
      to,
      Icmpv4.QUOTE + quoted,
      IpProtocol.ICMP,
      ipv4Destination(view, at),
      ipv4Source(view, at),
      ERROR_TOS,
      ERROR_TTL,
      OutputFlag.ANSWER,
    );
  }

  /**
   * RFC 1122 §3.2.2, RFC 1812 §4.3.2.7: never about an ICMP error, about what was for everybody, about a fragment other
   * than the first, about a sender that is no single host. These rules go before all others: they keep errors from breeding.
   */
  #mayReport(view: DataView, at: number, length: number): boolean {
    if ((ipv4FragmentWord(view, at) & Ipv4Fragment.OFFSET_MASK) !== 0) return false;
    const headerBytes = ipv4HeaderBytes(view, at);
    // Anything but a question might be an error of a kind we do not know: not reported either.
    if (ipv4Protocol(view, at) === IpProtocol.ICMP) {
      if (length < headerBytes + 1 || ipv4TotalLength(view, at) < headerBytes + 1) return false;
      const type = view.getUint8(at + headerBytes);
      if (icmpv4IsError(type) || type > ICMP_TYPE_KNOWN_MAX) return false;
    }
    const source = ipv4Source(view, at);
    const kind = this.#local.classify(source);
    if (kind === Local.BROADCAST || kind === Local.MULTICAST || isThisNetwork(source)) return false;
    return this.#local.classify(ipv4Destination(view, at)) === Local.OWN;
  }

  #count(type: Icmpv4Type): void {
    const stats = this.#ctx.stats;
    stats.icmpOutMsgs += 1;
    if (type === Icmpv4Type.DESTINATION_UNREACHABLE) stats.icmpOutDestUnreachs += 1;
    else if (type === Icmpv4Type.TIME_EXCEEDED) stats.icmpOutTimeExcds += 1;
    else stats.icmpOutParmProbs += 1;
  }
}
