import { SO, SOCKET } from './constants.js';
import {
  intBytes,
  intsBytes,
  intValue,
  lingerValue,
  textBytes,
  textValue,
  timeoutBytes,
  timeoutValue,
  wideBytes,
} from './option-value.js';
import { PosixError } from './posix-error.js';

/** What SOL_SOCKET has to do on a socket of its kind, beyond remembering. */
export interface LevelEffects {
  /** Bytes, doubled and bounded as the option is told back. */
  buffers(kind: 'send' | 'receive', bytes: number): void;
  bufferBytes(kind: 'send' | 'receive'): number;
  keepAlive(on: boolean): void;
  broadcast(on: boolean): void;
  /** Bytes a second; Infinity: no limit. */
  pacing(bytesPerSecond: number): void;
  receiveLowWater(bytes: number): void;
  outOfBandInline(on: boolean): void;
  takeError(): number;
  listening(): boolean;
  /** Bytes that wait in both queues and what is still unsent: for SO_MEMINFO. */
  memory(): { receive: number; send: number };
}

/** Linux: SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF. */
const SEND_BYTES_MIN = 4608;
const RECEIVE_BYTES_MIN = 2304;

/** Options that are on or off and mean nothing more to this stack. */
const SWITCHES: ReadonlySet<number> = new Set([
  SO.SO_DEBUG,
  SO.SO_DONTROUTE,
  SO.SO_NO_CHECK,
  SO.SO_TIMESTAMP,
  SO.SO_TIMESTAMPNS,
  SO.SO_TIMESTAMP_NEW,
  SO.SO_TIMESTAMPNS_NEW,
  SO.SO_RXQ_OVFL,
  SO.SO_WIFI_STATUS,
  SO.SO_NOFCS,
  SO.SO_SELECT_ERR_QUEUE,
  SO.SO_PASSCRED,
  SO.SO_PASSSEC,
  SO.SO_PREFER_BUSY_POLL,
  SO.SO_RCVMARK,
]);

/** … and those that are a number, kept and told back. */
const NUMBERS: ReadonlySet<number> = new Set([
  SO.SO_PRIORITY,
  SO.SO_MARK,
  SO.SO_BUSY_POLL,
  SO.SO_BUSY_POLL_BUDGET,
  SO.SO_TIMESTAMPING,
  SO.SO_TIMESTAMPING_NEW,
  SO.SO_INCOMING_CPU,
  SO.SO_PEEK_OFF,
  SO.SO_TXREHASH,
  SO.SO_CNX_ADVICE,
  SO.SO_BUF_LOCK,
  SO.SO_BINDTOIFINDEX,
]);

let cookies = 0;

/** Level SOL_SOCKET: the same for sockets of every kind. */
export class SocketLevel {
  reuseAddress = false;
  reusePort = false;
  /** Seconds; undefined: off. */
  linger: number | undefined = undefined;
  receiveTimeoutMs = Infinity;
  sendTimeoutMs = Infinity;
  receiveLowWater = 1;
  zeroCopy = false;
  keepAlive = false;
  broadcast = false;
  outOfBandInline = false;
  maxPacingRate = Infinity;
  #device = '';
  #cookie = 0;
  readonly #values = new Map<number, number>();

  constructor(
    readonly family: number,
    readonly type: number,
    readonly protocol: number,
    readonly effects: LevelEffects,
    readonly maxima: () => { readonly send: number; readonly receive: number },
  ) {}

  /** What an accepted socket takes over from its listener. */
  inherit(from: SocketLevel): void {
    this.reuseAddress = from.reuseAddress;
    this.reusePort = from.reusePort;
    this.linger = from.linger;
    this.receiveTimeoutMs = from.receiveTimeoutMs;
    this.sendTimeoutMs = from.sendTimeoutMs;
    this.receiveLowWater = from.receiveLowWater;
    this.zeroCopy = from.zeroCopy;
    this.keepAlive = from.keepAlive;
    this.outOfBandInline = from.outOfBandInline;
    this.maxPacingRate = from.maxPacingRate;
    this.#device = from.#device;
    for (const [option, value] of from.#values) this.#values.set(option, value);
  }

  /** False: ENOPROTOOPT. */
  set(option: number, value: Uint8Array): boolean {
    if (option === SO.SO_BINDTODEVICE) {
      this.#device = textValue(value);
      if (this.#device !== '' && !/^(tun\d+|mill\d+|lo)$/.test(this.#device)) {
        throw new PosixError('ENODEV', `there is no device ${this.#device}`);
      }
      return true;
    }
    const number = intValue(value);
    const on = number !== 0;
    switch (option) {
      case SO.SO_REUSEADDR:
        this.reuseAddress = on;
        return true;
      case SO.SO_REUSEPORT:
        this.reusePort = on;
        return true;
      case SO.SO_KEEPALIVE:
        this.keepAlive = on;
        this.effects.keepAlive(on);
        return true;
      case SO.SO_BROADCAST:
        this.broadcast = on;
        this.effects.broadcast(on);
        return true;
      case SO.SO_OOBINLINE:
        this.outOfBandInline = on;
        this.effects.outOfBandInline(on);
        return true;
      case SO.SO_LINGER:
        this.linger = lingerValue(value);
        return true;
      case SO.SO_RCVTIMEO:
      case SO.SO_RCVTIMEO_NEW:
        this.receiveTimeoutMs = timeoutValue(value);
        return true;
      case SO.SO_SNDTIMEO:
      case SO.SO_SNDTIMEO_NEW:
        this.sendTimeoutMs = timeoutValue(value);
        return true;
      case SO.SO_SNDBUF:
        this.effects.buffers('send', doubled(Math.min(number >>> 0, this.maxima().send), SEND_BYTES_MIN));
        return true;
      case SO.SO_SNDBUFFORCE:
        this.effects.buffers('send', doubled(Math.max(0, number), SEND_BYTES_MIN));
        return true;
      case SO.SO_RCVBUF:
        this.effects.buffers('receive', doubled(Math.min(number >>> 0, this.maxima().receive), RECEIVE_BYTES_MIN));
        return true;
      case SO.SO_RCVBUFFORCE:
        this.effects.buffers('receive', doubled(Math.max(0, number), RECEIVE_BYTES_MIN));
        return true;
      case SO.SO_RCVLOWAT:
        this.receiveLowWater = number < 0 ? 0x7fffffff : number || 1;
        this.effects.receiveLowWater(this.receiveLowWater);
        return true;
      case SO.SO_MAX_PACING_RATE:
        this.maxPacingRate = rateValue(value);
        this.effects.pacing(this.maxPacingRate);
        return true;
      case SO.SO_ZEROCOPY:
        if (number < 0 || number > 1) throw new PosixError('EINVAL', 'SO_ZEROCOPY is 0 or 1');
        if (this.protocol !== SOCKET.IPPROTO_TCP && this.protocol !== SOCKET.IPPROTO_UDP) {
          throw new PosixError('EOPNOTSUPP', 'SO_ZEROCOPY is for TCP and UDP');
        }
        this.zeroCopy = on;
        return true;
      case SO.SO_PRIORITY:
        this.#values.set(option, number);
        return true;
    }
    if (SWITCHES.has(option)) this.#values.set(option, on ? 1 : 0);
    else if (NUMBERS.has(option)) this.#values.set(option, number);
    else return false;
    return true;
  }

  get(option: number): Uint8Array | undefined {
    switch (option) {
      case SO.SO_REUSEADDR:
        return intBytes(this.reuseAddress ? 1 : 0);
      case SO.SO_REUSEPORT:
        return intBytes(this.reusePort ? 1 : 0);
      case SO.SO_KEEPALIVE:
        return intBytes(this.keepAlive ? 1 : 0);
      case SO.SO_BROADCAST:
        return intBytes(this.broadcast ? 1 : 0);
      case SO.SO_OOBINLINE:
        return intBytes(this.outOfBandInline ? 1 : 0);
      case SO.SO_TYPE:
        return intBytes(this.type);
      case SO.SO_PROTOCOL:
        return intBytes(this.protocol);
      case SO.SO_DOMAIN:
        return intBytes(this.family);
      case SO.SO_ERROR:
        return intBytes(this.effects.takeError());
      case SO.SO_ACCEPTCONN:
        return intBytes(this.effects.listening() ? 1 : 0);
      case SO.SO_LINGER:
        return intsBytes([this.linger === undefined ? 0 : 1, this.linger ?? 0]);
      case SO.SO_RCVTIMEO:
      case SO.SO_RCVTIMEO_NEW:
        return timeoutBytes(this.receiveTimeoutMs);
      case SO.SO_SNDTIMEO:
      case SO.SO_SNDTIMEO_NEW:
        return timeoutBytes(this.sendTimeoutMs);
      case SO.SO_SNDBUF:
        return intBytes(this.effects.bufferBytes('send'));
      case SO.SO_RCVBUF:
        return intBytes(this.effects.bufferBytes('receive'));
      case SO.SO_RCVLOWAT:
        return intBytes(this.receiveLowWater);
      case SO.SO_SNDLOWAT:
        return intBytes(1);
      case SO.SO_MAX_PACING_RATE:
        return this.maxPacingRate === Infinity ? new Uint8Array(8).fill(0xff) : wideBytes(this.maxPacingRate);
      case SO.SO_ZEROCOPY:
        return intBytes(this.zeroCopy ? 1 : 0);
      case SO.SO_BINDTODEVICE:
        return textBytes(this.#device, this.#device.length === 0 ? 1 : 16);
      case SO.SO_COOKIE:
        if (this.#cookie === 0) this.#cookie = ++cookies;
        return wideBytes(this.#cookie);
      case SO.SO_MEMINFO: {
        const { receive, send } = this.effects.memory();
        const limits = [this.effects.bufferBytes('receive'), this.effects.bufferBytes('send')] as const;
        // SK_MEMINFO: rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem, backlog, drops.
        return intsBytes([receive, limits[0], send, limits[1], 0, send, 0, 0, 0]);
      }
      case SO.SO_INCOMING_NAPI_ID:
      case SO.SO_BPF_EXTENSIONS:
        return intBytes(0);
    }
    if (SWITCHES.has(option) || NUMBERS.has(option)) return intBytes(this.#values.get(option) ?? 0);
    return undefined;
  }
}

/** Linux counts what it must keep beside the bytes: a program's limit is taken twice. */
function doubled(bytes: number, min: number): number {
  return Math.max(Math.min(bytes, 0x3fffffff) * 2, min);
}

function rateValue(value: Uint8Array): number {
  if (value.length < 8) {
    const rate = intValue(value);
    return rate === -1 ? Infinity : rate >>> 0;
  }
  const rate = Buffer.from(value).readBigUInt64LE(0);
  return rate === 0xffff_ffff_ffff_ffffn ? Infinity : Number(rate);
}
