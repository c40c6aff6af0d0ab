import { copyBytes } from '../memory/copy.js';
import { update16 } from '../wire/checksum.js';
import {
  Icmpv4,
  Icmpv4Type,
  icmpv4Checksum,
  icmpv4Code,
  icmpv4NextHopMtu,
  icmpv4Type,
  parseIcmpv4,
  parseIcmpv4Quote,
  Unreachable,
} from '../wire/icmpv4.js';
import { IpProtocol, Ipv4, ipv4TotalLength } from '../wire/ipv4.js';
import { Verdict } from '../wire/verdict.js';
import type { Context } from './context.js';
import type { Echo } from './echo.js';
import { EchoOptions } from './echo-options.js';
import type { IpOutput } from './ip-output.js';
import { Local, type LocalAddresses } from './local-addresses.js';
import { Cause, Note, NoteKind } from './note.js';
import { plateauBelow } from './path-mtu.js';
import type { QuoteReader } from './quote.js';
import { TokenBucket } from './token-bucket.js';
import { type ErrorReport, type InboundPacket, OutputFlag, PathError, type Transport } from './transport.js';

/** Of an answer: RFC 1700's default. */
const REPLY_TTL = 64;
/** RFC 791: every link carries 68 octets. A router that claims less is lying. */
const MTU_MIN = 68;

/**
 * ICMP in: RFC 792 under RFC 1122 §3.2.2. A transport like the others, registered for protocol 1; so an error about an echo
 * request finds its way here as one about a segment finds TCP.
 */
export class Icmp implements Transport {
  readonly #ctx: Context;
  readonly #output: IpOutput;
  readonly #quotes: QuoteReader;
  readonly #echo: Echo;
  readonly #echoAnswers: TokenBucket;
  readonly #options: EchoOptions;

  constructor(ctx: Context, local: LocalAddresses, output: IpOutput, quotes: QuoteReader, echo: Echo) {
    this.#ctx = ctx;
    this.#output = output;
    this.#quotes = quotes;
    this.#echo = echo;
    this.#options = new EchoOptions(ctx.clock, (address) => local.classify(address) === Local.OWN);
    const { echoAnswersPerSecond, echoAnswersBurst } = ctx.limits;
    this.#echoAnswers = new TokenBucket(ctx.clock, ctx.prng, echoAnswersPerSecond, echoAnswersBurst);
  }

  input(packet: InboundPacket): Verdict {
    const stats = this.#ctx.stats;
    stats.icmpInMsgs += 1;
    const verdict = parseIcmpv4(packet.view, packet.at, packet.length);
    if (verdict !== Verdict.OK) {
      stats.icmpInErrors += 1;
      return verdict;
    }
    switch (icmpv4Type(packet.view, packet.at)) {
      case Icmpv4Type.ECHO:
        stats.icmpInEchos += 1;
        return this.#answer(packet);
      case Icmpv4Type.ECHO_REPLY:
        stats.icmpInEchoReps += 1;
        return this.#echo.reply(packet);
      case Icmpv4Type.DESTINATION_UNREACHABLE:
        stats.icmpInDestUnreachs += 1;
        return this.#unreachable(packet);
      case Icmpv4Type.TIME_EXCEEDED:
        stats.icmpInTimeExcds += 1;
        return this.#quoted(packet, PathError.TIME_EXCEEDED, 0);
      case Icmpv4Type.PARAMETER_PROBLEM:
        stats.icmpInParmProbs += 1;
        return this.#quoted(packet, PathError.PARAMETER_PROBLEM, 0);
      case Icmpv4Type.SOURCE_QUENCH:
        // RFC 6633 §3: must be discarded in silence.
        stats.icmpInSrcQuenchs += 1;
        return Verdict.ICMP_IMPLAUSIBLE;
      case Icmpv4Type.REDIRECT:
        // Deviation: RFC 1122 §3.2.2.2 has a host follow redirects. They carry no proof that a router of ours sent them, and whoever
        // can send one can put himself between us and anybody; a host with one gateway gains nothing. Counted only.
        stats.icmpInRedirects += 1;
        return Verdict.ICMP_IMPLAUSIBLE;
      default:
        // RFC 1122 §3.2.2: unknown types are discarded in silence. Those we do not answer (timestamp, mask) are among them.
        return Verdict.ICMP_TYPE_UNKNOWN;
    }
  }

  error(report: ErrorReport): Verdict {
    return this.#echo.error(report);
  }

  /**
   * RFC 1122 §3.2.2.6: data returned entire, from the address that was asked. Requests to everybody may be ignored, and
   * are: one of them would let a forger have a whole link answer his victim.
   */
  #answer(packet: InboundPacket): Verdict {
    if (packet.broadcast) return Verdict.ICMP_BROADCAST;
    const { slab, stats } = this.#ctx;
    if (!this.#echoAnswers.take()) {
      stats.icmpOutEchoRepsRateLimited += 1;
      return Verdict.ICMP_RATE_LIMITED;
    }
    stats.icmpOutMsgs += 1;
    stats.icmpOutEchoReps += 1;
    if (packet.at - packet.ipAt > Ipv4.HEADER_BYTES) {
      this.#options.make(packet);
      if (this.#options.length > 0) return this.#answerWithOptions(packet);
    }
    if (packet.slot < 0 || packet.length > slab.frameBytesMax) {
      // Reassembled: the buffer is ours to change, until the next fragment comes.
      turn(packet.view, packet.at);
      return this.#output.outputFrom(
        packet.bytes,
        packet.at,
        packet.length,
        IpProtocol.ICMP,
        packet.destination,
        packet.source,
        packet.tos,
        REPLY_TTL,
        OutputFlag.ANSWER,
        Cause.ICMP_ECHO_REPLY,
      );
    }
    const slot = slab.takeToSend();
    if (slot < 0) return Verdict.NO_BUFFER;
    const at = slot + slab.headroom;
    copyBytes(packet.bytes, packet.at, slab.bytes, at, packet.length);
    turn(slab.view, at);
    if (slab.notes !== null) {
      const row = slab.noteRow(slot);
      slab.notes[row + Note.KIND] = NoteKind.SENT;
      slab.notes[row + Note.REASON] = Cause.ICMP_ECHO_REPLY;
      slab.notes[row + Note.ROW] = -1;
    }
    return this.#output.output(
      at,
      packet.length,
      IpProtocol.ICMP,
      packet.destination,
      packet.source,
      packet.tos,
      REPLY_TTL,
      OutputFlag.ANSWER,
    );
  }

  /** The payload is copied from where it is, as a reply; the request is as it was afterwards, because a trace still shows it. */
  #answerWithOptions(packet: InboundPacket): Verdict {
    const { view, at } = packet;
    const before = view.getInt32(at);
    turn(view, at);
    const verdict = this.#output.outputWithOptions(
      packet.bytes,
      at,
      packet.length,
      IpProtocol.ICMP,
      packet.destination,
      packet.source,
      packet.tos,
      REPLY_TTL,
      OutputFlag.ANSWER,
      Cause.ICMP_ECHO_REPLY,
      this.#options.bytes,
      this.#options.length,
    );
    view.setInt32(at, before);
    return verdict;
  }

  #unreachable(packet: InboundPacket): Verdict {
    const code = icmpv4Code(packet.view, packet.at);
    switch (code) {
      case Unreachable.NET:
      case Unreachable.NET_UNKNOWN:
      case Unreachable.NET_TOS:
        return this.#quoted(packet, PathError.UNREACHABLE_NET, 0);
      case Unreachable.HOST:
      case Unreachable.SOURCE_ROUTE_FAILED:
      case Unreachable.HOST_UNKNOWN:
      case Unreachable.SOURCE_HOST_ISOLATED:
      case Unreachable.HOST_TOS:
        return this.#quoted(packet, PathError.UNREACHABLE_HOST, 0);
      case Unreachable.PROTOCOL:
        return this.#quoted(packet, PathError.UNREACHABLE_PROTOCOL, 0);
      case Unreachable.PORT:
        return this.#quoted(packet, PathError.UNREACHABLE_PORT, 0);
      case Unreachable.FRAGMENTATION_NEEDED:
        return this.#tooBig(packet);
      case Unreachable.NET_PROHIBITED:
      case Unreachable.HOST_PROHIBITED:
      case Unreachable.COMMUNICATION_PROHIBITED:
      case Unreachable.HOST_PRECEDENCE:
      case Unreachable.PRECEDENCE_CUTOFF:
        return this.#quoted(packet, PathError.PROHIBITED, 0);
      default:
        return Verdict.ICMP_TYPE_UNKNOWN;
    }
  }

  /** RFC 1191 §4 and §5: the next hop's MTU, or from an old router a guess by what it refused. */
  #tooBig(packet: InboundPacket): Verdict {
    if (parseIcmpv4Quote(packet.view, packet.at, packet.length) !== Verdict.OK) return Verdict.ICMP_QUOTE_INVALID;
    const refused = ipv4TotalLength(packet.view, packet.at + Icmpv4.QUOTE);
    let mtu = icmpv4NextHopMtu(packet.view, packet.at);
    if (mtu === 0) mtu = plateauBelow(refused);
    // A link that is wide enough does not refuse.
    if (mtu < MTU_MIN || mtu >= refused) return Verdict.ICMP_IMPLAUSIBLE;
    return this.#quoted(packet, PathError.TOO_BIG, mtu);
  }

  /** RFC 1122 §3.2.2: an error that was sent to everybody is no answer to anything of ours. */
  #quoted(packet: InboundPacket, error: PathError, mtu: number): Verdict {
    if (packet.broadcast) return Verdict.ICMP_BROADCAST;
    const verdict = parseIcmpv4Quote(packet.view, packet.at, packet.length);
    if (verdict !== Verdict.OK) return verdict;
    return this.#quotes.deliver(
      packet.view,
      packet.at + Icmpv4.QUOTE,
      packet.length - Icmpv4.QUOTE,
      error,
      icmpv4Code(packet.view, packet.at),
      mtu,
      packet.source,
    );
  }
}

/** A request becomes its reply. The checksum is put right, not made anew (RFC 1624): damage on the way in stays visible. */
function turn(view: DataView, at: number): void {
  const before = view.getUint16(at + Icmpv4.TYPE);
  const after = before & 0xff;
  view.setUint16(at + Icmpv4.TYPE, after);
  view.setUint16(at + Icmpv4.CHECKSUM, update16(icmpv4Checksum(view, at), before, after));
}
