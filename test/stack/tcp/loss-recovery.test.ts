import t, { type Test } from 'tap';
import { Cold, Tcb } from '../../../stack/tcp/tcb.js';
import { type Peer, type PeerOptions } from './peer.js';
import { established } from './states.js';

/** Fast retransmit and NewReno (RFC 5681 §3.2, RFC 6582), limited transmit (RFC 3042), PRR (RFC 9937), and cwnd after each event. With SACK: rack.test.ts and its neighbours. */

const MSS = 1000;

/** `segments` in flight, cwnd no larger, plenty more to send. Reno: a half is what the RFCs have. */
function flying(t: Test, segments = 10, options: PeerOptions = {}): Peer {
  const peer = established(t, { syn: { mss: MSS }, ...options, tcp: { congestion: 'reno', ...options.tcp } });
  peer.write(60 * MSS);
  t.equal(peer.drain().length, segments);
  return peer;
}
function cwnd(peer: Peer): number {
  return peer.tcp.info(peer.id).sndCwndBytes;
}
function ssthresh(peer: Peer): number {
  return peer.tcp.info(peer.id).sndSsthreshBytes;
}
function duplicate(peer: Peer, ack = 1): void {
  peer.inject({ ack });
}

t.test('slow start → cwnd grows by what is acknowledged (RFC 5681 §3.1)', (t) => {
  const peer = flying(t);
  peer.ack({ ack: 1 + MSS });
  t.equal(cwnd(peer), 11 * MSS);
  t.equal(peer.drain().length, 2);
  peer.ack({ ack: 1 + 3 * MSS });
  t.equal(cwnd(peer), 13 * MSS);
  t.equal(peer.drain().length, 4);
  t.end();
});

t.test('cwnd not used up → it does not grow', (t) => {
  const peer = established(t, { syn: { mss: MSS } });
  for (let i = 0; i < 20; i++) {
    peer.write(2 * MSS);
    peer.ack();
  }
  t.equal(cwnd(peer), 10 * MSS);
  t.end();
});

t.test('one and two duplicate ACKs → a new segment for each, cwnd unchanged (limited transmit)', (t) => {
  const peer = flying(t);
  duplicate(peer);
  peer.expect({ seq: 1 + 10 * MSS, length: MSS });
  peer.expectNothing();
  duplicate(peer);
  peer.expect({ seq: 1 + 11 * MSS, length: MSS });
  peer.expectNothing();
  t.equal(cwnd(peer), 10 * MSS);
  t.end();
});

t.test('two duplicate ACKs, the window has no room → nothing is sent beyond it (RFC 3042 §2)', (t) => {
  const peer = flying(t, 10, { win: 10 * MSS });
  duplicate(peer);
  duplicate(peer);
  peer.expectNothing();
  t.end();
});

t.test(
  'three duplicate ACKs → the first segment again, ssthresh half of cwnd; cwnd just lets that one out (RFC 9937 §6.2)',
  (t) => {
    const peer = flying(t);
    duplicate(peer);
    duplicate(peer);
    peer.drain();
    duplicate(peer);
    peer.expect({ seq: 1, length: MSS });
    peer.expectNothing();
    t.same([ssthresh(peer), cwnd(peer)], [5 * MSS, 9 * MSS]);
    t.equal(peer.tcp.info(peer.id).caState, 'recovery');
    t.end();
  },
);

t.test('recovery, more duplicates → one segment for two of them until ssthresh is in flight (RFC 9937 §6.2)', (t) => {
  const peer = flying(t);
  for (let i = 0; i < 3; i++) duplicate(peer);
  peer.drain();
  // 12 are out, one of them sent again, and every duplicate says that one has arrived.
  const sent: number[] = [];
  for (let i = 4; i <= 11; i++) {
    duplicate(peer);
    sent.push(peer.drain().length);
  }
  // From the sixth on no more than ssthresh is in flight, and each that arrives lets one out.
  t.same(sent, [0, 1, 0, 1, 0, 0, 1, 1]);
  t.equal(cwnd(peer), 5 * MSS);
  t.end();
});

t.test('recovery, everything acknowledged → out of it, cwnd at most ssthresh', (t) => {
  const peer = flying(t);
  for (let i = 0; i < 9; i++) duplicate(peer);
  peer.drain();
  peer.ack();
  t.equal(peer.tcp.info(peer.id).caState, 'open');
  // The ACK that ends it is already one of congestion avoidance.
  t.equal(cwnd(peer), 6 * MSS);
  t.equal(ssthresh(peer), 5 * MSS);
  t.end();
});

t.test(
  'recovery, acknowledged beyond it with data behind → cwnd is ssthresh, which is what PRR has left in flight',
  (t) => {
    const peer = flying(t);
    for (let i = 0; i < 11; i++) duplicate(peer);
    peer.drain();
    // recover is the twelfth segment; four more have gone since.
    const out = (peer.rcvNxt - 1) / MSS;
    t.equal(out, 16);
    peer.inject({ ack: 1 + 14 * MSS });
    t.equal(cwnd(peer), 5 * MSS);
    t.same(
      peer.drain().map((segment) => segment.seq),
      [16, 17, 18].map((n) => 1 + n * MSS),
      'two fly, and three more',
    );
    t.end();
  },
);

t.test('recovery, partial ACK → the next hole at once, still in recovery (RFC 6582 §3.2)', (t) => {
  const peer = flying(t);
  // Segments 1 and 5 of ten are lost: nine minus one duplicates.
  for (let i = 0; i < 8; i++) duplicate(peer);
  peer.drain();
  duplicate(peer, 1 + 4 * MSS);
  const sent = peer.drain();
  t.equal(sent[0]?.seq, 1 + 4 * MSS, 'the next hole');
  t.equal(peer.tcp.info(peer.id).caState, 'recovery');
  t.equal(cwnd(peer), 5 * MSS, 'no more than ssthresh');
  peer.ack();
  t.equal(peer.tcp.info(peer.id).caState, 'open');
  t.end();
});

t.test('recovery, every second segment lost → repaired hole by hole as PRR allows, no timeout', (t) => {
  const peer = flying(t);
  for (let i = 0; i < 5; i++) duplicate(peer);
  const seen = new Set(peer.drain().map((segment) => segment.seq));
  t.ok(seen.has(1));
  const holes = [2, 4, 6, 8].map((hole) => 1 + hole * MSS);
  for (const hole of holes) {
    duplicate(peer, hole);
    // New data that has gone out meanwhile arrives, and each arrival lets more out.
    for (let i = 0; i < 4 && !seen.has(hole); i++) {
      for (const { seq } of peer.drain()) seen.add(seq);
      if (!seen.has(hole)) duplicate(peer, hole);
    }
  }
  t.ok(
    holes.every((hole) => seen.has(hole)),
    'every hole was sent again',
  );
  peer.ack();
  t.equal(peer.stack.net.stats.tcpTimeouts, 0);
  t.equal(peer.stack.net.stats.tcpFastRetransmits, 1);
  t.end();
});

t.test('recovery over, duplicates of what was repaired → no second recovery (RFC 6582 §3.2 step 2)', (t) => {
  const peer = flying(t);
  for (let i = 0; i < 5; i++) duplicate(peer);
  // Ten, and two by limited transmit.
  const recover = 1 + 12 * MSS;
  peer.inject({ ack: recover });
  peer.drain();
  const threshold = ssthresh(peer);
  for (let i = 0; i < 4; i++) duplicate(peer, recover);
  t.equal(ssthresh(peer), threshold);
  t.equal(peer.stack.net.stats.tcpFastRetransmits, 1);
  t.end();
});

t.test('the first segment of all is lost → fast retransmit works for it too', (t) => {
  const peer = established(t, { syn: { mss: MSS } });
  peer.write(5 * MSS);
  peer.drain();
  for (let i = 0; i < 3; i++) duplicate(peer);
  peer.expect({ seq: 1, length: MSS });
  t.end();
});

t.test('after an idle time, the first segment is lost → fast retransmit works for it too', (t) => {
  const peer = established(t, { syn: { mss: MSS } });
  peer.write(5 * MSS);
  peer.ack();
  peer.advanceMs(2000);
  t.equal(peer.tcp.counts.active, 0, 'it slept');
  peer.drain();
  peer.write(5 * MSS);
  peer.drain();
  for (let i = 0; i < 3; i++) duplicate(peer, 1 + 5 * MSS);
  peer.expect({ seq: 1 + 5 * MSS, length: MSS });
  t.end();
});

/** As if 2^30 more bytes had been sent and acknowledged. */
function leap(peer: Peer): void {
  const { hot, cold } = peer.tcp.context;
  const c = peer.tcp.rowOf(peer.id) << Tcb.SHIFT;
  const k = hot[c + Tcb.COLD] as number;
  for (const field of [Tcb.SND_UNA, Tcb.SND_NXT]) (hot[c + field] as number) += 2 ** 30;
  for (const field of [Cold.SND_SML, Cold.SND_WL2]) (cold[k + field] as number) += 2 ** 30;
  peer.stackIss = (peer.stackIss + 2 ** 30) | 0;
  peer.write(MSS);
  peer.ack();
  peer.drain();
}

t.test('gigabytes without a loss, then one → fast retransmit works at every place of the circle of numbers', (t) => {
  for (let leaps = 0; leaps <= 8; leaps++) {
    const peer = established(t, { syn: { mss: MSS } });
    for (let i = 0; i < leaps; i++) leap(peer);
    peer.write(5 * MSS);
    const first = peer.drain()[0]?.seq ?? 0;
    for (let i = 0; i < 3; i++) duplicate(peer, first);
    peer.expect({ seq: first, length: MSS }, `after ${leaps} GB:`);
  }
  t.end();
});

for (const [what, injection] of [
  ['data', { data: 100 }],
  ['a wider window', { win: 30_000 }],
  ['an older acknowledgment', { ack: 0 }],
] as const) {
  t.test(`ACKs with ${what} → no duplicates in the sense of RFC 5681 §2`, (t) => {
    const peer = flying(t, 10, { win: 29_000 });
    for (let i = 0; i < 5; i++) {
      const win = 'win' in injection ? 30_000 + i * 1000 : 29_000;
      peer.inject({ ack: 1, ...injection, win });
    }
    t.equal(peer.stack.net.stats.tcpFastRetransmits, 0);
    t.end();
  });
}

t.test('duplicate ACKs with nothing in flight → nothing', (t) => {
  const peer = established(t);
  for (let i = 0; i < 10; i++) peer.inject({});
  peer.expectNothing();
  t.end();
});

t.test('SACK agreed → only ACKs with blocks about the flight are duplicates (RFC 6675 §2)', (t) => {
  const peer = flying(t, 10, { syn: { mss: MSS, sackOk: true } });
  for (let i = 0; i < 5; i++) duplicate(peer);
  t.equal(peer.stack.net.stats.tcpFastRetransmits, 0, 'no block, no news');
  for (let i = 1; i <= 3; i++) peer.inject({ ack: 1, options: { sack: [[1 + MSS, 1 + (1 + i) * MSS]] } });
  t.equal(peer.stack.net.stats.tcpFastRetransmits, 1);
  t.end();
});

t.test('SACK agreed, the same block again with a wider window → a window update, no duplicate', (t) => {
  const peer = flying(t, 10, { syn: { mss: MSS, sackOk: true }, tcp: { recovery: 0 } });
  for (let i = 0; i < 5; i++) {
    peer.inject({ ack: 1, win: 60_000 + i * 1000, options: { sack: [[1 + MSS, 1 + 2 * MSS]] } });
  }
  t.equal(peer.tcp.info(peer.id).sacked, 1, 'told once');
  t.equal(peer.stack.net.stats.tcpFastRetransmits, 0);
  t.end();
});

t.test('SACK agreed, a D-SACK or a block about nothing of ours → no duplicate', (t) => {
  const peer = flying(t, 10, { syn: { mss: MSS, sackOk: true } });
  peer.ack({ ack: 1 + 2 * MSS });
  peer.drain();
  const ack = 1 + 2 * MSS;
  for (const sack of [
    [[1, 1 + MSS]],
    [[1 + 100 * MSS, 1 + 101 * MSS]],
    [[1 + 5 * MSS, 1 + 4 * MSS]],
    [[1 + 4 * MSS, 1 + 4 * MSS]],
  ] as [number, number][][]) {
    for (let i = 0; i < 4; i++) peer.inject({ ack, options: { sack } });
  }
  t.equal(peer.stack.net.stats.tcpFastRetransmits, 0);
  t.end();
});

t.test('SACK agreed, a first block inside the second → a D-SACK, counted (RFC 2883 §4.2)', (t) => {
  const peer = flying(t, 10, { syn: { mss: MSS, sackOk: true } });
  const inside = [1 + 2 * MSS, 1 + 3 * MSS] as const;
  const around = [1 + MSS, 1 + 4 * MSS] as const;
  peer.inject({ ack: 1, options: { sack: [around, inside] } });
  t.equal(peer.stack.net.stats.tcpDsacksIn, 0, 'the other way round it is none');
  peer.inject({ ack: 1, options: { sack: [inside, around] } });
  t.equal(peer.stack.net.stats.tcpDsacksIn, 1);
  peer.inject({ ack: 1 + MSS, options: { sack: [[1, 1 + MSS]] } });
  t.equal(peer.stack.net.stats.tcpDsacksIn, 2, 'below the acknowledgment');
  t.end();
});

t.test('congestion avoidance → a segment for each window', (t) => {
  const peer = flying(t);
  for (let i = 0; i < 9; i++) duplicate(peer);
  peer.ack();
  peer.drain();
  // Out of recovery with cwnd below ssthresh or at it; grow past it.
  for (let i = 0; i < 8 && cwnd(peer) < ssthresh(peer); i++) {
    peer.ack();
    peer.drain();
  }
  const before = cwnd(peer);
  let acked = 0;
  while (acked < before) {
    peer.inject({ ack: peer.tcp.info(peer.id).sndUna - peer.stackIss + MSS });
    peer.drain();
    acked += MSS;
  }
  t.equal(cwnd(peer), before + MSS);
  t.end();
});

t.test(
  'a silence of some RTOs → cwnd decays to the initial window, ssthresh remembers (RFC 5681 §4.1, RFC 2861)',
  (t) => {
    const peer = flying(t);
    for (let i = 0; i < 3; i++) {
      peer.ack();
      peer.drain();
    }
    const before = cwnd(peer);
    t.ok(before >= 40 * MSS, `${before} bytes`);
    peer.ack();
    peer.advanceMs(30_000);
    peer.drain();
    peer.write(60 * MSS);
    t.equal(peer.drain().length, 10);
    t.equal(cwnd(peer), 10 * MSS);
    t.ok(ssthresh(peer) >= (before >>> 1) + (before >>> 2));
    t.end();
  },
);

t.test('a retransmission lost as well → the timer repairs it', (t) => {
  const peer = flying(t);
  for (let i = 0; i < 6; i++) duplicate(peer);
  peer.drain();
  peer.untilSent();
  peer.expect({ seq: 1 });
  t.equal(peer.tcp.info(peer.id).caState, 'loss');
  peer.ack();
  peer.drain();
  peer.ack();
  t.equal(peer.tcp.info(peer.id).caState, 'open', 'once something later is acknowledged');
  t.end();
});
