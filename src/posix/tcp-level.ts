import { fastOpenKeys } from '../../stack/tcp/fast-open.js';
import type { TcpInfo } from '../../stack/tcp/info.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { TCP } from './constants.js';
import { checkFastOpen, keyBytes } from './fast-open.js';
import { intBytes, intValue, textBytes, textValue } from './option-value.js';
import { PosixError } from './posix-error.js';
import type { Settings } from './sysctl.js';
import { closedInfo, infoBytes, listenerInfo } from './tcp-info.js';

/** A TCP socket as its options see it. */
export interface TcpOptionTarget {
  readonly phase: 'closed' | 'listening' | 'open';
  /** Of the connection, or what one will begin with. */
  getTcpOption(option: TcpOption): number;
  setTcpOption(option: TcpOption, value: number): void;
  congestion: string;
  info(): TcpInfo | undefined;
  backlog(): { waiting: number; limit: number };
  readonly settings: Settings;
  fastOpenKeys: Int32Array;
  /** Values that are told back as they were set. */
  readonly remembered: Map<number, number>;
}

interface TcpOptionRule {
  set?(target: TcpOptionTarget, value: number): void;
  get?(target: TcpOptionTarget): number;
}

const NAME_BYTES_MAX = 16;
const SECOND = 1000;

function inRange(value: number, least: number, most: number, name: string): number {
  if (value < least || value > most) throw new PosixError('EINVAL', `${name} is ${least} to ${most}, not ${value}`);
  return value;
}

function plain(option: TcpOption, name: string, least: number, most: number, unit = 1): TcpOptionRule {
  return {
    set: (target, value) => target.setTcpOption(option, inRange(value, least, most, name) * unit),
    get: (target) => Math.floor(target.getTcpOption(option) / unit),
  };
}

/** 40 to 200 ms, in µs; a part of a tick counts as one, and the stack's tick is a millisecond (Linux's is 1 to 10). */
function microseconds(option: TcpOption, name: string): TcpOptionRule {
  return {
    set: (target, value) => target.setTcpOption(option, inRange(Math.ceil(value / 1000), 40, 200, `${name} / 1000`)),
    get: (target) => target.getTcpOption(option) * 1000,
  };
}

function toggle(option: TcpOption): TcpOptionRule {
  return {
    set: (target, value) => target.setTcpOption(option, value === 0 ? 0 : 1),
    get: (target) => target.getTcpOption(option),
  };
}

function beforeConnection(target: TcpOptionTarget, name: string): void {
  if (target.phase === 'open') throw new PosixError('EINVAL', `${name} is for sockets without a connection`);
}

function remember(number: number, least: number, most: number, name: string): TcpOptionRule {
  return {
    set: (target, value) => {
      target.remembered.set(number, inRange(value, least, most, name));
    },
    get: (target) => target.remembered.get(number) ?? 0,
  };
}

/** Linux: TCP_MIN_MSS, MAX_TCP_WINDOW, TCP_FIN_TIMEOUT_MAX, half of SOCK_MIN_RCVBUF. */
const MAXSEG_MIN = 88;
const MAXSEG_MAX = 32_767;
const LINGER2_MAX_S = 120;
const CLAMP_MIN = 1152;
const INT_MAX = 0x7fffffff;

const RULES: ReadonlyMap<number, TcpOptionRule> = new Map<number, TcpOptionRule>([
  [TCP.TCP_NODELAY, toggle(TcpOption.NODELAY)],
  [TCP.TCP_CORK, toggle(TcpOption.CORK)],
  [TCP.TCP_KEEPIDLE, plain(TcpOption.KEEPALIVE_IDLE_MS, 'TCP_KEEPIDLE', 1, 32_767, SECOND)],
  [TCP.TCP_KEEPINTVL, plain(TcpOption.KEEPALIVE_INTERVAL_MS, 'TCP_KEEPINTVL', 1, 32_767, SECOND)],
  [TCP.TCP_KEEPCNT, plain(TcpOption.KEEPALIVE_COUNT, 'TCP_KEEPCNT', 1, 127)],
  [TCP.TCP_SYNCNT, plain(TcpOption.SYN_RETRIES, 'TCP_SYNCNT', 1, 127)],
  [TCP.TCP_USER_TIMEOUT, plain(TcpOption.USER_TIMEOUT_MS, 'TCP_USER_TIMEOUT', 0, INT_MAX)],
  [
    TCP.TCP_MAXSEG,
    {
      set: (target, value) => {
        if (value === 0) return;
        target.setTcpOption(TcpOption.MAX_SEGMENT, inRange(value, MAXSEG_MIN, MAXSEG_MAX, 'TCP_MAXSEG'));
      },
      get: (target) => target.getTcpOption(TcpOption.MAX_SEGMENT),
    },
  ],
  [
    TCP.TCP_LINGER2,
    {
      // A negative value: no waiting in FIN-WAIT-2 at all.
      set: (target, value) => {
        target.setTcpOption(TcpOption.LINGER2_MS, value < 0 ? -1 : Math.min(value, LINGER2_MAX_S) * SECOND);
      },
      get: (target) => {
        const ms = target.getTcpOption(TcpOption.LINGER2_MS);
        return ms < 0 ? -1 : Math.floor(ms / SECOND);
      },
    },
  ],
  [
    TCP.TCP_WINDOW_CLAMP,
    {
      set: (target, value) => {
        if (value !== 0) target.setTcpOption(TcpOption.WINDOW_CLAMP, Math.max(CLAMP_MIN, value));
        else if (target.phase === 'closed') target.setTcpOption(TcpOption.WINDOW_CLAMP, 0);
        else throw new PosixError('EINVAL', 'the clamp of a connection is not taken away any more');
      },
      get: (target) => target.getTcpOption(TcpOption.WINDOW_CLAMP),
    },
  ],
  [
    TCP.TCP_QUICKACK,
    {
      // Linux looks at the lowest bit.
      set: (target, value) => target.setTcpOption(TcpOption.QUICK_ACK, value & 1),
      get: (target) => target.getTcpOption(TcpOption.QUICK_ACK),
    },
  ],
  [
    TCP.TCP_NOTSENT_LOWAT,
    {
      set: (target, value) => target.setTcpOption(TcpOption.NOT_SENT_LOW_WATER, value < 0 ? INT_MAX : value),
      get: (target) => target.getTcpOption(TcpOption.NOT_SENT_LOW_WATER),
    },
  ],
  [
    TCP.TCP_DEFER_ACCEPT,
    {
      set: (target, value) => target.setTcpOption(TcpOption.DEFER_ACCEPT_SECONDS, Math.max(0, value)),
      get: (target) => deferredSeconds(target.getTcpOption(TcpOption.DEFER_ACCEPT_SECONDS)),
    },
  ],
  [
    TCP.TCP_FASTOPEN,
    {
      set: (target, value) => {
        beforeConnection(target, 'TCP_FASTOPEN');
        if (value < 0) throw new PosixError('EINVAL', 'TCP_FASTOPEN is the length of a queue');
        target.setTcpOption(TcpOption.FAST_OPEN_QUEUE, Math.min(value, target.settings.sockets.somaxconn));
      },
      get: (target) => target.getTcpOption(TcpOption.FAST_OPEN_QUEUE),
    },
  ],
  [
    TCP.TCP_FASTOPEN_NO_COOKIE,
    {
      set: (target, value) => {
        inRange(value, 0, 1, 'TCP_FASTOPEN_NO_COOKIE');
        beforeConnection(target, 'TCP_FASTOPEN_NO_COOKIE');
        target.setTcpOption(TcpOption.FAST_OPEN_NO_COOKIE, value);
      },
      get: (target) => target.getTcpOption(TcpOption.FAST_OPEN_NO_COOKIE),
    },
  ],
  [
    TCP.TCP_FASTOPEN_CONNECT,
    {
      set: (target, value) => {
        inRange(value, 0, 1, 'TCP_FASTOPEN_CONNECT');
        checkFastOpen(target.settings);
        if (target.phase !== 'closed') throw new PosixError('EINVAL', 'TCP_FASTOPEN_CONNECT comes before connect');
        target.remembered.set(TCP.TCP_FASTOPEN_CONNECT, value);
      },
      get: (target) => target.remembered.get(TCP.TCP_FASTOPEN_CONNECT) ?? 0,
    },
  ],
  [TCP.TCP_RTO_MAX_MS, plain(TcpOption.RTO_MAX_MS, 'TCP_RTO_MAX_MS', 1000, 120_000)],
  [TCP.TCP_RTO_MIN_US, microseconds(TcpOption.RTO_MIN_MS, 'TCP_RTO_MIN_US')],
  [TCP.TCP_DELACK_MAX_US, microseconds(TcpOption.DELAYED_ACK_MAX_MS, 'TCP_DELACK_MAX_US')],
  [TCP.TCP_INQ, remember(TCP.TCP_INQ, 0, 1, 'TCP_INQ')],
  [
    TCP.TCP_SAVE_SYN,
    {
      set: (target, value) => {
        target.setTcpOption(TcpOption.SAVE_SYN, inRange(value, 0, 2, 'TCP_SAVE_SYN'));
        target.remembered.set(TCP.TCP_SAVE_SYN, value);
      },
      get: (target) => target.remembered.get(TCP.TCP_SAVE_SYN) ?? 0,
    },
  ],
  [TCP.TCP_THIN_LINEAR_TIMEOUTS, remember(TCP.TCP_THIN_LINEAR_TIMEOUTS, 0, 1, 'TCP_THIN_LINEAR_TIMEOUTS')],
  [TCP.TCP_THIN_DUPACK, remember(TCP.TCP_THIN_DUPACK, 0, 1, 'TCP_THIN_DUPACK')],
  [TCP.TCP_TX_DELAY, remember(TCP.TCP_TX_DELAY, 0, INT_MAX, 'TCP_TX_DELAY')],
  // Repair is for those who freeze a process and thaw it elsewhere; off is what it always is.
  [TCP.TCP_REPAIR, { get: () => 0 }],
  [TCP.TCP_TIMESTAMP, { get: () => 0 }],
]);

/** Linux keeps how many retransmissions of the SYN-ACK the time is worth, and tells back how long those take. */
function deferredSeconds(asked: number): number {
  let seconds = 0;
  for (let timeout = 1; seconds < asked; timeout = Math.min(timeout * 2, 120)) seconds += timeout;
  return seconds;
}

/** False: ENOPROTOOPT. */
export function setTcpLevel(target: TcpOptionTarget, option: number, value: Uint8Array): boolean {
  if (option === TCP.TCP_CONGESTION) {
    if (value.length < 1) throw new PosixError('EINVAL', 'TCP_CONGESTION takes a name');
    target.congestion = textValue(value.subarray(0, NAME_BYTES_MAX));
    return true;
  }
  if (option === TCP.TCP_ULP) throw new PosixError('ENOENT', 'there are no protocols above TCP here');
  if (option === TCP.TCP_FASTOPEN_KEY) {
    if (value.length !== 16 && value.length !== 32) throw new PosixError('EINVAL', 'a key is 16 bytes, two are 32');
    target.fastOpenKeys = fastOpenKeys(value);
    return true;
  }
  const rule = RULES.get(option);
  if (rule?.set === undefined) {
    if (rule === undefined) return false;
    throw new PosixError('EPERM', `TCP option ${option} cannot be set here`);
  }
  rule.set(target, intValue(value));
  return true;
}

export function getTcpLevel(target: TcpOptionTarget, option: number): Uint8Array | undefined {
  if (option === TCP.TCP_CONGESTION) return textBytes(target.congestion, NAME_BYTES_MAX);
  if (option === TCP.TCP_FASTOPEN_KEY) return keyBytes(target.fastOpenKeys);
  if (option === TCP.TCP_INFO) {
    const info = target.info();
    if (info !== undefined) return infoBytes(info);
    return target.phase === 'listening' ? listenerInfo(target.backlog()) : closedInfo();
  }
  if (option === TCP.TCP_CC_INFO || option === TCP.TCP_ULP) return new Uint8Array(0);
  const get = RULES.get(option)?.get;
  return get === undefined ? undefined : intBytes(get(target));
}
