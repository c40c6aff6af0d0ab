import { rmSync, statSync } from 'node:fs';
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { StackError } from '../../../stack/base/errors.js';
import { ScriptedWorld, type ScriptedWorldOptions } from '../../posix/scripted-world.js';
import { FrameReader, Op, ProtocolError, reply } from './frames.js';
import { Session, type Thread } from './session.js';

export interface ServeOptions {
  readonly path: string;
  readonly world?: ScriptedWorldOptions;
  /** Initial settings of each script's world, by Linux's names. */
  readonly settings?: ReadonlyMap<string, string>;
  /** A script has begun, or a connection said what is no request. */
  readonly onScript?: (number: number) => void;
  readonly onProtocolError?: (error: ProtocolError) => void;
}

/** packetdrill's descriptors for sockets of this stack begin here: below are its own process's. */
const FIRST_DESCRIPTOR = 10_000;

/**
 * Serves worlds to packetdrill over a unix socket: each script that says HELLO has a fresh one. A connection that does not begin with HELLO is the second
 * thread of the script that began last.
 */
export class PacketdrillServer {
  readonly #server: Server;
  readonly #options: ServeOptions;
  #session: Session | undefined;
  #scripts = 0;
  readonly #sockets = new Set<Socket>();

  private constructor(options: ServeOptions) {
    this.#options = options;
    // Throws now for a setting that is none, and not at the first script.
    this.#newSession().world.close();
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens. Throws EADDRINUSE when another process serves there, and whatever the path is worth. */
  static async start(options: ServeOptions): Promise<PacketdrillServer> {
    const server = new PacketdrillServer(options);
    await removeStale(options.path);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(options.path, () => resolve());
    });
    return server;
  }

  get scripts(): number {
    return this.#scripts;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #newSession(): Session {
    const world = new ScriptedWorld({ ...this.#options.world, firstDescriptor: FIRST_DESCRIPTOR });
    for (const [name, value] of this.#options.settings ?? []) world.setSysctl(name, value);
    return new Session(world);
  }

  /** The second thread of the script that is under way. */
  #join(thread: Thread, op: number): Session {
    if (this.#session === undefined) throw new ProtocolError(`operation ${op} before HELLO`);
    this.#session.join(thread);
    return this.#session;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const reader = new FrameReader();
    let session: Session | undefined;
    let thread: Thread = { main: false, write: (bytes) => socket.write(bytes) };
    const leave = (): void => {
      this.#sockets.delete(socket);
      session?.leave(thread);
      session = undefined;
    };
    socket.on('close', leave);
    // A reset says no more than a close.
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const request of reader.push(chunk)) {
          if (request.op === Op.HELLO) {
            session?.leave(thread);
            thread = { ...thread, main: true };
            session = this.#newSession();
            session.join(thread);
            this.#session = session;
            this.#scripts += 1;
            this.#options.onScript?.(this.#scripts);
            thread.write(reply(0));
          } else if (request.op === Op.FREE) {
            if (this.#session === session) this.#session = undefined;
            thread.write(reply(0));
          } else {
            session ??= this.#join(thread, request.op);
            session.request(thread, request);
          }
        }
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#options.onProtocolError?.(error);
        socket.destroy();
      }
    });
  }
}

/** A socket nobody listens on any more is left over; one that answers is somebody's, and anything else is not ours to remove. */
async function removeStale(path: string): Promise<void> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new StackError('EEXIST', `${path} exists and is no socket; choose another path`);
  }
  const answered = await new Promise<boolean>((resolve) => {
    const trial = connectSocket(path);
    trial.once('connect', () => {
      trial.destroy();
      resolve(true);
    });
    trial.once('error', () => resolve(false));
  });
  if (answered) throw new StackError('EADDRINUSE', `another process serves on ${path}; choose another path`);
  rmSync(path);
}
