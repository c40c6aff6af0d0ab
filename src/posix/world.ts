import type { SocketCalls } from './socket-calls.js';

/** What a script needs of a world: the socket calls, a wire of IP datagrams, and a clock that stands still by itself. */
export interface World {
  readonly calls: SocketCalls;
  /** Virtual, whole microseconds. */
  readonly nowUs: number;
  /** The earliest instant at which a timer or a waiting call will do something; Infinity when nothing is pending. */
  nextDeadlineUs(): number;
  /** Time goes on to `untilUs`: every timer up to then has run when this returns, in order and at its own instant. */
  advance(untilUs: number): void;
  /** An IP datagram arrives from the wire, now. What it gives rise to at once is in `takeSent` when this returns. */
  deliver(datagram: Uint8Array): void;
  /** The oldest datagram that was sent and not taken. */
  takeSent(): SentDatagram | undefined;
  /** One of Linux's settings (`net.ipv4.tcp_timestamps`). Throws a PosixError for a name or a value that is not understood. */
  setSysctl(name: string, value: string): void;
  getSysctl(name: string): string;
  /** It is not used any more. */
  close(): void;
}

export interface SentDatagram {
  readonly timeUs: number;
  readonly datagram: Uint8Array;
}
