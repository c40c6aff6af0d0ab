import type { PoolReport } from '../../stack/memory/pool-report.js';
import type { TcpInfo } from '../../stack/tcp/info.js';

/**
 * What `millrace ss` and a running instance say to each other over a unix socket: JSON, a line each way. A request is one
 * line; the answer is any number of rows and then one `end`, or one `error`. Fields are only ever added.
 */
export type Request =
  | {
      readonly query: 'sockets';
      readonly listening: boolean;
      readonly connected: boolean;
      readonly info: boolean;
      readonly memory: boolean;
    }
  | { readonly query: 'stats' }
  | { readonly query: 'pools' };

/** A socket, with what `ss` shows in columns. For a listener the queues are connections: waiting to be accepted, and at most. */
export interface SocketRow {
  readonly type: 'socket';
  readonly protocol: 'tcp' | 'udp';
  readonly state: string;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Everything Linux's TCP_INFO has; of a connection, when asked for. */
  readonly info?: SocketInfo;
  /** Of a connection or a UDP socket, when asked for. */
  readonly memory?: SocketMemory;
}

/** What a socket holds of the stack's memory, and may hold; bytes. */
export interface SocketMemory {
  /** Received, and not read yet. Of UDP in whole chunks, as they are charged. */
  readonly receiveBytes: number;
  readonly receiveBytesMax: number;
  /** Sent and not acknowledged. */
  readonly inFlightBytes: number;
  /** … and with what is still to be sent. */
  readonly sendBytes: number;
  readonly sendBytesMax: number;
  /** Datagrams lost because the queue was full. */
  readonly drops: number;
}

/** A pool of the stack: see `docs/memory.md`. */
export interface PoolRow extends PoolReport {
  readonly type: 'pool';
}

/** Addresses, ports and queues are in the row already. */
export type SocketInfo = Omit<
  TcpInfo,
  'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort' | 'recvQueueBytes' | 'sendQueueBytes'
>;

export interface StatsRow {
  readonly type: 'stats';
  readonly counters: Readonly<Record<string, number>>;
  /** How often each verdict was reached, by name; those that never were are left out. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** Connections by what they cost: with a full row, active, half-open, in TIME-WAIT. */
  readonly sockets: Readonly<Record<string, number>>;
  readonly interfaces: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface EndRow {
  readonly type: 'end';
  readonly count: number;
}

export interface ErrorRow {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
}

export type Row = SocketRow | StatsRow | PoolRow | EndRow | ErrorRow;

/** Longer than any request; who sends more without a newline is not speaking this protocol. */
export const REQUEST_BYTES_MAX = 4096;

/** A request from a line, or what is wrong with it. */
export function parseRequest(line: string): Request | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'the request is not JSON';
  }
  if (typeof value !== 'object' || value === null || !('query' in value)) return 'the request has no "query"';
  if (value.query === 'stats') return { query: 'stats' };
  if (value.query === 'pools') return { query: 'pools' };
  if (value.query !== 'sockets') return 'the query is none of "sockets", "stats" and "pools"';
  const flags = value as { listening?: unknown; connected?: unknown; info?: unknown; memory?: unknown };
  return {
    query: 'sockets',
    listening: flags.listening === true,
    connected: flags.connected === true,
    info: flags.info === true,
    memory: flags.memory === true,
  };
}
