import type { ConnectionId } from '../../stack/base/units.js';
import { Event } from '../../stack/net/event-queue.js';
import type { Stack } from '../../stack/stack.js';
import type { ServiceHandler } from '../reactor/acceptor.js';
import type { Handle } from '../reactor/event-handler.js';

/** Bytes moved at once. One buffer for each service, not for each connection. */
const CHUNK_BYTES = 65_536;
/** Chunks for one connection before others get their turn. */
const CHUNKS_MAX = 16;

/** What ends a connection alike in all three. */
abstract class Service implements ServiceHandler {
  readonly #stack: Stack;
  protected readonly buffer = new Uint8Array(CHUNK_BYTES);
  connections = 0;
  bytes = 0;

  constructor(stack: Stack) {
    this.#stack = stack;
  }
  protected get tcp(): Stack['tcp'] {
    return this.#stack.tcp;
  }
  open(_id: ConnectionId): number {
    this.connections += 1;
    return 0;
  }
  handleEvent(handle: Handle, events: number): void {
    const id = handle as ConnectionId;
    if ((events & Event.FAILED) !== 0 || !this.serve(id)) {
      this.connections -= 1;
      this.tcp.close(id);
    }
  }
  /** False when the connection has served its purpose. */
  protected abstract serve(id: ConnectionId): boolean;
}

/** RFC 862: what comes goes back. */
export class EchoService extends Service {
  /**
   * No more is read than can be sent back, so what has nowhere to go stays in the stack and closes the peer's window: the
   * service holds not one byte of any connection.
   */
  protected serve(id: ConnectionId): boolean {
    for (let i = 0; i < CHUNKS_MAX; i++) {
      const room = Math.min(this.tcp.writable(id), CHUNK_BYTES);
      // Asks to be told when there is room: a send that is cut short is followed by WRITABLE.
      if (room === 0) {
        this.tcp.send(id, this.buffer, 0, 0);
        return true;
      }
      const count = this.tcp.receive(id, this.buffer, 0, room);
      if (count < 0) return false;
      if (count === 0) return true;
      this.bytes += count;
      this.tcp.send(id, this.buffer, 0, count);
    }
    return true;
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
      // Short: WRITABLE follows. At the end of the pattern it begins again.
      if (position < PATTERN.length) break;
      position = 0;
    }
    this.#positions[row] = position;
  }
}
