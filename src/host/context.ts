import { AsyncResource } from 'node:async_hooks';

/**
 * In whose asynchronous context (`AsyncLocalStorage`) things are called. A stack serves many parts of a program, so its turns belong to
 * none of those that called it: they are taken outside of all contexts, and each callback of a socket runs in the context of who made that
 * socket or request, as with the handles of Node's own.
 *
 * A turn may begin in a callback of a native module, of a descriptor that is readable, which is in no callback scope of Node's. There Node would
 * end the process where a context is entered and something of Node's calls back within. So the program is called through a door: an object of
 * Node's that calls us as the event loop calls a stream, with ticks and promises after it.
 */

/** Of Node's class `JSStream`, all that is needed here. */
interface Door {
  onread: () => Uint8Array | undefined;
  emitEOF(): void;
}

/** Undefined where this runtime has none: under Node's permission model, and on Bun and Deno. */
function findDoor(): Door | undefined {
  try {
    const binding: unknown = Reflect.get(process, 'binding');
    const found: unknown = typeof binding === 'function' ? binding.call(process, 'js_stream').JSStream : undefined;
    if (typeof found !== 'function' || typeof found.prototype.emitEOF !== 'function') return undefined;
    const door = new (found as new () => Door)();
    door.onread = () => undefined;
    return door;
  } catch {
    return undefined;
  }
}

const door = findDoor();

/**
 * Has a stream of Node's call `call` as its reader, in the stream's own context. What that throws is thrown here: Node from 22 on loses an error
 * that leaves an `AsyncResource` and the end of a stream together.
 */
export function callAsReader(stream: Door, call: () => void): void {
  const { onread } = stream;
  let thrown: { readonly error: unknown } | undefined;
  stream.onread = () => {
    stream.onread = onread;
    try {
      call();
    } catch (error) {
      thrown = { error };
    }
    return undefined;
  };
  stream.emitEOF();
  if (thrown !== undefined) throw (thrown as { readonly error: unknown }).error;
}

/** Bun and Deno have no such scopes, and need none. */
const KEEPS_CONTEXTS = door !== undefined || process.versions.bun !== undefined || 'Deno' in globalThis;

const outside = contextOf('Millrace');

/** The context of whoever calls now, for `runIn`. */
export function contextOf(type: string): AsyncResource {
  return new AsyncResource(type, { requireManualDestroy: true });
}

/**
 * Calls a function of the program's in a context; undefined: in the one that is. Under Node's permission model it is always called in the one
 * that is, for want of a door.
 */
export function runIn(context: AsyncResource | undefined, call: () => void): void {
  if (context === undefined || !KEEPS_CONTEXTS) call();
  else if (door === undefined) context.runInAsyncScope(call);
  else callAsReader(door, () => context.runInAsyncScope(call));
}

/** Calls it in nobody's context. */
export function runOutside(call: () => void): void {
  runIn(outside, call);
}

/** Makes something of Node's that keeps its context: it is to be nobody's. Only from within `runIn`. */
export function makeOutside<Made>(make: () => Made): Made {
  return KEEPS_CONTEXTS ? outside.runInAsyncScope(make) : make();
}

/** `setImmediate`, in nobody's context. */
export function setImmediateOutside(callback: () => void): NodeJS.Immediate {
  return outside.runInAsyncScope(setImmediate, undefined, callback) as NodeJS.Immediate;
}

/** `setTimeout`, in nobody's context. */
export function setTimeoutOutside(callback: () => void, ms: number): NodeJS.Timeout {
  return outside.runInAsyncScope(setTimeout, undefined, callback, ms) as NodeJS.Timeout;
}
