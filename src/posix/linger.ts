import type { ConnectionId } from '../../stack/base/units.js';
import { State } from '../../stack/tcp/state.js';
import type { Tcp } from '../../stack/tcp/tcp.js';
import { succeeded } from './outcome.js';
import type { Outcome, PendingCall } from './socket-calls.js';
import type { Waits } from './waits.js';

/** SO_LINGER: close(2) waits until the FIN is acknowledged, or the time is up; in either case the stack sees to the rest. */
export function closeLingering(tcp: Tcp, waits: Waits, id: ConnectionId, seconds: number): PendingCall {
  const attempt = (): Outcome | undefined => {
    const now = tcp.state(id);
    if (now === State.FIN_WAIT_1 || now === State.CLOSING || now === State.LAST_ACK) return undefined;
    tcp.close(id);
    return succeeded();
  };
  return waits.call(attempt, [], seconds * 1000, () => {
    tcp.close(id);
    return succeeded();
  });
}
