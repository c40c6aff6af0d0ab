import { Prng } from './base/prng.js';
import type { Us } from './base/units.js';
import { FrameSlab } from './memory/frame-slab.js';
import type { PoolReport } from './memory/pool-report.js';
import type { NetworkLimits } from './net/context.js';
import { EventQueue } from './net/event-queue.js';
import { Network } from './net/network.js';
import type { CongestionControl } from './tcp/congestion.js';
import { TCP_LIMITS, type TcpLimits } from './tcp/limits.js';
import { Tcp } from './tcp/tcp.js';
import { Clock } from './time/clock.js';
import { DEFAULT_UDP_LIMITS, Udp, type UdpLimits } from './udp/udp.js';
import type { Verdict } from './wire/verdict.js';

export interface StackOptions {
  /** Everything random comes from it. A real host draws it from the system; a test writes it down. */
  readonly seed: number;
  /** More secret words where 32 bits of seed are not enough: at least four, from the system's generator. */
  readonly secret?: Int32Array;
  /** The clock at the start. */
  readonly now?: Us;
  /** Shared with the devices; made here if not given. */
  readonly slab?: FrameSlab;
  readonly tcp?: Partial<TcpLimits>;
  readonly udp?: Partial<UdpLimits>;
  readonly net?: Partial<NetworkLimits>;
  readonly congestion?: CongestionControl;
}

/** How often `flush` lets the stack talk to itself before others get their turn. */
const LOCAL_ROUNDS = 16;

/**
 * The stack: a function of frames, the time and a seed. It does nothing by itself. Whoever drives it calls `at`, `receive`
 * for each frame, `advance`, and `flush`; takes what is to be sent from each interface's `transmitQueue` and what happened
 * from `events`; and comes back by `nextDeadline`. Before a call between two turns it says `at`, or lets `clock.follow`.
 */
export class Stack {
  readonly slab: FrameSlab;
  readonly clock: Clock;
  readonly events: EventQueue;
  readonly net: Network;
  readonly tcp: Tcp;
  readonly udp: Udp;

  constructor(options: StackOptions) {
    this.slab = options.slab ?? new FrameSlab();
    this.clock = new Clock(options.now);
    const prng = new Prng(options.seed);
    const secret = new Int32Array(4);
    for (let i = 0; i < secret.length; i++) secret[i] = options.secret?.[i] ?? prng.next();
    this.net = new Network({
      slab: this.slab,
      clock: this.clock,
      prng,
      ...(options.net === undefined ? {} : { limits: options.net }),
    });
    const connectionsMax = options.tcp?.connectionsMax ?? TCP_LIMITS.connectionsMax;
    const listenersMax = options.tcp?.listenersMax ?? TCP_LIMITS.listenersMax;
    const socketsMax = options.udp?.socketsMax ?? DEFAULT_UDP_LIMITS.socketsMax;
    this.events = new EventQueue(connectionsMax, listenersMax, socketsMax);
    this.tcp = new Tcp({
      net: this.net,
      clock: this.clock,
      events: this.events,
      secret,
      ...(options.tcp === undefined ? {} : { limits: options.tcp }),
      ...(options.congestion === undefined ? {} : { congestion: options.congestion }),
    });
    this.udp = new Udp({
      net: this.net,
      events: this.events,
      ...(options.udp === undefined ? {} : { limits: options.udp }),
    });
  }

  /** It is `now`, and no timer expires yet: for the frames that have arrived by now, and for calls between two turns. */
  at(now: Us): void {
    this.clock.advance(now);
  }

  /**
   * Timers that are due at `now` expire. It comes after the frames that have arrived by `now`: a turn that was late must not
   * blame the network for what lay in our own queue (RFC 6298 §5, RFC 8985 §7).
   */
  advance(now: Us): void {
    this.clock.advance(now);
    // What the last flush left for ourselves has arrived as well; and before timers are looked at for a second time
    // (`expireTimers`), what the program has done meanwhile is sent, because the peer may be this stack.
    if (this.net.localWaiting > 0 || this.tcp.context.putOff) this.flush();
    this.net.advance();
    this.tcp.advance();
  }

  /** A frame has come by interface `iface`, at `offset` in the slab. The slot stays the caller's. */
  receive(iface: number, offset: number, length: number): Verdict {
    return this.net.receive(iface, offset, length);
  }

  /** What is to be sent now goes into the transmit queues; what the stack has to tell itself is delivered. */
  flush(): void {
    this.tcp.flush();
    for (let round = 0; round < LOCAL_ROUNDS && this.net.deliverLocal() > 0; round++) this.tcp.flush();
    this.net.finishFlush();
  }

  /** Control path. What each pool of the stack holds now, for `ss --memory` and tests: see docs/memory.md. */
  pools(): readonly PoolReport[] {
    return [...this.net.pools(), ...this.tcp.pools(), ...this.udp.pools()];
  }

  /** When `advance` must be called next, µs on the clock; Infinity when nothing is pending. */
  nextDeadline(): number {
    if (this.tcp.mayGoOn) return this.clock.us;
    const ms = Math.min(this.net.msToNext(), this.tcp.msToNext());
    // Timers count whole milliseconds: the deadline is where the clock's millisecond turns.
    return ms === Infinity ? Infinity : ms === 0 ? this.clock.us : (Math.floor(this.clock.us / 1000) + ms) * 1000;
  }
}
