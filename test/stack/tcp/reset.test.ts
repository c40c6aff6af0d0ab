import t from 'tap';
import { Verdict } from '../../../stack/wire/verdict.js';
import { established, handshakeBegins, listening, opened, synReceived, synSent } from './states.js';

/** RFC 9293 §3.5.2 and §3.10.7, RFC 5961: when a RST is sent, when one is believed, and when the answer is a challenge. */

t.test('CLOSED, rcv segment with ACK → RST with its acknowledgment as sequence number (§3.5.2 group 1)', (t) => {
  const peer = listening(t);
  peer.stackPort = 81;
  peer.inject({ flags: '.', seq: 100, ack: 4711 });
  peer.expect({ flags: 'R', seq: 4711, win: 0 });
  t.end();
});

t.test('CLOSED, rcv segment without ACK → RST from zero that acknowledges all of it (group 1)', (t) => {
  const peer = listening(t);
  peer.stackPort = 81;
  peer.inject({ flags: 'SF', seq: 100, data: 7 });
  peer.expect({ flags: 'R.', seq: 0, ack: 109 });
  t.end();
});

t.test('CLOSED, rcv RST → silence (group 1)', (t) => {
  const peer = listening(t);
  peer.stackPort = 81;
  peer.inject({ flags: 'R' });
  peer.inject({ flags: 'R.' });
  peer.expectNothing();
  t.end();
});

t.test('LISTEN, rcv ACK → RST; rcv RST → silence; rcv neither SYN nor ACK → silence', (t) => {
  const peer = listening(t);
  peer.inject({ flags: '.', ack: 99 });
  peer.expect({ flags: 'R', seq: 99 });
  peer.inject({ flags: 'S.', ack: 98 });
  peer.expect({ flags: 'R', seq: 98 });
  peer.inject({ flags: 'R' });
  peer.inject({ flags: 'P', data: 5 });
  peer.inject({ flags: '' });
  peer.inject({ flags: 'SF' });
  peer.inject({ flags: 'SR' });
  peer.expectNothing();
  t.equal(peer.tcp.counts.halfOpen, 0);
  t.end();
});

t.test('SYN-SENT, rcv ACK of something else → RST, and the SYN still stands (group 2)', (t) => {
  for (const ack of [0, 2, -5]) {
    const peer = synSent(t);
    peer.inject({ flags: 'S.', ack, options: peer.synOptions });
    peer.expect({ flags: 'R', seq: ack });
    peer.inject({ flags: '.', ack });
    peer.expect({ flags: 'R', seq: ack });
    peer.inject({ flags: 'R.', ack });
    peer.expectNothing('a RST that acknowledges nothing of ours is nobody');
    peer.expectState('SYN-SENT');
  }
  t.end();
});

t.test('SYN-SENT, rcv RST without ACK → ignored', (t) => {
  const peer = synSent(t);
  peer.inject({ flags: 'R', seq: 0 });
  peer.expectNothing();
  peer.expectState('SYN-SENT');
  t.end();
});

t.test('SYN-SENT, rcv bare ACK of the SYN → dropped', (t) => {
  const peer = synSent(t);
  peer.inject({ flags: '.', ack: 1 });
  peer.expectNothing();
  peer.expectState('SYN-SENT');
  t.end();
});

t.test('SYN-RECEIVED, rcv ACK of something else → RST, and the handshake still stands (group 2)', (t) => {
  const peer = synReceived(t);
  peer.inject({ flags: '.', ack: 0 });
  peer.expect({ flags: 'R', seq: 0 });
  peer.inject({ flags: '.', ack: 2 });
  peer.expect({ flags: 'R', seq: 2 });
  peer.inject({ flags: '.', ack: 1 });
  peer.accept();
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('SYN-RECEIVED, rcv RST in the window → a challenge (RFC 5961 §3.2); the exact one ends the attempt', (t) => {
  const peer = synReceived(t, { syn: { mss: 1460, wscale: 7 } });
  t.equal(peer.inject({ flags: 'R', seq: 1 + (1 << 20) }), Verdict.TCP_SEQUENCE, 'silence outside of it');
  peer.expectNothing();
  t.equal(peer.inject({ flags: 'R', seq: 500 }), Verdict.TCP_RST_CHALLENGED);
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  t.equal(peer.inject({ flags: 'R', seq: 501 }), Verdict.TCP_RST_CHALLENGED);
  peer.expectNothing('one in half a second');
  t.equal(peer.tcp.counts.halfOpen, 1);
  t.equal(peer.stack.net.stats.tcpChallengeAcks, 1);
  peer.inject({ flags: 'R', seq: 1 });
  t.equal(peer.tcp.counts.halfOpen, 0);
  peer.expectNothing();
  t.end();
});

t.test('SYN-RECEIVED, linux-6.12, rcv RST in the window → the attempt is over, in silence', (t) => {
  const peer = synReceived(t, { syn: { mss: 1460, wscale: 7 }, tcp: { profile: 'linux-6.12' } });
  peer.inject({ flags: 'R', seq: 500 });
  t.equal(peer.tcp.counts.halfOpen, 0);
  peer.expectNothing();
  t.end();
});

t.test('SYN-RECEIVED, rcv another SYN in the window → RST, and the attempt is over (as Linux)', (t) => {
  const peer = synReceived(t);
  peer.inject({ flags: 'S', seq: 300, options: peer.synOptions });
  peer.expect({ flags: 'R.', ack: 301 });
  t.equal(peer.tcp.counts.halfOpen, 0);
  t.end();
});

t.test('ESTABLISHED, rcv RST with exactly RCV.NXT → CLOSED, ECONNRESET after what came before is read', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.drain();
  peer.inject({ flags: 'R' });
  peer.expectState('CLOSED');
  t.equal(peer.read().length, 10, 'bytes that arrived are not lost');
  t.throws(() => peer.tcp.receive(peer.id, new Uint8Array(1)), { code: 'ECONNRESET' });
  t.throws(() => peer.tcp.send(peer.id, new Uint8Array(1)), { code: 'ECONNRESET' });
  peer.close();
  peer.expectAllFreed();
  t.end();
});

t.test('ESTABLISHED, rcv RST elsewhere in the window → challenge ACK (RFC 5961 §3.2)', (t) => {
  for (const seq of [2, 1000, 64_076]) {
    const peer = established(t);
    peer.inject({ flags: 'R', seq });
    peer.expect({ flags: '.', seq: 1, ack: 1, length: 0 });
    peer.expectState('ESTABLISHED');
  }
  t.end();
});

t.test('ESTABLISHED, rcv RST outside of the window → dropped in silence', (t) => {
  const peer = established(t);
  for (const seq of [0, -1, 65_536, 65_537, 1 << 20]) peer.inject({ flags: 'R', seq });
  peer.expectNothing();
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('ESTABLISHED, rcv SYN → challenge ACK, wherever it lies (RFC 5961 §4.2)', (t) => {
  for (const seq of [0, 1, 500, 1 << 20]) {
    for (const flags of ['S', 'S.']) {
      const peer = established(t);
      peer.inject({ flags, seq, options: peer.synOptions });
      peer.expect({ flags: '.', seq: 1, ack: 1, length: 0 }, `${flags} at ${seq}`);
      peer.expectState('ESTABLISHED');
    }
  }
  t.end();
});

t.test('ESTABLISHED, rcv many that want a challenge → one each 500 ms for the connection (RFC 5961 §7)', (t) => {
  const peer = established(t);
  for (let i = 0; i < 50; i++) peer.inject({ flags: 'R', seq: 100 });
  t.equal(peer.drain().length, 1);
  peer.advanceMs(499);
  peer.inject({ flags: 'S', seq: 100 });
  peer.expectNothing();
  peer.advanceMs(2);
  peer.inject({ flags: 'S', seq: 100 });
  peer.expect({ flags: '.' });
  t.end();
});

t.test('many connections, each wants a challenge → the stack as a whole keeps to its limit (RFC 5961 §7)', (t) => {
  const peer = listening(t, { tcp: { challengeAcksPerSecond: 5 } });
  const iss: number[] = [];
  const eachWants = () => {
    for (let i = 0; i < 8; i++) {
      peer.peerPort = 5000 + i;
      peer.stackIss = iss[i] as number;
      peer.inject({ flags: 'R', seq: 100, ack: 1 });
    }
  };
  for (let i = 0; i < 8; i++) {
    peer.peerPort = 5000 + i;
    handshakeBegins(peer);
    iss.push(peer.stackIss);
    peer.ack();
  }
  peer.drain();
  eachWants();
  t.equal(peer.drain().length, 5);
  peer.advanceMs(1000);
  eachWants();
  t.equal(peer.drain().length, 5);
  t.end();
});

t.test('ESTABLISHED, rcv ACK of what was never sent → ACK, the segment is dropped; linux-6.12 → silence', (t) => {
  const old = established(t, { tcp: { profile: 'linux-6.12' } });
  t.equal(old.inject({ ack: 2, data: 10 }), Verdict.TCP_ACK_UNSENT);
  old.expectNothing();
  const peer = established(t);
  t.equal(peer.inject({ ack: 2, data: 10 }), Verdict.TCP_ACK_UNSENT);
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  t.equal(peer.tcp.readable(peer.id), 0);
  t.end();
});

t.test('FIN-WAIT-2, text overtaken by the ACK of our FIN → taken: FIN counts as acknowledged (RFC 5961 §5.2)', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.expect({ flags: 'F.', seq: 1 });
  peer.inject({ seq: 6, ack: 2, data: 5 });
  peer.expectState('FIN-WAIT-2');
  t.equal(peer.inject({ seq: 1, ack: 1, data: 5 }), Verdict.OK);
  t.equal(peer.tcp.readable(peer.id), 10);
  t.end();
});

t.test('CLOSE-WAIT, rcv ACK of what was never sent → ACK, the segment is dropped', (t) => {
  const peer = established(t);
  peer.fin();
  peer.drain();
  peer.inject({ ack: 2 });
  peer.expect({ flags: '.', seq: 1, ack: 2 });
  t.end();
});

t.test('ESTABLISHED, rcv ACK older than the largest window → challenge, dropped (RFC 5961 §5.2)', (t) => {
  const peer = established(t, { win: 1000 });
  for (let i = 0; i < 4; i++) {
    peer.write(500);
    peer.ack();
  }
  peer.drain();
  peer.inject({ ack: 2001 - 1000, data: 5 });
  peer.drain();
  t.equal(peer.tcp.readable(peer.id), 5, 'SND.UNA - MAX.SND.WND is just acceptable');
  peer.inject({ seq: 6, ack: 2000 - 1000, data: 5 });
  peer.expect({ flags: '.', seq: 2001, ack: 6 });
  t.equal(peer.tcp.readable(peer.id), 5);
  t.end();
});

t.test('ESTABLISHED, rcv ACK of bytes from before the connection → challenge, however large the window', (t) => {
  const peer = established(t);
  peer.write(10);
  peer.drain();
  peer.ack();
  peer.inject({ ack: 1, data: 5 });
  peer.drain();
  t.equal(peer.tcp.readable(peer.id), 5, 'ten bytes were ever acknowledged');
  t.equal(peer.inject({ seq: 6, ack: 0, data: 5 }), Verdict.TCP_ACK_TOO_OLD);
  peer.expect({ flags: '.', seq: 11, ack: 6 });
  t.end();
});

t.test('CLOSE-WAIT, rcv RST one before RCV.NXT → CLOSED: the FIN took that number, and its sender is gone', (t) => {
  const peer = established(t);
  peer.fin();
  peer.drain();
  t.equal(peer.inject({ flags: 'R', seq: 1 }), Verdict.TCP_RESET);
  peer.expectState('CLOSED');
  t.end();
});

t.test('ESTABLISHED, rcv RST one before RCV.NXT → dropped', (t) => {
  const peer = established(t);
  peer.data(1);
  peer.drain();
  t.equal(peer.inject({ flags: 'R', seq: 1 }), Verdict.TCP_SEQUENCE);
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('ESTABLISHED, rcv RST at the end of the highest SACK block → CLOSED; at the end of another → challenge', (t) => {
  const peer = established(t, { syn: { mss: 1460, sackOk: true } });
  peer.inject({ seq: 2001, data: 100 });
  peer.inject({ seq: 1001, data: 100 });
  peer.drain();
  t.equal(peer.inject({ flags: 'R', seq: 1101 }), Verdict.TCP_RST_CHALLENGED);
  peer.expect({ flags: '.', ack: 1 });
  t.equal(peer.inject({ flags: 'R', seq: 2101 }), Verdict.TCP_RESET);
  t.end();
});

t.test('ESTABLISHED, text out of window, again and again → each is answered; without text → one in 500 ms', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.drain();
  for (let i = 0; i < 3; i++) {
    peer.inject({ seq: -100, data: 10 });
    peer.expect({ flags: '.', ack: 11 });
  }
  peer.inject({ seq: 9 });
  peer.expect({ flags: '.', ack: 11 });
  peer.inject({ seq: 9 });
  peer.expectNothing('a keepalive so soon after another');
  peer.inject({ flags: 'R', seq: 100 });
  peer.expectNothing('they share one limit');
  peer.advanceMs(501);
  peer.inject({ seq: 9 });
  peer.expect({ flags: '.', ack: 11 });
  t.end();
});

t.test('ESTABLISHED, a segment without ACK, RST or SYN → dropped in silence, wherever it lies', (t) => {
  const peer = established(t);
  for (const seq of [1, 100, -100]) {
    t.equal(peer.inject({ flags: 'F', seq }), Verdict.TCP_NO_ACK);
    peer.expectNothing();
  }
  t.end();
});

t.test('CLOSE-WAIT, text beyond the FIN → dropped in silence; text across it → RST', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.fin();
  peer.drain();
  peer.inject({ data: 10 });
  peer.expectNothing();
  peer.inject({ seq: 6, data: 20 });
  peer.expect({ flags: 'R' });
  peer.expectState('CLOSED');
  t.end();
});

t.test('ESTABLISHED, rcv segment without ACK → dropped (fifth check)', (t) => {
  const peer = established(t);
  peer.inject({ flags: 'P', data: 10 });
  peer.expectNothing();
  t.equal(peer.tcp.readable(peer.id), 0);
  t.end();
});

t.test('ESTABLISHED, rcv data outside of the window → ACK, dropped (group 3)', (t) => {
  const peer = established(t);
  peer.inject({ seq: 65_536, data: 10 });
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  peer.inject({ seq: -9, data: 10 });
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  t.equal(peer.tcp.readable(peer.id), 0);
  t.end();
});

t.test('ESTABLISHED, close with unread data → RST (RFC 9293 §3.6.1)', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.drain();
  peer.close();
  peer.expect({ flags: 'R.', seq: 1, ack: 11 });
  peer.expectAllFreed();
  t.end();
});

for (const first of ['FIN-WAIT-1', 'FIN-WAIT-2'] as const) {
  t.test(`${first}, closed, rcv data → RST, for it will never be read`, (t) => {
    const peer = established(t);
    peer.close();
    peer.expect({ flags: 'F.', seq: 1 });
    if (first === 'FIN-WAIT-2') peer.ack();
    peer.inject({ data: 10 });
    peer.expect({ flags: 'R', seq: 2 });
    peer.expectAllFreed();
    t.end();
  });
}

t.test('FIN-WAIT-2, half-closed, rcv data → read as ever', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.drain();
  peer.data(10);
  peer.expectState('FIN-WAIT-2');
  t.equal(peer.read().length, 10);
  t.end();
});

t.test('ESTABLISHED, abort with bytes unsent → RST at SND.NXT, the bytes are gone', (t) => {
  const peer = established(t, { win: 100 });
  peer.write(500);
  peer.drain();
  peer.abort();
  peer.expect({ flags: 'R.', seq: 101, ack: 1 });
  peer.expectAllFreed();
  t.end();
});

t.test('ESTABLISHED, window shrunk, abort → RST where the peer can take it', (t) => {
  const peer = opened(t);
  peer.write(3000);
  peer.drain();
  peer.inject({ ack: 1, win: 500 });
  peer.drain();
  peer.abort();
  const rst = peer.expect({ flags: 'R.' });
  t.ok(rst.seq <= 501, `sequence number ${rst.seq} lies in the window`);
  t.end();
});

t.test(
  'ESTABLISHED, rcv RST with data → a RST like any other; what it carries is not for the program (SHLD-2)',
  (t) => {
    const peer = established(t);
    peer.inject({ flags: 'R.', data: new TextEncoder().encode('no such service') });
    peer.expectState('CLOSED');
    peer.expectNothing();
    t.equal(peer.tcp.readable(peer.id), 0);
    t.equal(peer.tcp.takeError(peer.id), 'ECONNRESET');
    t.end();
  },
);
