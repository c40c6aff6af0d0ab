import { EPOLL, POLL } from './constants.js';
import { succeeded } from './outcome.js';
import { PosixError } from './posix-error.js';
import type { PosixSocket } from './socket.js';
import type { EpollEvent, PendingCall } from './socket-calls.js';
import type { Waitable, WaitingCall, Waits } from './waits.js';

/** What is always told, whether it was asked for or not. */
const ALWAYS = POLL.POLLERR | POLL.POLLHUP;
/** How, and not what. */
const MANNERS = EPOLL.EPOLLET | EPOLL.EPOLLONESHOT | EPOLL.EPOLLEXCLUSIVE | EPOLL.EPOLLWAKEUP;

/** A socket in an epoll instance. */
interface Interest {
  readonly socket: PosixSocket;
  events: number;
  data: bigint;
}

/**
 * An epoll instance: a set of sockets, and the list of those on which something has happened. Waiting costs what is ready and not what is watched, which is what it was made
 * for. Level-triggered interests stay in the list as long as their condition holds; edge-triggered ones are put there by the next event only.
 */
export class Epoll implements Waitable {
  readonly waiting = new Set<WaitingCall>();
  readonly #interests = new Map<PosixSocket, Interest>();
  /** In the order in which they became ready. */
  readonly #ready = new Set<Interest>();

  constructor(readonly waits: Waits) {}

  /** epoll_ctl. Throws EEXIST, ENOENT, EINVAL. */
  control(operation: number, socket: PosixSocket, events: number, data: bigint): void {
    const interest = this.#interests.get(socket);
    switch (operation) {
      case EPOLL.EPOLL_CTL_ADD: {
        if (interest !== undefined) throw new PosixError('EEXIST', 'the socket is watched already');
        const added = { socket, events: (events | ALWAYS) >>> 0, data };
        this.#interests.set(socket, added);
        this.#consider(added);
        return;
      }
      case EPOLL.EPOLL_CTL_MOD:
        if (interest === undefined) throw new PosixError('ENOENT', 'the socket is not watched');
        // EPOLLEXCLUSIVE is said when a socket is added, or not at all.
        if (((events | interest.events) & EPOLL.EPOLLEXCLUSIVE) !== 0) throw new PosixError('EINVAL', 'EPOLLEXCLUSIVE');
        interest.events = (events | ALWAYS) >>> 0;
        interest.data = data;
        this.#consider(interest);
        return;
      case EPOLL.EPOLL_CTL_DEL:
        if (interest === undefined) throw new PosixError('ENOENT', 'the socket is not watched');
        this.forget(socket);
        return;
      default:
        throw new PosixError('EINVAL', `${operation} is no operation of epoll_ctl`);
    }
  }

  /** Something has happened to the socket. */
  happened(socket: PosixSocket): void {
    const interest = this.#interests.get(socket);
    if (interest !== undefined) this.#consider(interest);
  }

  /** The socket was closed, or is not watched any more. */
  forget(socket: PosixSocket): void {
    const interest = this.#interests.get(socket);
    if (interest === undefined) return;
    this.#interests.delete(socket);
    this.#ready.delete(interest);
  }

  get sockets(): Iterable<PosixSocket> {
    return this.#interests.keys();
  }

  /** For poll(2) on the instance itself. */
  readiness(): number {
    for (const interest of this.#ready) if (bitsOf(interest) !== 0) return POLL.POLLIN | POLL.POLLRDNORM;
    return 0;
  }

  wait(most: number, timeoutMs: number): PendingCall {
    if (most <= 0) throw new PosixError('EINVAL', `${most} events cannot be waited for`);
    const attempt = () => {
      const events = this.#take(most);
      return events.length > 0 ? succeeded(events.length, { events }) : undefined;
    };
    return this.waits.call(attempt, [this], timeoutMs < 0 ? Infinity : timeoutMs, () => succeeded(0, { events: [] }));
  }

  #consider(interest: Interest): void {
    if (bitsOf(interest) === 0) return;
    this.#ready.add(interest);
    this.waits.retry(this);
  }

  #take(most: number): EpollEvent[] {
    const events: EpollEvent[] = [];
    const again: Interest[] = [];
    for (const interest of this.#ready) {
      if (events.length === most) break;
      this.#ready.delete(interest);
      const bits = bitsOf(interest);
      // It was, and is no more.
      if (bits === 0) continue;
      events.push({ events: bits, data: interest.data });
      if ((interest.events & EPOLL.EPOLLONESHOT) !== 0) interest.events &= MANNERS;
      else if ((interest.events & EPOLL.EPOLLET) === 0) again.push(interest);
    }
    for (const interest of again) this.#ready.add(interest);
    return events;
  }
}

/** What is to be told of it now. After a one-shot event there is nothing until EPOLL_CTL_MOD. */
function bitsOf({ socket, events }: Interest): number {
  return socket.readiness() & events & ~MANNERS;
}
