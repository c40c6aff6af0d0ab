import t from 'tap';
import { Verdict } from '../../../stack/wire/verdict.js';
import { listening, synReceived } from './states.js';

/** SYN-RECEIVED as Linux has it: repetitions, and what is answered how often. */

t.test('SYN-RECEIVED, the SYN again and again → answered twice a second, and waited for anew each time', (t) => {
  const peer = synReceived(t);
  for (let i = 0; i < 20; i++) {
    peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
    peer.advanceMs(100);
  }
  // At 0, 500, 1000 and 1500 ms; the second that the timer waits began with the last.
  t.equal(peer.drain().length, 4);
  t.equal(peer.untilSent(), 500);
  t.end();
});

t.test(
  'SYN-RECEIVED, the SYN was answered twice, no timer ran out → nothing was lost: the whole initial window',
  (t) => {
    const peer = synReceived(t, { syn: { mss: 1000 } });
    for (let i = 0; i < 2; i++) {
      peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
      peer.advanceMs(500);
    }
    peer.drain();
    peer.ack();
    peer.accept();
    peer.write(20_000);
    t.equal(peer.drain().length, 10);
    t.end();
  },
);

t.test('SYN-RECEIVED, SYN,ACK repeated twice by its timer → one segment of initial window', (t) => {
  const peer = synReceived(t, { syn: { mss: 1000 } });
  peer.advanceMs(3000);
  peer.drain();
  peer.ack();
  peer.accept();
  peer.write(20_000);
  t.equal(peer.drain().length, 1);
  t.end();
});

t.test(
  'SYN-RECEIVED, an ACK of something else, wherever it stands → RST (as Linux, before the sequence number)',
  (t) => {
    const peer = synReceived(t);
    peer.inject({ seq: 1, ack: 77 });
    peer.expect({ flags: 'R', seq: 77 });
    peer.inject({ seq: 200_000, ack: 77 });
    peer.expect({ flags: 'R', seq: 77 });
    t.equal(peer.tcp.counts.halfOpen, 1);
    t.end();
  },
);

t.test('SYN-RECEIVED, out of the window → ACK, at most twice a second', (t) => {
  const peer = synReceived(t);
  for (let i = 0; i < 3; i++) peer.inject({ seq: 200_000 });
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  peer.expectNothing();
  peer.advanceMs(500);
  peer.inject({ seq: 200_000 });
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  t.end();
});

t.test(
  'SYN-RECEIVED, ICMP about the SYN,ACK → no way to the peer ends it in silence; the rest, and lies, do not',
  (t) => {
    const peer = listening(t);
    peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
    const { datagram } = peer.expect({ flags: 'S.' });
    const forged = datagram.slice();
    forged[24] ^= 1;
    t.equal(peer.icmp(3, 1, forged), Verdict.ICMP_IMPLAUSIBLE);
    peer.icmp(3, 3, datagram);
    t.equal(peer.tcp.counts.halfOpen, 1);
    t.equal(peer.icmp(3, 1, datagram), Verdict.OK);
    t.equal(peer.tcp.counts.halfOpen, 0);
    peer.expectNothing();
    peer.expectAllFreed();
    t.end();
  },
);
