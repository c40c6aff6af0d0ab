import t from 'tap';
import { synSent } from './states.js';

/** SYN-SENT as Linux has it: what is made of a SYN that was lost or late, and of an answer that is not ours. */

t.test('SYN-SENT, SYN lost once → the whole initial window (as Linux)', (t) => {
  const peer = synSent(t);
  peer.untilSent();
  peer.drain();
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1000 } });
  peer.nxt = 1;
  peer.drain();
  peer.write(20_000);
  t.equal(peer.drain().length, 10);
  t.end();
});

t.test(
  'SYN-SENT, SYN sent three times, the answer echoes the first → it was only late: the whole initial window',
  (t) => {
    const peer = synSent(t, { syn: { mss: 1000, ts: [7, 0] } });
    const first = peer.tsEcho;
    for (let i = 0; i < 2; i++) {
      peer.untilSent();
      peer.drain();
    }
    peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1000, ts: [7, first] } });
    peer.nxt = 1;
    peer.drain();
    peer.write(20_000);
    t.equal(peer.drain().length, 10);
    t.end();
  },
);

t.test('SYN-SENT, SYN,ACK with data and FIN, synAckText → taken with it (RFC 9293 §3.10.7.3)', (t) => {
  const peer = synSent(t, { tcp: { synAckText: true } });
  peer.inject({ flags: 'SF.', seq: 0, ack: 1, data: new TextEncoder().encode('hello'), options: { mss: 1460 } });
  peer.expectState('CLOSE-WAIT');
  peer.expect({ flags: '.', seq: 1, ack: 7 });
  t.equal(new TextDecoder().decode(peer.read()), 'hello');
  t.end();
});

t.test('SYN-SENT, SYN,ACK with data → the SYN is acknowledged, the data comes again (as Linux)', (t) => {
  const peer = synSent(t);
  peer.inject({ flags: 'S.', seq: 0, ack: 1, data: 5, options: { mss: 1460 } });
  peer.expectState('ESTABLISHED');
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  t.equal(peer.tcp.readable(peer.id), 0);
  t.end();
});

t.test('SYN-SENT, SYN,ACK of something else → RST, and our SYN again at once, but only the first time', (t) => {
  const peer = synSent(t);
  peer.inject({ flags: 'S.', seq: 0, ack: 77, options: { mss: 1460 } });
  peer.expect({ flags: 'R', seq: 77 });
  t.equal(peer.untilSent(), 6);
  peer.expect({ flags: 'S', seq: 0 });
  peer.inject({ flags: 'S.', seq: 0, ack: 77, options: { mss: 1460 } });
  peer.expect({ flags: 'R', seq: 77 });
  t.equal(peer.untilSent(), 1000);
  t.end();
});

t.test('SYN-SENT, SYN,ACK that echoes a time before our SYN, or one to come → RST, and no connection of it', (t) => {
  const peer = synSent(t, { syn: { mss: 1000, ts: [7, 0] } });
  for (const offset of [-1, 1]) {
    peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1000, ts: [7, peer.tsEcho + offset] } });
    peer.expect({ flags: 'R', seq: 1 });
    peer.expectState('SYN-SENT');
  }
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1000, ts: [7, peer.tsEcho] } });
  peer.expectState('ESTABLISHED');
  t.end();
});
