import t, { type Test } from 'tap';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import type { Peer } from './peer.js';
import { established, listening } from './states.js';

/** ECN, RFC 3168: who agrees to it, what is marked, what is echoed, and what is answered. */

const NOT_ECT = 0;
const ECT1 = 1;
const ECT0 = 2;
const CE = 3;
const MSS = 1000;

/** A listener, and a SYN of the peer's with these flags; the SYN-ACK's flags and IP field. */
function asked(t: Test, flags: string, ecn: number, limits: Partial<TcpLimits> = {}): Peer {
  const peer = listening(t, { tcp: limits, syn: { mss: MSS } });
  peer.inject({ flags, seq: 0, ecn, options: peer.synOptions });
  peer.nxt = 1;
  return peer;
}

/** Established from LISTEN with ECN agreed. */
function agreed(t: Test, limits: Partial<TcpLimits> = {}): Peer {
  const peer = asked(t, 'SEW', NOT_ECT, limits);
  peer.expect({ flags: 'S.E', ecn: NOT_ECT });
  peer.ack();
  peer.accept();
  t.equal(peer.tcp.info(peer.id).ecn, true);
  return peer;
}

t.test(
  'LISTEN, a SYN with ECE and CWR → ECE alone in the SYN-ACK, whatever the stack asks for itself (§6.1.1)',
  (t) => {
    for (const ecn of [1, 2]) asked(t, 'SEW', NOT_ECT, { ecn }).expect({ flags: 'S.E', ecn: NOT_ECT });
    asked(t, 'SEW', NOT_ECT).expect({ flags: 'S.E' }, 'Linux: agreed to by default');
    t.end();
  },
);

t.test('LISTEN, a SYN that does not ask in full, or a stack without ECN → none', (t) => {
  for (const flags of ['S', 'SE', 'SW']) asked(t, flags, NOT_ECT).expect({ flags: 'S.' });
  asked(t, 'SEW', NOT_ECT, { ecn: 0 }).expect({ flags: 'S.' });
  t.end();
});

t.test('LISTEN, a SYN that asks and is ECN-capable itself → none, unless the control needs it (Linux)', (t) => {
  for (const ecn of [ECT0, ECT1, CE]) asked(t, 'SEW', ecn).expect({ flags: 'S.' });
  asked(t, 'SEW', ECT0, { congestion: 'dctcp', ecn: 0 }).expect({ flags: 'S.E', ecn: ECT0 });
  t.end();
});

t.test('SYN-SENT → asks for ECN when it is told to, and with a control that needs it', (t) => {
  const flagsOf = (limits: Partial<TcpLimits>): string => {
    const peer = listening(t, { tcp: limits });
    peer.id = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, localPort: 5000 });
    peer.flush();
    const syn = peer.drain()[0];
    return `${syn?.flags} ${syn?.ecn}`;
  };
  t.same([{}, { ecn: 0 }, { ecn: 1 }, { ecn: 2 }].map(flagsOf), ['S 0', 'S 0', 'SEW 0', 'S 0']);
  t.equal(flagsOf({ ecn: 0, congestion: 'dctcp' }), 'SEW 2');
  t.end();
});

t.test('SYN-SENT, the SYN-ACK says ECE alone → agreed; nothing, or both as a mirror would → not', (t) => {
  for (const [flags, expected] of [
    ['S.E', true],
    ['S.', false],
    ['S.EW', false],
    ['S.W', false],
  ] as const) {
    const peer = synSentAsking(t);
    peer.inject({ flags, options: peer.synOptions });
    peer.nxt = 1;
    peer.expect({ flags: '.', ecn: NOT_ECT });
    t.equal(peer.tcp.info(peer.id).ecn, expected, flags);
    peer.write(MSS);
    peer.expect({ ecn: expected ? ECT0 : NOT_ECT }, flags);
  }
  t.end();
});

function synSentAsking(t: Test, limits: Partial<TcpLimits> = {}): Peer {
  const peer = listening(t, { tcp: { ecn: 1, ...limits }, syn: { mss: MSS } });
  peer.stackPort = 5000;
  peer.peerPort = 7;
  peer.id = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, localPort: 5000 });
  peer.flush();
  peer.expect({ flags: 'SEW', seq: 0 });
  return peer;
}

t.test(
  'SYN-SENT, the SYN that asked is lost → again without, and an answer to the first still counts (§6.1.1.1)',
  (t) => {
    const peer = synSentAsking(t);
    peer.advanceMs(1000);
    peer.expect({ flags: 'S', seq: 0 });
    peer.inject({ flags: 'S.E', options: peer.synOptions });
    t.equal(peer.tcp.info(peer.id).ecn, true);
    const stubborn = synSentAsking(t, { ecnFallback: false });
    stubborn.advanceMs(1000);
    stubborn.expect({ flags: 'SEW', seq: 0 });
    t.end();
  },
);

t.test('SYN-SENT, a SYN that crosses ours and asks, too → both answer ECE', (t) => {
  const peer = synSentAsking(t);
  peer.inject({ flags: 'SEW', ack: 0, options: peer.synOptions });
  peer.nxt = 1;
  peer.expect({ flags: 'S.E', seq: 0 });
  peer.inject({ flags: 'S.E', seq: 0, ack: 1, options: peer.synOptions });
  t.equal(peer.state, 'ESTABLISHED');
  t.equal(peer.tcp.info(peer.id).ecn, true);
  const plain = synSentAsking(t);
  plain.inject({ flags: 'S', ack: 0, options: plain.synOptions });
  plain.expect({ flags: 'S.', seq: 0 });
  t.end();
});

t.test(
  'ESTABLISHED, data → ECT(0) once; a retransmission, an ACK and a FIN alone are not ECN-capable (§6.1.4, §6.1.5)',
  (t) => {
    const peer = agreed(t);
    peer.data(100);
    peer.expect({ flags: '.', ecn: NOT_ECT });
    peer.write(MSS);
    peer.expect({ length: MSS, ecn: ECT0 });
    peer.untilSent();
    peer.expect({ seq: 1, length: MSS, ecn: NOT_ECT });
    peer.ack();
    peer.shutdown();
    peer.expect({ flags: 'F.', ecn: NOT_ECT });
    t.end();
  },
);

t.test('ESTABLISHED without ECN → nothing is ECN-capable, and marks and ECE mean nothing', (t) => {
  const peer = established(t, { syn: { mss: MSS } });
  peer.write(2 * MSS);
  for (const segment of peer.drain()) t.equal(segment.ecn, NOT_ECT);
  const before = peer.tcp.info(peer.id);
  peer.inject({ flags: '.E', ack: peer.rcvNxt, ecn: CE });
  peer.data(2 * MSS, { ecn: CE });
  peer.untilSent();
  peer.expect({ flags: '.' });
  const after = peer.tcp.info(peer.id);
  t.same([after.caState, after.ecn, after.deliveredCe], ['open', false, 0]);
  t.ok(after.sndCwndBytes >= before.sndCwndBytes);
  t.end();
});

t.test('ESTABLISHED, a mark on data → ECE on every ACK until CWR comes (§6.1.3)', (t) => {
  const peer = agreed(t);
  peer.data(MSS, { ecn: ECT0 });
  peer.expect({ flags: '.' });
  peer.data(MSS, { ecn: CE });
  peer.expect({ flags: '.E' });
  peer.data(MSS, { ecn: ECT0 });
  peer.expect({ flags: '.E' });
  peer.write(100);
  peer.expect({ flags: 'P.E', ecn: ECT0 }, 'data echoes, too');
  peer.data(MSS, { flags: 'P.W', ecn: ECT0, ack: peer.rcvNxt });
  peer.expect({ flags: '.' });
  t.equal(peer.tcp.info(peer.id).ecnSeen, true);
  t.end();
});

t.test('ESTABLISHED, a mark on data that says CWR → the echo goes on: it is a new mark', (t) => {
  const peer = agreed(t);
  peer.data(MSS, { ecn: CE });
  peer.expect({ flags: '.E' });
  peer.data(MSS, { flags: 'P.W', ecn: CE });
  peer.expect({ flags: '.E' });
  t.end();
});

t.test('ESTABLISHED, CWR without data → ends the echo, as Linux has it for those who send it so', (t) => {
  const peer = agreed(t);
  peer.data(MSS, { ecn: CE });
  peer.expect({ flags: '.E' });
  peer.inject({ flags: '.W' });
  peer.expectNothing();
  peer.data(MSS, { ecn: ECT0 });
  peer.expect({ flags: '.' });
  t.end();
});

t.test('ESTABLISHED, a mark on an ACK without data → nothing (§6.1.4)', (t) => {
  const peer = agreed(t);
  peer.write(MSS);
  peer.drain();
  peer.ack({ ecn: CE });
  peer.data(MSS, { ecn: ECT0 });
  peer.untilSent();
  peer.expect({ flags: '.' });
  t.end();
});

t.test('ESTABLISHED, a mark on data out of order → ECE at once', (t) => {
  const peer = agreed(t);
  peer.inject({ seq: 1 + MSS, data: MSS, ecn: CE });
  peer.expect({ flags: '.E', ack: 1 });
  t.end();
});

t.test(
  'ESTABLISHED and interactive, a mark → two segments are acknowledged at once, the sender may have no more (Linux)',
  (t) => {
    const peer = agreed(t, { quickAcks: 0 });
    peer.data(10, { ecn: ECT0 });
    peer.expectNothing();
    peer.data(10, { ecn: CE });
    peer.expect({ flags: '.E' });
    peer.data(10, { ecn: ECT0 });
    peer.expect({ flags: '.E' });
    peer.data(10, { ecn: ECT0 });
    peer.expectNothing('the third may wait');
    t.end();
  },
);

t.test('ESTABLISHED, data that is not ECN-capable after some that was → at once: probably sent again (Linux)', (t) => {
  const peer = agreed(t, { quickAcks: 0 });
  peer.data(10, { ecn: ECT0 });
  peer.expectNothing();
  peer.data(10, { ecn: NOT_ECT });
  peer.expect({ flags: '.' });
  t.end();
});

t.test('ESTABLISHED, ECE → ssthresh is lowered once for the window, CWR on the next new data (§6.1.2)', (t) => {
  const peer = agreed(t, { congestion: 'reno' });
  peer.write(20 * MSS);
  t.equal(peer.drain().length, 10);
  peer.inject({ flags: '.E', ack: 1 + 2 * MSS });
  const info = peer.tcp.info(peer.id);
  t.same([info.caState, info.sndSsthreshBytes, info.deliveredCe], ['cwr', 5 * MSS, 2]);
  const [first, ...others] = peer.drain();
  t.same([first?.flags.includes('W'), first?.seq], [true, 1 + 10 * MSS]);
  for (const segment of others) t.notOk(segment.flags.includes('W'), segment.line);
  // More ECE for the same window changes nothing.
  peer.inject({ flags: '.E', ack: 1 + 4 * MSS });
  t.equal(peer.tcp.info(peer.id).sndSsthreshBytes, 5 * MSS);
  for (const segment of peer.drain()) t.notOk(segment.flags.includes('W'), segment.line);
  t.equal(peer.stack.net.stats.tcpEcnReductions, 1);
  t.end();
});

t.test(
  'CWR, something sent after the mark is acknowledged → open, with cwnd at ssthresh; the next ECE is answered anew',
  (t) => {
    const peer = agreed(t, { congestion: 'reno' });
    peer.write(60 * MSS);
    peer.inject({ flags: '.E', ack: 1 + 2 * MSS });
    for (let acked = 4; acked <= 10; acked += 2) peer.inject({ ack: 1 + acked * MSS });
    let info = peer.tcp.info(peer.id);
    t.equal(info.caState, 'cwr', 'all that was outstanding is acknowledged, and the CWR is not yet there');
    t.ok(info.sndCwnd <= 6, `${info.sndCwnd}`);
    peer.inject({ ack: 1 + 12 * MSS });
    info = peer.tcp.info(peer.id);
    t.same([info.caState, info.sndSsthreshBytes], ['open', 5 * MSS]);
    peer.drain();
    peer.inject({ flags: '.E', ack: peer.rcvNxt - MSS });
    t.equal(peer.tcp.info(peer.id).caState, 'cwr');
    t.ok(peer.tcp.info(peer.id).sndSsthreshBytes < 5 * MSS);
    t.equal(peer.drain()[0]?.flags.includes('W'), true);
    t.end();
  },
);

t.test(
  'CWR, the whole flight takes its time → the window never closes for want of ACKs: one segment for about two',
  (t) => {
    const peer = agreed(t, { congestion: 'reno' });
    peer.write(60 * MSS);
    peer.drain();
    peer.inject({ flags: '.E', ack: 1 + MSS });
    let sent = peer.drain().length;
    for (let acked = 2; acked <= 10; acked++) {
      peer.inject({ ack: 1 + acked * MSS });
      sent += peer.drain().length;
    }
    t.equal(sent, 5, 'ten left the network, five went in');
    t.end();
  },
);

t.test('ESTABLISHED, ECE with nothing outstanding → nothing to give way for', (t) => {
  const peer = agreed(t);
  peer.inject({ flags: '.E' });
  t.same([peer.tcp.info(peer.id).caState, peer.stack.net.stats.tcpEcnReductions], ['open', 0]);
  t.end();
});

t.test('ESTABLISHED, an ACK older than SND.UNA with ECE and CWR → neither counts', (t) => {
  const peer = agreed(t);
  peer.data(MSS, { ecn: CE });
  peer.write(4 * MSS);
  peer.inject({ ack: 1 + 2 * MSS });
  peer.drain();
  peer.inject({ flags: '.EW', ack: 1 + MSS });
  t.equal(peer.tcp.info(peer.id).caState, 'open');
  peer.data(10, { ecn: ECT0, ack: 1 + 2 * MSS });
  peer.untilSent();
  peer.expect({ flags: '.E' }, 'the echo goes on');
  t.end();
});

t.test('CWR, three duplicates → the lost segment goes again, and the window is not lowered a second time', (t) => {
  const peer = agreed(t, { congestion: 'reno' });
  peer.write(40 * MSS);
  peer.drain();
  peer.inject({ flags: '.E', ack: 1 + 2 * MSS });
  t.equal(peer.tcp.info(peer.id).sndSsthreshBytes, 5 * MSS);
  for (let i = 0; i < 3; i++) peer.inject({ ack: 1 + 2 * MSS });
  const info = peer.tcp.info(peer.id);
  t.same([info.caState, info.sndSsthreshBytes], ['recovery', 5 * MSS]);
  t.ok(peer.drain().some((segment) => segment.seq === 1 + 2 * MSS && segment.ecn === NOT_ECT));
  t.end();
});

t.test('CWR, the retransmission timer → ssthresh is not lowered again for the same flight', (t) => {
  const peer = agreed(t, { congestion: 'reno' });
  peer.write(40 * MSS);
  peer.drain();
  peer.inject({ flags: '.E', ack: 1 + 2 * MSS });
  peer.drain();
  peer.untilSent();
  const info = peer.tcp.info(peer.id);
  t.same([info.caState, info.sndSsthreshBytes], ['loss', 5 * MSS]);
  t.end();
});

t.test('a loss without any mark → the next new data says CWR, so that an echo under way is answered with it', (t) => {
  const peer = agreed(t, { congestion: 'reno' });
  peer.write(10 * MSS);
  peer.drain();
  for (let i = 0; i < 3; i++) peer.inject({ ack: 1 });
  peer.expect({ seq: 1, ecn: NOT_ECT });
  peer.drain();
  peer.ack();
  peer.drain();
  peer.write(2 * MSS);
  const [first, second] = peer.drain();
  t.same([first?.flags.includes('W'), second?.flags.includes('W')], [true, false]);
  t.end();
});

t.test('the echo outlasts a silence in which the connection sleeps, and so does what was agreed', (t) => {
  const peer = agreed(t);
  peer.data(MSS, { ecn: CE });
  peer.read();
  peer.drain();
  peer.advanceMs(5000);
  t.equal(peer.tcp.info(peer.id).active, false, 'asleep');
  t.equal(peer.tcp.info(peer.id).ecn, true);
  peer.data(MSS, { ecn: ECT0 });
  peer.expect({ flags: '.E' });
  t.end();
});

t.test('what was marked is told after a silence, too, and so are timeouts', (t) => {
  const peer = agreed(t);
  peer.write(2 * MSS);
  peer.drain();
  peer.untilSent();
  peer.advanceMs(1000);
  peer.ack({ flags: '.E' });
  const before = peer.tcp.info(peer.id);
  t.equal(before.deliveredCe, 2);
  t.ok(before.totalRto > 0 && before.totalRtoRecoveries === 1, `${before.totalRto} ${before.totalRtoRecoveries}`);
  peer.advanceMs(5000);
  const after = peer.tcp.info(peer.id);
  t.same(
    [after.active, after.deliveredCe, after.totalRto, after.totalRtoRecoveries],
    [true, 2, before.totalRto, before.totalRtoRecoveries],
    'a timeout that may yet turn out to be for nothing keeps the row',
  );
  peer.advanceMs(300_000);
  const later = peer.tcp.info(peer.id);
  t.same(
    [later.active, later.deliveredCe, later.totalRto, later.totalRtoRecoveries],
    [false, 2, before.totalRto, before.totalRtoRecoveries],
  );
  t.end();
});

t.test(
  'CWR with all acknowledged, then silence → CWR until the path is forgotten, and then cwnd is at ssthresh',
  (t) => {
    const peer = agreed(t, { congestion: 'reno' });
    peer.write(10 * MSS);
    peer.drain();
    peer.inject({ flags: '.E', ack: 1 + 10 * MSS });
    t.equal(peer.tcp.info(peer.id).caState, 'cwr');
    peer.advanceMs(100_000);
    t.equal(peer.tcp.info(peer.id).caState, 'cwr', 'RFC 3168 §6.1.2: an ACK of something above ends it');
    peer.advanceMs(200_000);
    const info = peer.tcp.info(peer.id);
    t.same([info.active, info.caState, info.sndCwndBytes], [false, 'open', 5 * MSS]);
    peer.write(2 * MSS);
    peer.expect({ flags: '.W', ecn: ECT0 });
    t.end();
  },
);

t.test('type of service → the program has six bits, the other two are the stack’s (Linux)', (t) => {
  const peer = agreed(t);
  peer.tcp.setOption(peer.id, TcpOption.TOS, 0xbb);
  t.equal(peer.tcp.getOption(peer.id, TcpOption.TOS), 0xb8);
  peer.write(10);
  t.equal(peer.drain()[0]?.datagram[1], 0xb8 | ECT0);
  const plain = established(t);
  plain.tcp.setOption(plain.id, TcpOption.TOS, 0x03);
  plain.write(10);
  t.equal(plain.drain()[0]?.datagram[1], 0);
  t.end();
});

t.test('opened by us with ECN → the same both ways', (t) => {
  const asking = synSentAsking(t);
  asking.inject({ flags: 'S.E', options: asking.synOptions });
  asking.nxt = 1;
  asking.drain();
  asking.data(MSS, { ecn: CE });
  asking.expect({ flags: '.E' });
  t.end();
});
