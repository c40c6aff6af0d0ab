import type { ConnectionId } from '../../stack/base/units.js';
import { peekBytes } from '../../stack/tcp/queue-lengths.js';
import { Tcb } from '../../stack/tcp/tcb.js';
import type { Tcp } from '../../stack/tcp/tcp.js';

/** Takes bytes out of a connection, or looks at them. What ended it is not its concern: there is nothing to read then. */
export class StreamReader {
  constructor(readonly tcp: Tcp) {}

  read(id: ConnectionId, length: number, peek: boolean): Uint8Array {
    const count = Math.min(length, this.tcp.readable(id));
    const bytes = new Uint8Array(count);
    if (count === 0) return bytes;
    if (peek) peekBytes(this.tcp.context, this.tcp.rowOf(id) << Tcb.SHIFT, 0, bytes);
    else this.tcp.receive(id, bytes, 0, count);
    return bytes;
  }
}
