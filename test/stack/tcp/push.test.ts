import t from 'tap';
import { SendFlag } from '../../../stack/tcp/send-marks.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { acknowledge, flying, MSS, RTT_MS } from './lossy.js';
import type { Peer } from './peer.js';
import { established } from './states.js';

/** The PSH flag, RFC 9293 §3.9.1.2: SEND has no push of its own here, so every SEND is one. */

t.test('SEND of one byte → sent at once, with PSH: nothing waits for more to come (MUST-60, MUST-61)', (t) => {
  const peer = established(t);
  peer.write(1);
  peer.expect({ flags: 'P.', seq: 1, length: 1 });
  t.end();
});

t.test('SEND of several segments → PSH on the last that is buffered, and on it only (MUST-61)', (t) => {
  const peer = established(t);
  peer.write(3 * 1460 + 20);
  t.same(
    peer.drain().map((segment) => segment.flags),
    ['.', '.', '.', 'P.'],
  );
  t.end();
});

t.test('several SENDs in one segment → one PSH for all of them (SHLD-27)', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.CORK, 1);
  for (let i = 0; i < 4; i++) peer.write(365);
  peer.expect({ flags: 'P.', seq: 1, length: 1460 });
  peer.expectNothing();
  t.end();
});

/** Number and flags of each segment sent since the last look. */
function flagsOf(peer: Peer): string[] {
  return peer
    .drain()
    .filter(({ length }) => length > 0)
    .map(({ seq, flags }) => `${(seq - 1) / MSS} ${flags}`);
}

for (const [what, pushBursts, lost, expected] of [
  ['two that follow each other in one burst', true, [[2, 8]], ['0 .', '1 P.']],
  [
    'two of different bursts',
    true,
    [
      [0, 4],
      [6, 9],
    ],
    ['4 .', '5 .'],
  ],
  [
    'one alone, though it ended its burst',
    true,
    [
      [0, 4],
      [5, 9],
    ],
    ['4 .'],
  ],
  [
    'two that do not follow each other',
    true,
    [
      [1, 2],
      [3, 8],
    ],
    ['0 .', '2 .'],
  ],
  ['three, as many as cwnd lets go', true, [[3, 7]], ['0 .', '1 P.']],
  ['the same, on a device that does not segment', false, [[2, 8]], ['0 .', '1 .']],
] as const) {
  t.test(`pushBursts ${pushBursts}, lost are ${what} → ${expected.join(', ')}`, (t) => {
    const peer = flying(t, 10, 10, { tcp: { pushBursts, pacingBurstSegments: 5 } });
    peer.advanceMs(RTT_MS);
    const arrived = lost[0][0] === 0 ? lost[0][1] : 0;
    acknowledge(peer, arrived, ...(arrived === 0 ? lost : lost.slice(1)));
    t.same(flagsOf(peer), expected);
    t.end();
  });
}

t.test('pushBursts, a burst was cut by a retransmission → its parts are bursts of their own from then on', (t) => {
  const peer = flying(t, 10, 10, { tcp: { pushBursts: true, pacingBurstSegments: 5 } });
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [4, 6], [8, 9]);
  t.same(flagsOf(peer), ['0 .', '1 .', '2 P.']);
  acknowledge(peer, 0, [4, 6], [8, 10]);
  t.equal(flagsOf(peer)[0], '3 .');
  t.end();
});

t.test('SEND of several bursts → PSH at the end of each; none while urgent data is not acknowledged, as Linux', (t) => {
  for (const [urgent, pushed] of [
    [false, 2],
    [true, 1],
  ] as const) {
    const peer = established(t, { tcp: { pushBursts: true, pushHalfWindows: false } });
    peer.write(1);
    if (urgent) peer.tcp.markUrgent(peer.id);
    peer.drain();
    peer.write(8 * 1460);
    const flags = peer.drain().map((segment) => segment.flags);
    t.equal(flags.length, 8);
    const pushes = flags.filter((each) => each.includes('P')).length;
    if (urgent) t.equal(pushes, pushed);
    else t.ok(pushes >= pushed, `${pushes} with PSH`);
  }
  t.end();
});

t.test(
  'SEND of a burst and a segment, with more to follow → no PSH on the segment that is left over, as Linux',
  (t) => {
    const peer = established(t, { tcp: { pushBursts: true, pushHalfWindows: false } });
    peer.tcp.send(peer.id, new Uint8Array(6 * 1460), 0, 6 * 1460, SendFlag.MORE);
    peer.untilSent();
    t.same(
      peer.drain().map((segment) => segment.flags),
      ['.', '.', '.', '.', 'P.', '.'],
    );
    t.end();
  },
);
