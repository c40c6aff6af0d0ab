import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** An answer that its connection did not live to take. */
export interface CutShort {
  /** Bytes of the body that the connection took. The client may have got fewer. */
  readonly bytes: number;
  /** Of how many; undefined when the answer had not begun. */
  readonly of: number | undefined;
}

/** Waiting for an answer's turn has ended with the connection: nobody's mistake. */
export class ConnectionGone extends Error {}

/** What is to be called when a connection ends. One listener on a socket, however many requests have come on it. */
const endings = new WeakMap<Socket, Set<() => void>>();

function endingsOf(socket: Socket): Set<() => void> {
  let calls = endings.get(socket);
  if (calls === undefined) {
    calls = new Set();
    endings.set(socket, calls);
    const all = calls;
    socket.once('close', () => {
      for (const call of all) call();
    });
  }
  return calls;
}

/**
 * What becomes of one answer. A client may send many requests at once (RFC 9112 §9.3.2): Node calls for each, and holds the answers in a
 * queue. An answer in the queue has no socket, and Node does not report to it that the connection has ended. So each waits for its turn
 * before it opens anything, and learns of the end here.
 */
export class Delivery {
  /** Set when the connection ended first. */
  cut: CutShort | undefined;
  /** The whole answer is in the connection's hands, or the connection has ended. */
  readonly done: Promise<void>;
  readonly #response: ServerResponse;
  readonly #gone = new AbortController();
  /** Of the body: announced, once it has begun, and given to Node. */
  #announced: number | undefined;
  #bytes = 0;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#response = response;
    const { socket } = request;
    this.done = new Promise((resolve) => {
      const end = (): void => {
        if (this.cut !== undefined || response.writableFinished) return;
        this.cut = this.#count();
        this.#gone.abort();
        resolve();
      };
      if (socket.destroyed) {
        end();
        return;
      }
      const calls = endingsOf(socket);
      calls.add(end);
      response.once('finish', () => {
        calls.delete(end);
        resolve();
      });
    });
  }

  /** Resolves when all answers before this one are out. Throws ConnectionGone. */
  async turn(): Promise<void> {
    if (this.#response.socket === null && !this.#gone.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#response.once('socket', () => resolve());
        this.#gone.signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    if (this.#gone.signal.aborted) throw new ConnectionGone('the connection ended before this answer could begin');
  }

  /**
   * Sends a body whose head is written already, with this length in it, and ends the response. Throws when the source fails or is shorter, or
   * the connection ends.
   */
  async send(body: Readable, length: number): Promise<void> {
    this.#announced = length;
    body.on('data', (chunk: Uint8Array) => {
      this.#bytes += chunk.length;
    });
    // Without the signal an answer would wait for ever: a response without a socket is never drained, and never closed.
    await pipeline(body, this.#response, { signal: this.#gone.signal, end: false });
    // The client would wait for the rest. What the connection ends with it takes for an error, as it is.
    if (this.#bytes < length) throw new Error(`the body has ${this.#bytes} bytes, and ${length} are announced`);
    this.#response.end();
  }

  #count(): CutShort {
    const of = this.#announced;
    // What waits in Node has not been sent.
    const bytes = of === undefined ? 0 : Math.min(of, this.#bytes - this.#response.writableLength);
    return { bytes: Math.max(0, bytes), of };
  }
}
