import t, { type Test } from 'tap';
import type { ConnectionId, ListenerId } from '../../../stack/base/units.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { State } from '../../../stack/tcp/state.js';
import { Tcp } from '../../../stack/tcp/tcp.js';
import { FATES } from './fates.js';
import type { Peer } from './peer.js';
import { established, listening } from './states.js';

/**
 * Every call of `Tcp` on every state of a connection, and on ids that name none: the documented result or error, and
 * the row comes back.
 */

type Result = string | number | boolean | undefined;

const FAILURES: Readonly<Record<string, string>> = {
  'CLOSED, reset': 'ECONNRESET',
  'CLOSED, reset, unread': 'ECONNRESET',
  'CLOSED, refused': 'ECONNREFUSED',
  'CLOSED, timed out': 'ETIMEDOUT',
};
const isOver = (fate: string): boolean => fate === 'TIME-WAIT' || fate.startsWith('CLOSED');
/** This side has ended its stream. */
const hasEnded = (fate: string): boolean =>
  ['FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSING', 'LAST-ACK'].includes(fate) || isOver(fate);
/** The peer has, and nothing is left to be read. */
const peerHasEnded = (fate: string): boolean =>
  ['CLOSE-WAIT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT', 'CLOSED, in order'].includes(fate);
const unread = (fate: string): number => (fate.includes('unread') || fate.includes('Fast Open') ? 10 : 0);

const STATES: Readonly<Record<string, State>> = {
  'SYN-SENT': State.SYN_SENT,
  'SYN-RECEIVED': State.SYN_RECEIVED,
  ESTABLISHED: State.ESTABLISHED,
  'FIN-WAIT-1': State.FIN_WAIT_1,
  'FIN-WAIT-2': State.FIN_WAIT_2,
  'CLOSE-WAIT': State.CLOSE_WAIT,
  CLOSING: State.CLOSING,
  'LAST-ACK': State.LAST_ACK,
};
/** As the program sees it: TIME-WAIT is the stack's. */
const stateOf = (fate: string): State =>
  isOver(fate) ? State.CLOSED : (STATES[fate.split(',')[0] as string] as State);
const stateNameOf = (fate: string): string => (isOver(fate) ? 'CLOSED' : (fate.split(',')[0] as string));

/** These change nothing of a connection: they share one. The others have one each. */
const CHANGING = [
  ...['send', 'receive', 'markUrgent', 'shutdown', 'shutdownReceive', 'closeLingering', 'close', 'abort'],
  ...['setOption', 'setOption of a flag', 'setCongestion'],
];

interface Call {
  readonly call: (tcp: Tcp, id: ConnectionId) => unknown;
  /** What it returns, or the code it fails with. */
  readonly expect: (fate: string) => Result;
}
const both = (call: Call['call'], expect: Call['expect']): Call => ({ call, expect });
const unlessOver = (fate: string): Result => (isOver(fate) ? 'EINVAL' : undefined);
const four = new Uint8Array(4);

const CALLS: Readonly<Record<string, Call>> = {
  send: both(
    (tcp, id) => tcp.send(id, four),
    (fate) => FAILURES[fate] ?? (hasEnded(fate) ? 'EPIPE' : 4),
  ),
  receive: both(
    (tcp, id) => tcp.receive(id, four),
    (fate) => (unread(fate) > 0 ? 4 : (FAILURES[fate] ?? (peerHasEnded(fate) ? -1 : 0))),
  ),
  markUrgent: both(
    (tcp, id) => tcp.markUrgent(id),
    (fate) => FAILURES[fate] ?? (hasEnded(fate) ? 'EPIPE' : undefined),
  ),
  shutdown: both(
    (tcp, id) => tcp.shutdown(id),
    // Whatever ended it: as shutdown(2).
    (fate) => (fate in FAILURES ? 'ENOTCONN' : undefined),
  ),
  shutdownReceive: both(
    (tcp, id) => tcp.shutdownReceive(id),
    (fate) => (isOver(fate) ? 'ENOTCONN' : undefined),
  ),
  closeLingering: both(
    (tcp, id) => tcp.closeLingering(id),
    (fate) => !(isOver(fate) || unread(fate) > 0 || fate === 'SYN-SENT' || fate === 'FIN-WAIT-2'),
  ),
  close: both(
    (tcp, id) => tcp.close(id),
    () => undefined,
  ),
  abort: both(
    (tcp, id) => tcp.abort(id),
    () => undefined,
  ),
  readable: both((tcp, id) => tcp.readable(id), unread),
  writable: both(
    (tcp, id) => tcp.writable(id),
    (fate) => (hasEnded(fate) ? 0 : 131_072),
  ),
  unsent: both(
    (tcp, id) => tcp.unsent(id),
    () => 0,
  ),
  unacknowledged: both(
    (tcp, id) => tcp.unacknowledged(id),
    () => 0,
  ),
  state: both((tcp, id) => tcp.state(id), stateOf),
  info: both((tcp, id) => tcp.info(id).state, stateNameOf),
  setOption: both((tcp, id) => tcp.setOption(id, TcpOption.USER_TIMEOUT_MS, 5000), unlessOver),
  'setOption of a flag': both((tcp, id) => tcp.setOption(id, TcpOption.KEEPALIVE, 1), unlessOver),
  'setOption out of range': both(
    (tcp, id) => tcp.setOption(id, TcpOption.KEEPALIVE_COUNT, 128),
    () => 'ERR_OUT_OF_RANGE',
  ),
  getOption: both(
    (tcp, id) => tcp.getOption(id, TcpOption.KEEPALIVE_COUNT),
    () => 9,
  ),
  setCongestion: both((tcp, id) => tcp.setCongestion(id, 'reno'), unlessOver),
  'setCongestion of no control': both(
    (tcp, id) => tcp.setCongestion(id, 'nothing'),
    () => 'ENOENT',
  ),
  congestionOf: both(
    (tcp, id) => tcp.congestionOf(id),
    () => 'cubic',
  ),
  takeError: both(
    (tcp, id) => tcp.takeError(id),
    (fate) => FAILURES[fate],
  ),
  takeNotice: both(
    (tcp, id) => tcp.takeNotice(id),
    () => undefined,
  ),
  localAddress: both(
    (tcp, id) => tcp.localAddress(id) >>> 24,
    () => 10,
  ),
  remoteAddress: both(
    (tcp, id) => tcp.remoteAddress(id) & 0xff,
    () => 2,
  ),
  localPort: both(
    (tcp, id) => tcp.localPort(id) > 0,
    () => true,
  ),
  remotePort: both(
    (tcp, id) => tcp.remotePort(id) > 0,
    () => true,
  ),
  rowOf: both(
    (tcp, id) => tcp.rowOf(id),
    () => 0,
  ),
  'send of a range that is none': both(
    (tcp, id) => tcp.send(id, four, 0.5, 2),
    () => 'ERR_OUT_OF_RANGE',
  ),
  'receive into a range that is none': both(
    (tcp, id) => tcp.receive(id, four, 2, 1),
    () => 'ERR_OUT_OF_RANGE',
  ),
};

/** Calls that name a listener. */
const LISTENER_CALLS: Readonly<Record<string, (tcp: Tcp, id: ListenerId) => unknown>> = {
  accept: (tcp, id) => tcp.accept(id),
  listenerInfo: (tcp, id) => tcp.listenerInfo(id),
  closeListener: (tcp, id) => tcp.closeListener(id),
};

/** What names nothing: the network's calls, time's, and those that make or list. */
const OTHERS = [
  'constructor',
  ...['input', 'error', 'advance', 'msToNext', 'flush', 'mayGoOn'],
  ...['listen', 'open', 'mayOpenFast', 'registerCongestionControl', 'congestionControls'],
  ...['idOf', 'listenerOf', 'counts', 'pools', 'connections', 'listeners'],
];

function outcome(call: () => unknown): Result {
  try {
    return call() as Result;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** What the program has not let go, it lets go now; and everything comes back. */
function finish(peer: Peer): void {
  outcome(() => peer.tcp.abort(peer.id));
  peer.flush();
  peer.advanceMs(200_000);
  peer.drain();
  peer.expectAllFreed();
  peer.t.equal(peer.tcp.context.orphans, 0);
}

t.test('Tcp → each of its methods stands in a table of this file', (t) => {
  const known = new Set([...Object.keys(CALLS).map((name) => name.split(' ')[0]), ...Object.keys(LISTENER_CALLS)]);
  for (const name of Object.getOwnPropertyNames(Tcp.prototype))
    t.ok(known.has(name) !== OTHERS.includes(name), `${name} has a row, or names no connection`);
  t.end();
});

function check(peer: Peer, fate: string, name: string): void {
  const { call, expect } = CALLS[name] as Call;
  peer.t.equal(
    outcome(() => call(peer.tcp, peer.id)),
    expect(fate),
    `${fate}, ${name} → ${String(expect(fate))}`,
  );
  peer.flush();
}

for (const [fate, make] of Object.entries(FATES)) {
  t.test(`${fate} → each call does what is documented, and the row comes back`, (t) => {
    const shared = make(t);
    for (const name of Object.keys(CALLS)) if (!CHANGING.includes(name)) check(shared, fate, name);
    finish(shared);
    for (const name of CHANGING) {
      const peer = make(t);
      check(peer, fate, name);
      finish(peer);
    }
    t.end();
  });
}

/** Numbers that name no connection, and ids that did once. */
function strangers(t: Test): [Peer, Readonly<Record<string, number>>] {
  const peer = established(t, { tcp: { connectionsMax: 4, activeMax: 4, bufferBytesMax: 1 << 20 } });
  const closed = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 9 });
  peer.tcp.abort(closed);
  const stale = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 9 });
  peer.tcp.abort(stale);
  const reused = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 9 });
  t.equal(peer.tcp.rowOf(reused), stale % 2 ** 24, 'the row is in use again');
  const orphan = peer.id;
  peer.tcp.close(orphan);
  peer.flush();
  t.equal(peer.tcp.counts.connections, 2, 'the orphan’s FIN is not acknowledged');
  return [
    peer,
    {
      closed,
      'of a row in use again': stale,
      'of an orphan': orphan,
      zero: 0,
      'minus one': -1,
      negative: -reused,
      'not a number': Number.NaN,
      'a fraction': reused + 0.25,
      'half a row': 1.5,
      'a row never used': 2 ** 24 + 3,
      'beyond the table': 2 ** 24 + 9999,
      'the next generation': reused + 2 ** 24,
      huge: 2 ** 52,
      'beyond whole numbers': 2 ** 60,
      infinite: Number.POSITIVE_INFINITY,
      nothing: undefined as unknown as number,
    },
  ];
}

t.test('ids that name no connection → EBADF from every call, and nothing changes', (t) => {
  const [peer, ids] = strangers(t);
  const before = { ...peer.tcp.counts };
  for (const [name, { call }] of Object.entries(CALLS)) {
    for (const [what, id] of Object.entries(ids))
      t.equal(
        outcome(() => call(peer.tcp, id as ConnectionId)),
        'EBADF',
        `${name}, ${what}`,
      );
  }
  t.same(peer.tcp.counts, before);
  t.end();
});

t.test('ids that name no listener → EBADF from every call, and nothing changes', (t) => {
  const peer = listening(t);
  const closed = peer.tcp.listen({ port: 81 });
  peer.tcp.closeListener(closed);
  const reused = peer.tcp.listen({ port: 82 });
  const before = { ...peer.tcp.counts };
  const ids = [closed, 0, -1, -reused, reused + 0.5, Number.NaN, 2 ** 52, Number.POSITIVE_INFINITY, undefined];
  for (const [name, call] of Object.entries(LISTENER_CALLS)) {
    for (const id of ids)
      t.equal(
        outcome(() => call(peer.tcp, id as ListenerId)),
        'EBADF',
        `${name}, ${id}`,
      );
  }
  t.same(peer.tcp.counts, before);
  for (const id of [peer.listener, reused]) {
    t.equal(peer.tcp.accept(id), 0, 'nobody waits');
    t.equal(peer.tcp.listenerInfo(id).waiting, 0);
    t.equal(peer.tcp.closeListener(id), undefined);
  }
  t.equal(peer.tcp.counts.listeners, 0);
  t.end();
});
