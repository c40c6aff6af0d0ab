import type { Address, ConnectionId, ListenerId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import type { OpenOptions } from '../../stack/tcp/user-calls.js';
import { IP, MESSAGE, POLL, SOCKET, TCP } from './constants.js';
import { ERRNO } from './errno.js';
import { checkFastOpen, checkFastOpenCall } from './fast-open.js';
import { closeLingering } from './linger.js';
import { failed, succeeded } from './outcome.js';
import { Phase } from './phase.js';
import { errnoOf, PosixError } from './posix-error.js';
import {
  ANYWHERE,
  addressFor,
  type Endpoint,
  type NoticeSource,
  type PosixSocket,
  type SocketEnvironment,
} from './socket.js';
import type { Outcome, PendingCall } from './socket-calls.js';
import { SocketLevel } from './socket-level.js';
import { StreamErrors } from './stream-errors.js';
import { type OptionOwner, StreamOptions } from './stream-options.js';
import { shutSides, streamQueueLength, streamReadiness } from './stream-status.js';
import { Side, StreamTransfer, type TransferOwner } from './stream-transfer.js';
import type { WaitingCall } from './waits.js';

const NO_CONNECTION = 0 as ConnectionId;
const NO_LISTENER = 0 as ListenerId;
/** An id is generation × 2^24 + row, in every table of the stack. */
const ROWS = 1 << 24;
/** SOCK_STREAM: a TCP connection, a listener, or neither yet. */
export class StreamSocket implements PosixSocket {
  readonly type = SOCKET.SOCK_STREAM;
  readonly protocol = SOCKET.IPPROTO_TCP;
  readonly waiting = new Set<WaitingCall>();
  readonly level: SocketLevel;
  nonBlocking = false;
  #phase: Phase = Phase.UNCONNECTED;
  #bound: Endpoint = ANYWHERE;
  #id: ConnectionId = NO_CONNECTION;
  #row = -1;
  #listener: ListenerId = NO_LISTENER;
  /** connect(2) has been called, and the SYN waits for data (TCP_FASTOPEN_CONNECT). */
  #deferred: Endpoint | undefined;
  readonly #errors: StreamErrors;
  /** Sides shut by the program. */
  #shut = 0;
  readonly #options: StreamOptions;
  readonly #transfer: StreamTransfer;

  constructor(
    readonly environment: SocketEnvironment,
    readonly family: number,
  ) {
    this.#options = new StreamOptions(this.#optionOwner());
    this.#errors = new StreamErrors(this.#tcp, (id) =>
      addressFor(environment.stack, family, { address: this.#tcp.remoteAddress(id), port: this.#tcp.remotePort(id) }),
    );
    this.level = new SocketLevel(
      family,
      this.type,
      this.protocol,
      this.#options.levelEffects(() => this.#errors.takeAny(this.#id)),
      () => ({ send: environment.settings.sockets.wmemMax, receive: environment.settings.sockets.rmemMax }),
    );
    this.#transfer = new StreamTransfer(this.#transferOwner());
  }

  get #tcp(): SocketEnvironment['stack']['tcp'] {
    return this.environment.stack.tcp;
  }
  get #state(): State {
    return this.#id === NO_CONNECTION ? State.CLOSED : this.#tcp.state(this.#id);
  }

  get listening(): boolean {
    return this.#phase === Phase.LISTENING;
  }

  // bind, listen, accept.

  bind(endpoint: Endpoint): void {
    if (this.#bound.port !== 0 || this.#phase !== Phase.UNCONNECTED || this.#id !== NO_CONNECTION) {
      throw new PosixError('EINVAL', 'the socket is bound already');
    }
    const { net } = this.environment.stack;
    if (
      endpoint.address !== 0 &&
      !net.isLocal(endpoint.address) &&
      this.#options.rememberedIp.get(IP.IP_FREEBIND) !== 1
    ) {
      throw new PosixError('EADDRNOTAVAIL', `${net.formatAddress(endpoint.address)} is no address of this stack`);
    }
    this.#bound = this.environment.bindings.bind(this.protocol, this, endpoint);
  }

  listen(backlog: number): void {
    // Linux takes a negative one for a very large one.
    const limit = Math.min(backlog >>> 0, this.environment.settings.sockets.somaxconn, 0xffff);
    if (this.#phase === Phase.LISTENING) {
      this.#tcp.context.listeners.byId(this.#listener)?.setBacklog(limit);
      return;
    }
    if (this.#phase !== Phase.UNCONNECTED || this.#id !== NO_CONNECTION) {
      throw new PosixError('EINVAL', 'a socket with a connection cannot listen');
    }
    if (this.#bound.port === 0) {
      this.#bound = this.environment.bindings.bind(this.protocol, this, this.#bound);
    }
    this.environment.bindings.checkListen(this.protocol, this, this.#bound);
    const congestion = this.#options.chosenCongestion;
    this.#listener = this.#tcp.listen({
      address: this.#bound.address,
      port: this.#bound.port,
      backlog: limit,
      sharesPort: this.level.reusePort,
      options: this.#options.chosen,
      ...(congestion === undefined ? {} : { congestion }),
    });
    this.#phase = Phase.LISTENING;
    this.#options.useFastOpenKey();
    this.environment.watch(SocketKind.LISTENER, this.#listener % ROWS, this);
  }

  accept(flags: number): PendingCall {
    const attempt = (): Outcome | undefined => {
      if (this.#phase !== Phase.LISTENING) return failed('EINVAL');
      const id = this.#tcp.accept(this.#listener);
      return id === 0 ? undefined : this.#adopt(id, flags);
    };
    return this.environment.waits.call(attempt, [this], this.#transfer.patience(this.level.receiveTimeoutMs, 0), () =>
      failed('EAGAIN'),
    );
  }

  #adopt(id: ConnectionId, flags: number): Outcome {
    const child = new StreamSocket(this.environment, this.family);
    child.#take(id);
    child.#phase = Phase.CONNECTED;
    child.nonBlocking = (flags & SOCKET.SOCK_NONBLOCK) !== 0;
    child.level.inherit(this.level);
    child.#options.inherit(this.#options);
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
        // TCP_FASTOPEN_CONNECT: with a cookie the SYN waits for the data it is to bring; without, it asks for one.
        if (this.#options.fastOpenConnect && this.#tcp.mayOpenFast(endpoint.address, this.#options.chosen)) {
          this.#deferred = endpoint;
          this.#phase = Phase.CONNECTED;
          return waits.done(succeeded());
        }
        this.#open(endpoint, this.#options.fastOpenConnect ? {} : undefined);
        return this.#awaitConnection('EINPROGRESS');
      case Phase.CONNECTING:
        return this.#awaitConnection('EALREADY');
    }
  }

  #awaitConnection(orElse: 'EINPROGRESS' | 'EALREADY'): PendingCall {
    const patience = this.#transfer.patience(this.level.sendTimeoutMs, 0);
    const attempt = () => this.#connected();
    return this.environment.waits.call(attempt, [this], patience, () => failed(orElse));
  }

  #open(endpoint: Endpoint, fastOpen: OpenOptions['fastOpen'] = undefined): void {
    const { net } = this.environment.stack;
    if (net.isBroadcast(endpoint.address)) throw new PosixError('ENETUNREACH', 'no connection is made to many at once');
    const congestion = this.#options.chosenCongestion;
    const options: OpenOptions = {
      // "Any" of the peer's addresses is this host itself.
      remoteAddress:
        endpoint.address === 0 ? (net.interfaces[0]?.addresses[0]?.address ?? (0 as Address)) : endpoint.address,
      remotePort: endpoint.port,
      localAddress: this.#bound.address,
      localPort: this.#bound.port,
      options: this.#options.chosen,
      ...(congestion === undefined ? {} : { congestion }),
      ...(fastOpen === undefined ? {} : { fastOpen }),
    };
    this.#deferred = undefined;
    this.#errors.forget();
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

  /**
   * connect(2) with AF_UNSPEC, and shutdown(2) while it connects: the socket is as it was, and still bound if bind was
   * called. As Linux the next call fails with ECONNRESET.
   */
  #disconnect(): void {
    if (this.#phase === Phase.LISTENING) this.#stopListening();
    else if (this.#id !== NO_CONNECTION) {
      this.#errors.disconnected(this.#state);
      this.#forgetRow();
      this.#tcp.abort(this.#id);
      this.#id = NO_CONNECTION;
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

  // recv, send.

  recv(length: number, flags: number): PendingCall {
    return this.#transfer.recv(length, flags);
  }

  send(data: Uint8Array, flags: number, to: Endpoint | undefined): PendingCall {
    const asks = (flags & MESSAGE.MSG_FASTOPEN) !== 0;
    const phase = this.#deferred === undefined ? this.#phase : Phase.UNCONNECTED;
    if (asks) checkFastOpenCall(this.environment.settings, phase, this.#state, this.#transfer.patience(1, flags) > 0);
    const target = this.#deferred ?? (asks && phase === Phase.UNCONNECTED ? to : undefined);
    if (target === undefined) return this.#transfer.send(data, flags);
    checkFastOpen(this.environment.settings);
    this.#open(target, { text: data });
    // What the SYN brings has been taken; the rest, or all of it where there is no cookie yet, waits for the handshake.
    return this.#transfer.send(data, flags, this.#tcp.unacknowledged(this.#id));
  }

  /** Sides that are shut now, by whoever it was. */
  get #sides(): number {
    return shutSides(this.#state, this.#id !== NO_CONNECTION, this.#shut);
  }

  // shutdown, close.

  shutdown(how: number): void {
    const sides = how + 1;
    if (this.#phase === Phase.LISTENING) {
      if ((sides & Side.RECEIVE) === 0) return;
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
    if ((sides & Side.RECEIVE) !== 0) this.#tcp.shutdownReceive(this.#id);
    if (
      (sides & Side.SEND) !== 0 &&
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
    if (linger === undefined || linger < 0 || !this.#tcp.closeLingering(id)) {
      this.#tcp.close(id);
      return waits.done(succeeded());
    }
    return closeLingering(this.#tcp, waits, id, linger);
  }

  // What can be asked.

  queueLength(request: number): number | undefined {
    if (this.#phase === Phase.LISTENING) throw new PosixError('EINVAL', 'a listener has no queues of bytes');
    return streamQueueLength(this.#tcp, this.#id, this.#state, request);
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

  readiness(): number {
    // The SYN waits for what is written.
    if (this.#deferred !== undefined) return POLL.POLLOUT | POLL.POLLWRNORM;
    if (this.#phase === Phase.LISTENING) {
      return this.#tcp.listenerInfo(this.#listener).waiting > 0 ? POLL.POLLIN | POLL.POLLRDNORM : 0;
    }
    return streamReadiness({
      tcp: this.#tcp,
      connection: this.#id,
      state: this.#state,
      shut: this.#sides,
      receiveLowWater: this.level.receiveLowWater,
      sendBytes: this.#options.getTcpOption(TcpOption.SEND_BYTES),
      notSentLowWater: this.#options.getTcpOption(TcpOption.NOT_SENT_LOW_WATER),
      hasError: this.#errors.pending || this.#transfer.noticed,
    });
  }

  get notices(): NoticeSource {
    return this.#transfer;
  }

  takeError(): number {
    return this.#errors.take();
  }

  happened(events: number): void {
    if ((events & (Event.FAILED | Event.NOTICE)) === 0 || this.#id === NO_CONNECTION) return;
    this.#errors.happened(this.#id);
  }

  // Options.

  getOption(level: number, option: number, capacity: number): Uint8Array | undefined {
    return this.#options.get(level, option, capacity);
  }
  setOption(level: number, option: number, value: Uint8Array): boolean {
    return this.#options.set(level, option, value);
  }

  #optionOwner(): OptionOwner {
    const socket = this;
    return {
      tcp: this.#tcp,
      settings: this.environment.settings,
      family: this.family,
      get connection() {
        return socket.#id;
      },
      get listener() {
        return socket.#listener;
      },
    };
  }

  #transferOwner(): TransferOwner {
    const socket = this;
    return {
      tcp: this.#tcp,
      waits: this.environment.waits,
      level: this.level,
      waiting: this.waiting,
      takeError: () => this.takeError(),
      connectFailed: () => this.#connected() ?? failed('ECONNABORTED'),
      readErrors: (length) => this.#errors.read(length),
      expectNotices: () => this.environment.expectNotices(this),
      get nonBlocking() {
        return socket.nonBlocking;
      },
      get listening() {
        return socket.listening;
      },
      get connection() {
        return socket.#id;
      },
      get state() {
        return socket.#state;
      },
      get shut() {
        return socket.#sides;
      },
      get wantsQueueLength() {
        return socket.#options.remembered.get(TCP.TCP_INQ) === 1;
      },
      get hasError() {
        return socket.#errors.errno !== 0;
      },
    };
  }
}
