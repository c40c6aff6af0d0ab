import t, { type Test } from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { type Peer, type PeerOptions } from './peer.js';
import { established } from './states.js';

/** The retransmission timer, RFC 6298, and how long it goes on, RFC 9293 §3.8.3. */

/** One exchange that takes `ms`: a sample of the round trip. */
function exchange(peer: Peer, ms: number): void {
  peer.write(10);
  peer.advanceMs(ms);
  peer.drain();
  peer.ack();
}
function rtoOf(peer: Peer): number {
  return peer.tcp.info(peer.id).rtoUs / 1000;
}
function far(t: Test, ms: number, options: PeerOptions = {}): Peer {
  const peer = established(t, options);
  for (let i = 0; i < 60; i++) exchange(peer, ms);
  return peer;
}

t.test('SRTT and RTTVAR → RFC 6298 §2.2 and §2.3 as Linux counts, to the microsecond', (t) => {
  const peer = established(t);
  // The handshake took no time at all: R = 1 µs at the least.
  let srtt = 1 * 8;
  let rttvar = 1 * 2;
  // The largest deviation of a round trip, which the RTO goes by; every exchange is a round trip.
  let largest = 200_000;
  let variance = 200_000;
  for (const ms of [100, 100, 80, 210, 300, 100, 3, 100]) {
    exchange(peer, ms);
    const r = ms * 1000;
    const error = r - (srtt >> 3);
    // A shorter round trip counts an eighth.
    const change = Math.abs(error) - (rttvar >> 2);
    rttvar += error < 0 && change > 0 ? change >> 3 : change;
    srtt += error;
    largest = Math.max(largest, rttvar);
    variance = Math.max(variance, largest);
    variance -= (variance - largest) >> 2;
    largest = 200_000;
    const { rttUs, rttVarUs } = peer.tcp.info(peer.id);
    t.same({ rttUs, rttVarUs }, { rttUs: srtt >> 3, rttVarUs: rttvar >> 2 });
    t.equal(rtoOf(peer), Math.ceil(((srtt >> 3) + variance) / 1000));
  }
  t.end();
});

t.test('a steady path → SRTT the round trip, RTO that and 200 ms (the floor, as Linux has it)', (t) => {
  const peer = established(t);
  for (let i = 0; i < 80; i++) exchange(peer, 50);
  t.ok(Math.abs(peer.tcp.info(peer.id).rttUs - 50_000) < 1000);
  t.ok(Math.abs(rtoOf(peer) - 250) <= 2, `${rtoOf(peer)} ms`);
  t.end();
});

t.test('ESTABLISHED, no ACK → again after RTO, 2 RTO, 4 RTO, … up to the maximum (§5.5)', (t) => {
  const peer = established(t, { tcp: { rtoMaxMs: 10_000, retries: 9 } });
  for (let i = 0; i < 80; i++) exchange(peer, 100);
  peer.write(100);
  peer.drain();
  const rto = rtoOf(peer);
  for (let i = 0; i < 9; i++) {
    const waited = peer.untilSent();
    t.equal(waited, Math.min(rto * 2 ** i, 10_000));
    peer.expect({ seq: 801, length: 100 });
  }
  peer.advanceMs(10_000);
  peer.expectState('CLOSED');
  t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
  t.ok(peer.told(Event.FAILED));
  t.end();
});

t.test('ESTABLISHED, defaults → given up after 15 retransmissions, some 15 minutes (R2, SHLD-11)', (t) => {
  const peer = established(t);
  peer.write(1);
  peer.drain();
  const began = peer.nowUs;
  for (let i = 0; i < 15; i++) {
    peer.untilSent();
    peer.drain();
  }
  peer.expectState('ESTABLISHED');
  peer.advanceMs(121_000);
  peer.expectState('CLOSED');
  const minutes = (peer.nowUs - began) / 60e6;
  t.ok(minutes > 13 && minutes < 17, `${minutes.toFixed(1)} minutes`);
  t.end();
});

t.test('ESTABLISHED, an ACK for part of the flight → the timer starts anew (§5.3)', (t) => {
  const peer = far(t, 100);
  peer.write(2000);
  peer.drain();
  const rto = rtoOf(peer);
  peer.advanceMs(rto - 50);
  peer.ack({ ack: 601 + 1460 });
  peer.advanceMs(100);
  peer.expectNothing('it would have expired by now');
  t.ok(peer.untilSent() > 50);
  peer.expect({ seq: 601 + 1460 });
  t.end();
});

t.test('ESTABLISHED, everything acknowledged → no timer (§5.2)', (t) => {
  const peer = established(t);
  peer.write(2000);
  peer.ack();
  peer.drain();
  peer.advanceMs(100_000);
  peer.expectNothing();
  t.end();
});

t.test(
  'ESTABLISHED, sent twice, no timestamps → not measured, and the back-off stays until something is (Karn)',
  (t) => {
    const peer = far(t, 100);
    const before = peer.tcp.info(peer.id).rttUs;
    const rto = rtoOf(peer);
    peer.write(10);
    peer.drain();
    peer.untilSent();
    peer.drain();
    peer.advanceMs(5);
    peer.ack();
    t.equal(peer.tcp.info(peer.id).rttUs, before, 'not 5 ms');
    t.equal(rtoOf(peer), 2 * rto, 'backed off still');
    peer.write(10);
    peer.drain();
    t.equal(peer.untilSent(), 2 * rto, 'what is sent next waits as long');
    peer.drain();
    peer.ack();
    exchange(peer, 100);
    t.ok(rtoOf(peer) < 1.2 * rto, `${rtoOf(peer)} ms`);
    t.end();
  },
);

t.test('ESTABLISHED, the path becomes slower than the RTO, no timestamps → the RTO follows, it is not stuck', (t) => {
  const peer = far(t, 50, { tcp: { rtoMinMs: 50 } });
  let needless = 0;
  for (let i = 0; i < 30; i++) {
    peer.write(10);
    // A round trip of 400 ms from now on.
    peer.advanceMs(400);
    const sent = peer.drain();
    if (i >= 10) needless += sent.length - 1;
    peer.ack();
  }
  t.equal(needless, 0);
  t.end();
});

t.test('ESTABLISHED, sent twice, timestamps → measured by the echo (RFC 7323 §4.1)', (t) => {
  const peer = established(t, { syn: { mss: 1460, ts: [1, 0] } });
  for (let i = 0; i < 60; i++) exchange(peer, 100);
  peer.write(10);
  peer.drain();
  peer.untilSent();
  peer.drain();
  peer.advanceMs(100);
  peer.ack();
  t.ok(Math.abs(peer.tcp.info(peer.id).rttUs - 100_000) < 5000);
  t.equal(peer.tcp.info(peer.id).backoff, 0);
  t.end();
});

t.test(
  'ESTABLISHED, RTO → cwnd one segment, ssthresh half of the flight, everything again as cwnd grows (RFC 5681 §3.1)',
  (t) => {
    const peer = established(t, { tcp: { congestion: 'reno' } });
    peer.write(10 * 1460);
    t.equal(peer.drain().length, 10);
    peer.untilSent();
    peer.expect({ seq: 1, length: 1460 });
    peer.expectNothing('one segment');
    const info = peer.tcp.info(peer.id);
    t.same([info.sndCwndBytes, info.sndSsthreshBytes, info.caState], [1460, 5 * 1460, 'loss']);
    peer.ack({ ack: 1461 });
    t.same(
      peer.drain().map((segment) => segment.seq),
      [1461, 2921],
      'slow start: two more',
    );
    peer.ack({ ack: 4381 });
    t.equal(peer.drain().length, 4);
    t.end();
  },
);

t.test('ESTABLISHED, a second RTO for the same data → ssthresh is not halved again', (t) => {
  const peer = established(t);
  peer.write(10 * 1460);
  peer.untilSent();
  peer.drain();
  peer.untilSent();
  const first = peer.tcp.info(peer.id).sndSsthreshBytes;
  peer.drain();
  peer.untilSent();
  peer.drain();
  peer.untilSent();
  t.equal(peer.tcp.info(peer.id).sndSsthreshBytes, first);
  t.end();
});

t.test(
  'ESTABLISHED, RTO though it had all arrived → nothing more is repeated; what is sent next ends it (RFC 6582 §3.2)',
  (t) => {
    const peer = established(t);
    peer.write(10 * 1460);
    peer.drain();
    peer.untilSent();
    peer.drain();
    peer.inject({ ack: 1 + 10 * 1460 });
    peer.expectNothing();
    t.equal(peer.tcp.info(peer.id).caState, 'loss', 'held, without SACK, against echoes');
    peer.write(100);
    peer.ack();
    t.equal(peer.tcp.info(peer.id).caState, 'open');
    peer.drain();
    peer.advanceMs(60_000);
    peer.expectNothing();
    t.end();
  },
);

t.test('ESTABLISHED, duplicate ACKs after an RTO → no fast retransmit for what was out before (RFC 6582 §3.2)', (t) => {
  const peer = established(t);
  peer.write(10 * 1460);
  peer.drain();
  peer.untilSent();
  peer.drain();
  for (let i = 0; i < 5; i++) peer.inject({ ack: 1 });
  t.notOk(peer.drain().some((segment) => segment.seq === 1));
  t.equal(peer.stack.net.stats.tcpFastRetransmits, 0);
  t.end();
});

t.test('ESTABLISHED, user timeout set → ETIMEDOUT by time and not by count, to the moment', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.USER_TIMEOUT_MS, 5000);
  peer.write(10);
  peer.drain();
  // As Linux it counts from the first retransmission.
  peer.untilSent();
  peer.advanceMs(4990);
  peer.expectState('ESTABLISHED');
  peer.advanceMs(20);
  peer.expectState('CLOSED');
  t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
  t.end();
});

t.test('ESTABLISHED, user timeout set, progress in between → it starts anew', (t) => {
  const peer = established(t, { listen: { userTimeoutMs: 3000 } });
  for (let i = 0; i < 5; i++) {
    peer.write(10);
    peer.advanceMs(2500);
    peer.drain();
    peer.ack();
  }
  peer.expectState('ESTABLISHED');
  peer.write(10);
  peer.advanceMs(12_000);
  peer.expectState('CLOSED');
  t.end();
});

t.test('ESTABLISHED, user timeout set, window shut and probes unanswered → it counts too', (t) => {
  const peer = established(t, { listen: { userTimeoutMs: 5000 } });
  peer.inject({ win: 0 });
  peer.write(10);
  peer.advanceMs(10_000);
  peer.expectState('CLOSED');
  t.end();
});

t.test('ESTABLISHED, R1 retransmissions in vain → IP is told to doubt the way, once (MUST-20, SHLD-10)', (t) => {
  const peer = established(t);
  peer.write(100);
  const doubts = () => peer.stack.net.stats.pathDoubts;
  for (let i = 1; i <= 6; i++) {
    peer.drain();
    peer.untilSent();
    t.equal(doubts(), i < 3 ? 0 : 1, `${i} retransmissions`);
  }
  peer.ack();
  peer.drain();
  peer.write(100);
  peer.advanceMs(1_200_000);
  t.equal(doubts(), 2, 'the next trouble counts anew');
  t.end();
});
