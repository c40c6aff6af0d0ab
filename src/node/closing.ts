/**
 * When `close` is reported. libuv calls the close callbacks of a pass of the event loop after its immediates, so an immediate that a program
 * sets after `destroy()` comes before `close`. We have them called in the same place: with the close callback of a handle of Node's that
 * was never opened. It makes no system call, and spares the pass of the loop that an immediate of ours would cost.
 */
type CloseCallback = () => void;

/** A handle of Node's C++, as far as we use it. */
interface ClosableHandle {
  close(callback: CloseCallback): void;
}
type MakeHandle = () => ClosableHandle;

/** Null where Node's inside cannot be reached. */
function findHandle(): MakeHandle | null {
  try {
    const binding: unknown = Reflect.get(process, 'binding');
    if (typeof binding !== 'function') return null;
    const { TCP, constants } = binding.call(process, 'tcp_wrap');
    const make = (): ClosableHandle => new TCP(constants.SOCKET);
    return typeof make().close === 'function' ? make : null;
  } catch {
    return null;
  }
}

const makeHandle = findHandle();

/** Called together, in the order they came. */
let closing: CloseCallback[] = [];

/** Calls back after the immediates that are set, and may still be set, in this pass of the event loop. */
export function closeSoon(callback: CloseCallback): void {
  closing.push(callback);
  if (closing.length > 1) return;
  // Without the bindings by an immediate of the next pass, which is later than libuv but never earlier.
  if (makeHandle === null) setImmediate(() => setImmediate(callClosed));
  else makeHandle().close(callClosed);
}

function callClosed(): void {
  const callbacks = closing;
  closing = [];
  let called = 0;
  try {
    for (const callback of callbacks) {
      called += 1;
      callback();
    }
  } finally {
    // A listener of the program threw: the others are called all the same.
    for (const callback of callbacks.slice(called)) closeSoon(callback);
  }
}
