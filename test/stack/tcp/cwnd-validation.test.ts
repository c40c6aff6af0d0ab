import t, { type Test } from 'tap';
import type { Peer, PeerOptions } from './peer.js';
import { established } from './states.js';

/** Congestion-window validation as Linux has it: what is not used neither grows nor stays. */

const MSS = 1000;
/** ssthresh before any loss: what was proved does not lower it. */
const NEVER = 0x7fffffff / MSS;

function starting(t: Test, options: PeerOptions = {}): Peer {
  return established(t, { syn: { mss: MSS }, ...options });
}
function cwnd(peer: Peer): number {
  return peer.tcp.info(peer.id).sndCwnd;
}
function ssthresh(peer: Peer): number {
  return peer.tcp.info(peer.id).sndSsthreshBytes / MSS;
}
/** Writes so many segments and has them acknowledged, two at a time. */
function flight(peer: Peer, segments: number): number[] {
  peer.write(segments * MSS);
  const out = peer.rcvNxt;
  peer.drain();
  const seen: number[] = [];
  for (let ack = out - (segments - 2) * MSS; ack < out; ack += 2 * MSS) {
    peer.inject({ ack });
    seen.push(cwnd(peer));
  }
  peer.ack({ ack: out });
  seen.push(cwnd(peer));
  peer.drain();
  return seen;
}

t.test('slow start, ten segments of ten used → it doubles', (t) => {
  t.same(flight(starting(t), 10), [12, 14, 16, 18, 20]);
  t.end();
});

t.test('slow start, nine of ten used → it grows to twice nine', (t) => {
  const peer = starting(t);
  t.same(flight(peer, 9), [12, 14, 16, 18, 18]);
  t.end();
});

t.test('slow start, six of ten used → one step, to twelve', (t) => {
  t.same(flight(starting(t), 6), [12, 12, 12]);
  t.end();
});

t.test('slow start, five of ten used → no growth', (t) => {
  t.same(flight(starting(t), 5), [10, 10, 10]);
  t.end();
});

t.test('congestion avoidance, all but one of it used → no growth, unlike in slow start', (t) => {
  const peer = starting(t, { tcp: { congestion: 'reno' } });
  peer.write(10 * MSS);
  peer.ack();
  peer.drain();
  t.equal(cwnd(peer), 20);
  // A timeout sets ssthresh to ten; it is passed, and avoidance begins.
  peer.write(10 * MSS);
  peer.untilSent();
  peer.advanceMs(300);
  peer.drain();
  for (let i = 0; i < 12; i++) peer.ack();
  for (let i = 0; i < 6 && cwnd(peer) < ssthresh(peer); i++) flight(peer, cwnd(peer));
  t.ok(cwnd(peer) >= ssthresh(peer), `${cwnd(peer)}, ${ssthresh(peer)}`);
  const before = cwnd(peer);
  for (let i = 0; i < 5; i++) flight(peer, before - 1);
  t.equal(cwnd(peer), before);
  for (let i = 0; i < 2; i++) flight(peer, cwnd(peer));
  t.ok(cwnd(peer) > before);
  t.end();
});

t.test('a flight that used it up → remembered until that flight is acknowledged, not longer', (t) => {
  const peer = starting(t);
  peer.write(10 * MSS);
  peer.drain();
  peer.inject({ ack: 1 + 9 * MSS });
  t.equal(cwnd(peer), 19);
  peer.write(MSS);
  peer.drain();
  peer.inject({ ack: 1 + 10 * MSS });
  t.equal(cwnd(peer), 20, 'the rest of the flight that was limited');
  peer.ack();
  peer.write(MSS);
  peer.ack();
  t.equal(cwnd(peer), peer.tcp.info(peer.id).sndCwnd);
  const before = cwnd(peer);
  for (let i = 0; i < 10; i++) {
    peer.write(MSS);
    peer.ack();
  }
  t.equal(cwnd(peer), before);
  t.end();
});

/** To a cwnd of `segments` or somewhat more, by using it. */
function grown(t: Test, options: PeerOptions = {}): Peer {
  const peer = starting(t, { win: 65_535, ...options });
  flight(peer, 10);
  peer.advanceMs(100);
  flight(peer, 20);
  t.equal(cwnd(peer), 40);
  return peer;
}

t.test(
  'an RTO passes and little was used → half-way down to what was, but not below the initial window (RFC 2861)',
  (t) => {
    const peer = grown(t);
    const rto = peer.tcp.info(peer.id).rtoUs / 1000;
    for (let waited = 0; waited <= rto; waited += 20) {
      peer.write(2 * MSS);
      peer.ack();
      peer.advanceMs(20);
    }
    peer.write(2 * MSS);
    peer.ack();
    peer.drain();
    t.same([cwnd(peer), ssthresh(peer)], [25, NEVER]);
    for (let waited = 0; waited <= rto; waited += 20) {
      peer.write(2 * MSS);
      peer.ack();
      peer.advanceMs(20);
    }
    peer.write(2 * MSS);
    t.equal(cwnd(peer), 17);
    t.end();
  },
);

t.test('the same with slowStartAfterIdle off → it stays', (t) => {
  const peer = grown(t, { tcp: { slowStartAfterIdle: false } });
  for (let i = 0; i < 100; i++) {
    peer.write(2 * MSS);
    peer.ack();
    peer.advanceMs(20);
  }
  t.equal(cwnd(peer), 40);
  t.end();
});

t.test('silence of more than an RTO → halved for each, down to the initial window (RFC 5681 §4.1)', (t) => {
  for (const [silence, left] of [
    [1, 20],
    [2, 10],
    [10, 10],
  ] as const) {
    const peer = grown(t);
    const rto = peer.tcp.info(peer.id).rtoUs / 1000;
    peer.advanceMs(silence * rto + 5);
    peer.write(30 * MSS);
    t.equal(peer.drain().length, left, `${silence} RTOs`);
    t.same([cwnd(peer), ssthresh(peer)], [left, NEVER]);
  }
  t.end();
});

t.test('silence of less than an RTO → all of it may go', (t) => {
  const peer = grown(t);
  peer.advanceMs(peer.tcp.info(peer.id).rtoUs / 1000 - 5);
  peer.write(30 * MSS);
  t.equal(peer.drain().length, 30);
  t.end();
});

t.test('slowStartAfterIdle off, a long silence → all of it may go', (t) => {
  const peer = grown(t, { tcp: { slowStartAfterIdle: false } });
  peer.advanceMs(20_000);
  peer.write(30 * MSS);
  t.equal(peer.drain().length, 30);
  t.end();
});

t.test('the peer speaks while we are silent → our silence counts all the same', (t) => {
  const peer = grown(t, { tcp: { hibernateMs: 1 << 30 } });
  for (let i = 0; i < 20; i++) {
    peer.advanceMs(100);
    peer.data(10);
  }
  peer.drain();
  peer.write(30 * MSS);
  t.equal(peer.drain().filter((segment) => segment.length > 0).length, 10);
  t.end();
});

t.test('the window was shut and opens after a long time → slow start again (as Linux on a window update)', (t) => {
  const peer = starting(t);
  flight(peer, 10);
  peer.write(20 * MSS);
  peer.drain();
  peer.inject({ ack: peer.rcvNxt, win: 0 });
  t.equal(cwnd(peer), 40);
  peer.write(20 * MSS);
  peer.advanceMs(2100);
  t.equal(cwnd(peer), 40, 'while it probes, nothing is decided');
  peer.drain();
  peer.inject({ ack: peer.rcvNxt, win: 65_535 });
  t.equal(peer.drain().length, 10);
  t.equal(cwnd(peer), 10);
  t.end();
});

t.test('after a loss, silence → ssthresh is at least three quarters of the cwnd that was proved', (t) => {
  const peer = starting(t, { tcp: { congestion: 'reno' } });
  peer.write(10 * MSS);
  peer.drain();
  peer.untilSent();
  peer.ack();
  t.equal(ssthresh(peer), 5);
  for (let i = 0; i < 60 && cwnd(peer) < 20; i++) flight(peer, cwnd(peer));
  t.equal(cwnd(peer), 20);
  peer.advanceMs(5000);
  peer.write(MSS);
  t.same([cwnd(peer), ssthresh(peer)], [10, 15]);
  t.end();
});
