import type { Address } from '../../stack/base/units.js';
import { PathError } from '../../stack/net/transport.js';
import { FIRST_DROP, Verdict } from '../../stack/wire/verdict.js';
import { verdictText } from '../../stack/wire/verdict-text.js';
import type { Host } from '../host/host.js';
import type { FrameWatch } from './frame-watch.js';

export interface PingOptions {
  readonly destination: Address;
  /** Requests to send; Infinity: until stopped. */
  readonly count: number;
  readonly intervalUs: number;
  /** After the last request. */
  readonly timeoutUs: number;
  readonly payloadBytes: number;
  readonly ttl: number;
  readonly dontFragment: boolean;
}

/** What came of a request. */
export type PingAnswer =
  | {
      readonly kind: 'reply';
      seq: number;
      source: string;
      bytes: number;
      ttl: number;
      rttUs: number;
      duplicate: boolean;
      intact: boolean;
    }
  | { readonly kind: 'error'; seq: number; source: string; reason: string }
  | { readonly kind: 'unsent'; seq: number; reason: string };

export interface PingSummary {
  readonly transmitted: number;
  readonly received: number;
  readonly duplicates: number;
  readonly errors: number;
  readonly lossPercent: number;
  readonly timeMs: number;
  /** Of the round trips; undefined when there was none. */
  readonly rtt:
    | { readonly minUs: number; readonly avgUs: number; readonly maxUs: number; readonly mdevUs: number }
    | undefined;
}

const ERRORS: Readonly<Record<PathError, string>> = {
  [PathError.UNREACHABLE_NET]: 'the network is unreachable',
  [PathError.UNREACHABLE_HOST]: 'the host is unreachable',
  [PathError.UNREACHABLE_PROTOCOL]: 'the protocol is unreachable',
  [PathError.UNREACHABLE_PORT]: 'the port is unreachable',
  [PathError.TOO_BIG]: 'too big for the path',
  [PathError.PROHIBITED]: 'prohibited by a filter',
  [PathError.TIME_EXCEEDED]: 'time to live exceeded',
  [PathError.PARAMETER_PROBLEM]: 'a parameter of the header is refused',
  [PathError.HOST_DOWN]: 'the host does not answer ARP',
};

/** Requests whose time of sending is remembered; a reply to an older one is counted, but has no round trip. */
const REMEMBERED = 1024;
const POLL_MS = 100;

/** Sends echo requests from our stack and takes what comes back. Its clock is the host's: a round trip ends with the turn that took the reply in. */
export class Pinger {
  readonly #host: Host;
  readonly #options: PingOptions;
  readonly #onAnswer: (answer: PingAnswer) => void;
  readonly #id: number;
  readonly #sentAt = new Float64Array(REMEMBERED);
  readonly #answered = new Uint8Array(REMEMBERED);
  readonly #startedAt: number;
  #transmitted = 0;
  #received = 0;
  #duplicates = 0;
  #errors = 0;
  #min = Infinity;
  #max = 0;
  #sum = 0;
  #squares = 0;
  #timer: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #finish: () => void = () => {};

  /** `id` tells this pinger's requests from another's on the same stack. */
  constructor(host: Host, watch: FrameWatch, id: number, options: PingOptions, onAnswer: (answer: PingAnswer) => void) {
    this.#host = host;
    this.#options = options;
    this.#onAnswer = onAnswer;
    this.#id = id & 0xffff;
    this.#startedAt = host.clock.now();
    watch.onFrames(() => this.#take());
  }

  /** Resolves when every request is answered, the last one's time is up, or `stop` was called. */
  run(): Promise<PingSummary> {
    return new Promise((resolve) => {
      this.#finish = () => {
        clearTimeout(this.#timer);
        clearInterval(this.#poll);
        this.#finish = () => {};
        resolve(this.#summary());
      };
      // A neighbour that did not answer is reported by a timer of the stack, and no frame comes with it.
      this.#poll = setInterval(() => this.#take(), POLL_MS);
      this.#send();
    });
  }

  stop(): void {
    this.#finish();
  }

  #send(): void {
    const { destination, payloadBytes, ttl, dontFragment, intervalUs, timeoutUs, count } = this.#options;
    this.#transmitted += 1;
    const seq = this.#transmitted;
    this.#sentAt[seq % REMEMBERED] = this.#host.clock.now();
    this.#answered[seq % REMEMBERED] = 0;
    const verdict = this.#host.stack.net.sendEcho(destination, this.#id, seq, payloadBytes, ttl, dontFragment);
    this.#host.wake();
    // A neighbour that is being asked for is no failure: the request goes out with its answer.
    if (verdict >= FIRST_DROP && verdict !== Verdict.NEIGHBOR_PENDING) {
      this.#errors += 1;
      this.#onAnswer({ kind: 'unsent', seq, reason: verdictText(verdict) });
    }
    const last = this.#transmitted >= count;
    this.#timer = setTimeout(() => (last ? this.#finish() : this.#send()), (last ? timeoutUs : intervalUs) / 1000);
  }

  #take(): void {
    const { net } = this.#host.stack;
    while (net.nextEcho()) {
      const { id, seq, source, bytes, ttl, at, error, intact } = net.echoResult;
      if (id !== this.#id) continue;
      // What our own stack reports has no sender but ourselves.
      const sender = net.formatAddress(source === 0 ? net.sourceFor(this.#options.destination) : source);
      const number = this.#widen(seq);
      if (error !== -1) {
        this.#errors += 1;
        this.#onAnswer({ kind: 'error', seq: number, source: sender, reason: ERRORS[error] });
        continue;
      }
      const slot = number % REMEMBERED;
      const duplicate = this.#answered[slot] !== 0;
      const rttUs = Math.max(0, at - this.#sentAt[slot]);
      this.#answered[slot] = 1;
      if (duplicate) this.#duplicates += 1;
      else this.#count(rttUs);
      this.#onAnswer({ kind: 'reply', seq: number, source: sender, bytes, ttl, rttUs, duplicate, intact });
    }
    if (this.#received + this.#errors >= this.#options.count) this.#finish();
  }

  /** The wire has 16 bits of our count. */
  #widen(seq: number): number {
    return this.#transmitted - ((this.#transmitted - seq) & 0xffff);
  }

  #count(rttUs: number): void {
    this.#received += 1;
    this.#min = Math.min(this.#min, rttUs);
    this.#max = Math.max(this.#max, rttUs);
    this.#sum += rttUs;
    this.#squares += rttUs * rttUs;
  }

  #summary(): PingSummary {
    const avgUs = this.#sum / this.#received;
    const mdevUs = Math.sqrt(Math.max(0, this.#squares / this.#received - avgUs * avgUs));
    return {
      transmitted: this.#transmitted,
      received: this.#received,
      duplicates: this.#duplicates,
      errors: this.#errors,
      lossPercent: (1 - this.#received / this.#transmitted) * 100,
      timeMs: (this.#host.clock.now() - this.#startedAt) / 1000,
      rtt: this.#received === 0 ? undefined : { minUs: this.#min, avgUs, maxUs: this.#max, mdevUs },
    };
  }
}
