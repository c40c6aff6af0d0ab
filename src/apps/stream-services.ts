import { StackError } from '../../stack/base/errors.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import type { StackHost } from '../host/stack-host.js';
import type { ServiceHandler } from '../reactor/acceptor.js';
import type { Handle } from '../reactor/event-handler.js';

/** Bytes moved at once. One buffer for each service, not for each connection. */
const CHUNK_BYTES = 65_536;
/** Chunks for one connection before others get their turn. */
const CHUNKS_MAX = 16;

/** What is alike in all three. */
abstract class Service implements ServiceHandler {
  readonly #host: StackHost;
  protected readonly buffer = new Uint8Array(CHUNK_BYTES);
  connections = 0;
  bytes = 0;

  constructor(host: StackHost) {
    this.#host = host;
  }
  protected get tcp(): StackHost['stack']['tcp'] {
    return this.#host.stack.tcp;
  }
  /** There may be more to read: to be asked again once others have had their turn. */
  protected again(id: ConnectionId): void {
    this.#host.reactor.raise(SocketKind.CONNECTION, id, Event.READABLE);
  }
  open(_id: ConnectionId): number {
    this.connections += 1;
    return 0;
  }
  handleEvent(handle: Handle, events: number): void {
    const id = handle as ConnectionId;
    try {
      if ((events & Event.FAILED) === 0 && this.serve(id)) return;
    } catch (error) {
      // The peer's reset is its own business. Anything else is ours.
      if (!(error instanceof StackError)) throw error;
    }
    this.connections -= 1;
    this.ended(id);
    this.tcp.close(id);
  }
  /** False when the connection has served its purpose. */
  protected abstract serve(id: ConnectionId): boolean;
  protected ended(_id: ConnectionId): void {}
}

/** RFC 862: what comes goes back. */
export class EchoService extends Service {
  /**
   * What was read and could not be sent. Nothing more is read of that connection until it is gone, so the peer's window
   * closes and no connection holds more than one chunk here.
   */
  readonly #held = new Map<ConnectionId, Uint8Array>();

  protected serve(id: ConnectionId): boolean {
    const held = this.#held.get(id);
    if (held !== undefined) {
      this.#held.delete(id);
      if (!this.#send(id, held, held.length)) return true;
    }
    for (let i = 0; i < CHUNKS_MAX; i++) {
      const count = this.tcp.receive(id, this.buffer, 0, CHUNK_BYTES);
      if (count < 0) return false;
      if (count === 0) return true;
      this.bytes += count;
      if (!this.#send(id, this.buffer, count)) return true;
    }
    this.again(id);
    return true;
  }
  protected override ended(id: ConnectionId): void {
    this.#held.delete(id);
  }
  /** Where the stack takes less, WRITABLE follows. */
  #send(id: ConnectionId, bytes: Uint8Array, count: number): boolean {
    const taken = this.tcp.send(id, bytes, 0, count);
    if (taken < count) this.#held.set(id, bytes.slice(taken, count));
    return taken === count;
  }
}

/** RFC 863: what comes is thrown away. */
export class DiscardService extends Service {
  protected serve(id: ConnectionId): boolean {
    for (let i = 0; i < CHUNKS_MAX; i++) {
      const count = this.tcp.receive(id, this.buffer, 0, CHUNK_BYTES);
      if (count < 0) return false;
      if (count === 0) return true;
      this.bytes += count;
    }
    this.again(id);
    return true;
  }
}

/** RFC 864's pattern: lines of 72 of the 95 printable characters, each line beginning one character further. */
const LINE_CHARACTERS = 72;
const PRINTABLE = 95;
const LINE_BYTES = LINE_CHARACTERS + 2;
const PATTERN = chargenPattern();

function chargenPattern(): Uint8Array {
  const pattern = new Uint8Array(PRINTABLE * LINE_BYTES);
  for (let line = 0; line < PRINTABLE; line++) {
    const at = line * LINE_BYTES;
    for (let i = 0; i < LINE_CHARACTERS; i++) pattern[at + i] = 0x20 + ((line + i) % PRINTABLE);
    pattern[at + LINE_CHARACTERS] = 0x0d;
    pattern[at + LINE_CHARACTERS + 1] = 0x0a;
  }
  return pattern;
}

/** RFC 864: characters without end, and what comes is thrown away. */
export class ChargenService extends DiscardService {
  /** Where in the pattern each connection is, by row. */
  #positions = new Int32Array(64);

  override open(id: ConnectionId): number {
    const row = this.tcp.rowOf(id);
    if (row >= this.#positions.length) {
      const positions = new Int32Array(Math.max(row + 1, this.#positions.length * 2));
      positions.set(this.#positions);
      this.#positions = positions;
    }
    this.#positions[row] = 0;
    this.#generate(id);
    return super.open(id);
  }
  protected override serve(id: ConnectionId): boolean {
    if (!super.serve(id)) return false;
    this.#generate(id);
    return true;
  }
  #generate(id: ConnectionId): void {
    const row = this.tcp.rowOf(id);
    let position = this.#positions[row];
    for (let i = 0; i < CHUNKS_MAX; i++) {
      const taken = this.tcp.send(id, PATTERN, position, PATTERN.length);
      position += taken;
      this.#positions[row] = position;
      // Short: WRITABLE follows. At the end of the pattern it begins again.
      if (position < PATTERN.length) return;
      position = 0;
    }
    this.#positions[row] = 0;
    // Everything was taken, so nothing will announce more room.
    this.again(id);
  }
}
