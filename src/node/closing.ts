/**
 * When `close` is reported. libuv calls the close callbacks of a pass of the event loop after its immediates, so an immediate that a program
 * sets after `destroy()` comes before `close`. Ours are called by an immediate that is set once the JavaScript that called `destroy()` has
 * run, with its ticks and promises: it stands behind those of the program.
 *
 * Deviation: an immediate that is set still later in the same pass of the loop comes after `close`. Closing a handle of Node's own
 * instead would be exact, at the price of a native handle for each connection.
 */
type CloseCallback = () => void;

/** Closed in this stretch of JavaScript, in the order they came. */
let closing: CloseCallback[] = [];

export function closeSoon(callback: CloseCallback): void {
  closing.push(callback);
  if (closing.length === 1) queueMicrotask(afterPromises);
}
function afterPromises(): void {
  process.nextTick(afterTicks);
}
function afterTicks(): void {
  const callbacks = closing;
  closing = [];
  setImmediate(callClosed, callbacks);
}

function callClosed(callbacks: CloseCallback[]): void {
  let called = 0;
  try {
    for (const callback of callbacks) {
      called += 1;
      callback();
    }
  } finally {
    // A listener of the program threw: the others are called all the same.
    if (called < callbacks.length) setImmediate(callClosed, callbacks.slice(called));
  }
}
