/**
 * The states of a connection, RFC 9293 §3.3.2, and the transitions of its figure 5 as data: the tests walk this table, and
 * an assertion in the one place that changes state holds the code to it.
 */
export const enum State {
  /** No connection. Zero, so that untouched memory is a closed connection. */
  CLOSED = 0,
  LISTEN = 1,
  SYN_SENT = 2,
  SYN_RECEIVED = 3,
  ESTABLISHED = 4,
  FIN_WAIT_1 = 5,
  FIN_WAIT_2 = 6,
  CLOSE_WAIT = 7,
  CLOSING = 8,
  LAST_ACK = 9,
  TIME_WAIT = 10,
}

const NAMES = [
  'CLOSED',
  'LISTEN',
  'SYN-SENT',
  'SYN-RECEIVED',
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
] as const;

/** The RFC's spelling. */
export type StateName = (typeof NAMES)[number];

export function stateName(state: State): StateName {
  return NAMES[state] ?? 'CLOSED';
}

export interface Transition {
  readonly from: State;
  readonly to: State;
  /** As the figure labels the arrow. */
  readonly event: string;
}

/**
 * Every arrow of figure 5, and the three the text has beside it: RST or time-out to CLOSED from anywhere, FIN-WAIT-1 to
 * TIME-WAIT on a FIN that also acknowledges ours, and SYN-RECEIVED to CLOSE-WAIT on a FIN (§3.10.7.4, eighth check).
 */
export const TRANSITIONS: readonly Transition[] = [
  { from: State.CLOSED, to: State.LISTEN, event: 'passive OPEN' },
  { from: State.CLOSED, to: State.SYN_SENT, event: 'active OPEN' },
  { from: State.LISTEN, to: State.SYN_RECEIVED, event: 'rcv SYN' },
  { from: State.LISTEN, to: State.CLOSED, event: 'CLOSE' },
  { from: State.SYN_SENT, to: State.SYN_RECEIVED, event: 'rcv SYN' },
  { from: State.SYN_SENT, to: State.ESTABLISHED, event: 'rcv SYN,ACK' },
  { from: State.SYN_SENT, to: State.CLOSED, event: 'CLOSE, RST or time-out' },
  { from: State.SYN_RECEIVED, to: State.ESTABLISHED, event: 'rcv ACK of SYN' },
  { from: State.SYN_RECEIVED, to: State.FIN_WAIT_1, event: 'CLOSE' },
  { from: State.SYN_RECEIVED, to: State.CLOSE_WAIT, event: 'rcv FIN' },
  { from: State.SYN_RECEIVED, to: State.CLOSED, event: 'RST or time-out' },
  { from: State.ESTABLISHED, to: State.FIN_WAIT_1, event: 'CLOSE' },
  { from: State.ESTABLISHED, to: State.CLOSE_WAIT, event: 'rcv FIN' },
  { from: State.ESTABLISHED, to: State.CLOSED, event: 'ABORT, RST or time-out' },
  { from: State.FIN_WAIT_1, to: State.FIN_WAIT_2, event: 'rcv ACK of FIN' },
  { from: State.FIN_WAIT_1, to: State.CLOSING, event: 'rcv FIN' },
  { from: State.FIN_WAIT_1, to: State.TIME_WAIT, event: 'rcv FIN,ACK of FIN' },
  { from: State.FIN_WAIT_1, to: State.CLOSED, event: 'ABORT, RST or time-out' },
  { from: State.FIN_WAIT_2, to: State.TIME_WAIT, event: 'rcv FIN' },
  { from: State.FIN_WAIT_2, to: State.CLOSED, event: 'ABORT, RST or time-out' },
  { from: State.CLOSE_WAIT, to: State.LAST_ACK, event: 'CLOSE' },
  { from: State.CLOSE_WAIT, to: State.CLOSED, event: 'ABORT, RST or time-out' },
  { from: State.CLOSING, to: State.TIME_WAIT, event: 'rcv ACK of FIN' },
  { from: State.CLOSING, to: State.CLOSED, event: 'ABORT, RST or time-out' },
  { from: State.LAST_ACK, to: State.CLOSED, event: 'rcv ACK of FIN' },
  { from: State.TIME_WAIT, to: State.CLOSED, event: '2MSL time-out' },
];

/** For each state, a bit for each state that may follow. */
const FOLLOWERS = new Int32Array(16);
for (const transition of TRANSITIONS) FOLLOWERS[transition.from] |= 1 << transition.to;

export function mayFollow(from: State, to: State): boolean {
  return (FOLLOWERS[from] & (1 << to)) !== 0;
}
