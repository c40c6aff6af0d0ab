import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { claimSocket, listenPrivately } from './control-path.js';
import {
  type PoolRow,
  parseRequest,
  REQUEST_BYTES_MAX,
  type Request,
  type Row,
  type SocketRow,
  type StatsRow,
} from './control-protocol.js';

/** Where the answers come from. Read lazily: rows are made as they are sent. */
export interface ControlSource {
  sockets(request: Request & { query: 'sockets' }): Iterator<SocketRow>;
  stats(): StatsRow;
  pools(): readonly PoolRow[];
}

/**
 * Rows made in one go, before the event loop has its turn. A row takes 1 µs, one with `info` 7 to 11: half a millisecond at
 * most, which is what a turn of the host takes, too. No frame waits longer because somebody lists a million connections.
 */
const PAGE_ROWS = 64;
/** Who asks sits at a keyboard. */
const CLIENTS_MAX = 4;
/** A client that says nothing, or does not read, for this long is cut off. */
const IDLE_MS = 30_000;

/** Answers questions about a running stack on a unix socket that only its owner can reach. */
export class ControlServer {
  readonly #server: Server;
  /** Node removes the socket when the server is closed; when the program ends without that, this does. */
  readonly #onExit = (): void => rmSync(this.path, { force: true });
  readonly #clients = new Set<Socket>();

  private constructor(
    readonly path: string,
    readonly source: ControlSource,
  ) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#serve(client));
    this.#server.maxConnections = CLIENTS_MAX;
  }

  /** Throws a `CliError` when the path is taken or cannot be made. Does not keep the process alive. */
  static async open(path: string, source: ControlSource): Promise<ControlServer> {
    await claimSocket(path);
    const control = new ControlServer(path, source);
    await listenPrivately(control.#server, path);
    control.#server.unref();
    process.once('exit', control.#onExit);
    return control;
  }

  /** Cuts clients off and removes the socket. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    process.off('exit', this.#onExit);
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(client: Socket): void {
    client.unref();
    client.setEncoding('utf8');
    client.setTimeout(IDLE_MS, () => client.destroy());
    client.on('error', () => client.destroy());
    client.on('close', () => this.#clients.delete(client));
    this.#clients.add(client);
    // Who ends its half after the question, as `nc -N` does, still gets the whole answer; who asks nothing gets the end.
    let asked = false;
    client.on('end', () => {
      if (!asked) client.end();
    });
    let text = '';
    client.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0 && text.length <= REQUEST_BYTES_MAX) return;
      // One question a connection: what follows would only wait in memory.
      client.removeAllListeners('data').resume();
      asked = true;
      const request =
        end < 0 ? `the request is longer than ${REQUEST_BYTES_MAX} bytes` : parseRequest(text.slice(0, end));
      this.#answer(client, request);
    });
  }

  #answer(client: Socket, request: Request | string): void {
    if (typeof request === 'string') {
      client.end(lineOf({ type: 'error', code: 'ERR_INVALID_ARG_VALUE', message: request }));
    } else if (request.query === 'stats') {
      client.end(lineOf(this.source.stats()) + lineOf({ type: 'end', count: 1 }));
    } else if (request.query === 'pools') {
      const rows = this.source.pools();
      client.end(rows.map(lineOf).join('') + lineOf({ type: 'end', count: rows.length }));
    } else {
      sendPages(client, this.source.sockets(request));
    }
  }
}

/** A page, then the event loop's turn; and when the client reads slowly, its turn, too. Holds one page in memory. */
function sendPages(client: Socket, rows: Iterator<SocketRow>): void {
  let count = 0;
  const page = (): void => {
    if (client.destroyed) return;
    let text = '';
    for (let i = 0; i < PAGE_ROWS; i++) {
      const next = rows.next();
      if (next.done === true) {
        client.end(text + lineOf({ type: 'end', count }));
        return;
      }
      text += lineOf(next.value);
      count += 1;
    }
    if (client.write(text)) setImmediate(page);
    else client.once('drain', page);
  };
  page();
}

function lineOf(row: Row): string {
  return `${JSON.stringify(row)}\n`;
}
