import t, { type Test } from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import type { Peer, PeerOptions } from './peer.js';
import { established, synReceived } from './states.js';

/** When an ACK goes: RFC 9293 §3.8.6.3, RFC 5681 §4.2, and how Linux fills them. */

/** Segments of this size do not make the window grow after the first: the buffer is worth what it was. */
const SIZE = 1000;

/** A connection past its beginning, whose program reads what comes: ACKs may be late. */
function calm(t: Test, options: PeerOptions = {}): Peer {
  const peer = established(t, options);
  for (let i = 0; i < 60; i++) {
    peer.data(SIZE);
    peer.read();
    peer.advanceMs(5);
  }
  peer.advanceMs(100);
  peer.drain();
  return peer;
}

t.test('ESTABLISHED, the first segments → each acknowledged at once, sixteen times', (t) => {
  const peer = established(t);
  for (let i = 1; i <= 16; i++) {
    peer.data(SIZE);
    peer.expect({ flags: '.', ack: 1 + i * SIZE });
    peer.read();
    peer.expectNothing();
  }
  peer.data(SIZE);
  peer.expectNothing('the seventeenth may wait');
  t.equal(peer.untilSent(), 40);
  peer.expect({ flags: '.', ack: 1 + 17 * SIZE });
  t.end();
});

t.test('ESTABLISHED, a small window → as many at once as half of it has full segments', (t) => {
  for (const [receiveBytes, quick] of [
    [20_000, 8],
    [2304, 1],
  ] as const) {
    const peer = established(t, { syn: { mss: 1460, wscale: 0 }, listen: { receiveBytes } });
    for (let i = 0; i < quick; i++) {
      peer.data(100);
      peer.expect({ flags: '.', ack: peer.nxt }, `${receiveBytes}, ${i}`);
      peer.read();
      peer.drain();
    }
    peer.data(100);
    peer.expectNothing();
  }
  t.end();
});

t.test('ESTABLISHED, every second full segment → an ACK with it, if the program reads', (t) => {
  const peer = calm(t);
  for (let i = 0; i < 4; i++) {
    peer.data(SIZE, { flags: '.' });
    peer.expectNothing();
    peer.read();
    peer.expectNothing('a segment without PSH: more will come');
    peer.data(SIZE, { flags: '.' });
    peer.read();
    peer.expect({ flags: '.', ack: peer.nxt });
  }
  t.end();
});

t.test(
  'ESTABLISHED, two full segments that nobody reads → the window would close, so the ACK waits for the program',
  (t) => {
    const peer = calm(t);
    peer.data(SIZE);
    peer.data(SIZE);
    peer.expectNothing();
    peer.read();
    peer.expect({ flags: '.', ack: peer.nxt });
    t.end();
  },
);

t.test(
  'ESTABLISHED, the end of a write, read → the queue is empty and the peer may wait: an ACK with the reading',
  (t) => {
    const peer = calm(t);
    peer.data(100);
    peer.expectNothing();
    peer.read(50);
    peer.expectNothing('not all is read');
    peer.read();
    peer.expect({ flags: '.', ack: peer.nxt });
    t.end();
  },
);

t.test('ESTABLISHED, interactive, a small segment read → no ACK; a second one read → an ACK', (t) => {
  const peer = calm(t);
  peer.data(100);
  peer.write(10);
  peer.ack();
  peer.drain();
  peer.read();
  peer.data(100);
  peer.read();
  peer.expectNothing('the program will answer');
  peer.data(100);
  peer.read();
  peer.expect({ flags: '.', ack: peer.nxt });
  t.end();
});

t.test('ESTABLISHED, one segment nobody reads → an ACK after 40 ms, for certain before 500 (MUST-40), once', (t) => {
  const peer = calm(t);
  peer.data(SIZE);
  t.equal(peer.untilSent(), 40);
  peer.expect({ flags: '.', ack: peer.nxt });
  peer.advanceMs(10_000);
  peer.expectNothing();
  t.end();
});

t.test(
  'ESTABLISHED, delayed again and again → later each time, up to 199 ms; never later than a round trip, or 40 ms',
  (t) => {
    const peer = calm(t);
    for (let i = 0; i < 4; i++) {
      peer.data(SIZE);
      t.equal(peer.untilSent(), 40, 'the round trip was none');
      peer.drain();
      peer.advanceMs(150);
    }
    t.end();
  },
);

t.test('ESTABLISHED, a long round trip, delayed again and again → later each time, up to 199 ms', (t) => {
  const peer = synReceived(t);
  peer.advanceMs(300);
  peer.ack();
  peer.accept();
  for (let i = 0; i < 60; i++) {
    peer.data(SIZE);
    peer.read();
    peer.advanceMs(5);
  }
  peer.advanceMs(100);
  peer.drain();
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    peer.data(SIZE);
    waits.push(peer.untilSent());
    peer.drain();
    peer.advanceMs(250 - (waits.at(-1) ?? 0));
  }
  t.same(waits, [40, 80, 160, 199], 'one millisecond short of the least RTO');
  t.end();
});

t.test('ESTABLISHED, the timer nearly due and another segment comes → the ACK goes with it', (t) => {
  const peer = calm(t);
  peer.data(10);
  peer.advanceMs(29);
  peer.expectNothing();
  peer.data(10);
  peer.expectNothing('11 ms are left, more than a quarter of 40');
  peer.advanceMs(2);
  peer.data(10);
  peer.expect({ flags: '.', ack: peer.nxt });
  t.end();
});

t.test('ESTABLISHED, the program answers → its data carries the ACK, and no other is sent', (t) => {
  const peer = calm(t);
  peer.data(100);
  peer.write(50);
  peer.expect({ length: 50, ack: peer.nxt });
  peer.ack();
  peer.advanceMs(1000);
  peer.expectNothing();
  t.end();
});

t.test('ESTABLISHED, answers in the same turn from the start → no ACK of its own', (t) => {
  const peer = established(t);
  for (let i = 0; i < 5; i++) {
    peer.receive({ data: 100 });
    peer.nxt += 100;
    peer.tcp.send(peer.id, new Uint8Array(10));
    peer.flush();
    peer.expect({ length: 10, ack: peer.nxt });
    peer.ack();
    peer.expectNothing();
  }
  t.end();
});

t.test('ESTABLISHED, a conversation with pauses → the ACK waits for the answer', (t) => {
  const peer = established(t);
  for (let i = 0; i < 20; i++) {
    peer.data(100);
    if (i > 0) peer.expectNothing();
    peer.drain();
    peer.advanceMs(10);
    peer.write(10);
    peer.expect({ length: 10, ack: peer.nxt });
    peer.ack();
  }
  t.end();
});

t.test('ESTABLISHED, a conversation that pauses longer than the delay → no conversation any more', (t) => {
  const peer = established(t);
  peer.data(100);
  peer.write(10);
  peer.ack();
  peer.drain();
  peer.data(100);
  peer.expectNothing();
  t.equal(peer.untilSent(), 40);
  peer.drain();
  peer.data(100);
  peer.expect({ flags: '.', ack: peer.nxt }, 'acknowledged at once, as at the start');
  t.end();
});

t.test('ESTABLISHED, silence longer than an RTO → the sender starts slowly, so at once again', (t) => {
  const peer = calm(t);
  peer.advanceMs(5000);
  for (let i = 0; i < 10; i++) {
    peer.data(SIZE);
    peer.read();
    peer.expect({ flags: '.', ack: peer.nxt });
  }
  t.end();
});

t.test('ESTABLISHED, the FIN of a peer that never sent → acknowledged after a tick, or with our FIN', (t) => {
  const peer = established(t);
  peer.fin();
  peer.expectNothing();
  t.equal(peer.untilSent(), 1);
  peer.expect({ flags: '.', ack: 2 });
  const other = established(t);
  other.fin();
  other.close();
  other.expect({ flags: 'F.', ack: 2 });
  t.end();
});

t.test('ESTABLISHED, the FIN of a peer that never sent comes early → a duplicate ACK at once', (t) => {
  const peer = established(t);
  peer.inject({ flags: 'F.', seq: 11, ack: 1 });
  peer.expect({ flags: '.', ack: 1 });
  t.end();
});

t.test('ESTABLISHED, the FIN of a peer that did → its ACK may ride on ours', (t) => {
  const peer = calm(t);
  peer.fin();
  peer.expectNothing();
  peer.advanceMs(39);
  peer.expectNothing();
  peer.close();
  peer.expect({ flags: 'F.', ack: peer.nxt });
  const other = calm(t);
  other.fin();
  t.equal(other.untilSent(), 40);
  other.expect({ flags: '.', ack: other.nxt });
  t.end();
});

t.test('ESTABLISHED, out of order → a duplicate ACK at once for each, and at once when the gap is filled', (t) => {
  const peer = calm(t);
  const at = peer.nxt;
  for (let i = 1; i <= 4; i++) {
    peer.inject({ seq: at + i * SIZE, data: SIZE });
    peer.expect({ flags: '.', ack: at });
  }
  peer.inject({ seq: at, data: SIZE });
  peer.expect({ flags: '.', ack: at + 5 * SIZE });
  t.end();
});

t.test(
  'ESTABLISHED, a duplicate → acknowledged at once, and so are the next sixteen: the sender is to see clearly',
  (t) => {
    const peer = calm(t);
    peer.inject({ seq: peer.nxt - SIZE, data: SIZE });
    peer.expect({ flags: '.', ack: peer.nxt });
    for (let i = 0; i < 15; i++) {
      peer.data(100);
      peer.expect({ ack: peer.nxt });
    }
    peer.data(100);
    peer.expectNothing('the duplicate was the first of sixteen');
    t.end();
  },
);

t.test(
  'ESTABLISHED, quickAck 0 → interactive: late; 1 → what is owed goes, and what comes is late or not as before',
  (t) => {
    const peer = established(t);
    peer.tcp.setOption(peer.id, TcpOption.QUICK_ACK, 0);
    t.equal(peer.tcp.getOption(peer.id, TcpOption.QUICK_ACK), 0);
    peer.data(100);
    peer.expectNothing('though it is the first');
    peer.read();
    peer.expectNothing();
    peer.tcp.setOption(peer.id, TcpOption.QUICK_ACK, 1);
    peer.flush();
    peer.expect({ flags: '.', ack: 101 });
    t.equal(peer.tcp.getOption(peer.id, TcpOption.QUICK_ACK), 1);
    peer.data(100);
    peer.expect({ flags: '.', ack: 201 }, 'still at its beginning');
    t.end();
  },
);

t.test('ESTABLISHED, quickAck 2 → what is owed goes, and interactive again', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.QUICK_ACK, 0);
  peer.data(100);
  peer.read();
  peer.tcp.setOption(peer.id, TcpOption.QUICK_ACK, 2);
  peer.flush();
  peer.expect({ flags: '.', ack: 101 });
  t.equal(peer.tcp.getOption(peer.id, TcpOption.QUICK_ACK), 0);
  peer.data(100);
  peer.expectNothing();
  t.end();
});

t.test(
  'ESTABLISHED, many segments before the turn ends → all of them are taken, and one ACK is for all (MUST-58, 59)',
  (t) => {
    const peer = calm(t);
    for (let i = 0; i < 10; i++) {
      peer.receive({ data: 1460 });
      peer.nxt += 1460;
    }
    peer.flush();
    peer.expect({ flags: '.', ack: peer.nxt });
    peer.expectNothing();
    t.end();
  },
);
t.test('ESTABLISHED, idle until nothing of it is in memory → the ACKs to be sent at once are not forgotten', (t) => {
  const peer = established(t);
  for (let i = 0; i < 4; i++) {
    peer.data(100);
    peer.read();
    peer.expect({ ack: peer.nxt });
  }
  for (let i = 0; i < 12; i++) {
    peer.advanceMs(150);
    t.equal(peer.tcp.counts.active, 0);
    peer.data(100);
    peer.expect({ flags: '.', ack: peer.nxt });
    peer.read();
    peer.drain();
  }
  peer.advanceMs(150);
  peer.data(100);
  peer.expectNothing('sixteen were sent');
  t.end();
});

t.test('ESTABLISHED, asleep before any data came → the first data finds it at its beginning', (t) => {
  const peer = established(t);
  peer.advanceMs(10_000);
  t.equal(peer.tcp.counts.active, 0);
  peer.fin();
  t.equal(peer.untilSent(), 1);
  peer.expect({ flags: '.', ack: 2 }, 'as of one that never slept');
  t.end();
});
