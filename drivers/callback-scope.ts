import { AsyncResource } from 'node:async_hooks';

/**
 * How a native module's callback becomes one of Node's. A callback from a native module, as of a descriptor that is readable, is in no callback scope
 * of Node's: what Node calls back from there takes itself for the outermost, runs the program's ticks in the middle of our work, and ends the process
 * where somebody's `AsyncResource` is entered.
 */

/** Of Node's class `JSStream`, all that is needed here: it calls `onread` as the event loop calls a stream. */
interface Door {
  onread: () => void;
  emitEOF(): void;
}
type DoorClass = new () => Door;

/** Undefined where this runtime has none: under Node's permission model, and on Bun and Deno. */
function findDoorClass(): DoorClass | undefined {
  try {
    const binding: unknown = Reflect.get(process, 'binding');
    const found: unknown = typeof binding === 'function' ? binding.call(process, 'js_stream').JSStream : undefined;
    if (typeof found !== 'function' || typeof found.prototype.emitEOF !== 'function') return undefined;
    return found as DoorClass;
  } catch {
    return undefined;
  }
}
const DoorClass = findDoorClass();

/** Whether callbacks through `withCallbackScope` are as Node's own: an `AsyncResource` may be entered in them. */
export const HAS_CALLBACK_SCOPES =
  DoorClass !== undefined || process.versions.bun !== undefined || 'Deno' in globalThis;

const outside = new AsyncResource('MillraceDevice', { requireManualDestroy: true });

/** For a native module to call: `callback` as Node would call it, in nobody's asynchronous context, with ticks and promises after it. */
export function withCallbackScope(callback: () => void): () => void {
  if (DoorClass === undefined) return callback;
  const door = outside.runInAsyncScope(() => new DoorClass());
  door.onread = callback;
  return () => door.emitEOF();
}
