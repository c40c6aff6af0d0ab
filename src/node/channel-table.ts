import { Event, SocketKind } from '../../stack/net/event-queue.js';
import type { StackHost } from '../host/stack-host.js';
import type { EventHandler, Handle } from '../reactor/event-handler.js';
import type { Channel } from './channel.js';

/**
 * All channels of a host. One handler with the reactor for all of them; the cookie is the channel's number here.
 *
 * A program may rely on its ticks and promises to run between two callbacks of one socket: libuv has Node run them after each. In a turn
 * of ours several callbacks come in one go, and Node may run ticks only after the last. So a channel remembers in which stretch of
 * JavaScript it has called back, and puts off what must not follow in the same one: see `Channel`.
 */
export class ChannelTable implements EventHandler {
  readonly #channels: (Channel | undefined)[] = [];
  readonly #free: number[] = [];
  /** The number of the stretch of JavaScript between two runs of ticks. */
  #stretch = 1;
  #ticking = false;
  #later: Channel[] = [];
  constructor(readonly host: StackHost) {}

  add(channel: Channel): number {
    const cookie = this.#free.pop() ?? this.#channels.length;
    this.#channels[cookie] = channel;
    return cookie;
  }
  remove(cookie: number): void {
    this.#channels[cookie] = undefined;
    this.#free.push(cookie);
  }
  handleEvent(_handle: Handle, events: number, cookie: number): void {
    this.#channels[cookie]?.handleEvents(events);
  }

  get stretch(): number {
    return this.#stretch;
  }

  /**
   * Something is about to be reported that something else may follow; returns the stretch this happens in. Without such reports nobody looks
   * when a stretch ends, and it goes on.
   */
  reported(): number {
    if (!this.#ticking) {
      this.#ticking = true;
      process.nextTick(this.#onTick);
    }
    return this.#stretch;
  }

  /** The channel looks at its events again once ticks and promises have run. An immediate: Node runs them before it. */
  later(channel: Channel): void {
    this.#later.push(channel);
    if (this.#later.length === 1) setImmediate(this.#onImmediate);
  }

  readonly #onTick = (): void => {
    this.#ticking = false;
    this.#stretch = (this.#stretch + 1) & 0x3fffffff;
  };
  readonly #onImmediate = (): void => {
    const channels = this.#later;
    this.#later = [];
    // An immediate is a stretch of its own.
    this.#stretch = (this.#stretch + 1) & 0x3fffffff;
    for (const channel of channels) {
      channel.waitsForTicks = false;
      if (channel.id !== 0) {
        this.host.reactor.raise(SocketKind.CONNECTION, channel.id, Event.READABLE | Event.WRITABLE);
      }
    }
    this.host.dispatch();
  };
}
