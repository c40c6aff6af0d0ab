import type { AsyncResource } from 'node:async_hooks';
import type { ConnectRequest, Request } from './bindings.js';

/** What a handle waits for. */
export class Requests {
  connect: ConnectRequest | null = null;
  /** In whose context the program hears that it is connected. */
  connectContext: AsyncResource | undefined = undefined;
  write: Request | null = null;
  /** In whose context the program hears of the waiting write; not kept of one from inside Node, which keeps it itself. */
  writeContext: AsyncResource | undefined = undefined;
  /** The waiting write came from inside Node. */
  writeInside = false;
  /** A write from inside Node is done, and Node has not been told. */
  writtenInside = false;
  /** A shutdown from inside Node that came while a write was waiting. */
  shutdown: Request | null = null;
}
