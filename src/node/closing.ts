import type { AsyncResource } from 'node:async_hooks';
import { runIn, setImmediateOutside } from '../host/context.js';

/**
 * When `close` is reported. libuv calls the close callbacks of a pass of the event loop after its immediates, so an immediate that a program
 * sets after `destroy()` comes before `close`. Ours are called by an immediate that is set once the JavaScript that called `destroy()` has
 * run, with its ticks and promises: it stands behind those of the program.
 *
 * Deviation: an immediate that is set still later in the same pass of the loop comes after `close`. Closing a handle of Node's own
 * instead would be exact, at the price of a native handle for each connection.
 */
interface Closed {
  readonly callback: () => void;
  /** Whose context it is called in: that of who made the socket. */
  readonly context: AsyncResource | undefined;
}

/** Closed in this stretch of JavaScript, in the order they came. */
let closing: Closed[] = [];

export function closeSoon(callback: () => void, context?: AsyncResource): void {
  closing.push({ callback, context });
  if (closing.length === 1) queueMicrotask(afterPromises);
}
function afterPromises(): void {
  process.nextTick(afterTicks);
}
function afterTicks(): void {
  const callbacks = closing;
  closing = [];
  setImmediateOutside(() => callClosed(callbacks));
}

function callClosed(callbacks: Closed[]): void {
  let called = 0;
  try {
    for (const { callback, context } of callbacks) {
      called += 1;
      runIn(context, callback);
    }
  } finally {
    // A listener of the program threw: the others are called all the same.
    if (called < callbacks.length) setImmediateOutside(() => callClosed(callbacks.slice(called)));
  }
}
