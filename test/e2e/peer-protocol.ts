import type { RawOptions } from '../../src/cli/options.js';

/** What the test and its peer say to each other. */

export interface PeerOptions {
  /** As on the command line. */
  readonly settings: RawOptions;
}

/** Ports of the peer's services. */
export const enum Port {
  ECHO = 7,
  DISCARD = 9,
  CHARGEN = 19,
  HTTP = 80,
  /** Reads to the end, then sends everything back in reverse. */
  ANSWER_AFTER_END = 1001,
  /** Aborts when it has read something. */
  ABORT = 1002,
  /** Echoes, and reports how each connection ended. */
  WATCHED = 1003,
  /** Nobody listens there. */
  CLOSED = 1099,
  IPERF3 = 5201,
}

export interface Counts {
  readonly connections: number;
  /** Rows with the state that only a connection which does something needs. */
  readonly active: number;
  readonly halfOpen: number;
  readonly timeWaits: number;
  /** Chunks of stream buffers in use. */
  readonly chunksUsed: number;
  /** Frame slots in use. */
  readonly slotsUsed: number;
  /** `Stats.snapshot()` */
  readonly stats: Readonly<Record<string, number>>;
  readonly verdicts: Readonly<Record<string, number>>;
}

export interface Calls {
  counts: { readonly argument: null; readonly result: Counts };
  /** Connects to a server of the kernel, sends `text` and the end, and gathers what comes until the end. */
  connect: {
    readonly argument: {
      readonly host: string;
      readonly port: number;
      readonly text: string;
      readonly synRetries?: number;
    };
    readonly result: { readonly code: string; readonly received: string };
  };
  /** A gateway and an address more. */
  addAddress: { readonly argument: { readonly address: string }; readonly result: null };
  addDefaultRoute: { readonly argument: { readonly gateway: string }; readonly result: null };
  /** Connections to `port` are passed on to a server of the kernel, over a second connection of ours. */
  relay: {
    readonly argument: { readonly port: number; readonly host: string; readonly toPort: number };
    readonly result: null;
  };
  /** Sends a datagram to a server of the kernel and waits for its answer, or the error that came back. */
  datagram: {
    readonly argument: { readonly host: string; readonly port: number; readonly text: string };
    readonly result: { readonly code: string; readonly received: string };
  };
}
export type Call = keyof Calls;

export interface Request {
  readonly id: number;
  readonly name: Call;
  readonly argument: unknown;
}

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

export type PeerEvent =
  | { readonly event: 'ready' }
  /** A watched connection has ended; `code` is empty when it ended in order. */
  | { readonly event: 'closed'; readonly code: string };

export type Report = Answer | PeerEvent;
