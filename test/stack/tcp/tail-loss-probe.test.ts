import t from 'tap';
import { acknowledge, counts, farAway, flying, MSS, RTT_MS, sent, status, window } from './lossy.js';

/** Tail loss probes, RFC 8985 §7, with Linux's times. */

t.test(
  'two segments, no answer → the last one again after two round trips and 2 ms; then the timeout, from there',
  (t) => {
    const peer = farAway(t);
    peer.write(2 * MSS);
    t.same(sent(peer), [0, 1]);
    t.equal(peer.untilSent(), 202);
    t.same(sent(peer), [1]);
    t.equal(peer.stack.net.stats.tcpLossProbes, 1);
    t.same([status(peer).caState, counts(peer)], ['open', [2, 0, 0, 0]], 'a probe is no retransmission in flight');
    t.equal(peer.untilSent(), 300);
    t.same(sent(peer), [0]);
    t.equal(status(peer).caState, 'loss');
    t.end();
  },
);

t.test('one segment, no answer → the peer’s delayed ACK is allowed for, but no later than the timeout', (t) => {
  const peer = farAway(t);
  peer.write(MSS);
  peer.drain();
  // 200 + 200 ms would be after the RTO of 300.
  t.equal(peer.untilSent(), 300);
  t.same(sent(peer), [0]);
  t.equal(status(peer).totalRto, 0, 'still a probe');
  t.end();
});

t.test('new data waits for cwnd → the probe is of new data', (t) => {
  const peer = flying(t);
  t.equal(peer.untilSent(), 202);
  t.same(sent(peer), [10]);
  t.equal(status(peer).totalRetrans, 0);
  t.end();
});

t.test('new data waits for the window → the probe is the last segment again', (t) => {
  const peer = flying(t, 20, 10, { win: 10 * MSS });
  peer.untilSent();
  t.same(sent(peer), [9]);
  t.end();
});

t.test('the probe is SACKed → what is missing before it is found without a timeout (§7.4)', (t) => {
  const peer = flying(t, 10);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 7);
  sent(peer);
  // 7, 8 and 9 are lost. The RTO is the nearer: 3 round trips.
  peer.untilSent();
  t.same(sent(peer), [9]);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 7, [9, 10]);
  peer.advanceMs(30);
  t.same(sent(peer), [7], 'nothing is in flight, and PRR lets out as many as arrive');
  acknowledge(peer, 8, [9, 10]);
  t.same(sent(peer), [8]);
  t.equal(status(peer).totalRto, 0);
  t.end();
});

t.test(
  'the probe repairs the only loss → cwnd comes down nevertheless, when something later is acknowledged (§7.4.2)',
  (t) => {
    const peer = farAway(t);
    peer.write(2 * MSS);
    peer.advanceMs(RTT_MS);
    acknowledge(peer, 1);
    peer.drain();
    peer.untilSent();
    t.same(sent(peer), [1]);
    peer.advanceMs(RTT_MS);
    acknowledge(peer, 2);
    t.same(window(peer), [10, Number.POSITIVE_INFINITY], 'it may have been the original');
    peer.write(MSS);
    peer.advanceMs(RTT_MS);
    acknowledge(peer, 3);
    t.same(window(peer), [5, 5]);
    t.equal(peer.stack.net.stats.tcpLossProbeRecoveries, 1);
    t.equal(status(peer).caState, 'open');
    t.end();
  },
);

t.test('the peer reports the probe as a duplicate → nothing was lost, nothing comes down', (t) => {
  const peer = farAway(t);
  peer.write(2 * MSS);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 1);
  peer.drain();
  peer.untilSent();
  sent(peer);
  acknowledge(peer, 2);
  peer.inject({ ack: 1 + 2 * MSS, options: { sack: [[1 + MSS, 1 + 2 * MSS]] } });
  peer.write(MSS);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 3);
  t.same(window(peer), [10, Number.POSITIVE_INFINITY]);
  t.equal(peer.stack.net.stats.tcpLossProbeRecoveries, 0);
  t.end();
});

for (const [what, options] of [
  ['without SACK', { syn: { mss: MSS } }],
  ['switched off (tcp_early_retrans 0)', { tcp: { tailLossProbe: 0 } }],
] as const) {
  t.test(`${what} → no probe, the timeout`, (t) => {
    const peer = farAway(t, options);
    peer.write(2 * MSS);
    peer.drain();
    t.equal(peer.untilSent(), 300);
    t.same(sent(peer), [0]);
    t.equal(status(peer).totalRto, 1);
    t.end();
  });
}

t.test('something is SACKed → Disorder has no probe: RACK watches', (t) => {
  const peer = flying(t, 10);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [9, 10]);
  peer.advanceMs(26);
  t.same(sent(peer), []);
  t.equal(peer.stack.net.stats.tcpLossProbes, 0);
  t.end();
});
