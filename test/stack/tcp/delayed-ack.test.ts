import t, { type Test } from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { type Peer } from './peer.js';
import { established } from './states.js';

/** RFC 9293 §3.8.6.3, RFC 5681 §4.2: at once at the start, then for every second segment or after 40 ms. */

/** A connection past its beginning: ACKs may be late. */
function calm(t: Test): Peer {
  const peer = established(t);
  for (let i = 0; i < 20; i++) {
    peer.data(1460);
    peer.read();
    peer.advanceMs(5);
  }
  peer.advanceMs(100);
  peer.drain();
  return peer;
}

t.test('ESTABLISHED, the first segments → each acknowledged at once', (t) => {
  const peer = established(t);
  for (let i = 1; i <= 16; i++) {
    peer.data(1460);
    peer.expect({ flags: '.', ack: 1 + i * 1460 });
  }
  peer.data(1460);
  peer.expectNothing('the seventeenth may wait');
  t.end();
});

t.test('ESTABLISHED, every second full segment → an ACK with it', (t) => {
  const peer = calm(t);
  for (let i = 0; i < 4; i++) {
    peer.data(1460);
    peer.expectNothing();
    peer.data(1460);
    peer.expect({ flags: '.', ack: peer.nxt });
  }
  t.end();
});

t.test(
  'ESTABLISHED, one segment → an ACK after at least some and at most 200 ms, for certain before 500 (MUST-40)',
  (t) => {
    const peer = calm(t);
    peer.data(1460);
    const waited = peer.untilSent();
    t.ok(waited > 1 && waited <= 200, `${waited} ms`);
    peer.expect({ flags: '.', ack: peer.nxt });
    peer.advanceMs(10_000);
    peer.expectNothing('once');
    t.end();
  },
);

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
    if (i > 1) peer.expectNothing();
    peer.drain();
    peer.advanceMs(10);
    peer.write(10);
    peer.expect({ length: 10, ack: peer.nxt });
    peer.ack();
  }
  t.end();
});

t.test('ESTABLISHED, the FIN → acknowledged at once', (t) => {
  const peer = calm(t);
  peer.fin();
  peer.expect({ flags: '.', ack: peer.nxt });
  t.end();
});

t.test('ESTABLISHED, out of order → a duplicate ACK at once for each, and at once when the gap is filled', (t) => {
  const peer = calm(t);
  const at = peer.nxt;
  for (let i = 1; i <= 4; i++) {
    peer.inject({ seq: at + i * 1460, data: 1460 });
    peer.expect({ flags: '.', ack: at });
  }
  peer.inject({ seq: at, data: 1460 });
  peer.expect({ flags: '.', ack: at + 5 * 1460 });
  t.end();
});

t.test('ESTABLISHED, a duplicate → acknowledged at once', (t) => {
  const peer = calm(t);
  peer.inject({ seq: peer.nxt - 1460, data: 1460 });
  peer.expect({ flags: '.', ack: peer.nxt });
  t.end();
});

t.test(
  'ESTABLISHED, after something out of order → at once for sixteen segments, so that the sender sees clearly',
  (t) => {
    const peer = calm(t);
    const at = peer.nxt;
    peer.inject({ seq: at + 1000, data: 1000 });
    peer.nxt = at;
    peer.data(2000);
    peer.drain();
    for (let i = 0; i < 15; i++) {
      peer.data(100);
      peer.expect({ ack: peer.nxt });
    }
    t.end();
  },
);

t.test('ESTABLISHED, quickAck set → at once; cleared → late', (t) => {
  const peer = calm(t);
  peer.tcp.setOption(peer.id, TcpOption.QUICK_ACK, 1);
  peer.data(100);
  peer.expect({ ack: peer.nxt });
  peer.tcp.setOption(peer.id, TcpOption.QUICK_ACK, 0);
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
