import { ERRNO } from '../../posix/errno.js';
import { errnoOf } from '../../posix/posix-error.js';
import type { Outcome, PendingCall } from '../../posix/socket-calls.js';
import type { World } from '../../posix/world.js';
import { addressBytes, Op, ProtocolError, pollBytes, QUEUED, type Request, reply, timeBytes } from './frames.js';

/** One of packetdrill's threads, as its connection shows it. */
export interface Thread {
  /** The first connection of a script: it never sleeps, so its calls drive the clock. */
  readonly main: boolean;
  write(bytes: Buffer): void;
}

/** What a thread is owed. */
interface Waiting {
  readonly call: PendingCall;
  readonly payload: (outcome: Outcome) => Uint8Array;
}

/**
 * How far the clock jumps in search of something sent, or of a call's end: a day. The longest wait TCP has, two hours of keepalive and its probes, lies
 * well within.
 */
const SEARCH_US = 24 * 3_600_000_000;
const NOTHING = new Uint8Array(0);

const noPayload = (): Uint8Array => NOTHING;
const dataPayload = (outcome: Outcome): Uint8Array => outcome.data ?? NOTHING;
const addressPayload = (outcome: Outcome): Uint8Array =>
  outcome.address === undefined ? NOTHING : addressBytes(outcome.address);

/**
 * One script: a world, and the two threads that use it. The clock is the world's: it stands still but for what the threads ask of it.
 */
export class Session {
  readonly #waiting = new Map<Thread, Waiting>();
  /** When the call of a thread that had to wait was completed: what its clock shows next. */
  readonly #completed = new Map<Thread, number>();

  readonly #threads = new Set<Thread>();

  constructor(readonly world: World) {}

  join(thread: Thread): void {
    this.#threads.add(thread);
  }

  /** Answers a request: at once, or with "queued" and later. Throws ProtocolError for what is none. */
  request(thread: Thread, request: Request): void {
    if (this.#waiting.has(thread)) throw new ProtocolError('a request before the last one was answered');
    const { world } = this;
    switch (request.op) {
      case Op.NDSEND:
        this.#deliver(thread, request.rest());
        break;
      case Op.NDRECV:
        thread.write(this.#receive());
        break;
      case Op.USLEEP:
        this.#advance(world.nowUs + Math.max(0, request.int()));
        thread.write(reply(0));
        break;
      case Op.GETTIME:
        thread.write(reply(0, 0, timeBytes(this.#time(thread))));
        break;
      case Op.SYSCTL:
        thread.write(reply(...this.#setting(request.rest().toString('utf8'))));
        break;
      default:
        this.#call(thread, request);
    }
    this.#answerCompleted();
  }

  /** The thread has gone away; what it waited for is nobody's concern. */
  leave(thread: Thread): void {
    this.#waiting.get(thread)?.call.cancel();
    this.#waiting.delete(thread);
    this.#completed.delete(thread);
    if (this.#threads.delete(thread) && this.#threads.size === 0) this.world.close();
  }

  #deliver(thread: Thread, datagram: Buffer): void {
    try {
      this.world.deliver(datagram);
      thread.write(reply(0));
    } catch (error) {
      thread.write(reply(-1, errnoOf(error)));
    }
  }

  /** Result and errno: ENOENT for a name that is not known, EINVAL for a value that is not allowed. */
  #setting(text: string): [number, number] {
    const { world } = this;
    const at = text.indexOf('=');
    if (at < 1) return [-1, ERRNO.EINVAL];
    const name = text.slice(0, at).trim();
    try {
      world.getSysctl(name);
    } catch (error) {
      return [-1, errnoOf(error)];
    }
    try {
      world.setSysctl(name, text.slice(at + 1));
    } catch (error) {
      const errno = errnoOf(error);
      // The name is known: a congestion control that is not there is a value that is not allowed.
      return [-1, errno === ERRNO.ENOENT ? ERRNO.EINVAL : errno];
    }
    return [0, 0];
  }

  /** Jumps from timer to timer until something is sent. */
  #receive(): Buffer {
    const sent = this.#search(() => this.world.takeSent());
    if (sent === undefined) return reply(-1, ERRNO.ETIMEDOUT);
    return reply(0, 0, Buffer.concat([timeBytes(sent.timeUs), sent.datagram]));
  }

  /** packetdrill spins on its clock: it goes on by a microsecond each time it is looked at, so that the spinning comes to an end. */
  #time(thread: Thread): number {
    const completed = this.#completed.get(thread);
    if (completed !== undefined) {
      this.#completed.delete(thread);
      return completed;
    }
    this.#advance(this.world.nowUs + 1);
    return this.world.nowUs;
  }

  #advance(untilUs: number): void {
    const { world } = this;
    // Step by step, so that a thread whose call is completed on the way has its answer.
    for (let next = world.nextDeadlineUs(); next <= untilUs; next = world.nextDeadlineUs()) {
      world.advance(next);
      this.#answerCompleted();
    }
    world.advance(untilUs);
  }

  #search<T>(look: () => T | undefined): T | undefined {
    const { world } = this;
    const end = world.nowUs + SEARCH_US;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const next = world.nextDeadlineUs();
      if (next > end) return undefined;
      world.advance(next);
      this.#answerCompleted();
    }
  }

  #call(thread: Thread, request: Request): void {
    const made = this.#make(request);
    if (made === undefined) {
      thread.write(reply(-1, ERRNO.ENOSYS));
      return;
    }
    const { call, payload } = made;
    if (call.outcome === undefined && thread.main) {
      // The main thread does not sleep: the world goes on until its call is done. Where nothing can happen any more it is interrupted.
      this.#search(() => call.outcome);
      if (call.outcome === undefined) call.cancel();
    }
    if (call.outcome !== undefined) {
      answer(thread, call.outcome, payload);
      return;
    }
    thread.write(QUEUED);
    this.#waiting.set(thread, made);
  }

  #answerCompleted(): void {
    for (const [thread, { call, payload }] of this.#waiting) {
      if (call.outcome === undefined) continue;
      this.#waiting.delete(thread);
      this.#completed.set(thread, call.completedUs);
      answer(thread, call.outcome, payload);
    }
  }

  /** The socket calls. Undefined for an operation nobody knows. */
  #make(request: Request): Waiting | undefined {
    const { calls } = this.world;
    const done = (outcome: Outcome, payload: Waiting['payload'] = noPayload): Waiting => ({
      call: { outcome, completedUs: this.world.nowUs, cancel: () => {} },
      payload,
    });
    switch (request.op) {
      case Op.SOCKET:
        return done(calls.socket(request.int(), request.int(), request.int()));
      case Op.BIND:
        return done(calls.bind(request.int(), request.address()));
      case Op.LISTEN:
        return done(calls.listen(request.int(), request.int()));
      case Op.ACCEPT:
        return { call: calls.accept(request.int()), payload: addressPayload };
      case Op.CONNECT:
        return { call: calls.connect(request.int(), request.address()), payload: noPayload };
      case Op.RECV:
        return { call: calls.recv(request.int(), request.int(), request.int()), payload: dataPayload };
      case Op.SEND: {
        const fd = request.int();
        const flags = request.int();
        return { call: calls.send(fd, request.rest(), flags), payload: noPayload };
      }
      case Op.FCNTL:
        return done(calls.fcntl(request.int(), request.int(), request.int()));
      case Op.IOCTL:
        return done(calls.ioctl(request.int(), request.int()), dataPayload);
      case Op.CLOSE:
        return { call: calls.close(request.int()), payload: noPayload };
      case Op.SHUTDOWN:
        return done(calls.shutdown(request.int(), request.int()));
      case Op.GETSOCKOPT:
        return done(calls.getsockopt(request.int(), request.int(), request.int(), request.int()), dataPayload);
      case Op.SETSOCKOPT:
        return done(calls.setsockopt(request.int(), request.int(), request.int(), request.rest()));
      case Op.POLL: {
        const timeoutMs = request.int();
        const fds = request.pollFds();
        return { call: calls.poll(fds, timeoutMs), payload: () => pollBytes(fds) };
      }
      default:
        return undefined;
    }
  }
}

function answer(thread: Thread, outcome: Outcome, payload: (outcome: Outcome) => Uint8Array): void {
  thread.write(reply(outcome.result, outcome.errno, payload(outcome)));
}
