import type { Address, UdpId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { UdpOption } from '../../stack/udp/options.js';
import { UDP_PAYLOAD_BYTES_MAX } from '../../stack/udp/udp.js';
import { FIRST_DROP, Verdict } from '../../stack/wire/verdict.js';
import { FILE, IP, MESSAGE, POLL, SOCKET } from './constants.js';
import { ERRNO } from './errno.js';
import { getIpLevel, type IpOptionTarget, setIpLevel } from './ip-level.js';
import { failed, succeeded } from './outcome.js';
import { PosixError } from './posix-error.js';
import { addressFor, type Endpoint, type PosixSocket, pendingError, type SocketEnvironment } from './socket.js';
import type { Outcome, PendingCall } from './socket-calls.js';
import { SocketLevel } from './socket-level.js';
import type { WaitingCall } from './waits.js';

/** SOCK_DGRAM: a UDP socket. */
export class DatagramSocket implements PosixSocket, IpOptionTarget {
  readonly type = SOCKET.SOCK_DGRAM;
  readonly protocol = SOCKET.IPPROTO_UDP;
  readonly waiting = new Set<WaitingCall>();
  readonly level: SocketLevel;
  readonly rememberedIp = new Map<number, number>();
  readonly notices = undefined;
  readonly listening = false;
  nonBlocking = false;
  #id: UdpId;
  #bound: Endpoint | undefined;
  #connected = false;
  #error = 0;
  #shut = 0;
  #mtuDiscover: number = IP.IP_PMTUDISC_WANT;
  #sendBytes = 212_992;

  constructor(
    readonly environment: SocketEnvironment,
    readonly family: number,
  ) {
    this.level = new SocketLevel(
      family,
      this.type,
      this.protocol,
      {
        buffers: (kind, bytes) => {
          if (kind === 'receive') this.#udp.setOption(this.#id, UdpOption.RECEIVE_BYTES_MAX, bytes);
          else this.#sendBytes = bytes;
        },
        bufferBytes: (kind) =>
          kind === 'receive' ? this.#udp.getOption(this.#id, UdpOption.RECEIVE_BYTES_MAX) : this.#sendBytes,
        keepAlive: () => {},
        broadcast: (on) => this.#udp.setOption(this.#id, UdpOption.BROADCAST, on ? 1 : 0),
        pacing: () => {},
        receiveLowWater: () => {},
        outOfBandInline: () => {},
        takeError: () => this.takeError(),
        listening: () => false,
        memory: () => ({ receive: this.#udp.queuedBytes(this.#id), send: 0 }),
      },
      () => ({ send: environment.settings.sockets.wmemMax, receive: environment.settings.sockets.rmemMax }),
    );
    this.#id = this.#udp.open();
    environment.watch(SocketKind.UDP, this.#udp.rowOf(this.#id), this);
  }

  get #udp(): SocketEnvironment['stack']['udp'] {
    return this.environment.stack.udp;
  }

  bind(endpoint: Endpoint): void {
    if (this.#udp.localPort(this.#id) !== 0) throw new PosixError('EINVAL', 'the socket is bound already');
    const bound = this.environment.bindings.bind(this.protocol, this, endpoint);
    // The stack's socket has its address from the beginning: another takes its place.
    let id: UdpId;
    try {
      id = this.#udp.open({
        address: bound.address,
        port: bound.port,
        reuse: this.level.reuseAddress || this.level.reusePort,
      });
    } catch (error) {
      this.environment.bindings.release(this.protocol, this, bound.port);
      throw error;
    }
    for (const option of KEPT) this.#udp.setOption(id, option, this.#udp.getOption(this.#id, option));
    this.#drop();
    this.#id = id;
    this.#bound = bound;
    this.environment.watch(SocketKind.UDP, this.#udp.rowOf(id), this);
  }

  #drop(): void {
    this.environment.unwatch(SocketKind.UDP, this.#udp.rowOf(this.#id), this);
    this.#udp.close(this.#id);
  }

  listen(): void {
    throw new PosixError('EOPNOTSUPP', 'a datagram socket has no connections to wait for');
  }
  accept(): PendingCall {
    throw new PosixError('EOPNOTSUPP', 'a datagram socket has no connections to accept');
  }

  connect(endpoint: Endpoint | undefined): PendingCall {
    if (endpoint !== undefined) this.#udp.connect(this.#id, endpoint.address, endpoint.port);
    else if (this.#connected) this.#udp.disconnect(this.#id);
    this.#connected = endpoint !== undefined;
    return this.environment.waits.done(succeeded());
  }

  recv(length: number, flags: number): PendingCall {
    if ((flags & MESSAGE.MSG_ERRQUEUE) !== 0) throw new PosixError('EAGAIN', 'nothing waits in the error queue');
    const attempt = (): Outcome | undefined => {
      const waiting = this.#udp.readable(this.#id);
      if (waiting >= 0) return this.#take(waiting, length, flags);
      const error = pendingError(this);
      if (error !== undefined) return error;
      return (this.#shut & 1) !== 0 ? succeeded(0, { data: new Uint8Array(0) }) : undefined;
    };
    const patience = this.nonBlocking || (flags & MESSAGE.MSG_DONTWAIT) !== 0 ? 0 : this.level.receiveTimeoutMs;
    return this.environment.waits.call(attempt, [this], patience, () => failed('EAGAIN'));
  }

  #take(waiting: number, length: number, flags: number): Outcome {
    const room = Math.min(length, waiting);
    const data = new Uint8Array(room);
    if ((flags & MESSAGE.MSG_PEEK) !== 0) this.#udp.peek(this.#id, data, 0, room);
    else this.#udp.receive(this.#id, data, 0, room);
    const from = { address: this.#udp.lastSource, port: this.#udp.lastPort };
    return succeeded((flags & MESSAGE.MSG_TRUNC) !== 0 ? waiting : room, {
      data,
      address: addressFor(this.environment.stack, this.family, from),
      messageFlags: waiting > length ? MESSAGE.MSG_TRUNC : 0,
      control: [],
    });
  }

  send(data: Uint8Array, flags: number, to: Endpoint | undefined): PendingCall {
    const { waits } = this.environment;
    if ((flags & MESSAGE.MSG_OOB) !== 0) throw new PosixError('EOPNOTSUPP', 'a datagram is not urgent');
    const error = pendingError(this);
    if (error !== undefined) return waits.done(error);
    if ((this.#shut & 2) !== 0) throw new PosixError('EPIPE', 'this side is shut');
    if (data.length > UDP_PAYLOAD_BYTES_MAX) throw new PosixError('EMSGSIZE', `${data.length} bytes are too many`);
    if (to !== undefined && to.port === 0) throw new PosixError('EINVAL', 'port 0 is nobody');
    const verdict = this.#udp.send(this.#id, data, 0, data.length, to?.address, to?.port);
    switch (verdict) {
      case Verdict.TOO_BIG:
        return waits.done(failed('EMSGSIZE'));
      case Verdict.NO_ROUTE:
      case Verdict.INTERFACE_DOWN:
        return waits.done(failed('ENETUNREACH'));
      case Verdict.NO_BUFFER:
        return waits.done(failed('ENOBUFS'));
      default:
        return waits.done(
          verdict < FIRST_DROP || verdict === Verdict.NEIGHBOR_PENDING ? succeeded(data.length) : failed('EPERM'),
        );
    }
  }

  shutdown(how: number): void {
    if (!this.#connected) throw new PosixError('ENOTCONN', 'the socket is not connected');
    this.#shut |= how + 1;
  }

  close(): PendingCall {
    this.#drop();
    if (this.#bound !== undefined) this.environment.bindings.release(this.protocol, this, this.#bound.port);
    return this.environment.waits.done(succeeded());
  }

  queueLength(request: number): number | undefined {
    if (request === FILE.SIOCINQ) return Math.max(0, this.#udp.readable(this.#id));
    return request === FILE.SIOCOUTQ ? 0 : undefined;
  }

  localEndpoint(): Endpoint {
    return { address: this.#udp.localAddress(this.#id), port: this.#udp.localPort(this.#id) };
  }
  remoteEndpoint(): Endpoint | undefined {
    if (!this.#connected) return undefined;
    return { address: this.#udp.remoteAddress(this.#id), port: this.#udp.remotePort(this.#id) };
  }

  readiness(): number {
    let bits = POLL.POLLOUT | POLL.POLLWRNORM;
    if (this.#udp.readable(this.#id) >= 0 || (this.#shut & 1) !== 0) bits |= POLL.POLLIN | POLL.POLLRDNORM;
    if ((this.#shut & 1) !== 0) bits |= POLL.POLLRDHUP;
    if (this.#shut === 3) bits |= POLL.POLLHUP;
    if (this.#error !== 0) bits |= POLL.POLLERR;
    return bits;
  }

  takeError(): number {
    const errno = this.#error;
    this.#error = 0;
    return errno;
  }

  happened(events: number): void {
    if ((events & Event.FAILED) === 0) return;
    const code = this.#udp.takeError(this.#id);
    if (code !== undefined && code in ERRNO) this.#error = ERRNO[code as keyof typeof ERRNO];
  }

  getOption(level: number, option: number): Uint8Array | undefined {
    return level === IP.SOL_IP || level === 41 ? getIpLevel(this, level, option) : undefined;
  }
  setOption(level: number, option: number, value: Uint8Array): boolean {
    if (level !== IP.SOL_IP && level !== 41) return false;
    const known = setIpLevel(this, level, option, value);
    if (known && option === IP.IP_MULTICAST_TTL) {
      this.#udp.setOption(this.#id, UdpOption.MULTICAST_TTL, this.rememberedIp.get(IP.IP_MULTICAST_TTL) ?? 1);
    }
    return known;
  }

  get tos(): number {
    return this.#udp.getOption(this.#id, UdpOption.TOS);
  }
  set tos(value: number) {
    this.#udp.setOption(this.#id, UdpOption.TOS, value);
  }
  get ttl(): number {
    return this.#udp.getOption(this.#id, UdpOption.TTL);
  }
  set ttl(value: number) {
    this.#udp.setOption(this.#id, UdpOption.TTL, value);
  }
  get mtuDiscover(): number {
    return this.#mtuDiscover;
  }
  set mtuDiscover(value: number) {
    this.#mtuDiscover = value;
    const never = value === IP.IP_PMTUDISC_DO || value === IP.IP_PMTUDISC_PROBE;
    this.#udp.setOption(this.#id, UdpOption.DONT_FRAGMENT, never ? 1 : 0);
  }
  pathMtu(): number | undefined {
    return this.#connected
      ? this.environment.stack.net.pathMtu(this.#udp.remoteAddress(this.#id) as Address)
      : undefined;
  }
}

/** What a socket keeps when it is bound. */
const KEPT = [
  UdpOption.BROADCAST,
  UdpOption.TTL,
  UdpOption.MULTICAST_TTL,
  UdpOption.TOS,
  UdpOption.DONT_FRAGMENT,
  UdpOption.RECEIVE_BYTES_MAX,
] as const;
