import t, { type Test } from 'tap';
import { Cold, Tcb } from '../../../stack/tcp/tcb.js';
import { acknowledge, counts, farAway, flying, MSS, RTT_MS, sent, status, window } from './lossy.js';
import type { Peer, PeerOptions } from './peer.js';

/** Proportional rate reduction, RFC 9937: how an episode begins and ends, and what each ACK lets out. Reno: half of cwnd. */

const NO_SACK: PeerOptions = { syn: { mss: MSS } };

/** RecoverFS in packets; 0: no episode runs. */
function recoverFs(peer: Peer): number {
  const { hot, cold } = peer.tcp.context;
  const k = hot[(peer.tcp.rowOf(peer.id) << Tcb.SHIFT) + Tcb.COLD] as number;
  return cold[k + Cold.RECOVER_FS] as number;
}

/** How many new segments each of so many duplicate ACKs lets out. */
function duplicates(peer: Peer, count: number): number[] {
  return Array.from({ length: count }, () => {
    acknowledge(peer, 0);
    return sent(peer).length;
  });
}

for (const [what, written, acks, expected] of [
  [
    'SACKs one by one, two new segments meanwhile',
    20,
    [
      [1, 2],
      [1, 3],
      [1, 4],
    ],
    10,
  ],
  [
    'SACKs one by one, the program has no more',
    10,
    [
      [1, 2],
      [1, 3],
      [1, 4],
    ],
    8,
  ],
  ['three segments SACKed at once', 10, [[1, 4]], 10],
  [
    'two SACKed, then three at once',
    10,
    [
      [1, 3],
      [1, 6],
    ],
    8,
  ],
] as const) {
  t.test(`recovery begins, ${what} → RecoverFS ${expected} (RFC 9937 §6.1)`, (t) => {
    const peer = flying(t, written);
    peer.advanceMs(RTT_MS);
    t.equal(recoverFs(peer), 0);
    for (const run of acks) acknowledge(peer, 0, run);
    t.equal(status(peer).caState, 'recovery');
    t.equal(recoverFs(peer), expected);
    t.end();
  });
}

t.test('recovery begins with an ACK that also advances → what it acknowledges is part of RecoverFS (§6.1)', (t) => {
  const peer = flying(t, 10);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 2, [3, 6]);
  t.equal(status(peer).caState, 'recovery');
  t.equal(recoverFs(peer), 10);
  t.end();
});

t.test(
  'recovery begins by the reordering timer → RecoverFS is what is out and not SACKed; one segment is sent',
  (t) => {
    const peer = flying(t, 10, 10, { tcp: { recovery: 5 } });
    peer.advanceMs(RTT_MS);
    acknowledge(peer, 0, [3, 8]);
    t.equal(status(peer).caState, 'disorder');
    peer.untilSent();
    t.same(sent(peer), [0], 'one of three that are lost: nothing has been delivered that would let out more');
    t.equal(recoverFs(peer), 5);
    t.end();
  },
);

t.test('recovery, no SACK → RecoverFS is all that is outstanding: the scoreboard is empty (§6.1)', (t) => {
  const peer = flying(t, 60, 10, NO_SACK);
  t.same(duplicates(peer, 3), [1, 1, 1]);
  t.equal(recoverFs(peer), 12);
  t.end();
});

t.test(
  'recovery, the flight is smaller than cwnd → in proportion to what flies: new data at the 1st and 3rd SACK',
  (t) => {
    const peer = farAway(t);
    peer.write(10 * MSS);
    peer.advanceMs(RTT_MS);
    acknowledge(peer, 10);
    t.equal(window(peer)[0], 20);
    peer.write(18 * MSS);
    peer.drain();
    peer.advanceMs(RTT_MS);
    for (let i = 12; i <= 14; i++) acknowledge(peer, 10, [11, i]);
    t.same(sent(peer), [10]);
    t.equal(recoverFs(peer), 16);
    peer.write(40 * MSS);
    const seen: [number, number][] = [];
    for (let i = 15; i <= 17; i++) {
      acknowledge(peer, 10, [11, i]);
      seen.push([sent(peer).length, window(peer)[0]]);
    }
    t.same(seen, [
      [1, 15],
      [0, 14],
      [1, 14],
    ]);
    t.end();
  },
);

for (const [outstanding, options] of [
  [10, {}],
  [3, { tcp: { initialWindowSegments: 3 } }],
] as const) {
  t.test(
    `recovery, no SACK, ${outstanding} out, invented duplicates → no more of them count than RecoverFS (§6.2)`,
    (t) => {
      const peer = flying(t, 60, outstanding, { ...NO_SACK, ...options });
      duplicates(peer, 3);
      const most = recoverFs(peer);
      t.equal(most, outstanding + 2);
      const out = duplicates(peer, 100);
      t.equal(counts(peer)[1], most);
      t.same(out.slice(most - 3), new Array(out.length - most + 3).fill(0), 'nothing more is sent');
      t.ok(out.reduce((sum, n) => sum + n) <= most, 'and before no more than was delivered');
      t.end();
    },
  );
}

t.test(
  'recovery, no SACK, partial ACKs between invented duplicates → they count once for the whole episode (§6.2)',
  (t) => {
    const peer = flying(t, 60, 10, NO_SACK);
    duplicates(peer, 3);
    const most = recoverFs(peer);
    let total = 0;
    // Each acknowledges more than the hole: so many fewer duplicates are taken off what is in flight, and others could be.
    for (let n = 4; n <= 10; n += 3) {
      acknowledge(peer, n);
      peer.drain();
      for (let i = 0; i < 50; i++) {
        acknowledge(peer, n);
        total += sent(peer).length;
      }
    }
    t.equal(status(peer).caState, 'recovery');
    t.ok(total <= most, `${total} segments for a hundred and fifty duplicates`);
    t.end();
  },
);

t.test('recovery, an ACK older than SND.UNA SACKs a segment → it counts as any other (§6.2: on every ACK)', (t) => {
  const peer = flying(t, 60, 10, { tcp: { recovery: 0 } });
  peer.advanceMs(RTT_MS);
  for (let i = 2; i <= 4; i++) acknowledge(peer, 0, [1, i]);
  acknowledge(peer, 4);
  sent(peer);
  t.same([status(peer).caState, window(peer)], ['recovery', [8, 5]]);
  // Overtaken by the one before. ceil(5 * 3 / 10) - 1 is one, ceil(5 * 4 / 10) - 2 nothing.
  acknowledge(peer, 3, [6, 7]);
  t.equal(sent(peer).length, 1);
  acknowledge(peer, 3, [6, 8]);
  t.equal(sent(peer).length, 0);
  t.end();
});

/** Ten segments without SACK, those with an even number lost; repaired one by one, until all is acknowledged. */
function everySecondLost(t: Test): Peer {
  const peer = flying(t, 10, 10, NO_SACK);
  duplicates(peer, 5);
  for (let hole = 2; hole <= 8; hole += 2) {
    acknowledge(peer, hole);
    peer.drain();
  }
  return peer;
}

t.test('recovery, no SACK, all of it acknowledged and nothing beyond → cwnd is ssthresh at once (§6.4)', (t) => {
  const peer = everySecondLost(t);
  t.equal(status(peer).caState, 'recovery');
  t.ok(window(peer)[0] < 5, 'losses have brought it below');
  acknowledge(peer, 10);
  // The state is held until something beyond is acknowledged (RFC 6582 §3.2 step 2); the reduction is over.
  t.same([status(peer).caState, recoverFs(peer), window(peer)], ['recovery', 0, [5, 5]]);
  peer.write(10 * MSS);
  t.equal(sent(peer).length, 5);
  t.end();
});

t.test('recovery, undone while the state is held → cwnd is as before, and no reduction goes on', (t) => {
  const peer = flying(t, 10, 10, { syn: { mss: MSS + 12, ts: [1, 0] } });
  peer.advanceMs(RTT_MS);
  duplicates(peer, 3);
  t.equal(window(peer)[1], 5);
  peer.tsEcho -= RTT_MS;
  acknowledge(peer, 10);
  t.equal(peer.stack.net.stats.tcpUndos, 1);
  t.equal(recoverFs(peer), 0);
  t.ok(window(peer)[0] >= 10, `${window(peer)[0]}`);
  t.end();
});

for (const [sign, options, sack] of [
  ['the ACK echoes the original', { syn: { mss: MSS + 12, sackOk: true, ts: [1, 0] } }, []],
  ['the retransmission is reported as a duplicate', {}, [[1, 1 + MSS]]],
] as const) {
  t.test(`recovery, undone because ${sign} → the episode is over, and the next ACKs reduce nothing`, (t) => {
    const peer = flying(t, 60, 10, options);
    peer.advanceMs(RTT_MS);
    for (let i = 2; i <= 4; i++) acknowledge(peer, 0, [1, i]);
    peer.drain();
    peer.tsEcho -= RTT_MS;
    peer.inject({ ack: 1 + 4 * MSS, options: { sack } });
    t.equal(peer.stack.net.stats.tcpUndos, 1);
    t.equal(recoverFs(peer), 0);
    peer.drain();
    const [cwnd] = window(peer);
    t.ok(cwnd >= 10, `${cwnd}`);
    for (let n = 5; n <= 8; n++) {
      acknowledge(peer, n);
      peer.drain();
    }
    t.ok(window(peer)[0] >= cwnd, `${window(peer)[0]}`);
    t.end();
  });
}

t.test('recovery, a timeout → the episode is over, and the timeout sets cwnd', (t) => {
  const peer = flying(t, 20);
  peer.advanceMs(RTT_MS);
  for (let i = 2; i <= 4; i++) acknowledge(peer, 0, [1, i]);
  t.not(recoverFs(peer), 0);
  peer.drain();
  peer.untilSent();
  t.same([status(peer).caState, recoverFs(peer)], ['loss', 0]);
  t.end();
});

t.test('recovery, the MTU shrinks → the episode is over: what was too big is repaired, and not for congestion', (t) => {
  const peer = farAway(t);
  peer.write(20 * MSS);
  const datagram = peer.drain()[0]?.datagram ?? new Uint8Array(0);
  peer.advanceMs(RTT_MS);
  for (let i = 2; i <= 4; i++) acknowledge(peer, 0, [1, i]);
  t.not(recoverFs(peer), 0);
  peer.icmp(3, 4, datagram, 600);
  t.same([status(peer).caState, recoverFs(peer)], ['loss', 0]);
  t.end();
});
