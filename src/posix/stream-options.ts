import type { ConnectionId, ListenerId } from '../../stack/base/units.js';
import type { TcpInfo } from '../../stack/tcp/info.js';
import { takeSavedSyn } from '../../stack/tcp/saved-syns.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import { Tcb } from '../../stack/tcp/tcb.js';
import type { Tcp } from '../../stack/tcp/tcp.js';
import { IP, IPV6, SOCKET, TCP } from './constants.js';
import { getIpLevel, type IpOptionTarget, setIpLevel } from './ip-level.js';
import type { LevelEffects } from './socket-level.js';
import type { Settings } from './sysctl.js';
import { getTcpLevel, setTcpLevel, type TcpOptionTarget } from './tcp-level.js';

/** What the options have to know of their socket. */
export interface OptionOwner {
  readonly tcp: Tcp;
  readonly settings: Settings;
  readonly family: number;
  /** 0: there is none. It may have ended. */
  readonly connection: ConnectionId;
  /** 0: it does not listen. */
  readonly listener: ListenerId;
}

/** Options that cannot be asked of the stack before there is a connection, with what they are until then. */
const BEFORE_CONNECTION: ReadonlyMap<TcpOption, (settings: Settings) => number> = new Map<
  TcpOption,
  (settings: Settings) => number
>([
  [TcpOption.KEEPALIVE_IDLE_MS, (s) => s.limits.keepIdleMs],
  [TcpOption.KEEPALIVE_INTERVAL_MS, (s) => s.limits.keepIntervalMs],
  [TcpOption.KEEPALIVE_COUNT, (s) => s.limits.keepCount],
  [TcpOption.RTO_MAX_MS, (s) => s.limits.rtoMaxMs],
  [TcpOption.RTO_MIN_MS, (s) => s.limits.rtoMinMs],
  [TcpOption.DELAYED_ACK_MAX_MS, (s) => s.limits.delayedAckMaxMs],
  [TcpOption.SYN_RETRIES, (s) => s.limits.synRetries],
  [TcpOption.LINGER2_MS, (s) => s.limits.finWait2Ms],
  [TcpOption.RECEIVE_BYTES, (s) => s.limits.receiveBytes],
  [TcpOption.SEND_BYTES, (s) => s.limits.sendBytes],
  // Linux: TCP_MSS_DEFAULT.
  [TcpOption.MAX_SEGMENT, () => 536],
  [TcpOption.QUICK_ACK, () => 1],
  [TcpOption.TTL, () => 64],
  [TcpOption.MTU_DISCOVER, () => IP.IP_PMTUDISC_WANT],
]);

/**
 * The TCP and IP options of a socket. While there is no connection they are kept, and the one to come begins with them; a listener's connections all do. Afterwards
 * they are the connection's.
 */
export class StreamOptions implements TcpOptionTarget, IpOptionTarget {
  readonly type = SOCKET.SOCK_STREAM;
  readonly remembered = new Map<number, number>();
  readonly rememberedIp = new Map<number, number>();
  /** Of a connection to come. */
  readonly chosen = new Map<TcpOption, number>();
  chosenCongestion: string | undefined;
  /** TCP_FASTOPEN_KEY of this socket; undefined: the stack's. */
  #fastOpenKeys: Int32Array | undefined;

  constructor(readonly owner: OptionOwner) {}

  /** What an accepted socket takes over from its listener. */
  inherit(from: StreamOptions): void {
    this.chosenCongestion = from.chosenCongestion;
    for (const [option, value] of from.chosen) this.chosen.set(option, value);
    for (const [option, value] of from.remembered) this.remembered.set(option, value);
    for (const [option, value] of from.rememberedIp) this.rememberedIp.set(option, value);
  }

  /** Undefined: ENOPROTOOPT. */
  get(level: number, option: number, capacity: number): Uint8Array | undefined {
    if (level === TCP.SOL_TCP && option === TCP.TCP_SAVED_SYN) return this.#savedSyn(capacity);
    if (level === TCP.SOL_TCP) return getTcpLevel(this, option);
    return this.#isIp(level) ? getIpLevel(this, level, option) : undefined;
  }

  /** False: ENOPROTOOPT. */
  set(level: number, option: number, value: Uint8Array): boolean {
    if (level === TCP.SOL_TCP) return setTcpLevel(this, option, value);
    return this.#isIp(level) && setIpLevel(this, level, option, value);
  }

  /** What there is of the SYN is kept with the connection, dead or not. */
  #savedSyn(capacity: number): Uint8Array {
    const { tcp, connection } = this.owner;
    if (connection === 0) return new Uint8Array(0);
    return takeSavedSyn(tcp.context, tcp.rowOf(connection) << Tcb.SHIFT, capacity);
  }

  #isIp(level: number): boolean {
    return level === IP.SOL_IP || (level === IPV6.SOL_IPV6 && this.owner.family === SOCKET.AF_INET6);
  }

  get settings(): Settings {
    return this.owner.settings;
  }
  get phase(): TcpOptionTarget['phase'] {
    if (this.owner.listener !== 0) return 'listening';
    return this.#live === 0 ? 'closed' : 'open';
  }

  getTcpOption(option: TcpOption): number {
    const { tcp } = this.owner;
    const liveConnection = this.#live;
    if (liveConnection !== 0 && tcp.state(liveConnection) !== State.SYN_SENT) {
      return tcp.getOption(liveConnection, option);
    }
    return this.chosen.get(option) ?? BEFORE_CONNECTION.get(option)?.(this.settings) ?? 0;
  }

  setTcpOption(option: TcpOption, value: number): void {
    const { tcp } = this.owner;
    const liveConnection = this.#live;
    if (liveConnection !== 0) tcp.setOption(liveConnection, option, value);
    // It is about what has come, not about what will.
    else if (option === TcpOption.QUICK_ACK) return;
    this.chosen.set(option, value);
  }

  get congestion(): string {
    const { tcp } = this.owner;
    const liveConnection = this.#live;
    if (liveConnection !== 0) return tcp.congestionOf(liveConnection);
    return this.chosenCongestion ?? this.settings.limits.congestion;
  }
  set congestion(name: string) {
    const { tcp } = this.owner;
    const liveConnection = this.#live;
    // Throws ENOENT before anything has changed.
    tcp.context.congestions.numberOf(name);
    if (liveConnection !== 0) tcp.setCongestion(liveConnection, name);
    this.chosenCongestion = name;
  }

  /** What SOL_SOCKET does to a stream. */
  levelEffects(takeError: () => number): LevelEffects {
    return {
      buffers: (kind, bytes) => this.setTcpOption(bufferOption(kind), bytes),
      bufferBytes: (kind) => this.getTcpOption(bufferOption(kind)),
      keepAlive: (on) => this.setTcpOption(TcpOption.KEEPALIVE, on ? 1 : 0),
      broadcast: () => {},
      pacing: (rate) =>
        this.setTcpOption(TcpOption.MAX_PACING_RATE, rate === Infinity ? 0 : Math.min(rate, 0xffff_ffff)),
      receiveLowWater: () => {},
      outOfBandInline: (on) => this.setTcpOption(TcpOption.OOB_INLINE, on ? 1 : 0),
      takeError,
      listening: () => this.owner.listener !== 0,
      memory: () => {
        const { tcp } = this.owner;
        const liveConnection = this.#live;
        if (liveConnection === 0) return { receive: 0, send: 0 };
        return { receive: tcp.readable(liveConnection), send: tcp.unacknowledged(liveConnection) };
      },
    };
  }

  get fastOpenConnect(): boolean {
    return this.remembered.get(TCP.TCP_FASTOPEN_CONNECT) === 1;
  }
  get fastOpenKeys(): Int32Array {
    return this.#fastOpenKeys ?? this.owner.tcp.context.fastOpenKeys;
  }
  set fastOpenKeys(keys: Int32Array) {
    this.#fastOpenKeys = keys;
    this.useFastOpenKey();
  }
  useFastOpenKey(): void {
    const listener = this.owner.tcp.context.listeners.byId(this.owner.listener);
    if (listener !== undefined) listener.fastOpenKeys = this.#fastOpenKeys;
  }

  /** 0: there is none, or it has ended. */
  get #live(): ConnectionId {
    const { tcp, connection } = this.owner;
    return connection !== 0 && tcp.state(connection) !== State.CLOSED ? connection : (0 as ConnectionId);
  }
  info(): TcpInfo | undefined {
    // As Linux also of one that has ended.
    const { tcp, connection } = this.owner;
    return connection === 0 ? undefined : tcp.info(connection);
  }
  backlog(): { waiting: number; limit: number } {
    const { waiting, backlog } = this.owner.tcp.listenerInfo(this.owner.listener);
    return { waiting, limit: backlog };
  }

  get tos(): number {
    return this.getTcpOption(TcpOption.TOS);
  }
  set tos(value: number) {
    this.setTcpOption(TcpOption.TOS, value);
  }
  get ttl(): number {
    return this.getTcpOption(TcpOption.TTL);
  }
  set ttl(value: number) {
    this.setTcpOption(TcpOption.TTL, value);
  }
  get mtuDiscover(): number {
    return this.getTcpOption(TcpOption.MTU_DISCOVER);
  }
  set mtuDiscover(value: number) {
    this.setTcpOption(TcpOption.MTU_DISCOVER, value);
  }
  ipOptionChanged(option: number, value: number): void {
    if (option === IP.IP_MINTTL) this.setTcpOption(TcpOption.MIN_TTL, value);
    else if (option === IP.IP_RECVERR) this.setTcpOption(TcpOption.RECEIVE_ERRORS, value);
  }
  pathMtu(): number | undefined {
    const { tcp } = this.owner;
    const liveConnection = this.#live;
    if (liveConnection === 0 || tcp.state(liveConnection) === State.SYN_SENT) return undefined;
    return tcp.context.net.pathMtu(tcp.remoteAddress(liveConnection));
  }
}

function bufferOption(kind: 'send' | 'receive'): TcpOption {
  return kind === 'send' ? TcpOption.SEND_BYTES : TcpOption.RECEIVE_BYTES;
}
