import t, { type Test } from 'tap';
import { acknowledge, counts, farAway, flying, MSS, RTT_MS, sent, status, window } from './lossy.js';
import type { Peer, PeerOptions } from './peer.js';

/** Taking back a reduction that was for nothing: D-SACK (RFC 3708), timestamps (Eifel, RFC 3522), F-RTO (RFC 5682); RFC 4015 for what follows. */

const BEFORE = [10, Number.POSITIVE_INFINITY];

/** In recovery, the first segment sent again. */
function recovering(t: Test, options: PeerOptions = {}): Peer {
  const peer = flying(t, 20, 10, options);
  peer.advanceMs(RTT_MS);
  for (let i = 2; i <= 4; i++) acknowledge(peer, 0, [1, i]);
  t.ok(sent(peer).includes(0));
  t.equal(status(peer).caState, 'recovery');
  t.equal(window(peer)[1], 5);
  return peer;
}

t.test('recovery, the one retransmission is reported as a duplicate → cwnd and ssthresh as before', (t) => {
  const peer = recovering(t);
  acknowledge(peer, 4);
  peer.inject({ ack: 1 + 4 * MSS, options: { sack: [[1, 1 + MSS]] } });
  t.same(window(peer), BEFORE);
  t.equal(status(peer).caState, 'open');
  t.equal(peer.stack.net.stats.tcpUndos, 1);
  t.end();
});

t.test('cwnd has grown past where it was, then the duplicate is reported → it stays (RFC 9438 §4.9.2)', (t) => {
  const peer = recovering(t);
  let n = 12;
  acknowledge(peer, n);
  t.equal(status(peer).caState, 'open');
  for (; window(peer)[0] <= 14; n += 5) {
    peer.write(20 * MSS);
    peer.advanceMs(RTT_MS);
    const from = n;
    for (let i = 1; i <= 5; i++) acknowledge(peer, from + i);
    peer.drain();
  }
  const [cwnd] = window(peer);
  peer.inject({ ack: 1 + n * MSS, options: { sack: [[1, 1 + MSS]] } });
  t.equal(peer.stack.net.stats.tcpUndos, 1);
  t.same(window(peer), [cwnd, Number.POSITIVE_INFINITY]);
  t.end();
});

t.test('recovery, a duplicate that is more than was ever sent twice → not believed', (t) => {
  const peer = recovering(t);
  acknowledge(peer, 4);
  peer.inject({ ack: 1 + 4 * MSS, options: { sack: [[1, 1 + 3 * MSS]] } });
  t.equal(window(peer)[1], 5);
  t.equal(status(peer).caState, 'recovery');
  t.end();
});

t.test('recovery, timestamps: the ACK echoes the original → undone at once, and the path is known to reorder', (t) => {
  const peer = recovering(t, { syn: { mss: MSS + 12, sackOk: true, ts: [1, 0] } });
  // Original and retransmission left 100 ms apart; the peer answers the original.
  const { tsEcho } = peer;
  peer.tsEcho = tsEcho - RTT_MS;
  acknowledge(peer, 4);
  t.same(window(peer), [11, Number.POSITIVE_INFINITY], 'and one for the segment acknowledged');
  t.equal(status(peer).caState, 'open');
  t.ok(status(peer).reordering > 3);
  t.end();
});

t.test('recovery, timestamps: the ACK echoes the retransmission → it was needed', (t) => {
  const peer = recovering(t, { syn: { mss: MSS + 12, sackOk: true, ts: [1, 0] } });
  acknowledge(peer, 4);
  t.equal(window(peer)[1], 5);
  t.equal(status(peer).caState, 'recovery');
  t.end();
});

// F-RTO

/** Ten out, a timeout, the first sent again. */
function timedOut(t: Test, options: PeerOptions = {}): Peer {
  const peer = flying(t, 20, 10, { ...options, tcp: { tailLossProbe: 0, ...options.tcp } });
  peer.untilSent();
  t.same(sent(peer), [0]);
  t.same([status(peer).caState, window(peer)], ['loss', [1, 5]]);
  t.same(counts(peer), [10, 0, 10, 1]);
  return peer;
}

t.test('F-RTO, the ACKs of what was late come after the timeout → new data, then everything as before (§3.1)', (t) => {
  const peer = timedOut(t);
  acknowledge(peer, 1);
  t.same(sent(peer), [10, 11], 'step 2.b: new data, not old');
  acknowledge(peer, 2);
  t.equal(status(peer).caState, 'open');
  t.same(window(peer), [11, Number.POSITIVE_INFINITY], 'as before, and one for the segment acknowledged');
  t.equal(counts(peer)[2], 0, 'nothing is lost');
  t.equal(peer.stack.net.stats.tcpSpuriousTimeouts, 1);
  t.end();
});

t.test('F-RTO, only the new data arrives → the loss was real, the rest is sent again (step 3.a)', (t) => {
  const peer = timedOut(t);
  acknowledge(peer, 1);
  t.same(sent(peer), [10, 11]);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 1, [10, 11]);
  t.same(sent(peer).slice(0, 1), [1]);
  t.equal(status(peer).caState, 'loss');
  t.equal(peer.stack.net.stats.tcpSpuriousTimeouts, 0);
  t.end();
});

t.test('F-RTO, something that was SACKed late and sent once → spurious at once (step 3.b)', (t) => {
  const peer = timedOut(t);
  acknowledge(peer, 0, [1, 2]);
  t.equal(status(peer).caState, 'disorder');
  t.equal(window(peer)[1], Number.POSITIVE_INFINITY);
  t.end();
});

t.test('F-RTO off → the next in order, in slow start', (t) => {
  const peer = timedOut(t, { tcp: { frto: false } });
  acknowledge(peer, 1);
  t.same(sent(peer), [1, 2]);
  t.end();
});

t.test('F-RTO without SACK, the late ACKs → new data, then undone', (t) => {
  const peer = timedOut(t, { syn: { mss: MSS } });
  acknowledge(peer, 1);
  t.same(sent(peer), [10, 11]);
  acknowledge(peer, 2);
  t.equal(status(peer).caState, 'open');
  t.equal(window(peer)[1], Number.POSITIVE_INFINITY);
  t.end();
});

t.test('a timeout, nothing new to send → F-RTO cannot ask; what is lost is sent again', (t) => {
  const peer = farAway(t, { tcp: { tailLossProbe: 0 } });
  peer.write(4 * MSS);
  sent(peer);
  peer.untilSent();
  t.same(sent(peer), [0]);
  acknowledge(peer, 1);
  t.same(sent(peer), [1, 2]);
  t.end();
});

t.test('a timeout, timestamps: the ACK echoes the original → undone', (t) => {
  const peer = timedOut(t, { syn: { mss: MSS + 12, sackOk: true, ts: [1, 0] } });
  peer.tsEcho -= 300;
  acknowledge(peer, 10);
  t.equal(status(peer).caState, 'open');
  t.equal(window(peer)[1], Number.POSITIVE_INFINITY);
  t.end();
});
