import type { Address } from '../base/units.js';
import { Cause } from '../net/note.js';
import { OutputFlag } from '../net/transport.js';
import { emitTcp, finishTcpChecksum, Tcp, TcpFlag } from '../wire/tcp.js';
import { emitNop, emitTimestampsPadded, TcpOptionBytes } from '../wire/tcp-options.js';
import { isAccurate } from './acc-ecn.js';
import { counterBytes, emitCounters, fitCounters } from './acc-ecn-option.js';
import { localPort, remotePort } from './connection-table.js';
import type { TcpContext } from './context.js';
import { ackSent } from './delayed-ack.js';
import { ecnField, ecnFlags, isFresh } from './ecn.js';
import { MSS_MIN, MtuDiscover, mtuDiscover } from './options.js';
import { segmentDeparted } from './pacing.js';
import { blocksToSend, emitSack, sackBytes } from './sack.js';
import { addTo } from './tally.js';
import { Cold, Flag, Name, Tally, Tcb } from './tcb.js';
import { noteSent } from './trace-note.js';
import { selectWindow, windowField } from './window.js';

/** Segment path. Builds a segment of a synchronized connection in a slot and hands it to the network layer. */

export const PROTOCOL_TCP = 6;
/** Time to live and type of service where nothing was set: RFC 9293 MUST-49 (configurable), RFC 1700's recommendation. */
export const DEFAULT_TTL = 64;

/** 40 bytes of options, less the timestamps if they are there. */
const SACK_BLOCKS_WITH_TIMESTAMPS = 3;
const SACK_BLOCKS_ALONE = 4;

/** Bytes of options the next segment will carry. */
export function optionBytesNow(tcp: TcpContext, c: number, k: number): number {
  return plannedBytes(tcp.hot[c + Tcb.STATE], planOptions(tcp, c, k));
}

/** What the next segment carries besides timestamps: SACK blocks in bits 0–3, counters of AccECN plus one in bits 4–7 (0: no such option). */
function planOptions(tcp: TcpContext, c: number, k: number): number {
  const word = tcp.hot[c + Tcb.STATE];
  const blocks = blocksToSend(
    tcp,
    c,
    k,
    (word & Flag.TIMESTAMPS) !== 0 ? SACK_BLOCKS_WITH_TIMESTAMPS : SACK_BLOCKS_ALONE,
  );
  if ((word & Flag.ECN) === 0 || !isAccurate(tcp, k)) return blocks;
  return fitCounters(tcp, c, k, blocks, Tcp.OPTION_BYTES_MAX - plannedBytes(word, blocks));
}

function plannedBytes(word: number, plan: number): number {
  const blocks = plan & 0xf;
  const bytes = ((word & Flag.TIMESTAMPS) !== 0 ? TcpOptionBytes.TIMESTAMPS_PADDED : 0) + sackBytes(blocks);
  return plan < 16 ? bytes : bytes + counterBytes((plan >>> 4) - 1, blocks);
}

/**
 * Sends `length` bytes of the send queue from sequence number `seq` on, or none, with the flags given and always with an
 * acknowledgment. False when no slot is free: nothing has changed then, and output tries again.
 */
export function sendSegment(
  tcp: TcpContext,
  c: number,
  k: number,
  seq: number,
  length: number,
  flags: number,
  cause: Cause,
): boolean {
  const { hot, cold, net, names } = tcp;
  const at = net.takeSegment();
  if (at < 0) return false;
  const { bytes, view } = net.slab;
  const word = hot[c + Tcb.STATE];
  const timestamps = (word & Flag.TIMESTAMPS) !== 0;
  const plan = planOptions(tcp, c, k);
  const headerBytes = Tcp.HEADER_BYTES + plannedBytes(word, plan);
  const window = selectWindow(tcp, c, k);
  hot[c + Tcb.RCV_WND] = window;

  let urgent = 0;
  if ((word & Flag.SND_URGENT) !== 0) {
    // RFC 6093 §4 and RFC 9293 MUST-30: the pointer leads to the byte after the urgent data, as everybody has it by now.
    const ahead = (cold[k + Cold.SND_UP] - seq) | 0;
    if (ahead > 0) {
      flags |= TcpFlag.URG;
      urgent = ahead < 0xffff ? ahead : 0xffff;
    }
  }

  const ecn = (word & Flag.ECN) !== 0;
  const fresh = isFresh(cause, length);
  if (ecn) flags |= ecnFlags(tcp, c, k, fresh, length === 0 && (flags & TcpFlag.FIN) === 0 && (plan & 0xf) === 0);

  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  const ports = names[n + Name.PORTS];
  emitTcp(
    view,
    at,
    localPort(ports),
    remotePort(ports),
    seq,
    hot[c + Tcb.RCV_NXT],
    headerBytes,
    flags | TcpFlag.ACK,
    windowField(tcp, c, window),
    urgent,
  );
  let to = at + Tcp.HEADER_BYTES;
  if (timestamps)
    to = emitTimestampsPadded(view, to, (tcp.clock.ms + cold[k + Cold.TS_OFFSET]) | 0, hot[c + Tcb.TS_RECENT]);
  const blocks = plan & 0xf;
  if (plan >= 16) to = emitCounters(tcp, k, view, at, to, (plan >>> 4) - 1, blocks);
  else if (blocks > 0) to = emitNop(view, emitNop(view, to));
  if (blocks > 0) to = emitSack(tcp, k, view, to, blocks);
  if (length > 0)
    tcp.arena.copyOut(hot[c + Tcb.SND_QUEUE], (seq - hot[c + Tcb.SND_UNA]) | 0, bytes, at + headerBytes, length);
  const total = headerBytes + length;
  if (length > 0) {
    cold[k + Cold.LAST_SENT_AT] = tcp.clock.ms;
    segmentDeparted(tcp, c, k, total);
  }
  if ((flags & TcpFlag.CWR) !== 0) hot[c + Tcb.STATE] &= ~Flag.ECN_REDUCED;
  ackSent(tcp, c, k);
  count(tcp, c, length, flags);

  const local = names[n + Name.LOCAL] as Address;
  const remote = names[n + Name.REMOTE] as Address;
  finishTcpChecksum(view, at, total, net.pseudoHeaderSum(local, remote, PROTOCOL_TCP, total));
  noteSent(tcp, c, at, cause);
  const tosAndTtl = cold[k + Cold.TOS_AND_TTL];
  const discover = mtuDiscover(cold[k + Cold.CUSTOM]);
  // At its floor the MSS may be more than the path carries: fragments get there, a segment that must not be cut never would (Linux alike).
  const atFloor = (hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff) <= MSS_MIN;
  net.output(
    at,
    total,
    PROTOCOL_TCP,
    local,
    remote,
    (tosAndTtl >>> 8) | (ecn ? ecnField(tcp, k, fresh) : 0),
    tosAndTtl & 0xff || DEFAULT_TTL,
    !atFloor && (discover === MtuDiscover.WANT || discover === MtuDiscover.DO)
      ? OutputFlag.DONT_FRAGMENT
      : OutputFlag.NONE,
  );
  return true;
}

function count(tcp: TcpContext, c: number, length: number, flags: number): void {
  tcp.net.stats.tcpOutSegs += 1;
  if (length === 0 && (flags & (TcpFlag.RST | TcpFlag.FIN)) === 0) tcp.net.stats.tcpPureAcks += 1;
  if (!tcp.tallies) return;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  const tally = tcp.tally;
  tally[at + Tally.SEGS_OUT] += 1;
  if (length > 0) {
    tally[at + Tally.DATA_SEGS_OUT] += 1;
    addTo(tally, at + Tally.BYTES_SENT, length);
    tally[at + Tally.LAST_DATA_SENT] = tcp.clock.ms;
  }
}
