import type { Stack } from '../../stack/stack.js';
import type { Reactor } from '../reactor/reactor.js';

/** What sockets and applications need of whoever turns their stack: `Host` in real time, `VirtualHost` in virtual time. */
export interface StackHost {
  readonly stack: Stack;
  readonly reactor: Reactor;
  /** The stack was called outside an event handler: take a turn soon. */
  wake(): void;
  /** Dispatches what was raised, and sends, without waiting for a turn. Not for event handlers: nothing happens in a turn. */
  dispatch(): void;
  /** A socket wants the process kept alive (1), or no longer (-1). */
  reference(change: 1 | -1): void;
}
