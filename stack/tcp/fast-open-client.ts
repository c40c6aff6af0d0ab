import type { Address } from '../base/units.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { mark } from './connection.js';
import type { TcpContext } from './context.js';
import { SynData, Tried } from './cookie-cache.js';
import { Cookie, FastOpen, FastOpenBit, FastOpenFailure } from './fast-open.js';
import { loseOversized } from './loss-recovery.js';
import { DEFAULT_MSS, pathMss } from './options.js';
import { Cold, Flag, Name, Tcb } from './tcb.js';
import { SentFlag } from './transmit-pool.js';
import { appendRecord, roomForRecord } from './transmit-queue.js';

/**
 * Segment path. A client's half of Fast Open, RFC 7413 §4.1.3 and §4.2: a SYN asks for a cookie, or shows the one the server gave before and brings the first data with it.
 */

/** The cookie of the SYN at hand, and of the SYN-ACK. */
export const synCookie = new Cookie();
const given = new Cookie();

/** Options a middlebox may add to a SYN with data: all there is room for (as Linux). */
const OPTION_BYTES_MAX = 40;

/** Whether a SYN to `remote` may bring data now. `synCookie` is what it says. */
export function mayCarryText(tcp: TcpContext, remote: number, noCookie: boolean): boolean {
  const { limits, cookieCache } = tcp;
  synCookie.set(-1, false);
  if ((limits.fastOpen & FastOpenBit.CLIENT) === 0) return false;
  cookieCache.get(remote, synCookie);
  if (cookieCache.paused(tcp.clock.ms)) {
    synCookie.set(-1, false);
    return false;
  }
  if (noCookie || (limits.fastOpen & FastOpenBit.CLIENT_WITHOUT_COOKIE) !== 0) {
    synCookie.set(-1, false);
    return true;
  }
  return synCookie.length > 0;
}

/**
 * Before the first SYN of a connection that asked for Fast Open: how many bytes of the send queue the SYN brings, 0 where it only asks for a cookie. RFC 7413 §4.2.1: no more than
 * the server has said it takes, and as Linux 40 bytes less.
 */
export function prepareFirstSyn(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold } = tcp;
  if ((cold[k + Cold.FAST_OPEN] & FastOpen.ASKED) === 0) {
    synCookie.set(-1, false);
    return 0;
  }
  const remote = tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE];
  const may = mayCarryText(tcp, remote, (cold[k + Cold.FAST_OPEN] & FastOpen.NO_COOKIE) !== 0);
  if (synCookie.length < 0) cold[k + Cold.FAST_OPEN] &= ~FastOpen.ASKED;
  if (synCookie.experimental) cold[k + Cold.FAST_OPEN] |= FastOpen.EXPERIMENTAL;
  if (!may) {
    if (synCookie.length === 0) failed(tcp, k, FastOpenFailure.COOKIE_UNAVAILABLE);
    return 0;
  }
  const known = tcp.cookieCache.mss;
  const path = pathMss(tcp, remote as Address);
  const clamp = cold[k + Cold.MSS_CLAMP];
  let mss = known !== 0 && known < path ? known : path;
  if (clamp !== 0 && clamp < mss) mss = clamp;
  const room = mss - OPTION_BYTES_MAX;
  const queued = tcp.arena.length(hot[c + Tcb.SND_QUEUE]);
  const length = queued < room ? queued : room;
  if (length <= 0) return 0;
  cold[k + Cold.FAST_OPEN] |= FastOpen.SYN_DATA;
  // The row stays: `info` tells of it for as long as the connection lives.
  hot[c + Tcb.STATE] |= Flag.CUSTOM;
  hot[c + Tcb.SND_NXT] = (hot[c + Tcb.SND_UNA] + 1 + length) | 0;
  return length;
}

/** `prepareFirstSyn` was called by the program; now its SYN is sent. What `synCookie` is to say. */
export function recallCookie(tcp: TcpContext, c: number, k: number): void {
  synCookie.set(-1, false);
  if ((tcp.cold[k + Cold.FAST_OPEN] & FastOpen.ASKED) === 0) return;
  tcp.cookieCache.get(tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE], synCookie);
}

/** The first reason stands. */
function failed(tcp: TcpContext, k: number, why: FastOpenFailure): void {
  const word = tcp.cold[k + Cold.FAST_OPEN];
  tcp.cold[k + Cold.FAST_OPEN] = (word & ~(3 << FastOpen.FAILURE_BIT)) | (why << FastOpen.FAILURE_BIT);
}

/** The SYN-ACK is here: what it says of cookies is remembered (§4.1.3.1). Called before SND.UNA moves beyond it. */
export function learnFromSynAck(tcp: TcpContext, c: number, k: number): void {
  const { cold, options, seg } = tcp;
  const word = cold[k + Cold.FAST_OPEN];
  if ((word & (FastOpen.ASKED | FastOpen.SYN_DATA)) === 0) return;
  given.set(-1, false);
  if ((options.present & TcpOptionBit.FAST_OPEN) !== 0 && options.fastOpenLength > 0) {
    given.set(options.fastOpenLength, options.fastOpenExperimental);
    given.copyFrom(options.view, options.fastOpenAt, options.fastOpenLength);
  }
  // A cookie nobody asked for is not taken.
  if ((word & FastOpen.ASKED) === 0) given.set(-1, false);
  let tried = Tried.NOTHING;
  if (
    (word & FastOpen.ASKED) !== 0 &&
    cold[k + Cold.RETRANSMITS] === 0 &&
    given.length < 0 &&
    (word & FastOpen.SYN_DATA) === 0
  ) {
    tried = (word & FastOpen.EXPERIMENTAL) !== 0 ? Tried.BOTH : Tried.STANDARD;
  }
  const mss = (options.present & TcpOptionBit.MSS) !== 0 ? options.mss : DEFAULT_MSS;
  let data = SynData.NONE;
  if ((word & FastOpen.SYN_DATA) !== 0) {
    data = seg.ACK === tcp.hot[c + Tcb.SND_NXT] ? SynData.TAKEN : SynData.NOT_TAKEN;
  }
  tcp.cookieCache.put(tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE], mss, given, tried, data);
  if (data === SynData.NONE) return;
  if (data === SynData.TAKEN) {
    cold[k + Cold.FAST_OPEN] |= FastOpen.SYN_DATA_ACKED;
    tcp.net.stats.tcpFastOpenActive += 1;
    // What was lost on the way before is found to be none of Fast Open's doing.
    tcp.cookieCache.pauses = 0;
  } else {
    const again = cold[k + Cold.RETRANSMITS] > 0 || (word & FastOpen.SYN_TOO_BIG) !== 0;
    failed(tcp, k, again ? FastOpenFailure.SYN_RETRANSMITTED : FastOpenFailure.DATA_NOT_ACKED);
    tcp.net.stats.tcpFastOpenActiveFail += 1;
  }
}

/** The server did not take the SYN's data, or not all: it goes again at once, and says nothing about congestion (RFC 7413 §4.2.2). */
export function repeatSynText(tcp: TcpContext, c: number, k: number): void {
  const { hot } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  if (!roomForRecord(tcp, k)) {
    // As if it had never been sent.
    hot[c + Tcb.SND_NXT] = una;
    mark(tcp, c);
    return;
  }
  appendRecord(tcp, c, k, una, hot[c + Tcb.SND_NXT], SentFlag.PUSH);
  loseOversized(tcp, c, k, 0);
}

/** A SYN of ours has timed out: the third time of one with data is taken for a box on the way that swallows them. */
export function suspectBlackhole(tcp: TcpContext, k: number): void {
  const { cold, limits } = tcp;
  if ((cold[k + Cold.FAST_OPEN] & (FastOpen.ASKED | FastOpen.SYN_DATA)) === 0) return;
  if (cold[k + Cold.RETRANSMITS] === BLACKHOLE_TIMEOUTS) {
    tcp.cookieCache.pause(tcp.clock.ms, limits.fastOpenPauseSeconds);
  }
}
/** Counted before this one. */
const BLACKHOLE_TIMEOUTS = 2;
