/**
 * What iperf3 says on its control connection, which is documented by its behaviour only (seen: 3.12). A cookie opens every
 * connection. On the control connection follow states, one signed byte each, and documents: four bytes of length, big-endian, then JSON.
 */

/** 36 printable characters and a zero. A data connection shows by its cookie which test it belongs to. */
export const COOKIE_BYTES = 37;

export const enum Iperf3State {
  TEST_START = 1,
  TEST_RUNNING = 2,
  TEST_END = 4,
  PARAM_EXCHANGE = 9,
  CREATE_STREAMS = 10,
  CLIENT_TERMINATE = 12,
  EXCHANGE_RESULTS = 13,
  DISPLAY_RESULTS = 14,
  IPERF_DONE = 16,
  /** Another test is running. */
  ACCESS_DENIED = -1,
  /** Two integers follow: one of iperf3's error numbers, and an errno. */
  SERVER_ERROR = -2,
}

/** iperf3's own error numbers, as far as we have reason to use them: the client prints the sentence that belongs to it. */
export const enum Iperf3Error {
  NUMBER_OF_STREAMS = 6,
  BLOCK_SIZE = 7,
  NOT_IMPLEMENTED = 13,
  RECEIVE_PARAMS = 114,
}

/** What the client asks for. */
export interface Iperf3Params {
  /** Connections in each direction. */
  readonly parallel: number;
  readonly reverse: boolean;
  readonly bidirectional: boolean;
  /** Seconds at the start that do not count. */
  readonly omit: number;
  /** Bytes in all, 0 when time is the limit. */
  readonly bytes: number;
  /** Bytes for each write. */
  readonly blockBytes: number;
  /** Bits a second for each of our streams; 0: as fast as it goes. */
  readonly bitsPerSecond: number;
  readonly noDelay: boolean;
  readonly mss: number;
  readonly windowBytes: number;
}

/** iperf3's own limits: 128 streams, blocks of a mebibyte. */
const STREAMS_MAX = 128;
const BLOCK_BYTES_MAX = 1 << 20;
const BLOCK_BYTES_DEFAULT = 128 * 1024;
const OMIT_SECONDS_MAX = 600;

/** The parameters in a document, or why we cannot have such a test. */
export function readParams(text: string): Iperf3Params | Iperf3Error {
  const given = parseObject(text);
  if (given === undefined) return Iperf3Error.RECEIVE_PARAMS;
  if (given.udp === true || given.sctp === true) return Iperf3Error.NOT_IMPLEMENTED;
  const parallel = wholeNumber(given.parallel, 1);
  if (parallel < 1 || parallel > STREAMS_MAX) return Iperf3Error.NUMBER_OF_STREAMS;
  const blockBytes = wholeNumber(given.len, BLOCK_BYTES_DEFAULT);
  if (blockBytes < 1 || blockBytes > BLOCK_BYTES_MAX) return Iperf3Error.BLOCK_SIZE;
  const blocks = wholeNumber(given.blockcount, 0);
  return {
    parallel,
    reverse: isSet(given.reverse),
    bidirectional: isSet(given.bidirectional),
    omit: Math.min(wholeNumber(given.omit, 0), OMIT_SECONDS_MAX),
    bytes: blocks > 0 ? blocks * blockBytes : wholeNumber(given.num, 0),
    blockBytes,
    bitsPerSecond: wholeNumber(given.bandwidth, 0),
    noDelay: isSet(given.nodelay),
    mss: wholeNumber(given.MSS, 0),
    windowBytes: wholeNumber(given.window, 0),
  };
}

/** What one stream has done, as both sides report it. */
export interface Iperf3StreamResult {
  readonly id: number;
  readonly bytes: number;
  readonly retransmits: number;
  readonly seconds: number;
}

/** What `process.cpuUsage` said over the test, in per cent of one CPU. */
export interface Iperf3CpuUse {
  readonly user: number;
  readonly system: number;
}

export function writeResults(streams: readonly Iperf3StreamResult[], cpu: Iperf3CpuUse, sending: boolean): Uint8Array {
  return writeDocument({
    cpu_util_total: cpu.user + cpu.system,
    cpu_util_user: cpu.user,
    cpu_util_system: cpu.system,
    // -1: we did not send, so that the client's own count holds.
    sender_has_retransmits: sending ? 1 : -1,
    streams: streams.map((stream) => ({
      id: stream.id,
      bytes: stream.bytes,
      retransmits: stream.retransmits,
      // Of datagrams only; a client that does not find them gives up.
      jitter: 0,
      errors: 0,
      omitted_errors: 0,
      packets: 0,
      omitted_packets: 0,
      start_time: 0,
      end_time: stream.seconds,
    })),
  });
}

/** The documents a client sends are some hundred bytes, and as many again for each stream. */
const DOCUMENT_BYTES_MAX = 256 * 1024;
const LENGTH_BYTES = 4;

function writeDocument(value: object): Uint8Array {
  const text = Buffer.from(JSON.stringify(value));
  const bytes = Buffer.alloc(LENGTH_BYTES + text.length);
  bytes.writeUInt32BE(text.length);
  text.copy(bytes, LENGTH_BYTES);
  return bytes;
}

/** Puts together again what comes on a control connection in pieces. */
export class ControlReader {
  #bytes: Buffer = Buffer.alloc(0);

  push(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  /** The next `count` bytes as text without its zero, or nothing yet. */
  cookie(): string | undefined {
    if (this.#bytes.length < COOKIE_BYTES) return undefined;
    return this.#take(COOKIE_BYTES).toString('latin1', 0, COOKIE_BYTES - 1);
  }

  state(): number | undefined {
    return this.#bytes.length === 0 ? undefined : this.#take(1).readInt8();
  }

  /** The next document; nothing yet; or `null` when it is longer than any client's. */
  document(): string | null | undefined {
    if (this.#bytes.length < LENGTH_BYTES) return undefined;
    const length = this.#bytes.readUInt32BE();
    if (length > DOCUMENT_BYTES_MAX) return null;
    if (this.#bytes.length < LENGTH_BYTES + length) return undefined;
    return this.#take(LENGTH_BYTES + length).toString('utf8', LENGTH_BYTES);
  }

  /** What came after the cookie of a data connection counts as data. */
  get length(): number {
    return this.#bytes.length;
  }

  #take(count: number): Buffer {
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Flags come as `true` or as 1. */
function isSet(value: unknown): boolean {
  return value === true || (typeof value === 'number' && value !== 0);
}

function wholeNumber(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.floor(value) : otherwise;
}
