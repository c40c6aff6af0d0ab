import { StackError } from '../base/errors.js';
import { Ecn } from '../wire/ipv4.js';
import { ackAfterRead } from './ack-policy.js';
import { AckBit } from './cold-bits.js';
import { beginCongestionControl, congestionOf } from './congestion.js';
import { mark, wake } from './connection.js';
import type { TcpContext } from './context.js';
import { Extra, extraOf, extraRow, leaveExtraRow } from './extra-rows.js';
import { FastOpen } from './fast-open.js';
import { beginKeepalive } from './keepalive.js';
import type { ConnectionDefaults } from './listener-table.js';
import {
  effectiveMss,
  leastTtl,
  MtuDiscover,
  mtuDiscover,
  setSendMss,
  withLeastTtl,
  withMtuDiscover,
} from './options.js';
import { clampSet, limitSet } from './receive-space.js';
import { isHeld, liftHold } from './send-marks.js';
import { withRow } from './sleep.js';
import { State } from './state.js';
import { Cold, Custom, Flag, Tcb } from './tcb.js';
import { startTimer, stopTimer, Timer } from './timers.js';

/** Options of a connection (RFC 9293 §3.9.1 leaves their form to us), as setsockopt names them. Units are in the names; sockets' own (bytes, ms, counts) are kept. */
export enum TcpOption {
  /** 0 or 1. */
  NODELAY = 'noDelay',
  /** 0 or 1: hold back partial segments. */
  CORK = 'cork',
  /** 0 or 1. */
  KEEPALIVE = 'keepAlive',
  KEEPALIVE_IDLE_MS = 'keepAliveIdleMs',
  KEEPALIVE_INTERVAL_MS = 'keepAliveIntervalMs',
  KEEPALIVE_COUNT = 'keepAliveCount',
  /** 0: the stack's own limit on retransmissions. */
  USER_TIMEOUT_MS = 'userTimeoutMs',
  RECEIVE_BYTES = 'receiveBytes',
  SEND_BYTES = 'sendBytes',
  /** MSS to offer and to keep to, 88 at the least, 0: as the path allows; before the handshake. */
  MAX_SEGMENT = 'maxSegment',
  /** 0 or 1: 1 acknowledges at once from now on, 0 lets ACKs wait. */
  QUICK_ACK = 'quickAck',
  SYN_RETRIES = 'synRetries',
  /** How long an orphan waits in FIN-WAIT-2; 0: as the stack, -1: not at all. */
  LINGER2_MS = 'linger2Ms',
  /** Type-of-service octet: the DSCP. Its two ECN bits are TCP's own, and ignored. */
  TOS = 'tos',
  TTL = 'ttl',
  /** 0 to 5: IP_MTU_DISCOVER in Linux's numbers, see MtuDiscover. */
  MTU_DISCOVER = 'mtuDiscover',
  /** What comes with a smaller TTL is dropped (RFC 5082); 0: nothing is. */
  MIN_TTL = 'minTtl',
  /** 0 or 1: what ICMP says of an established connection is told at once (IP_RECVERR), and not only if it times out. */
  RECEIVE_ERRORS = 'receiveErrors',
  /** WRITABLE only when fewer bytes than this are unsent. */
  NOT_SENT_LOW_WATER = 'notSentLowWater',
  /** The receive window is no larger, until a larger segment shows what segments cost or the buffer grows (as Linux). `receiveBytes` is a limit for good. */
  WINDOW_CLAMP = 'windowClamp',
  /** Bytes a second at the most (SO_MAX_PACING_RATE); 0: no limit of the program's. Segments are then spread out. */
  MAX_PACING_RATE = 'maxPacingRate',
  /** 0 or 1: urgent data stays in the stream, as it always does here. */
  OOB_INLINE = 'oobInline',
  /** Whole seconds, 0: off. Of a listener: no connection is offered before data has come. Of one we open: the handshake's last ACK waits for data to go with it. */
  DEFER_ACCEPT_SECONDS = 'deferAcceptSeconds',
  /** Of a listener: Fast Open, with so many connections at the most whose handshake is not complete; 0: off. */
  FAST_OPEN_QUEUE = 'fastOpenQueue',
  /** 0 or 1. Of a listener: data in SYNs is taken without a cookie; of one we open: it is sent without. */
  FAST_OPEN_NO_COOKIE = 'fastOpenNoCookie',
  /** The longest RTO with all back-off, of probes too, 1000 to 120,000; its floor and the longest delay of an ACK, 40 to 200. */
  RTO_MAX_MS = 'rtoMaxMs',
  RTO_MIN_MS = 'rtoMinMs',
  DELAYED_ACK_MAX_MS = 'delayedAckMaxMs',
  /** Of a listener: 1 keeps the headers of SYNs, 2 the MAC header too, until they are read (`takeSavedSyn`). */
  SAVE_SYN = 'saveSyn',
}

/** Smallest and largest value of each option. */
const RANGES: Record<TcpOption, readonly [number, number]> = {
  [TcpOption.NODELAY]: [0, 1],
  [TcpOption.CORK]: [0, 1],
  [TcpOption.KEEPALIVE]: [0, 1],
  // Linux: at most 32,767 s.
  [TcpOption.KEEPALIVE_IDLE_MS]: [1, 32_767_000],
  [TcpOption.KEEPALIVE_INTERVAL_MS]: [1, 32_767_000],
  [TcpOption.KEEPALIVE_COUNT]: [1, 127],
  [TcpOption.USER_TIMEOUT_MS]: [0, 0x7fffffff],
  [TcpOption.RECEIVE_BYTES]: [2304, 1 << 30],
  [TcpOption.SEND_BYTES]: [4608, 1 << 30],
  [TcpOption.MAX_SEGMENT]: [0, 32_767],
  [TcpOption.QUICK_ACK]: [0, 0x7fffffff],
  [TcpOption.SYN_RETRIES]: [1, 127],
  [TcpOption.LINGER2_MS]: [-1, 120_000],
  [TcpOption.TOS]: [0, 255],
  [TcpOption.TTL]: [1, 255],
  [TcpOption.MTU_DISCOVER]: [0, 5],
  [TcpOption.MIN_TTL]: [0, 255],
  [TcpOption.RECEIVE_ERRORS]: [0, 1],
  [TcpOption.NOT_SENT_LOW_WATER]: [0, 0x7fffffff],
  [TcpOption.WINDOW_CLAMP]: [0, 1 << 30],
  [TcpOption.MAX_PACING_RATE]: [0, 0xffff_ffff],
  [TcpOption.OOB_INLINE]: [0, 1],
  [TcpOption.DEFER_ACCEPT_SECONDS]: [0, 0x7fffffff],
  [TcpOption.FAST_OPEN_QUEUE]: [0, 0xffff],
  [TcpOption.FAST_OPEN_NO_COOKIE]: [0, 1],
  [TcpOption.RTO_MAX_MS]: [1000, 120_000],
  [TcpOption.RTO_MIN_MS]: [40, 200],
  [TcpOption.DELAYED_ACK_MAX_MS]: [40, 200],
  [TcpOption.SAVE_SYN]: [0, 2],
};

/** Linux's TCP_MIN_MSS; 0 is allowed besides. */
const MAX_SEGMENT_MIN = 88;

/** Options that are one flag of the hot row. */
const FLAGS: Partial<Record<TcpOption, Flag>> = {
  [TcpOption.NODELAY]: Flag.NODELAY,
  [TcpOption.CORK]: Flag.CORK,
  [TcpOption.KEEPALIVE]: Flag.KEEPALIVE,
  [TcpOption.OOB_INLINE]: Flag.URGENT_INLINE,
};

/** Options that are one field of the cold row, in the option's own unit. */
const FIELDS: Partial<Record<TcpOption, Cold>> = {
  [TcpOption.KEEPALIVE_IDLE_MS]: Cold.KEEP_IDLE_MS,
  [TcpOption.KEEPALIVE_INTERVAL_MS]: Cold.KEEP_INTERVAL_MS,
  [TcpOption.KEEPALIVE_COUNT]: Cold.KEEP_COUNT,
  [TcpOption.USER_TIMEOUT_MS]: Cold.USER_TIMEOUT_MS,
  [TcpOption.RECEIVE_BYTES]: Cold.RCV_LIMIT,
  [TcpOption.SEND_BYTES]: Cold.SND_LIMIT,
  [TcpOption.SYN_RETRIES]: Cold.SYN_RETRIES,
  [TcpOption.LINGER2_MS]: Cold.LINGER2_MS,
  [TcpOption.MAX_PACING_RATE]: Cold.MAX_PACING_RATE,
  [TcpOption.DEFER_ACCEPT_SECONDS]: Cold.DEFER_ACCEPT,
};

/** Options that are one word of the extra row; 0 is that nothing was set. */
const EXTRAS: Partial<Record<TcpOption, Extra>> = {
  [TcpOption.NOT_SENT_LOW_WATER]: Extra.NOTSENT_LOWAT,
  [TcpOption.RTO_MAX_MS]: Extra.RTO_MAX_MS,
  [TcpOption.RTO_MIN_MS]: Extra.RTO_MIN_MS,
  [TcpOption.DELAYED_ACK_MAX_MS]: Extra.DELACK_MAX_MS,
};

export function checkOption(option: TcpOption, value: number): void {
  const range = RANGES[option];
  if (range === undefined) throw new StackError('ENOPROTOOPT', `there is no option ${String(option)}`);
  const low = option === TcpOption.MAX_SEGMENT && value > 0 ? MAX_SEGMENT_MIN : range[0];
  if (!Number.isInteger(value) || value < low || value > range[1]) {
    throw new StackError(
      'ERR_OUT_OF_RANGE',
      `${option} is ${value}; allowed are whole numbers from ${low} to ${range[1]}`,
    );
  }
}

/** Control path. */
export function setOption(tcp: TcpContext, c: number, option: TcpOption, value: number): void {
  checkOption(option, value);
  const { hot, cold } = tcp;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state === State.CLOSED) throw new StackError('EINVAL', `${option}: the connection is closed`);
  // It is about SYNs to come.
  if (option === TcpOption.SAVE_SYN) return;
  const flag = FLAGS[option];
  if (flag !== undefined) {
    setFlag(tcp, c, flag, value !== 0);
    return;
  }
  const k = wake(tcp, c);
  if (k === 0) throw new StackError('ENOBUFS', 'no memory for the option; raise activeMax');
  const field = FIELDS[option];
  if (field !== undefined) cold[k + field] = value;
  const word = EXTRAS[option];
  if (word !== undefined) {
    tcp.extras.rows[extraRow(tcp, k) + word] = value;
    leaveExtraRow(tcp, k);
  }
  // From here on the cold row says something the hot row cannot.
  if (option !== TcpOption.QUICK_ACK) hot[c + Tcb.STATE] |= Flag.CUSTOM;
  switch (option) {
    case TcpOption.RECEIVE_BYTES:
      limitSet(tcp, c, k);
      mark(tcp, c);
      break;
    case TcpOption.WINDOW_CLAMP:
      clampSet(tcp, c, k, value);
      break;
    case TcpOption.SEND_BYTES:
      cold[k + Cold.CUSTOM] |= Custom.SND_LIMIT;
      break;
    case TcpOption.MAX_SEGMENT:
      // After the handshake it says nothing any more (Linux alike): the peer has been told another.
      if (state > State.SYN_RECEIVED) break;
      cold[k + Cold.MSS_CLAMP] = value;
      if (cold[k + Cold.PEER_MSS] !== 0) setSendMss(tcp, c, cold[k + Cold.PEER_MSS]);
      break;
    case TcpOption.MTU_DISCOVER:
      cold[k + Cold.CUSTOM] = withMtuDiscover(cold[k + Cold.CUSTOM], value);
      break;
    case TcpOption.MIN_TTL:
      cold[k + Cold.CUSTOM] = withLeastTtl(cold[k + Cold.CUSTOM], value);
      break;
    case TcpOption.RECEIVE_ERRORS:
      if (value === 1) cold[k + Cold.CUSTOM] |= Custom.RECEIVE_ERRORS;
      else cold[k + Cold.CUSTOM] &= ~Custom.RECEIVE_ERRORS;
      break;
    case TcpOption.TOS:
      // The two ECN bits are TCP's own (Linux alike).
      cold[k + Cold.TOS_AND_TTL] = ((value & ~Ecn.MASK) << 8) | (cold[k + Cold.TOS_AND_TTL] & 0xff);
      break;
    case TcpOption.TTL:
      cold[k + Cold.TOS_AND_TTL] = (cold[k + Cold.TOS_AND_TTL] & ~0xff) | value;
      break;
    case TcpOption.QUICK_ACK:
      setQuickAck(tcp, c, k, value);
      break;
    case TcpOption.FAST_OPEN_NO_COOKIE:
      cold[k + Cold.FAST_OPEN] =
        (cold[k + Cold.FAST_OPEN] & ~FastOpen.NO_COOKIE) | (value === 0 ? 0 : FastOpen.NO_COOKIE);
      break;
    case TcpOption.KEEPALIVE_IDLE_MS:
      if ((hot[c + Tcb.STATE] & Flag.KEEPALIVE) !== 0) beginKeepalive(tcp, c, k);
      break;
  }
}

function setFlag(tcp: TcpContext, c: number, flag: Flag, on: boolean): void {
  const { hot, cold } = tcp;
  // What a write held back is the program's to hold now.
  if (flag === Flag.CORK && isHeld(tcp, c)) liftHold(tcp, c, hot[c + Tcb.COLD]);
  const before = hot[c + Tcb.STATE];
  hot[c + Tcb.STATE] = on ? before | flag : before & ~flag;
  // What Nagle or the cork held back may go now.
  if ((flag === Flag.NODELAY && on) || (flag === Flag.CORK && !on)) mark(tcp, c);
  if (flag === Flag.NODELAY && on && hot[c + Tcb.COLD] !== 0) cold[hot[c + Tcb.COLD] + Cold.CUSTOM] |= Custom.RELEASED;
  if (flag !== Flag.KEEPALIVE) return;
  const k = wake(tcp, c);
  if (k === 0) return;
  if (on) startTimer(tcp, c, k, Timer.KEEPALIVE, cold[k + Cold.KEEP_IDLE_MS] || tcp.limits.keepIdleMs);
  else {
    stopTimer(tcp, k, Timer.KEEPALIVE);
    cold[k + Cold.PROBES_OUT] = 0;
  }
}

/** TCP_QUICKACK: out of interactive mode, and an ACK that is owed goes; an even number other than 0 puts the mode back afterwards. 0: into it. */
function setQuickAck(tcp: TcpContext, c: number, k: number, value: number): void {
  const { hot, cold } = tcp;
  if (value === 0) {
    hot[c + Tcb.STATE] |= Flag.INTERACTIVE;
    return;
  }
  hot[c + Tcb.STATE] &= ~Flag.INTERACTIVE;
  if ((hot[c + Tcb.STATE] & Flag.ACK_PENDING) === 0) return;
  cold[k + Cold.ACK_BITS] |= AckBit.PUSHED;
  ackAfterRead(tcp, c, k);
  if ((value & 1) === 0) hot[c + Tcb.STATE] |= Flag.INTERACTIVE;
}

/** Control path. */
export function getOption(tcp: TcpContext, c: number, option: TcpOption): number {
  const flag = FLAGS[option];
  if (flag === Flag.CORK && isHeld(tcp, c)) return 0;
  if (flag !== undefined) return (tcp.hot[c + Tcb.STATE] & flag) !== 0 ? 1 : 0;
  return withRow(tcp, c, (k) => readOption(tcp, c, k, option));
}

function readOption(tcp: TcpContext, c: number, k: number, option: TcpOption): number {
  const { hot, cold, limits } = tcp;
  const field = FIELDS[option];
  const word = EXTRAS[option];
  const own = k === 0 ? 0 : word !== undefined ? extraOf(tcp, k, word) : field !== undefined ? cold[k + field] : 0;
  switch (option) {
    case TcpOption.RTO_MAX_MS:
      return own || limits.rtoMaxMs;
    case TcpOption.RTO_MIN_MS:
      return own || limits.rtoMinMs;
    case TcpOption.DELAYED_ACK_MAX_MS:
      return own || limits.delayedAckMaxMs;
    case TcpOption.KEEPALIVE_IDLE_MS:
      return own || limits.keepIdleMs;
    case TcpOption.KEEPALIVE_INTERVAL_MS:
      return own || limits.keepIntervalMs;
    case TcpOption.KEEPALIVE_COUNT:
      return own || limits.keepCount;
    case TcpOption.RECEIVE_BYTES:
      return own || limits.receiveBytes;
    case TcpOption.SEND_BYTES:
      return own || limits.sendBytes;
    case TcpOption.SYN_RETRIES:
      return own || limits.synRetries;
    case TcpOption.LINGER2_MS:
      return own || limits.finWait2Ms;
    case TcpOption.MAX_SEGMENT:
      return effectiveMss(tcp, c);
    case TcpOption.WINDOW_CLAMP:
      return k !== 0 && (cold[k + Cold.CUSTOM] & Custom.WINDOW_CLAMP) !== 0 ? cold[k + Cold.WINDOW_CLAMP] : 0;
    case TcpOption.QUICK_ACK:
      return (hot[c + Tcb.STATE] & Flag.INTERACTIVE) === 0 ? 1 : 0;
    case TcpOption.MTU_DISCOVER:
      return k === 0 ? MtuDiscover.WANT : mtuDiscover(cold[k + Cold.CUSTOM]);
    case TcpOption.MIN_TTL:
      return k === 0 ? 0 : leastTtl(cold[k + Cold.CUSTOM]);
    case TcpOption.RECEIVE_ERRORS:
      return k !== 0 && (cold[k + Cold.CUSTOM] & Custom.RECEIVE_ERRORS) !== 0 ? 1 : 0;
    case TcpOption.FAST_OPEN_NO_COOKIE:
      return k !== 0 && (cold[k + Cold.FAST_OPEN] & FastOpen.NO_COOKIE) !== 0 ? 1 : 0;
    case TcpOption.MAX_PACING_RATE:
      return own >>> 0;
    case TcpOption.TOS:
      return k === 0 ? 0 : cold[k + Cold.TOS_AND_TTL] >>> 8;
    case TcpOption.TTL:
      return (k === 0 ? 0 : cold[k + Cold.TOS_AND_TTL] & 0xff) || 64;
    default:
      return own;
  }
}

/**
 * TCP_CONGESTION: the control takes over at once, on a live connection too. cwnd and ssthresh stay; what the one before had learnt goes. Throws
 * ENOENT when nothing is called that.
 */
export function setCongestion(tcp: TcpContext, c: number, name: string): void {
  // An unknown name changes nothing.
  const number = tcp.congestions.numberOf(name);
  if ((tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.CLOSED) {
    throw new StackError('EINVAL', 'congestion: the connection is closed');
  }
  const k = wake(tcp, c);
  if (k === 0) throw new StackError('ENOBUFS', 'no memory for the option; raise activeMax');
  chooseCongestion(tcp, c, k, number);
}

function chooseCongestion(tcp: TcpContext, c: number, k: number, number: number): void {
  tcp.cold[k + Cold.CONGESTION] = number;
  tcp.hot[c + Tcb.STATE] |= Flag.CUSTOM;
  beginCongestionControl(tcp, c, k);
}

export function congestionName(tcp: TcpContext, c: number): string {
  const k = tcp.hot[c + Tcb.COLD];
  return (k === 0 ? tcp.congestions.standard : congestionOf(tcp, k)).name;
}

/** What a new connection starts with: its listener's or its opener's wishes, checked when they were stated. */
export function applyDefaults(tcp: TcpContext, c: number, k: number, defaults: ConnectionDefaults): void {
  const { hot, cold } = tcp;
  if (defaults.noDelay === true) hot[c + Tcb.STATE] |= Flag.NODELAY;
  if (defaults.keepAlive === true) setFlag(tcp, c, Flag.KEEPALIVE, true);
  if (defaults.receiveBytes !== undefined) {
    cold[k + Cold.RCV_LIMIT] = defaults.receiveBytes;
    limitSet(tcp, c, k);
    hot[c + Tcb.STATE] |= Flag.CUSTOM;
  }
  if (defaults.sendBytes !== undefined) {
    cold[k + Cold.SND_LIMIT] = defaults.sendBytes;
    cold[k + Cold.CUSTOM] |= Custom.SND_LIMIT;
    hot[c + Tcb.STATE] |= Flag.CUSTOM;
  }
  if (defaults.userTimeoutMs !== undefined && defaults.userTimeoutMs > 0) {
    cold[k + Cold.USER_TIMEOUT_MS] = defaults.userTimeoutMs;
    hot[c + Tcb.STATE] |= Flag.CUSTOM;
  }
  if (defaults.congestion !== undefined) chooseCongestion(tcp, c, k, tcp.congestions.find(defaults.congestion));
  if (defaults.options !== undefined) applyOptions(tcp, c, defaults.options);
}

/** Control path. Only connections whose program asked for something come here. */
function applyOptions(tcp: TcpContext, c: number, options: ReadonlyMap<string, number>): void {
  for (const [option, value] of options) setOption(tcp, c, option as TcpOption, value);
}

/** Control path. The wishes of a listener or an opener, checked before anything is made. */
export function checkDefaults(tcp: TcpContext, defaults: ConnectionDefaults): void {
  if (defaults.receiveBytes !== undefined) checkOption(TcpOption.RECEIVE_BYTES, defaults.receiveBytes);
  if (defaults.sendBytes !== undefined) checkOption(TcpOption.SEND_BYTES, defaults.sendBytes);
  if (defaults.userTimeoutMs !== undefined) checkOption(TcpOption.USER_TIMEOUT_MS, defaults.userTimeoutMs);
  if (defaults.congestion !== undefined) tcp.congestions.numberOf(defaults.congestion);
  if (defaults.options !== undefined) {
    for (const [option, value] of defaults.options) checkOption(option as TcpOption, value);
  }
}
