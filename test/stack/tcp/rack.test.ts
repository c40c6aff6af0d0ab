import t from 'tap';
import { acknowledge, counts, farAway, flying, MSS, RTT_MS, sent, status, window } from './lossy.js';

/** RACK, RFC 8985 §6, and what RFC 6675 would do in its place. */

t.test('one segment SACKed above a hole → lost a quarter of the round trip later, not at once (§6.2 step 4)', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [1, 2]);
  t.same(sent(peer), [10], 'limited transmit');
  t.equal(status(peer).caState, 'disorder');
  // 25 ms, and the 2 that Linux adds to any timer of this kind.
  t.equal(peer.untilSent(), 27);
  t.same(sent(peer), [0]);
  t.equal(status(peer).caState, 'recovery');
  t.end();
});

t.test('three segments SACKed above a hole → lost at once (§6.2 step 4: no reordering was seen)', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  for (let i = 2; i <= 4; i++) acknowledge(peer, 0, [1, i]);
  t.same(sent(peer), [10, 11, 0]);
  t.same(counts(peer), [12, 3, 1, 1]);
  t.end();
});

t.test('three segments SACKed, limits.recovery says no threshold → the window all the same', (t) => {
  const peer = flying(t, 20, 10, { tcp: { recovery: 5 } });
  peer.advanceMs(RTT_MS);
  for (let i = 2; i <= 4; i++) acknowledge(peer, 0, [1, i]);
  t.same(sent(peer), [10, 11, 12]);
  t.equal(peer.untilSent(), 27);
  t.same(sent(peer), [0]);
  t.end();
});

t.test('the hole fills within the reordering window → no loss, and what was seen is remembered', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [1, 3]);
  peer.advanceMs(20);
  acknowledge(peer, 3);
  peer.drain();
  peer.advanceMs(50);
  t.same(sent(peer), []);
  const { reordSeen, reordering, caState, totalRetrans } = status(peer);
  t.same(
    { reordSeen, reordering, caState, totalRetrans },
    { reordSeen: 1, reordering: 3, caState: 'open', totalRetrans: 0 },
  );
  // So from now on three SACKs no longer mean a loss at once.
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 3, [4, 8]);
  t.notOk(sent(peer).includes(3));
  t.end();
});

t.test('a segment arrives after seven later ones → the reordering degree is seven', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [1, 2]);
  acknowledge(peer, 2);
  t.equal(status(peer).reordering, 3, 'two apart is less than three');
  acknowledge(peer, 2, [3, 9]);
  acknowledge(peer, 9);
  t.equal(status(peer).reordering, 7);
  t.equal(status(peer).totalRetrans, 0);
  t.end();
});

t.test('a retransmission is lost too → found by what was sent with it, without a timeout (§6.2 step 5)', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [1, 4]);
  t.ok(sent(peer).includes(0));
  acknowledge(peer, 0, [1, 10]);
  const later = sent(peer);
  t.ok(later.length > 0, `${later} in flight after the retransmission`);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [1, 10], [10, 10 + 1]);
  t.ok(sent(peer).includes(0), 'again');
  t.equal(peer.stack.net.stats.tcpLostRetransmits, 1);
  t.equal(status(peer).totalRto, 0);
  t.end();
});

t.test('a retransmission is lost too, RFC 6675 → only the timer finds it', (t) => {
  const peer = flying(t, 20, 10, { tcp: { recovery: 0 } });
  peer.advanceMs(RTT_MS);
  for (let i = 2; i <= 4; i++) acknowledge(peer, 0, [1, i]);
  t.ok(sent(peer).includes(0));
  acknowledge(peer, 0, [1, 10]);
  sent(peer);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [1, 11]);
  t.notOk(sent(peer).includes(0));
  peer.advanceMs(400);
  t.equal(status(peer).totalRto, 1);
  t.end();
});

t.test('RFC 6675, holes with three SACKed segments above → lost, those with fewer are not (§4 IsLost)', (t) => {
  const peer = flying(t, 20, 10, { tcp: { recovery: 0 } });
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [1, 2]);
  acknowledge(peer, 0, [1, 2], [3, 4]);
  acknowledge(peer, 0, [1, 2], [3, 4], [5, 6]);
  t.ok(sent(peer).includes(0));
  t.same(counts(peer).slice(1), [3, 1, 1]);
  // The third segment has now three above it: 3, 5, 7.
  acknowledge(peer, 0, [1, 2], [3, 4], [5, 6], [7, 8]);
  t.same(counts(peer).slice(1, 3), [4, 2]);
  t.end();
});

t.test('the end of a flight is lost, the last segment arrives → all holes found by time', (t) => {
  const peer = flying(t, 10);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [9, 10]);
  t.equal(peer.untilSent(), 27);
  const first = sent(peer);
  t.equal(first[0], 0);
  t.equal(counts(peer)[2], 9, 'nine are lost');
  t.end();
});

t.test('D-SACKs after reordering → the window widens by a quarter each round trip, and is kept (§6.2 step 4)', (t) => {
  const peer = flying(t, 60);
  peer.advanceMs(RTT_MS);
  // Reordering is seen once.
  acknowledge(peer, 0, [1, 2]);
  acknowledge(peer, 2);
  peer.drain();
  peer.advanceMs(10);
  // Then one is so late that it is sent again, and both arrive.
  acknowledge(peer, 2, [3, 4]);
  peer.drain();
  peer.advanceMs(40);
  t.ok(sent(peer).includes(2), 'the window of 25 ms was too small');
  acknowledge(peer, 4);
  peer.inject({ ack: 1 + 4 * MSS, options: { sack: [[1 + 2 * MSS, 1 + 3 * MSS]] } });
  t.equal(status(peer).dsackDups, 1);
  peer.drain();
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 4, [5, 6]);
  peer.drain();
  // Two quarters now.
  peer.advanceMs(45);
  t.notOk(sent(peer).includes(4), 'not after 25 ms');
  peer.advanceMs(10);
  t.ok(sent(peer).includes(4), 'after 50');
  t.end();
});

t.test('after an RTO, segments sent less than a round trip ago → not taken for lost', (t) => {
  const peer = farAway(t, { tcp: { tailLossProbe: 0 } });
  peer.write(MSS);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 1);
  peer.drain();
  peer.write(4 * MSS);
  peer.advanceMs(250);
  peer.write(4 * MSS);
  sent(peer);
  peer.advanceMs(50);
  t.same(sent(peer), [1], 'the timeout');
  t.same(counts(peer), [8, 0, 4, 1]);
  t.equal(window(peer)[0], 5, 'what is in flight, and one');
  t.end();
});
