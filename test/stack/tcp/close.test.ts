import t, { type Test } from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import type { StateName } from '../../../stack/tcp/state.js';
import { type Peer } from './peer.js';
import { established, opened, synSent } from './states.js';

/** RFC 9293 §3.6: half-close, simultaneous close, close and abort from everywhere, and ids that are no more. */

/** Leads a fresh connection to a state. */
const WAYS: Readonly<Record<string, (t: Test) => Peer>> = {
  'SYN-SENT': (t) => synSent(t),
  'SYN-RECEIVED': (t) => {
    const peer = synSent(t);
    peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
    peer.nxt = 1;
    return peer;
  },
  ESTABLISHED: (t) => opened(t),
  'FIN-WAIT-1': (t) => {
    const peer = opened(t);
    peer.shutdown();
    return peer;
  },
  'FIN-WAIT-2': (t) => {
    const peer = opened(t);
    peer.shutdown();
    peer.ack();
    return peer;
  },
  'CLOSE-WAIT': (t) => {
    const peer = opened(t);
    peer.fin();
    return peer;
  },
  CLOSING: (t) => {
    const peer = opened(t);
    peer.shutdown();
    peer.fin({ ack: 1 });
    return peer;
  },
  'LAST-ACK': (t) => {
    const peer = opened(t);
    peer.fin();
    peer.shutdown();
    return peer;
  },
  'TIME-WAIT': (t) => {
    const peer = opened(t);
    peer.shutdown();
    peer.fin();
    return peer;
  },
};

for (const [state, way] of Object.entries(WAYS)) {
  t.test(`${state}, close → the id is stale at once, the stack ends it alone, all is given back`, (t) => {
    const peer = way(t);
    if (state === 'TIME-WAIT') peer.expectTimeWait();
    else peer.expectState(state as StateName);
    const { id } = peer;
    peer.close();
    for (const call of calls(peer, id)) t.throws(call, { code: 'EBADF' });
    // The peer goes along with whatever comes.
    for (let i = 0; i < 5; i++) {
      const sent = peer.drain();
      if (sent.some((segment) => segment.flags.includes('R'))) break;
      if (sent.some((segment) => segment.flags === 'S.')) peer.inject({ flags: '.' });
      if (sent.some((segment) => segment.flags.includes('F'))) peer.ack();
      peer.advanceMs(100);
    }
    if (peer.nxt === 1) peer.fin();
    peer.advanceMs(130_000);
    peer.drain();
    peer.expectAllFreed();
    t.end();
  });

  t.test(`${state}, abort → CLOSED at once, all is given back`, (t) => {
    const peer = way(t);
    peer.drain();
    const { id } = peer;
    peer.abort();
    for (const call of calls(peer, id)) t.throws(call, { code: 'EBADF' });
    const sent = peer.drain();
    const silent = ['SYN-SENT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT'].includes(state);
    t.same(
      sent.map((segment) => segment.flags),
      silent ? [] : ['R.'],
    );
    if (state === 'TIME-WAIT') peer.advanceMs(60_000);
    peer.expectAllFreed();
    t.end();
  });

  t.test(`${state}, the row is used again → the old id is still caught`, (t) => {
    const peer = way(t);
    const { id } = peer;
    const row = peer.tcp.rowOf(id);
    peer.abort();
    const again = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 99 });
    t.equal(peer.tcp.rowOf(again), row);
    t.not(again, id);
    for (const call of calls(peer, id)) t.throws(call, { code: 'EBADF' });
    t.end();
  });
}

function calls(peer: Peer, id: Peer['id']): (() => unknown)[] {
  const { tcp } = peer;
  const bytes = new Uint8Array(1);
  return [
    () => tcp.send(id, bytes),
    () => tcp.receive(id, bytes),
    () => tcp.shutdown(id),
    () => tcp.close(id),
    () => tcp.abort(id),
    () => tcp.state(id),
    () => tcp.info(id),
    () => tcp.readable(id),
    () => tcp.writable(id),
    () => tcp.takeError(id),
    () => tcp.markUrgent(id),
    () => tcp.remotePort(id),
    () => tcp.rowOf(id),
  ];
}

t.test('ids that never were → EBADF', (t) => {
  const peer = established(t);
  for (const id of [0, 1, -1, 2 ** 24 + 9, 2 ** 52, Number.NaN, 1.5, Number.POSITIVE_INFINITY]) {
    t.throws(() => peer.tcp.state(id as Peer['id']), { code: 'EBADF' }, String(id));
  }
  t.throws(() => peer.tcp.accept(12 as typeof peer.listener), { code: 'EBADF' });
  t.end();
});

t.test('ESTABLISHED, shutdown with bytes queued → all of them, then the FIN on the last', (t) => {
  const peer = established(t, { win: 1500 });
  peer.write(2200);
  peer.shutdown();
  peer.expectState('FIN-WAIT-1');
  peer.expect({ seq: 1, length: 750, flags: '.' });
  // More than half of the largest window: the write says PSH there (as Linux).
  peer.expect({ seq: 751, length: 750, flags: 'P.' });
  peer.expectNothing('the window is too small for more');
  peer.ack();
  peer.expect({ seq: 1501, length: 700, flags: 'FP.' });
  t.throws(() => peer.write(1), { code: 'EPIPE' });
  peer.ack();
  peer.expectState('FIN-WAIT-2');
  t.end();
});

t.test('FIN-WAIT-2, data keeps coming → read and acknowledged: the other half is open', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.ack();
  for (let i = 0; i < 10; i++) peer.data(1000);
  t.equal(peer.read().length, 10_000);
  peer.fin();
  t.equal(peer.tcp.receive(peer.id, new Uint8Array(9)), -1);
  peer.expectTimeWait();
  t.ok(peer.told(Event.CLOSED));
  t.end();
});

t.test('CLOSE-WAIT, data still goes out → sent and acknowledged', (t) => {
  const peer = established(t);
  peer.fin();
  peer.drain();
  peer.write(3000);
  t.equal(peer.drain().length, 3);
  peer.ack();
  t.equal(peer.tcp.unacknowledged(peer.id), 0);
  peer.expectState('CLOSE-WAIT');
  t.end();
});

t.test('ESTABLISHED and ESTABLISHED, both close at once → CLOSING, TIME-WAIT (figure 14)', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.expect({ flags: 'F.', seq: 1, ack: 1 });
  peer.fin({ ack: 1 });
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  peer.expectState('CLOSING');
  peer.inject({ ack: 2 });
  peer.expectTimeWait();
  t.end();
});

t.test('FIN-WAIT-1, the FIN is lost → sent again by timer, with the data before it', (t) => {
  const peer = established(t);
  peer.write(10);
  peer.shutdown();
  peer.expect({ flags: 'P.', length: 10 });
  peer.expect({ flags: 'F.', seq: 11 });
  peer.inject({ ack: 11 });
  peer.untilSent();
  peer.expect({ flags: 'F.', seq: 11, length: 0 });
  peer.ack();
  peer.expectState('FIN-WAIT-2');
  t.end();
});

t.test('ESTABLISHED, FIN before the data in front of it → waits for it', (t) => {
  const peer = established(t);
  peer.inject({ flags: 'F.', seq: 101 });
  peer.expect({ flags: '.', ack: 1 });
  peer.expectState('ESTABLISHED');
  peer.inject({ seq: 51, data: 50 });
  peer.expect({ flags: '.', ack: 1 });
  peer.inject({ seq: 1, data: 50 });
  peer.expectState('CLOSE-WAIT');
  peer.expect({ flags: '.', ack: 102 });
  t.equal(peer.read().length, 100);
  t.equal(peer.tcp.receive(peer.id, new Uint8Array(1)), -1);
  t.end();
});

t.test('ESTABLISHED, data and FIN out of order in one segment → waits for the gap', (t) => {
  const peer = established(t);
  peer.inject({ flags: 'FP.', seq: 101, data: 100 });
  peer.expectState('ESTABLISHED');
  peer.inject({ seq: 1, data: 100 });
  peer.expectState('CLOSE-WAIT');
  t.equal(peer.read().length, 200);
  t.end();
});

t.test('CLOSE-WAIT, the FIN again → acknowledged again, once is enough for the program', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.fin();
  peer.drain();
  peer.events();
  peer.inject({ flags: 'F.', seq: 11 });
  peer.expect({ flags: '.', ack: 12 });
  peer.expectState('CLOSE-WAIT');
  t.notOk(peer.told(Event.PEER_CLOSED));
  t.end();
});

t.test('CLOSE-WAIT, data behind the FIN → ignored', (t) => {
  const peer = established(t);
  peer.fin();
  peer.inject({ seq: 2, data: 10 });
  t.equal(peer.tcp.readable(peer.id), 0);
  peer.expectState('CLOSE-WAIT');
  t.end();
});

t.test('LAST-ACK, orphan, never acknowledged → given up after orphanRetries', (t) => {
  const peer = established(t);
  peer.fin();
  peer.close();
  peer.drain();
  peer.advanceMs(3_600_000);
  t.equal(peer.drain().length, 8);
  peer.expectAllFreed();
  t.end();
});

t.test('FIN-WAIT-1, orphan with a shut window → probed for a while, then reset', (t) => {
  const peer = established(t);
  peer.inject({ win: 0 });
  peer.write(100);
  peer.close();
  for (let i = 0; i < 2000 && peer.tcp.counts.connections > 0; i++) {
    peer.advanceMs(1000);
    if (peer.drain().some((segment) => segment.flags === '.')) peer.inject({ win: 0 });
  }
  peer.expectAllFreed();
  t.end();
});

t.test('SYN-SENT, shutdown → the FIN follows the handshake', (t) => {
  const peer = synSent(t);
  peer.write(5);
  peer.shutdown();
  peer.expectNothing();
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: peer.synOptions });
  peer.nxt = 1;
  t.equal(
    peer
      .drain()
      .map((segment) => segment.flags)
      .join(' '),
    'FP.',
  );
  peer.expectState('FIN-WAIT-1');
  t.end();
});

t.test('CLOSED by reset, shutdown and close → the error is told, the id goes', (t) => {
  const peer = established(t);
  peer.inject({ flags: 'R' });
  t.throws(() => peer.tcp.shutdown(peer.id), { code: 'ENOTCONN' });
  t.throws(() => peer.tcp.shutdownReceive(peer.id), { code: 'ENOTCONN' });
  t.equal(peer.tcp.takeError(peer.id), 'ECONNRESET');
  peer.close();
  peer.expectAllFreed();
  t.end();
});

t.test('CLOSE-WAIT, RST → EPIPE: the reader has gone', (t) => {
  const peer = established(t);
  peer.fin();
  peer.inject({ flags: 'R' });
  t.equal(peer.tcp.takeError(peer.id), 'EPIPE');
  t.equal(peer.tcp.receive(peer.id, new Uint8Array(10)), -1, 'and the end stays the end');
  t.end();
});

t.test('LAST-ACK with bytes unsent, abort → RST: the peer learns of the loss', (t) => {
  const peer = established(t, { win: 0 });
  peer.fin();
  peer.write(10);
  peer.shutdown();
  peer.drain();
  peer.abort();
  peer.expect({ flags: 'R.' });
  t.end();
});

t.test('ESTABLISHED with a gap, RST at the end of what came early → reset; anywhere else → a challenge', (t) => {
  const peer = established(t, { syn: { mss: 1460, sackOk: true } });
  peer.inject({ seq: 1001, data: 1000 });
  peer.drain();
  peer.inject({ flags: 'R', seq: 1500 });
  peer.expectState('ESTABLISHED');
  peer.inject({ flags: 'R', seq: 2001 });
  peer.expectState('CLOSED');
  t.end();
});

t.test('close, each of its events is told once', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.fin();
  t.ok(peer.told(Event.CLOSED));
  peer.events();
  peer.advanceMs(61_000);
  peer.expectState('CLOSED');
  t.equal(peer.events(), 0, 'the end of TIME-WAIT is no news');
  t.end();
});
