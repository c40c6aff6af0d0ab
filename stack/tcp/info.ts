import type { Address } from '../base/units.js';
import { failures, optionSeen } from './acc-ecn.js';
import { AccEcn } from './cold-bits.js';
import { localPort, remotePort } from './connection-table.js';
import type { TcpContext } from './context.js';
import { deliveryRate } from './delivery-rate.js';
import { FastOpen } from './fast-open.js';
import { NO_RTT } from './min-rtt.js';
import { effectiveMss, offeredMss, receiveShift, sendShift } from './options.js';
import { hasUnsent } from './output.js';
import { maxPacingRate, pacingRate } from './pacing.js';
import { urgentBytes } from './queue-lengths.js';
import { bytesOutOfOrder } from './reassembly.js';
import { windowOffered } from './receive-space.js';
import { rtoMs } from './rtt.js';
import { flightSize } from './scoreboard.js';
import { withRow } from './sleep.js';
import { type StateName, stateName } from './state.js';
import { bookBusy } from './tally.js';
import { Cold, Flag, Name, Tally, Tcb } from './tcb.js';

/**
 * STATUS, RFC 9293 §3.9.1.7: everything Linux's TCP_INFO has, by Linux's names in our spelling, with the unit in the name. Counters of segments
 * and bytes are zero where the stack was made with `tally: false`.
 */
export interface TcpInfo {
  readonly state: StateName;
  readonly caState: 'open' | 'disorder' | 'cwr' | 'recovery' | 'loss';
  readonly congestion: string;
  readonly retransmits: number;
  readonly probes: number;
  readonly backoff: number;
  readonly timestamps: boolean;
  readonly sack: boolean;
  readonly windowScaling: boolean;
  readonly ecn: boolean;
  /** Data of a SYN, ours or the peer's, was taken with it (Fast Open). */
  readonly synDataAcked: boolean;
  /** Why Fast Open came to nothing: FastOpenFailure. */
  readonly fastOpenClientFail: number;
  /** Data of the peer's has come ECN-capable. */
  readonly ecnSeen: boolean;
  /** What is agreed on: RFC 3168, or RFC 9768; `pending`: our SYN asks for RFC 9768, and is not answered yet. */
  readonly ecnMode: 'none' | 'rfc3168' | 'accecn' | 'pending';
  /** An accepted connection whose SYN came with a valid cookie of Fast Open, or needed none. */
  readonly fastOpenChild: boolean;
  readonly sndWscale: number;
  readonly rcvWscale: number;
  readonly rtoUs: number;
  readonly atoUs: number;
  readonly sndMss: number;
  readonly rcvMss: number;
  readonly advMss: number;
  readonly pathMtu: number;
  readonly unacked: number;
  readonly sacked: number;
  readonly lost: number;
  readonly retrans: number;
  readonly lastDataSentMs: number;
  readonly lastDataRecvMs: number;
  readonly lastAckRecvMs: number;
  readonly rttUs: number;
  readonly rttVarUs: number;
  readonly minRttUs: number;
  readonly rcvRttUs: number;
  readonly rcvSpace: number;
  readonly rcvSsthresh: number;
  readonly sndSsthreshBytes: number;
  readonly sndCwndBytes: number;
  readonly sndCwnd: number;
  readonly reordering: number;
  readonly totalRetrans: number;
  readonly pacingRate: number;
  readonly maxPacingRate: number;
  readonly bytesAcked: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly bytesRetrans: number;
  readonly segsOut: number;
  readonly segsIn: number;
  readonly dataSegsOut: number;
  readonly dataSegsIn: number;
  readonly notsentBytes: number;
  readonly deliveryRate: number;
  readonly deliveryRateAppLimited: boolean;
  readonly delivered: number;
  readonly deliveredCe: number;
  /** AccECN: marked packets received; bytes received and delivered with ECT(1), ECT(0) and CE, each modulo 2^32. */
  readonly receivedCe: number;
  readonly receivedE1Bytes: number;
  readonly receivedE0Bytes: number;
  readonly receivedCeBytes: number;
  readonly deliveredE1Bytes: number;
  readonly deliveredE0Bytes: number;
  readonly deliveredCeBytes: number;
  /** Linux's bits: 1 our ACE, 2 the peer's, 4 our option, 8 the peer's is not to be relied on. */
  readonly accEcnFailures: number;
  /** Of the peer's option, in Linux's numbers: 0 none, 1 an empty one, 2 counters, 3 such as cannot be. */
  readonly accEcnOptionSeen: number;
  readonly busyTimeUs: number;
  readonly rwndLimitedUs: number;
  readonly sndbufLimitedUs: number;
  readonly dsackDups: number;
  /** How often segments were seen to overtake one another. */
  readonly reordSeen: number;
  readonly rcvOoopack: number;
  readonly sndWnd: number;
  readonly rcvWnd: number;
  readonly rehash: number;
  readonly totalRto: number;
  readonly totalRtoRecoveries: number;
  readonly totalRtoTimeMs: number;
  // Beyond Linux's structure: what `ss` and the trace show.
  readonly localAddress: Address;
  readonly localPort: number;
  readonly remoteAddress: Address;
  readonly remotePort: number;
  readonly recvQueueBytes: number;
  /** Up to the end of the urgent data, RFC 9293 MUST-33; 0 when nothing urgent is left. */
  readonly urgentBytes: number;
  readonly sendQueueBytes: number;
  readonly flightBytes: number;
  readonly sndUna: number;
  readonly sndNxt: number;
  readonly rcvNxt: number;
  readonly iss: number;
  readonly irs: number;
  readonly outOfOrderBytes: number;
  readonly active: boolean;
}

/** Control path. A 64-bit tally as a number, exact below 2^53. */
function wide(tally: Int32Array, at: number): number {
  return (tally[at + 1] >>> 0) * 0x1_0000_0000 + (tally[at] >>> 0);
}

const CA_STATES = ['open', 'disorder', 'cwr', 'recovery', 'loss'] as const;
const NO_TALLY = new Int32Array(Tally.SIZE);

function ecnMode(word: number, accurate: number): TcpInfo['ecnMode'] {
  if ((word & Flag.ECN) === 0) return 'none';
  if ((accurate & AccEcn.ASKED) !== 0) return 'pending';
  return (accurate & AccEcn.ON) !== 0 ? 'accecn' : 'rfc3168';
}

/** Control path. Of a sleeping connection, what holds when it wakes up. */
export function info(tcp: TcpContext, c: number): TcpInfo {
  const active = tcp.hot[c + Tcb.COLD] !== 0;
  return withRow(tcp, c, (k) => describe(tcp, c, k, active));
}

/** Control path. */
function describe(tcp: TcpContext, c: number, k: number, active: boolean): TcpInfo {
  const { hot, cold, names, clock, limits } = tcp;
  const row = c >>> Tcb.SHIFT;
  const n = row * Name.SIZE;
  const word = hot[c + Tcb.STATE];
  // What is under way counts until now.
  if (tcp.tallies && active) bookBusy(tcp, c, k);
  const tally = tcp.tallies ? tcp.tally : NO_TALLY;
  const y = tcp.tallies ? row * Tally.SIZE : 0;
  const mss = Math.max(1, effectiveMss(tcp, c));
  const outstanding = (hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0;
  const queued = tcp.arena.length(hot[c + Tcb.SND_QUEUE]);
  const remote = names[n + Name.REMOTE] as Address;
  const field = (index: Cold): number => (k === 0 ? 0 : cold[k + index]);
  const fastOpen = (word & Flag.FAST_OPEN_KEPT) !== 0 ? hot[c + Tcb.TS_RECENT] : field(Cold.FAST_OPEN);
  const since = (at: number): number => (at === 0 ? 0 : (clock.ms - at) | 0);
  const cwnd = hot[c + Tcb.CWND];
  const srttUs = hot[c + Tcb.SRTT] >> 3;
  const minRtt = k !== 0 && cold[k + Cold.MIN_RTT_US] !== NO_RTT ? cold[k + Cold.MIN_RTT_US] : 0;
  return {
    state: stateName(word & Flag.STATE_MASK),
    caState: CA_STATES[field(Cold.CA_STATE)] ?? 'open',
    congestion: tcp.congestions.controls[field(Cold.CONGESTION)].name,
    retransmits: field(Cold.RETRANSMITS),
    probes: field(Cold.PROBES_OUT),
    backoff: field(Cold.BACKOFF),
    timestamps: (word & Flag.TIMESTAMPS) !== 0,
    sack: (word & Flag.SACK) !== 0,
    windowScaling: (word & Flag.WINDOW_SCALE) !== 0,
    ecn: (word & Flag.ECN) !== 0,
    synDataAcked: (fastOpen & FastOpen.SYN_DATA_ACKED) !== 0,
    fastOpenClientFail: (fastOpen >>> FastOpen.FAILURE_BIT) & 3,
    ecnSeen: (word & Flag.ECN_SEEN) !== 0,
    ecnMode: ecnMode(word, field(Cold.ACC_ECN)),
    fastOpenChild: k !== 0 && (cold[k + Cold.FAST_OPEN] & FastOpen.WAS_CHILD) !== 0,
    sndWscale: sendShift(tcp, c),
    rcvWscale: receiveShift(tcp, c),
    rtoUs: rtoMs(tcp, c, field(Cold.BACKOFF)) * 1000,
    atoUs: (field(Cold.ATO_MS) || limits.delayedAckMinMs) * 1000,
    sndMss: mss,
    rcvMss: field(Cold.RCV_MSS),
    advMss: offeredMss(tcp, remote, field(Cold.MSS_CLAMP)),
    pathMtu: tcp.net.pathMtu(remote),
    unacked: field(Cold.PACKETS_OUT),
    sacked: field(Cold.SACKED_OUT),
    lost: field(Cold.LOST_OUT),
    retrans: field(Cold.RETRANS_OUT),
    lastDataSentMs: since(tally[y + Tally.LAST_DATA_SENT]),
    lastDataRecvMs: since(tally[y + Tally.LAST_DATA_RECEIVED]),
    lastAckRecvMs: since(tally[y + Tally.LAST_ACK_RECEIVED]),
    rttUs: srttUs,
    rttVarUs: hot[c + Tcb.RTTVAR] >> 2,
    minRttUs: tcp.tallies ? tally[y + Tally.MIN_RTT_US] : minRtt,
    rcvRttUs: field(Cold.RCV_RTT) >> 3,
    rcvSpace: field(Cold.TUNE_SPACE) || limits.receiveBytes >>> 1,
    rcvSsthresh: k === 0 ? hot[c + Tcb.RCV_WND] : cold[k + Cold.RCV_SSTHRESH],
    sndSsthreshBytes: hot[c + Tcb.SSTHRESH],
    sndCwndBytes: cwnd,
    sndCwnd: Math.floor(cwnd / mss),
    reordering: k === 0 ? limits.reordering : cold[k + Cold.REORDERING],
    totalRetrans: tally[y + Tally.RETRANSMITTED],
    pacingRate: pacingRate(tcp, c, k),
    maxPacingRate: maxPacingRate(tcp, k),
    bytesAcked: wide(tally, y + Tally.BYTES_ACKED),
    bytesReceived: wide(tally, y + Tally.BYTES_RECEIVED),
    bytesSent: wide(tally, y + Tally.BYTES_SENT),
    bytesRetrans: wide(tally, y + Tally.BYTES_RETRANSMITTED),
    segsOut: tally[y + Tally.SEGS_OUT],
    segsIn: tally[y + Tally.SEGS_IN],
    dataSegsOut: tally[y + Tally.DATA_SEGS_OUT],
    dataSegsIn: tally[y + Tally.DATA_SEGS_IN],
    notsentBytes: hasUnsent(tcp, c) ? Math.max(0, queued - outstanding) : 0,
    deliveryRate: deliveryRate(tcp, c, k),
    deliveryRateAppLimited: field(Cold.RATE_APP_LIMITED) !== 0,
    delivered: tally[y + Tally.DELIVERED],
    deliveredCe: (tcp.tallies ? tally[y + Tally.DELIVERED_CE] : field(Cold.DELIVERED_CE)) >>> 0,
    receivedCe: field(Cold.R_CEP) >>> 0,
    receivedE1Bytes: field(Cold.R_E1B) >>> 0,
    receivedE0Bytes: field(Cold.R_E0B) >>> 0,
    receivedCeBytes: field(Cold.R_CEB) >>> 0,
    deliveredE1Bytes: field(Cold.S_E1B) >>> 0,
    deliveredE0Bytes: field(Cold.S_E0B) >>> 0,
    deliveredCeBytes: field(Cold.S_CEB) >>> 0,
    accEcnFailures: failures(field(Cold.ACC_ECN)),
    accEcnOptionSeen: optionSeen(field(Cold.ACC_ECN)),
    busyTimeUs: wide(tally, y + Tally.BUSY_US),
    rwndLimitedUs: wide(tally, y + Tally.PEER_WINDOW_US),
    sndbufLimitedUs: wide(tally, y + Tally.SEND_BUFFER_US),
    dsackDups: tally[y + Tally.DSACK_DUPLICATES],
    reordSeen: tally[y + Tally.REORDERINGS],
    rcvOoopack: tally[y + Tally.OOO_SEGS_IN],
    sndWnd: hot[c + Tcb.SND_WND],
    rcvWnd: k === 0 ? hot[c + Tcb.RCV_WND] : windowOffered(tcp, c, k),
    rehash: 0,
    totalRto: tally[y + Tally.RTO_COUNTS] & 0xffff,
    totalRtoRecoveries: tally[y + Tally.RTO_COUNTS] >>> 16,
    totalRtoTimeMs: tally[y + Tally.RTO_TIME_MS],
    localAddress: names[n + Name.LOCAL] as Address,
    localPort: localPort(names[n + Name.PORTS]),
    remoteAddress: remote,
    remotePort: remotePort(names[n + Name.PORTS]),
    recvQueueBytes: tcp.arena.length(hot[c + Tcb.RCV_QUEUE]),
    urgentBytes: urgentBytes(tcp, c),
    sendQueueBytes: queued,
    flightBytes: k === 0 ? 0 : flightSize(tcp, c, k),
    sndUna: hot[c + Tcb.SND_UNA],
    sndNxt: hot[c + Tcb.SND_NXT],
    rcvNxt: hot[c + Tcb.RCV_NXT],
    iss: tally[y + Tally.ISS],
    irs: tally[y + Tally.IRS],
    outOfOrderBytes: k === 0 ? 0 : bytesOutOfOrder(tcp, k),
    active,
  };
}
