import { StackError } from '../../stack/base/errors.js';
import type { Address, ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import type { StackHost } from '../host/stack-host.js';
import { Acceptor, type ServiceHandler } from '../reactor/acceptor.js';
import type { Handle } from '../reactor/event-handler.js';
import { COOKIE_BYTES, ControlReader, Iperf3Error, Iperf3State, readParams, writeResults } from './iperf3-messages.js';
import { Iperf3Test, type Peer, Role } from './iperf3-test.js';

export const IPERF3_PORT = 5201;

export interface Iperf3ServerOptions {
  /** Of this stack; absent: any of its addresses. */
  readonly address?: Address;
  readonly port?: number;
  /** Told of each test when it is over. */
  readonly onTest?: (report: Iperf3Report) => void;
}

export interface Iperf3Report {
  readonly client: string;
  readonly seconds: number;
  readonly streams: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly retransmits: number;
  /** False when the client went away before the end. */
  readonly complete: boolean;
}

/** Reads for one connection before others get their turn. */
const READS_MAX = 16;
const READ_BYTES = 65_536;
/** Connections that have not said yet what they are. More than a client opens at once. */
const GREETINGS_MAX = 256;
/** What a client takes between two steps that need no thinking, over the worst of links. */
const STEP_MS = 30_000;
/** A client that vanished during a test is noticed after idle + 3 × interval: nobody else is served until then. */
const KEEPALIVE_IDLE_MS = 10_000;
const KEEPALIVE_INTERVAL_MS = 5_000;
const KEEPALIVE_COUNT = 3;

/**
 * A server for `iperf3 -c`, over TCP, in either or both directions and with any number of streams; one test at a time, as iperf3's own. It
 * measures the stack, so it is built as a fast program would be: on the reactor, one buffer for all that is read.
 */
export class Iperf3Server implements ServiceHandler {
  readonly #host: StackHost;
  readonly #acceptor: Acceptor;
  readonly #onTest: (report: Iperf3Report) => void;
  readonly #peers = new Map<ConnectionId, Peer>();
  readonly #buffer = new Uint8Array(READ_BYTES);
  #test: Iperf3Test | undefined;
  #serial = 0;
  #greetings = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Throws EADDRINUSE, EADDRNOTAVAIL. */
  constructor(host: StackHost, options: Iperf3ServerOptions = {}) {
    this.#host = host;
    this.#onTest = options.onTest ?? (() => {});
    const { address, port = IPERF3_PORT } = options;
    const listen = address === undefined ? { port } : { address, port };
    this.#acceptor = new Acceptor(host.stack, host.reactor, listen, this);
  }

  /** Takes no more tests and ends the one that runs. */
  close(): void {
    this.#acceptor.close();
    this.#end(false);
    for (const peer of [...this.#peers.values()]) this.#drop(peer, true);
    this.#host.wake();
  }

  open(id: ConnectionId): number {
    if (this.#greetings >= GREETINGS_MAX) {
      this.#host.stack.tcp.abort(id);
      return 0;
    }
    this.#greetings += 1;
    this.#peers.set(id, {
      id,
      // The client numbers its streams in the order it opened them.
      serial: this.#serial++,
      role: Role.GREETING,
      reader: new ControlReader(),
      sending: false,
      bytes: 0,
      retransmitsBefore: 0,
      retransmits: 0,
    });
    return 0;
  }

  handleEvent(handle: Handle, events: number): void {
    const peer = this.#peers.get(handle as ConnectionId);
    if (peer === undefined) return;
    try {
      if ((events & Event.FAILED) === 0) this.#serve(peer);
      else this.#gone(peer);
    } catch (error) {
      // The peer's reset ends its own test. Anything else is ours.
      if (!(error instanceof StackError)) throw error;
      this.#gone(peer);
    }
  }

  #serve(peer: Peer): void {
    switch (peer.role) {
      case Role.GREETING:
        this.#greet(peer);
        break;
      case Role.CONTROL:
        this.#control(peer);
        break;
      case Role.DATA:
        if (this.#test?.running === true) {
          this.#test.omitUntilDue();
          if (peer.sending) this.#test.pump(peer);
        }
        this.#drain(peer);
        break;
    }
  }

  /** The connection is over, whoever ended it. Without its control connection there is no test. */
  #gone(peer: Peer): void {
    if (peer.role === Role.CONTROL) this.#end(false);
    else this.#drop(peer, false);
  }

  #greet(peer: Peer): void {
    const { tcp } = this.#host.stack;
    const count = tcp.receive(peer.id, this.#buffer, 0, COOKIE_BYTES - peer.reader.length);
    if (count < 0) {
      this.#drop(peer, false);
      return;
    }
    peer.reader.push(this.#buffer.subarray(0, count));
    const cookie = peer.reader.cookie();
    if (cookie === undefined) return;
    this.#greetings -= 1;
    const test = this.#test;
    if (test === undefined) {
      this.#begin(peer, cookie);
    } else if (test.cookie === cookie && test.wantsStreams) {
      peer.role = Role.DATA;
      test.addStream(peer);
      if (!test.wantsStreams) this.#start(test);
    } else {
      // Counted again, as `drop` takes it off.
      this.#greetings += 1;
      this.#say(peer, Iperf3State.ACCESS_DENIED);
      this.#drop(peer, false);
    }
  }

  #begin(peer: Peer, cookie: string): void {
    const { tcp } = this.#host.stack;
    peer.role = Role.CONTROL;
    tcp.setOption(peer.id, TcpOption.NODELAY, 1);
    tcp.setOption(peer.id, TcpOption.KEEPALIVE_IDLE_MS, KEEPALIVE_IDLE_MS);
    tcp.setOption(peer.id, TcpOption.KEEPALIVE_INTERVAL_MS, KEEPALIVE_INTERVAL_MS);
    tcp.setOption(peer.id, TcpOption.KEEPALIVE_COUNT, KEEPALIVE_COUNT);
    tcp.setOption(peer.id, TcpOption.KEEPALIVE, 1);
    this.#test = new Iperf3Test(this.#host, peer, cookie);
    this.#say(peer, Iperf3State.PARAM_EXCHANGE);
    this.#expectStep();
    this.#control(peer);
  }

  /** All streams stand. */
  #start(test: Iperf3Test): void {
    clearTimeout(this.#timer);
    this.#say(test.control, Iperf3State.TEST_START);
    this.#say(test.control, Iperf3State.TEST_RUNNING);
    test.start();
    for (const peer of test.streams) if (peer.sending) test.pump(peer);
  }

  #control(peer: Peer): void {
    const { tcp } = this.#host.stack;
    let count = tcp.receive(peer.id, this.#buffer, 0, READ_BYTES);
    for (; count > 0; count = tcp.receive(peer.id, this.#buffer, 0, READ_BYTES)) {
      peer.reader.push(this.#buffer.subarray(0, count));
      let more = true;
      while (more) {
        more = this.#test !== undefined && this.#step(this.#test, peer.reader);
        if (this.#test?.control !== peer) return;
      }
    }
    if (count < 0) this.#end(false);
  }

  /** One message of the client; false when it is not complete yet. */
  #step(test: Iperf3Test, reader: ControlReader): boolean {
    switch (test.state) {
      case Iperf3State.PARAM_EXCHANGE:
        return this.#readParams(test, reader);
      case Iperf3State.EXCHANGE_RESULTS: {
        // What the client counted is of no use to us: it prints both sides.
        const results = reader.document();
        if (results === undefined) return false;
        if (results === null) {
          this.#end(false);
          return true;
        }
        const sending = test.params.reverse || test.params.bidirectional;
        this.#sayBytes(test.control, writeResults(test.results(), test.cpu, sending));
        test.state = Iperf3State.DISPLAY_RESULTS;
        this.#say(test.control, Iperf3State.DISPLAY_RESULTS);
        return true;
      }
      default: {
        const state = reader.state();
        if (state === undefined) return false;
        this.#heard(test, state);
        return true;
      }
    }
  }

  #readParams(test: Iperf3Test, reader: ControlReader): boolean {
    const text = reader.document();
    if (text === undefined) return false;
    const params = text === null ? Iperf3Error.RECEIVE_PARAMS : readParams(text);
    if (typeof params === 'number') {
      const bytes = Buffer.alloc(9);
      bytes.writeInt8(Iperf3State.SERVER_ERROR);
      bytes.writeInt32BE(params, 1);
      this.#sayBytes(test.control, bytes);
      this.#end(false);
      return true;
    }
    test.params = params;
    test.state = Iperf3State.CREATE_STREAMS;
    this.#say(test.control, Iperf3State.CREATE_STREAMS);
    return true;
  }

  #heard(test: Iperf3Test, state: number): void {
    if (state === Iperf3State.TEST_END && test.state === Iperf3State.TEST_RUNNING) {
      // What has arrived counts, read or not.
      for (const stream of test.streams) if (this.#peers.get(stream.id) === stream) this.#drain(stream);
      test.stop();
      // A client that is being sent to waits for the rest of its block, or the end.
      for (const stream of test.streams)
        if (stream.sending && this.#peers.get(stream.id) === stream) this.#finish(stream);
      this.#expectStep();
      this.#say(test.control, Iperf3State.EXCHANGE_RESULTS);
    } else if (state === Iperf3State.IPERF_DONE && test.state === Iperf3State.DISPLAY_RESULTS) {
      this.#end(true);
    } else {
      // CLIENT_TERMINATE, or nonsense.
      this.#end(false);
    }
  }

  #drain(peer: Peer): void {
    const { tcp } = this.#host.stack;
    for (let i = 0; i < READS_MAX; i++) {
      const count = tcp.receive(peer.id, this.#buffer, 0, READ_BYTES);
      if (count === 0) return;
      if (count < 0) {
        if (!peer.sending) this.#drop(peer, false);
        return;
      }
      if (!peer.sending && this.#test?.running === true) peer.bytes += count;
    }
    this.#host.reactor.raise(SocketKind.CONNECTION, peer.id, Event.READABLE);
  }

  /** What is queued goes out, and then the end; unless the client ended it before. */
  #finish(peer: Peer): void {
    try {
      this.#host.stack.tcp.shutdown(peer.id);
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      this.#drop(peer, true);
    }
  }

  #say(peer: Peer, state: Iperf3State): void {
    this.#sayBytes(peer, Uint8Array.of(state & 0xff));
  }

  #sayBytes(peer: Peer, bytes: Uint8Array): void {
    // Some kilobytes in all, to a client that reads: they always fit.
    this.#host.stack.tcp.send(peer.id, bytes, 0, bytes.length);
  }

  /** A client that does not take the next step must not keep others out. */
  #expectStep(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#end(false);
      this.#host.wake();
    }, STEP_MS);
    this.#timer.unref();
  }

  #end(complete: boolean): void {
    const test = this.#test;
    if (test === undefined) return;
    this.#test = undefined;
    clearTimeout(this.#timer);
    test.stop();
    const { tcp, net } = this.#host.stack;
    const { control } = test;
    this.#onTest({
      client: `${net.formatAddress(tcp.remoteAddress(control.id))}:${tcp.remotePort(control.id)}`,
      seconds: test.seconds,
      streams: test.streams.length,
      bytesReceived: test.bytes(false),
      bytesSent: test.bytes(true),
      retransmits: test.retransmits(),
      complete,
    });
    // Nobody reads any more what is still queued for sending.
    for (const peer of test.streams) if (this.#peers.get(peer.id) === peer) this.#drop(peer, peer.sending);
    this.#drop(control, false);
  }

  #drop(peer: Peer, abort: boolean): void {
    if (!this.#peers.delete(peer.id)) return;
    if (peer.role === Role.GREETING) this.#greetings -= 1;
    if (peer.role === Role.DATA) this.#test?.noteRetransmits(peer);
    if (abort) this.#host.stack.tcp.abort(peer.id);
    else this.#host.stack.tcp.close(peer.id);
  }
}
