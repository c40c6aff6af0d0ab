import { keyedHash } from '../base/keyed-hash.js';
import type { Address } from '../base/units.js';
import { portPair } from './connection-table.js';
import type { TcpContext } from './context.js';
import { Wait, WaitFlag } from './time-wait-table.js';

/**
 * Ephemeral ports, RFC 6056 §3.3.3 (simple hash): where the search begins depends on whom we call and on a secret, and moves on with
 * each port given, so that neither the next port nor how many we use can be seen from one peer.
 */
export class EphemeralPorts {
  /** A table of counters would be §3.3.4; one for all is enough while the start differs by peer. */
  #next = 0;

  /** A local port for `remote`:`remotePort`, or 0 when all are taken. */
  choose(tcp: TcpContext, local: Address, remote: Address, remotePort: number): number {
    const { portFirst, portLast } = tcp.limits;
    const count = portLast - portFirst + 1;
    const start = keyedHash(tcp.secret[2], tcp.secret[3], local, remote, remotePort) >>> 0;
    // Pairs in TIME-WAIT are taken over only when there is nothing else.
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < count; i++) {
        const port = portFirst + ((start + this.#next + i) % count);
        if (tcp.listeners.usesPort(port)) continue;
        if (!pairIsFree(tcp, local, remote, portPair(port, remotePort), pass === 1)) continue;
        this.#next = (this.#next + i + 1) % count;
        return port;
      }
    }
    return 0;
  }
}

/** Whether these three name no connection. `reuse`: one in TIME-WAIT that may be taken over counts as none. */
export function pairIsFree(tcp: TcpContext, local: number, remote: number, ports: number, reuse: boolean): boolean {
  if (tcp.table.find(local, remote, ports) >= 0 || tcp.synTable.find(local, remote, ports) >= 0) return false;
  const row = tcp.timeWaits.find(local, remote, ports);
  if (row < 0) return true;
  const { timeWaitReuse } = tcp.limits;
  if (!reuse || timeWaitReuse === 0 || (timeWaitReuse === 2 && !tcp.net.isLocal(remote as Address))) return false;
  const at = row * Wait.SIZE;
  const left = (tcp.timeWaits.rows[at + Wait.DEADLINE] - tcp.clock.ms) | 0;
  return (
    (tcp.timeWaits.rows[at + Wait.FLAGS] & WaitFlag.TIMESTAMPS) !== 0 &&
    tcp.limits.timeWaitMs - left >= tcp.limits.timeWaitReuseDelayMs
  );
}
