import { AsyncResource } from 'node:async_hooks';
import { HAS_CALLBACK_SCOPES } from '../../drivers/callback-scope.js';

/**
 * In whose asynchronous context (`AsyncLocalStorage`) things are called. A stack serves many parts of a program, so its turns belong to
 * none of those that called it: they are taken outside of all contexts, and each callback of a socket runs in the context of who made that
 * socket or request, as with the handles of Node's own.
 */

const outside = contextOf('Millrace');

/** The context of whoever calls now, for `runIn`. */
export function contextOf(type: string): AsyncResource {
  return new AsyncResource(type, { requireManualDestroy: true });
}

/** Calls a function of the program's in a context; undefined: in the one that is. Where there are no callback scopes contexts are not kept. */
export function runIn<This, Args extends unknown[], Result>(
  context: AsyncResource | undefined,
  call: (this: This, ...args: Args) => Result,
  self: This,
  ...args: Args
): Result {
  if (context === undefined || !HAS_CALLBACK_SCOPES) return Reflect.apply(call, self, args);
  return context.runInAsyncScope(call, self, ...args);
}

/** Calls it in nobody's context. */
export function runOutside(call: () => void): void {
  runIn(outside, call, undefined);
}

/** `setImmediate`, in nobody's context. */
export function setImmediateOutside(callback: () => void): NodeJS.Immediate {
  return outside.runInAsyncScope(setImmediate, undefined, callback) as NodeJS.Immediate;
}

/** `setTimeout`, in nobody's context. */
export function setTimeoutOutside(callback: () => void, ms: number): NodeJS.Timeout {
  return outside.runInAsyncScope(setTimeout, undefined, callback, ms) as NodeJS.Timeout;
}
