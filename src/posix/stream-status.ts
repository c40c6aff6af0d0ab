import type { ConnectionId } from '../../stack/base/units.js';
import { State } from '../../stack/tcp/state.js';
import type { Tcp } from '../../stack/tcp/tcp.js';
import { FILE, POLL } from './constants.js';
import { answersEarly } from './fast-open.js';
import { Side } from './stream-transfer.js';

/** What can be said of a stream without waiting: which sides are shut, what poll(2) and the queue ioctls tell. */

/** Bits of Side: what the program has shut, and what the connection's state has. */
export function shutSides(state: State, hadConnection: boolean, byProgram: number): number {
  if (!hadConnection) return byProgram;
  switch (state) {
    case State.CLOSED:
    case State.TIME_WAIT:
    case State.CLOSING:
    case State.LAST_ACK:
      return byProgram | Side.RECEIVE | Side.SEND;
    case State.CLOSE_WAIT:
      return byProgram | Side.RECEIVE;
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
      return byProgram | Side.SEND;
    default:
      return byProgram;
  }
}

export interface StreamStatus {
  readonly tcp: Tcp;
  /** 0: there has been none. */
  readonly connection: ConnectionId;
  readonly state: State;
  readonly shut: number;
  readonly receiveLowWater: number;
  readonly sendBytes: number;
  readonly notSentLowWater: number;
  /** An error waits to be told, or a notice in the error queue. */
  readonly hasError: boolean;
}

/** Bits of poll(2), as tcp_poll of Linux puts them together. */
export function streamReadiness(status: StreamStatus): number {
  const { tcp, connection, state, shut } = status;
  const both = Side.RECEIVE | Side.SEND;
  let bits = 0;
  if ((shut & both) === both || state === State.CLOSED) bits |= POLL.POLLHUP;
  if ((shut & Side.RECEIVE) !== 0) bits |= POLL.POLLIN | POLL.POLLRDNORM | POLL.POLLRDHUP;
  if (state !== State.SYN_SENT && (state !== State.SYN_RECEIVED || answersEarly(tcp, connection))) {
    if (connection !== 0 && tcp.readable(connection) >= status.receiveLowWater) bits |= POLL.POLLIN | POLL.POLLRDNORM;
    if ((shut & Side.SEND) !== 0 || state === State.CLOSED || writeable(status)) bits |= POLL.POLLOUT | POLL.POLLWRNORM;
  }
  if (status.hasError) bits |= POLL.POLLERR;
  return bits;
}

/** sk_stream_is_writeable: a third of the buffer is free, and what is unsent lies below half of TCP_NOTSENT_LOWAT. */
function writeable({ tcp, connection, sendBytes, notSentLowWater }: StreamStatus): boolean {
  const used = tcp.unacknowledged(connection);
  const free = sendBytes - used;
  if (free <= 0 || free < used >> 1) return false;
  return notSentLowWater === 0 || tcp.unsent(connection) * 2 < notSentLowWater;
}

/** SIOCINQ, SIOCOUTQ, SIOCOUTQNSD; undefined for another request. */
export function streamQueueLength(
  tcp: Tcp,
  connection: ConnectionId,
  state: State,
  request: number,
): number | undefined {
  const live = connection !== 0 && state !== State.CLOSED;
  switch (request) {
    case FILE.SIOCINQ:
      return connection === 0 ? 0 : tcp.readable(connection);
    case FILE.SIOCOUTQ:
      return live ? unacknowledged(tcp, connection, state) : 0;
    case FILE.SIOCOUTQNSD:
      return live ? tcp.unsent(connection) : 0;
    case FILE.SIOCATMARK:
      return 0;
    default:
      return undefined;
  }
}

/** write_seq − snd_una: a FIN that is not acknowledged counts as a byte, and nothing counts before the connection stands. */
function unacknowledged(tcp: Tcp, connection: ConnectionId, state: State): number {
  if (state === State.SYN_SENT || state === State.SYN_RECEIVED) return 0;
  const fin = state === State.FIN_WAIT_1 || state === State.CLOSING || state === State.LAST_ACK ? 1 : 0;
  return tcp.unacknowledged(connection) + fin;
}
