import type { Address, ConnectionId, ListenerId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import type { TcpInfo } from '../../stack/tcp/info.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import type { OpenOptions } from '../../stack/tcp/user-calls.js';
import { FILE, IP, MESSAGE, POLL, SOCKET, TCP } from './constants.js';
import { ERRNO } from './errno.js';
import { getIpLevel, type IpOptionTarget, setIpLevel } from './ip-level.js';
import { intBytes } from './option-value.js';
import { failed, succeeded } from './outcome.js';
import { errnoOf, PosixError } from './posix-error.js';
import {
  ANYWHERE,
  addressFor,
  type Endpoint,
  type PosixSocket,
  pendingError,
  type SocketEnvironment,
} from './socket.js';
import type { ControlMessage, Outcome, PendingCall } from './socket-calls.js';
import { SocketLevel } from './socket-level.js';
import { StreamReader } from './stream-reader.js';
import type { Settings } from './sysctl.js';
import { getTcpLevel, setTcpLevel, type TcpOptionTarget } from './tcp-level.js';
import type { WaitingCall } from './waits.js';
import { ZeroCopyNotices } from './zero-copy.js';

/** sock->state of Linux, as far as connect(2) tells them apart. */
const enum Phase {
  UNCONNECTED = 0,
  LISTENING = 1,
  CONNECTING = 2,
  CONNECTED = 3,
}

const NO_CONNECTION = 0 as ConnectionId;
const NO_LISTENER = 0 as ListenerId;
/** SHUT_RD and SHUT_WR as bits. */
const RECEIVE_SIDE = 1;
const SEND_SIDE = 2;

/** Options that cannot be asked of the stack before there is a connection, with what they are until then. */
const BEFORE_CONNECTION: ReadonlyMap<TcpOption, (settings: Settings) => number> = new Map<TcpOption, (settings: Settings) => number>([
  [TcpOption.KEEPALIVE_IDLE_MS, (s) => s.limits.keepIdleMs],
  [TcpOption.KEEPALIVE_INTERVAL_MS, (s) => s.limits.keepIntervalMs],
  [TcpOption.KEEPALIVE_COUNT, (s) => s.limits.keepCount],
  [TcpOption.SYN_RETRIES, (s) => s.limits.synRetries],
  [TcpOption.LINGER2_MS, (s) => s.limits.finWait2Ms],
  [TcpOption.RECEIVE_BYTES, (s) => s.limits.receiveBytes],
  [TcpOption.SEND_BYTES, (s) => s.limits.sendBytes],
  // Linux: TCP_MSS_DEFAULT.
  [TcpOption.MAX_SEGMENT, () => 536],
  [TcpOption.QUICK_ACK, () => 1],
  [TcpOption.TTL, () => 64],
]);

/** SOCK_STREAM: a TCP connection, a listener, or neither yet. */
export class StreamSocket implements PosixSocket, TcpOptionTarget, IpOptionTarget {
  readonly type = SOCKET.SOCK_STREAM;
  readonly protocol = SOCKET.IPPROTO_TCP;
  readonly waiting = new Set<WaitingCall>();
  readonly level: SocketLevel;
  readonly remembered = new Map<number, number>();
  readonly rememberedIp = new Map<number, number>();
  nonBlocking = false;
  mtuDiscover: number = IP.IP_PMTUDISC_WANT;
  #phase: Phase = Phase.UNCONNECTED;
  #bound: Endpoint = ANYWHERE;
  #id: ConnectionId = NO_CONNECTION;
  #row = -1;
  #listener: ListenerId = NO_LISTENER;
  /** sk_err: told once. */
  #error = 0;
  /** Sides shut by the program, or by the connection's end. */
  #shut = 0;
  /** The options of a connection to come; a listener's connections begin with them. */
  readonly #options = new Map<TcpOption, number>();
  #congestion: string | undefined;
  readonly #notices = new ZeroCopyNotices();
  readonly #reader: StreamReader;

  constructor(
    readonly environment: SocketEnvironment,
    readonly family: number,
  ) {
    this.level = new SocketLevel(
      family,
      this.type,
      this.protocol,
      {
        buffers: (kind, bytes) =>
          this.setTcpOption(kind === 'send' ? TcpOption.SEND_BYTES : TcpOption.RECEIVE_BYTES, bytes),
        bufferBytes: (kind) => this.getTcpOption(kind === 'send' ? TcpOption.SEND_BYTES : TcpOption.RECEIVE_BYTES),
        keepAlive: (on) => this.setTcpOption(TcpOption.KEEPALIVE, on ? 1 : 0),
        broadcast: () => {},
        pacing: (rate) =>
          this.setTcpOption(TcpOption.MAX_PACING_RATE, rate === Infinity ? 0 : Math.min(rate, 0xffff_ffff)),
        receiveLowWater: () => {},
        outOfBandInline: (on) => this.setTcpOption(TcpOption.OOB_INLINE, on ? 1 : 0),
        takeError: () => this.takeError(),
        listening: () => this.#phase === Phase.LISTENING,
        memory: () =>
          this.#live
            ? { receive: this.#tcp.readable(this.#id), send: this.#tcp.unacknowledged(this.#id) }
            : { receive: 0, send: 0 },
      },
      () => ({ send: this.settings.sockets.wmemMax, receive: this.settings.sockets.rmemMax }),
    );
    this.#reader = new StreamReader(environment.stack.tcp);
  }

  get #tcp(): SocketEnvironment['stack']['tcp'] {
    return this.environment.stack.tcp;
  }
  get settings(): Settings {
    return this.environment.settings;
  }
  /** There is a connection, and it has not ended. */
  get #live(): boolean {
    return this.#id !== NO_CONNECTION && this.#tcp.state(this.#id) !== State.CLOSED;
  }
  get #state(): State {
    return this.#id === NO_CONNECTION ? State.CLOSED : this.#tcp.state(this.#id);
  }

  // bind, listen, accept.

  bind(endpoint: Endpoint): void {
    if (this.#bound.port !== 0 || this.#phase !== Phase.UNCONNECTED || this.#id !== NO_CONNECTION) {
      throw new PosixError('EINVAL', 'the socket is bound already');
    }
    const { net } = this.environment.stack;
    if (endpoint.address !== 0 && !net.isLocal(endpoint.address) && this.rememberedIp.get(IP.IP_FREEBIND) !== 1) {
      throw new PosixError('EADDRNOTAVAIL', `${net.formatAddress(endpoint.address)} is no address of this stack`);
    }
    this.#bound = this.environment.bindings.bind(this.protocol, this, endpoint, this.#binder);
  }

  readonly #binder = (() => {
    const socket = this;
    return {
      sharing: {
        get reuseAddress() {
          return socket.level.reuseAddress;
        },
        get reusePort() {
          return socket.level.reusePort;
        },
      },
      get listening() {
        return socket.#phase === Phase.LISTENING;
      },
    };
  })();

  listen(backlog: number): void {
    // Linux takes a negative one for a very large one.
    const limit = Math.min(backlog >>> 0, this.settings.sockets.somaxconn, 0xffff);
    if (this.#phase === Phase.LISTENING) {
      this.#tcp.context.listeners.byId(this.#listener)?.setBacklog(limit);
      return;
    }
    if (this.#phase !== Phase.UNCONNECTED || this.#id !== NO_CONNECTION) {
      throw new PosixError('EINVAL', 'a socket with a connection cannot listen');
    }
    if (this.#bound.port === 0) {
      this.#bound = this.environment.bindings.bind(this.protocol, this, this.#bound, this.#binder);
    }
    this.environment.bindings.checkListen(this.protocol, this, this.#bound, this.#binder);
    this.#listener = this.#tcp.listen({
      address: this.#bound.address,
      port: this.#bound.port,
      backlog: limit,
      options: this.#options,
      ...(this.#congestion === undefined ? {} : { congestion: this.#congestion }),
    });
    this.#phase = Phase.LISTENING;
    this.environment.watch(SocketKind.LISTENER, this.#listener % ROWS, this);
  }

  accept(flags: number): PendingCall {
    const attempt = (): Outcome | undefined => {
      if (this.#phase !== Phase.LISTENING) return failed('EINVAL');
      const id = this.#tcp.accept(this.#listener);
      return id === 0 ? undefined : this.#adopt(id, flags);
    };
    return this.environment.waits.call(attempt, [this], this.#patience(this.level.receiveTimeoutMs, 0), again);
  }

  #adopt(id: ConnectionId, flags: number): Outcome {
    const child = new StreamSocket(this.environment, this.family);
    child.#take(id);
    child.#phase = Phase.CONNECTED;
    child.nonBlocking = (flags & SOCKET.SOCK_NONBLOCK) !== 0;
    child.level.inherit(this.level);
    child.mtuDiscover = this.mtuDiscover;
    for (const [option, value] of this.#options) child.#options.set(option, value);
    for (const [option, value] of this.remembered) child.remembered.set(option, value);
    for (const [option, value] of this.rememberedIp) child.rememberedIp.set(option, value);
    child.#congestion = this.#congestion;
    try {
      const fd = this.environment.adopt(child);
      return succeeded(fd, {
        address: addressFor(this.environment.stack, this.family, child.remoteEndpoint() ?? ANYWHERE),
      });
    } catch (error) {
      // Without a descriptor nobody could ever use it.
      child.close();
      return failed(errnoOf(error));
    }
  }

  #take(id: ConnectionId): void {
    this.#id = id;
    this.#row = this.#tcp.rowOf(id);
    this.environment.watch(SocketKind.CONNECTION, this.#row, this);
  }

  // connect.

  connect(endpoint: Endpoint | undefined): PendingCall {
    const { waits } = this.environment;
    if (endpoint === undefined) {
      this.#disconnect();
      return waits.done(succeeded());
    }
    switch (this.#phase) {
      case Phase.LISTENING:
      case Phase.CONNECTED:
        throw new PosixError('EISCONN', 'the socket is connected, or listens');
      case Phase.UNCONNECTED:
        this.#open(endpoint);
        return waits.call(
          () => this.#connected(),
          [this],
          this.#patience(this.level.sendTimeoutMs, 0),
          () => failed('EINPROGRESS'),
        );
      case Phase.CONNECTING:
        return waits.call(
          () => this.#connected(),
          [this],
          this.#patience(this.level.sendTimeoutMs, 0),
          () => failed('EALREADY'),
        );
    }
  }

  #open(endpoint: Endpoint): void {
    const { net } = this.environment.stack;
    if (net.isBroadcast(endpoint.address)) throw new PosixError('ENETUNREACH', 'no connection is made to many at once');
    const options: OpenOptions = {
      // "Any" of the peer's addresses is this host itself.
      remoteAddress:
        endpoint.address === 0 ? (net.interfaces[0]?.addresses[0]?.address ?? (0 as Address)) : endpoint.address,
      remotePort: endpoint.port,
      localAddress: this.#bound.address,
      localPort: this.#bound.port,
      options: this.#options,
      ...(this.#congestion === undefined ? {} : { congestion: this.#congestion }),
    };
    this.#error = 0;
    this.#shut = 0;
    this.#take(this.#tcp.open(options));
    this.#phase = Phase.CONNECTING;
  }

  /** What connect(2) comes to when it need not wait. */
  #connected(): Outcome | undefined {
    const state = this.#state;
    if (state === State.SYN_SENT || state === State.SYN_RECEIVED) return undefined;
    if (state !== State.CLOSED || this.#phase === Phase.CONNECTED) {
      this.#phase = Phase.CONNECTED;
      return succeeded();
    }
    const errno = this.takeError() || ERRNO.ECONNABORTED;
    this.#letGo();
    return failed(errno);
  }

  /** connect(2) with AF_UNSPEC: the socket is as it was, and still bound if bind was called. */
  #disconnect(): void {
    if (this.#phase === Phase.LISTENING) this.#stopListening();
    else if (this.#id !== NO_CONNECTION) {
      this.#forgetRow();
      this.#tcp.abort(this.#id);
      this.#id = NO_CONNECTION;
      this.#error = 0;
    }
    this.#phase = Phase.UNCONNECTED;
    this.#shut = 0;
  }

  /** After a connection that did not come about. */
  #letGo(): void {
    if (this.#id === NO_CONNECTION) return;
    this.#forgetRow();
    this.#tcp.close(this.#id);
    this.#id = NO_CONNECTION;
    this.#phase = Phase.UNCONNECTED;
    this.#shut = 0;
  }

  #forgetRow(): void {
    this.environment.unwatch(SocketKind.CONNECTION, this.#row, this);
    this.#row = -1;
  }

  #stopListening(): void {
    this.environment.unwatch(SocketKind.LISTENER, this.#listener % ROWS, this);
    this.#tcp.closeListener(this.#listener);
    this.#listener = NO_LISTENER;
    this.#phase = Phase.UNCONNECTED;
  }

  // recv.

  recv(length: number, flags: number): PendingCall {
    if ((flags & MESSAGE.MSG_ERRQUEUE) !== 0)
      return this.environment.waits.done(this.#notices.take(this.#acknowledged()));
    if (this.#phase === Phase.LISTENING) throw new PosixError('ENOTCONN', 'a listener has nothing to read');
    if ((flags & MESSAGE.MSG_OOB) !== 0) throw new PosixError('EINVAL', 'urgent data is read in line');
    const target = (flags & MESSAGE.MSG_WAITALL) !== 0 ? length : Math.min(length, this.level.receiveLowWater);
    const taken: Uint8Array[] = [];
    let got = 0;
    const result = (): Outcome => {
      const data = Buffer.concat(taken);
      return succeeded(got, {
        data: (flags & MESSAGE.MSG_TRUNC) !== 0 ? new Uint8Array(0) : data,
        messageFlags: 0,
        control: this.#receiveControl(),
      });
    };
    const attempt = (): Outcome | undefined => {
      if (this.#live || this.#id !== NO_CONNECTION) {
        const bytes = this.#reader.read(this.#id, length - got, (flags & MESSAGE.MSG_PEEK) !== 0);
        if ((flags & MESSAGE.MSG_PEEK) !== 0) {
          taken.length = 0;
          got = 0;
        }
        if (bytes.length > 0) taken.push(bytes);
        got += bytes.length;
      }
      if (got > 0 && got >= target) return result();
      const end = this.#readEnd();
      if (end === undefined) return length === 0 ? result() : undefined;
      return got > 0 ? result() : end();
    };
    const expired = (): Outcome => (got > 0 ? result() : failed('EAGAIN'));
    return this.environment.waits.call(attempt, [this], this.#patience(this.level.receiveTimeoutMs, flags), expired);
  }

  /** Why there is nothing more to read, as tcp_recvmsg looks for it; undefined: more may come. */
  #readEnd(): (() => Outcome) | undefined {
    if (this.#error !== 0) return () => pendingError(this) ?? succeeded(0, { data: new Uint8Array(0) });
    if ((this.#receiveShut() & RECEIVE_SIDE) !== 0) {
      return () => succeeded(0, { data: new Uint8Array(0), messageFlags: 0, control: this.#receiveControl() });
    }
    if (this.#id === NO_CONNECTION) return () => failed('ENOTCONN');
    return undefined;
  }

  /** TCP_INQ: how much is left to read; one more byte than there is stands for the end. */
  #receiveControl(): readonly ControlMessage[] {
    if (this.remembered.get(TCP.TCP_INQ) !== 1 || this.#id === NO_CONNECTION) return [];
    const left = this.#tcp.readable(this.#id);
    const end = left === 0 && (this.#receiveShut() & RECEIVE_SIDE) !== 0;
    return [{ level: TCP.SOL_TCP, type: TCP.TCP_CM_INQ, data: intBytes(end ? 1 : left) }];
  }

  /** Sides that are shut now, by whoever it was. */
  #receiveShut(): number {
    if (this.#id === NO_CONNECTION) return this.#shut;
    switch (this.#tcp.state(this.#id)) {
      case State.CLOSED:
      case State.TIME_WAIT:
        return this.#shut | RECEIVE_SIDE | SEND_SIDE;
      case State.CLOSE_WAIT:
        return this.#shut | RECEIVE_SIDE;
      case State.CLOSING:
      case State.LAST_ACK:
        return this.#shut | RECEIVE_SIDE | SEND_SIDE;
      case State.FIN_WAIT_1:
      case State.FIN_WAIT_2:
        return this.#shut | SEND_SIDE;
      default:
        return this.#shut;
    }
  }

  // send.

  send(data: Uint8Array, flags: number, to: Endpoint | undefined): PendingCall {
    const { waits } = this.environment;
    if ((flags & MESSAGE.MSG_FASTOPEN) !== 0 && to !== undefined && this.#phase === Phase.UNCONNECTED) {
      throw new PosixError('EOPNOTSUPP', 'Fast Open is switched off');
    }
    if ((flags & MESSAGE.MSG_OOB) !== 0 && data.length > 0) return this.#sendUrgent(data, flags);
    return waits.call(this.#sending(data, flags), [this], this.#patience(this.level.sendTimeoutMs, flags), () =>
      failed('EAGAIN'),
    );
  }

  #sending(data: Uint8Array, flags: number): () => Outcome | undefined {
    let from = 0;
    const nonBlocking = this.#patience(Infinity, flags) === 0;
    return () => {
      const state = this.#state;
      if (this.#error !== 0) return from > 0 ? this.#sent(from, flags) : (pendingError(this) ?? failed('EPIPE'));
      if (this.#phase === Phase.LISTENING || this.#id === NO_CONNECTION || (this.#receiveShut() & SEND_SIDE) !== 0) {
        return from > 0 ? this.#sent(from, flags) : failed('EPIPE');
      }
      if (state === State.SYN_SENT || state === State.SYN_RECEIVED) return undefined;
      if (data.length > from) from += this.#tcp.send(this.#id, data, from, data.length);
      if (from === data.length) return this.#sent(from, flags);
      return nonBlocking && from > 0 ? this.#sent(from, flags) : undefined;
    };
  }

  #sent(count: number, flags: number): Outcome {
    if ((flags & MESSAGE.MSG_ZEROCOPY) !== 0 && this.level.zeroCopy) this.#notices.add(this.#queuedInAll(count));
    return succeeded(count);
  }

  #sendUrgent(data: Uint8Array, flags: number): PendingCall {
    const sending = this.#sending(data, flags);
    const attempt = (): Outcome | undefined => {
      const outcome = sending();
      if (outcome !== undefined && outcome.result > 0) this.#tcp.markUrgent(this.#id);
      return outcome;
    };
    return this.environment.waits.call(attempt, [this], this.#patience(this.level.sendTimeoutMs, flags), again);
  }

  /** Bytes taken from the program so far, `count` of them just now. */
  #queuedInAll(_count: number): number {
    const { bytesAcked } = this.#tcp.info(this.#id);
    return bytesAcked + this.#tcp.unacknowledged(this.#id);
  }

  #acknowledged(): number {
    if (this.#id === NO_CONNECTION || this.#state === State.CLOSED) return Infinity;
    return this.#tcp.info(this.#id).bytesAcked;
  }

  /** Ms the call may wait. */
  #patience(timeoutMs: number, flags: number): number {
    return this.nonBlocking || (flags & MESSAGE.MSG_DONTWAIT) !== 0 ? 0 : timeoutMs;
  }

  // shutdown, close.

  shutdown(how: number): void {
    const sides = how + 1;
    if (this.#phase === Phase.LISTENING) {
      if ((sides & RECEIVE_SIDE) === 0) return;
      this.#stopListening();
      return;
    }
    const state = this.#state;
    if (state === State.CLOSED) {
      this.#shut |= sides;
      throw new PosixError('ENOTCONN', 'there is no connection to shut');
    }
    if (state === State.SYN_SENT) {
      this.#disconnect();
      return;
    }
    this.#shut |= sides;
    if (
      (sides & SEND_SIDE) !== 0 &&
      (state === State.ESTABLISHED || state === State.CLOSE_WAIT || state === State.SYN_RECEIVED)
    ) {
      this.#tcp.shutdown(this.#id);
    }
  }

  close(): PendingCall {
    const { waits, bindings } = this.environment;
    if (this.#phase === Phase.LISTENING) this.#stopListening();
    if (this.#bound.port !== 0) bindings.release(this.protocol, this, this.#bound.port);
    if (this.#id === NO_CONNECTION) return waits.done(succeeded());
    const id = this.#id;
    const { linger } = this.level;
    this.#forgetRow();
    this.#id = NO_CONNECTION;
    if (linger === 0) {
      this.#tcp.abort(id);
      return waits.done(succeeded());
    }
    const state = this.#tcp.state(id);
    const sends = state === State.ESTABLISHED || state === State.CLOSE_WAIT;
    const closing = sends || state === State.FIN_WAIT_1 || state === State.CLOSING || state === State.LAST_ACK;
    if (linger === undefined || linger < 0 || !closing || this.#tcp.readable(id) > 0) {
      this.#tcp.close(id);
      return waits.done(succeeded());
    }
    // SO_LINGER: until the FIN is acknowledged, or the time is up; in either case the stack sees to the rest.
    if (sends) this.#tcp.shutdown(id);
    const attempt = (): Outcome | undefined => {
      const now = this.#tcp.state(id);
      if (now === State.FIN_WAIT_1 || now === State.CLOSING || now === State.LAST_ACK) return undefined;
      this.#tcp.close(id);
      return succeeded();
    };
    return waits.call(attempt, [], linger * 1000, () => {
      this.#tcp.close(id);
      return succeeded();
    });
  }

  // What can be asked.

  queueLength(request: number): number | undefined {
    switch (request) {
      case FILE.SIOCINQ:
        if (this.#phase === Phase.LISTENING) throw new PosixError('EINVAL', 'a listener has nothing to read');
        return this.#id === NO_CONNECTION ? 0 : this.#tcp.readable(this.#id);
      case FILE.SIOCOUTQ:
        if (this.#phase === Phase.LISTENING) throw new PosixError('EINVAL', 'a listener has nothing to send');
        return this.#live ? this.#unacknowledged() : 0;
      case FILE.SIOCOUTQNSD:
        if (this.#phase === Phase.LISTENING) throw new PosixError('EINVAL', 'a listener has nothing to send');
        return this.#live ? this.#tcp.unsent(this.#id) : 0;
      case FILE.SIOCATMARK:
        return 0;
    }
    return undefined;
  }

  /** write_seq − snd_una: a FIN that is not acknowledged counts as a byte. */
  #unacknowledged(): number {
    const state = this.#state;
    if (state === State.SYN_SENT || state === State.SYN_RECEIVED) return 0;
    const finUnacknowledged = state === State.FIN_WAIT_1 || state === State.CLOSING || state === State.LAST_ACK;
    return this.#tcp.unacknowledged(this.#id) + (finUnacknowledged ? 1 : 0);
  }

  localEndpoint(): Endpoint {
    if (this.#id === NO_CONNECTION) return this.#bound;
    return { address: this.#tcp.localAddress(this.#id), port: this.#tcp.localPort(this.#id) };
  }

  remoteEndpoint(): Endpoint | undefined {
    const state = this.#state;
    if (state === State.CLOSED || state === State.SYN_SENT) return undefined;
    return { address: this.#tcp.remoteAddress(this.#id), port: this.#tcp.remotePort(this.#id) };
  }

  /** As tcp_poll of Linux puts it together. */
  readiness(): number {
    if (this.#phase === Phase.LISTENING) {
      return this.#tcp.listenerInfo(this.#listener).waiting > 0 ? POLL.POLLIN | POLL.POLLRDNORM : 0;
    }
    const state = this.#state;
    const shut = this.#receiveShut();
    let bits = 0;
    if ((shut & (RECEIVE_SIDE | SEND_SIDE)) === (RECEIVE_SIDE | SEND_SIDE) || state === State.CLOSED)
      bits |= POLL.POLLHUP;
    if ((shut & RECEIVE_SIDE) !== 0) bits |= POLL.POLLIN | POLL.POLLRDNORM | POLL.POLLRDHUP;
    if (state !== State.SYN_SENT && state !== State.SYN_RECEIVED) {
      if (this.#id !== NO_CONNECTION && this.#tcp.readable(this.#id) >= this.level.receiveLowWater) {
        bits |= POLL.POLLIN | POLL.POLLRDNORM;
      }
      if ((shut & SEND_SIDE) !== 0 || !this.#live || this.#writeable()) bits |= POLL.POLLOUT | POLL.POLLWRNORM;
    }
    if (this.#error !== 0 || this.#notices.ready(this.#acknowledged())) bits |= POLL.POLLERR;
    return bits;
  }

  /** sk_stream_is_writeable: a third of the buffer is free, and what is unsent lies below TCP_NOTSENT_LOWAT. */
  #writeable(): boolean {
    const used = this.#tcp.unacknowledged(this.#id);
    const free = this.getTcpOption(TcpOption.SEND_BYTES) - used;
    const lowWater = this.getTcpOption(TcpOption.NOT_SENT_LOW_WATER);
    return free >= used >> 1 && free > 0 && (lowWater === 0 || this.#tcp.unsent(this.#id) < lowWater);
  }

  takeError(): number {
    const errno = this.#error;
    this.#error = 0;
    return errno;
  }

  happened(events: number): void {
    if ((events & Event.FAILED) === 0 || this.#id === NO_CONNECTION) return;
    const code = this.#tcp.takeError(this.#id);
    if (code !== undefined && code in ERRNO) this.#error = ERRNO[code as keyof typeof ERRNO];
  }

  // Options.

  getOption(level: number, option: number): Uint8Array | undefined {
    if (level === TCP.SOL_TCP) return getTcpLevel(this, option);
    return isIpLevel(level, this.family) ? getIpLevel(this, level, option) : undefined;
  }

  setOption(level: number, option: number, value: Uint8Array): boolean {
    if (level === TCP.SOL_TCP) return setTcpLevel(this, option, value);
    return isIpLevel(level, this.family) && setIpLevel(this, level, option, value);
  }

  get phase(): TcpOptionTarget['phase'] {
    if (this.#phase === Phase.LISTENING) return 'listening';
    return this.#live ? 'open' : 'closed';
  }

  getTcpOption(option: TcpOption): number {
    if (this.#live && this.#state !== State.SYN_SENT) return this.#tcp.getOption(this.#id, option);
    return this.#options.get(option) ?? BEFORE_CONNECTION.get(option)?.(this.settings) ?? 0;
  }

  setTcpOption(option: TcpOption, value: number): void {
    if (this.#live) this.#tcp.setOption(this.#id, option, value);
    else if (option === TcpOption.QUICK_ACK) return;
    this.#options.set(option, value);
  }

  get congestion(): string {
    if (this.#live) return this.#tcp.congestionOf(this.#id);
    return this.#congestion ?? this.settings.limits.congestion;
  }
  set congestion(name: string) {
    // Throws ENOENT before anything has changed.
    this.#tcp.context.congestions.numberOf(name);
    if (this.#live) this.#tcp.setCongestion(this.#id, name);
    this.#congestion = name;
  }

  info(): TcpInfo | undefined {
    return this.#live ? this.#tcp.info(this.#id) : undefined;
  }
  backlog(): { waiting: number; limit: number } {
    const { waiting, backlog } = this.#tcp.listenerInfo(this.#listener);
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
  pathMtu(): number | undefined {
    const remote = this.remoteEndpoint();
    return remote === undefined ? undefined : this.environment.stack.net.pathMtu(remote.address);
  }
}

/** An id is generation × 2^24 + row, in every table of the stack. */
const ROWS = 1 << 24;

function again(): Outcome {
  return failed('EAGAIN');
}

function isIpLevel(level: number, family: number): boolean {
  return level === IP.SOL_IP || (level === 41 && family === SOCKET.AF_INET6);
}
