/** Our own mistakes stop the program where they are made. On in production too: a stack that goes on after one corrupts. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message);
}
function fail(message: string): never {
  throw new Error(`millrace: broken invariant: ${message}`);
}
