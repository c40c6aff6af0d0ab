import type { Prng } from '../base/prng.js';
import type { FrameSlab } from '../memory/frame-slab.js';
import type { Clock } from '../time/clock.js';
import type { Interface } from './interface.js';
import type { Stats } from './stats.js';
import type { Transport } from './transport.js';

/** What every part of the network layer shares. The parts know this, and the parts below them; none knows `Network`. */
export interface Context {
  readonly slab: FrameSlab;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly stats: Stats;
  readonly interfaces: Interface[];
  /** By protocol number. */
  readonly transports: (Transport | undefined)[];
  readonly limits: NetworkLimits;
}

/** Every limit of the network layer, each with a default that argues for itself. */
export interface NetworkLimits {
  /** Neighbours at once. A /20 of hosts on one link, four times Linux's gc_thresh3; 96 bytes each. */
  readonly neighborsMax: number;
  /**
   * … of them asked for and never answered for: a quarter. A scan of the prefix makes only such entries (RFC 6583 §2), so three quarters stay with
   * hosts that are there. At 10,000 new ones a second an entry still lives for 0.1 s, a hundred times what an answer takes on a link.
   */
  readonly neighborsUnresolvedMax: number;
  /** Frames that wait for one neighbour: a datagram of 64 KiB in fragments of 1500 is 45. RFC 1122 §2.3.2.2 asks for one. */
  readonly neighborQueueFrames: number;
  /**
   * … and for all of them: 512, or an eighth of a smaller slab, so that a scan of a dead network leaves slots for the living. Over it the
   * longest queue gives its oldest frame.
   */
  readonly neighborQueueFramesTotal: number;
  /**
   * Resolutions begun in a second, and at once, only to answer a stranger (RST, SYN-ACK, ICMP). Whoever really asked is known already, so these
   * are forged senders, and each costs the link three broadcasts: 100 a second are 13 KB/s of them.
   */
  readonly neighborAnswersPerSecond: number;
  readonly neighborAnswersBurst: number;
  /** Destinations whose route, neighbour and MTU are at hand. 48 bytes each. A power of two. */
  readonly pathsMax: number;
  /** Bytes of fragments kept: Linux's ipfrag_high_thresh, 4 MiB. */
  readonly fragmentBytesMax: number;
  /** Datagrams in reassembly at once. */
  readonly reassembliesMax: number;
  /** Fragments of one datagram: 65,535 bytes over a path MTU of 576 are 119. */
  readonly fragmentsPerDatagram: number;
  /** Datagrams to ourselves that wait for the next `deliverLocal`: four of 64 KiB in fragments. */
  readonly localQueueFrames: number;
  /** ICMP errors sent in a second, and at once: Linux's icmp_msgs_per_sec and icmp_msgs_burst. */
  readonly icmpErrorsPerSecond: number;
  readonly icmpErrorsBurst: number;
  /**
   * … to one peer: a tenth, and half of the burst. traceroute asks for ten errors a second. Linux allows one a second and six at once, which makes
   * the last hops of a traceroute silent; what matters is that nobody alone uses up what is for all.
   */
  readonly icmpErrorsPeerPerSecond: number;
  readonly icmpErrorsPeerBurst: number;
  /**
   * Replies sent to echo requests in a second, and at once. A `ping -f` over a TAP stays below that; a flood of requests
   * must not cost more than that. Deviation: Linux has no limit, FreeBSD 200 a second (net.inet.icmp.icmplim).
   */
  readonly echoAnswersPerSecond: number;
  readonly echoAnswersBurst: number;
  /**
   * RSTs sent in a second, and at once, to segments that belong to no connection. The peers of a host that was restarted learn it in
   * seconds; a scan of all ports takes a minute. Deviation: Linux has no limit, FreeBSD 200 a second.
   */
  readonly resetsPerSecond: number;
  readonly resetsBurst: number;
  /**
   * SYNs answered in a second, and at once, of those that do not become connections: however many connections a program accepts, they
   * do not count. At once: a crowd that comes back together. Each answer to a forged address may cost a RST that comes back.
   * Deviation: Linux has no limit.
   */
  readonly synAnswersPerSecond: number;
  readonly synAnswersBurst: number;
  /** Replies sent to ARP requests in a second, and at once: each host of a /22 that asks once a second. Deviation: Linux has no limit. */
  readonly arpRepliesPerSecond: number;
  readonly arpRepliesBurst: number;
  /**
   * ARP requests sent to everybody in a second, and at once; as many more for connections that programs open, and to single
   * hosts that nothing but their own word vouches for. At once: every host that may be asked for without an answer.
   * Deviation: Linux limits them for each neighbour only.
   */
  readonly arpRequestsPerSecond: number;
  readonly arpRequestsBurst: number;
  /**
   * Answers to strangers that may wait for a device: one for each frame of a turn, and an echo reply of 64 KiB in fragments. An eighth of
   * a smaller slab.
   */
  readonly answerQueueFrames: number;
  /** Echo replies that wait for the program. */
  readonly echoRepliesMax: number;
}

export const DEFAULT_NETWORK_LIMITS: NetworkLimits = {
  neighborsMax: 4096,
  neighborsUnresolvedMax: 1024,
  neighborQueueFrames: 48,
  neighborQueueFramesTotal: 512,
  neighborAnswersPerSecond: 100,
  neighborAnswersBurst: 100,
  pathsMax: 4096,
  fragmentBytesMax: 4 << 20,
  reassembliesMax: 1024,
  fragmentsPerDatagram: 128,
  localQueueFrames: 256,
  icmpErrorsPerSecond: 1000,
  icmpErrorsBurst: 50,
  icmpErrorsPeerPerSecond: 100,
  icmpErrorsPeerBurst: 25,
  echoAnswersPerSecond: 40_000,
  echoAnswersBurst: 1000,
  resetsPerSecond: 1000,
  resetsBurst: 500,
  synAnswersPerSecond: 25_000,
  synAnswersBurst: 4096,
  arpRepliesPerSecond: 1000,
  arpRepliesBurst: 200,
  arpRequestsPerSecond: 1000,
  arpRequestsBurst: 1024,
  answerQueueFrames: 512,
  echoRepliesMax: 256,
};

/** Control path. Shares follow the size of what they are shares of, where nothing else was asked for. */
export function networkLimits(slab: FrameSlab, asked: Partial<NetworkLimits>): NetworkLimits {
  const limits = { ...DEFAULT_NETWORK_LIMITS, ...asked };
  const answerQueueFrames = Math.max(1, Math.min(DEFAULT_NETWORK_LIMITS.answerQueueFrames, slab.slots >>> 3));
  const neighborQueueFramesTotal = Math.min(DEFAULT_NETWORK_LIMITS.neighborQueueFramesTotal, slab.slots >>> 3);
  const neighborsUnresolvedMax = Math.max(1, limits.neighborsMax >>> 2);
  return { ...limits, answerQueueFrames, neighborQueueFramesTotal, neighborsUnresolvedMax, ...asked };
}
