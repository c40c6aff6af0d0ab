import type { ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import type { StackHost } from '../host/stack-host.js';
import {
  type ControlReader,
  type Iperf3CpuUse,
  type Iperf3Params,
  Iperf3State,
  type Iperf3StreamResult,
} from './iperf3-messages.js';

export const enum Role {
  /** Has not sent its cookie yet. */
  GREETING,
  CONTROL,
  DATA,
}

/** One connection. They are few: an object for each is no burden. */
export interface Peer {
  readonly id: ConnectionId;
  readonly serial: number;
  role: Role;
  readonly reader: ControlReader;
  /** We send on it; otherwise we receive. */
  sending: boolean;
  bytes: number;
  /** Retransmissions before those that count. */
  retransmitsBefore: number;
  /** Retransmissions altogether, as last asked for: a connection that is gone knows nothing any more. */
  retransmits: number;
}

/** Blocks for one stream before others get their turn. */
const BLOCKS_MAX = 16;
/** How finely a rate is kept. */
const PACING_MS = 2;
/** The stack's range for buffers, see `TcpOption`; a client may ask for anything. */
const WINDOW_BYTES_MIN = 4608;
const WINDOW_BYTES_MAX = 1 << 30;
const MSS_MIN = 88;

const NO_PARAMS: Iperf3Params = {
  parallel: 0,
  reverse: false,
  bidirectional: false,
  omit: 0,
  bytes: 0,
  blockBytes: 1,
  bitsPerSecond: 0,
  noDelay: false,
  mss: 0,
  windowBytes: 0,
};

/** One test: what was agreed, its streams, and what they have moved so far. */
export class Iperf3Test {
  state: Iperf3State = Iperf3State.PARAM_EXCHANGE;
  params = NO_PARAMS;
  /** In the order the client opened them. */
  readonly streams: Peer[] = [];
  seconds = 0;
  readonly #host: StackHost;
  #block = new Uint8Array(0);
  #startUs = 0;
  #omitUntilUs = 0;
  #cpuBefore: NodeJS.CpuUsage = process.cpuUsage();
  #cpu: Iperf3CpuUse = { user: 0, system: 0 };
  #results: readonly Iperf3StreamResult[] = [];
  #pacer: NodeJS.Timeout | undefined;

  constructor(
    host: StackHost,
    readonly control: Peer,
    readonly cookie: string,
  ) {
    this.#host = host;
  }

  get running(): boolean {
    return this.state === Iperf3State.TEST_RUNNING;
  }

  get wantsStreams(): boolean {
    const wanted = this.params.parallel * (this.params.bidirectional ? 2 : 1);
    return this.state === Iperf3State.CREATE_STREAMS && this.streams.length < wanted;
  }

  get cpu(): Iperf3CpuUse {
    return this.#cpu;
  }

  addStream(peer: Peer): void {
    const { tcp } = this.#host.stack;
    const { noDelay, mss, windowBytes } = this.params;
    this.streams.push(peer);
    if (noDelay) tcp.setOption(peer.id, TcpOption.NODELAY, 1);
    if (mss >= MSS_MIN && mss < tcp.info(peer.id).sndMss) tcp.setOption(peer.id, TcpOption.MAX_SEGMENT, mss);
    if (windowBytes > 0) {
      const bytes = Math.min(Math.max(windowBytes, WINDOW_BYTES_MIN), WINDOW_BYTES_MAX);
      tcp.setOption(peer.id, TcpOption.RECEIVE_BYTES, bytes);
      tcp.setOption(peer.id, TcpOption.SEND_BYTES, bytes);
    }
  }

  start(): void {
    const { params } = this;
    // Cookies may overtake each other on a bad link, connections that were accepted do not.
    this.streams.sort((a, b) => a.serial - b.serial);
    for (const [i, peer] of this.streams.entries()) {
      // In both directions at once the client opens those it sends on first.
      peer.sending = params.bidirectional ? i >= params.parallel : params.reverse;
    }
    this.#block = new Uint8Array(params.blockBytes);
    for (let i = 0; i < this.#block.length; i++) this.#block[i] = i;
    this.state = Iperf3State.TEST_RUNNING;
    this.#omitUntilUs = this.#host.stack.clock.us + params.omit * 1e6;
    this.#countFromNow();
  }

  /** The time that does not count may be over: what was moved in it is forgotten. */
  omitUntilDue(): void {
    if (this.#omitUntilUs !== 0 && this.running && this.#host.stack.clock.us >= this.#omitUntilUs) this.#countFromNow();
  }

  #countFromNow(): void {
    this.#startUs = this.#host.stack.clock.us;
    if (this.#startUs >= this.#omitUntilUs) this.#omitUntilUs = 0;
    this.#cpuBefore = process.cpuUsage();
    for (const peer of this.streams) {
      peer.bytes = 0;
      this.noteRetransmits(peer);
      peer.retransmitsBefore = peer.retransmits;
    }
  }

  /** Offers blocks until the stack takes no more, the rate is reached, or everything asked for is sent. */
  pump(peer: Peer): void {
    const { tcp } = this.#host.stack;
    const block = this.#block;
    for (let i = 0; i < BLOCKS_MAX; i++) {
      const left = this.params.bytes === 0 ? block.length : this.params.bytes - this.bytes(true);
      if (left <= 0) return;
      if (peer.bytes > this.#allowance()) {
        this.#pace();
        return;
      }
      const offered = left < block.length ? left : block.length;
      const taken = tcp.send(peer.id, block, 0, offered);
      peer.bytes += taken;
      // WRITABLE follows.
      if (taken < offered) return;
    }
    this.#host.reactor.raise(SocketKind.CONNECTION, peer.id, Event.WRITABLE);
  }

  /** What the rate allows each stream to have sent by now. */
  #allowance(): number {
    const { bitsPerSecond } = this.params;
    if (bitsPerSecond === 0) return Number.POSITIVE_INFINITY;
    return ((this.#host.stack.clock.us - this.#startUs) * bitsPerSecond) / 8e6;
  }

  #pace(): void {
    if (this.#pacer !== undefined) return;
    this.#pacer = setTimeout(() => {
      this.#pacer = undefined;
      for (const peer of this.streams) {
        if (peer.sending && this.#host.reactor.isOpen(SocketKind.CONNECTION, peer.id)) {
          this.#host.reactor.raise(SocketKind.CONNECTION, peer.id, Event.WRITABLE);
        }
      }
      this.#host.wake();
    }, PACING_MS);
  }

  /** Nothing moved from now on counts, and nothing more is sent. */
  stop(): void {
    clearTimeout(this.#pacer);
    this.#pacer = undefined;
    if (!this.running) return;
    this.omitUntilDue();
    this.state = Iperf3State.EXCHANGE_RESULTS;
    this.seconds = (this.#host.stack.clock.us - this.#startUs) / 1e6;
    const { user, system } = process.cpuUsage(this.#cpuBefore);
    const percent = this.seconds > 0 ? 1e-4 / this.seconds : 0;
    this.#cpu = { user: user * percent, system: system * percent };
    for (const peer of this.streams) this.noteRetransmits(peer);
    this.#results = this.streams.map((peer, i) => ({
      id: streamId(i),
      bytes: peer.bytes,
      retransmits: peer.sending ? peer.retransmits - peer.retransmitsBefore : 0,
      seconds: this.seconds,
    }));
  }

  results(): readonly Iperf3StreamResult[] {
    return this.#results;
  }

  /** Counted until now, or until the end. */
  bytes(sent: boolean): number {
    let sum = 0;
    for (const peer of this.streams) if (peer.sending === sent) sum += peer.bytes;
    return sum;
  }

  retransmits(): number {
    return this.#results.reduce((sum, stream) => sum + stream.retransmits, 0);
  }

  noteRetransmits(peer: Peer): void {
    const { stack, reactor } = this.#host;
    if (reactor.isOpen(SocketKind.CONNECTION, peer.id)) peer.retransmits = stack.tcp.info(peer.id).totalRetrans;
  }
}

/** iperf3 numbers its streams 1, 3, 4, 5, … */
function streamId(index: number): number {
  return index === 0 ? 1 : index + 2;
}
