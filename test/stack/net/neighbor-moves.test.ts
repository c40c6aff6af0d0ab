/** A neighbour that has another MAC: what is believed at once, and what only later. Each row was looked at on Linux 6.18. */
import t from 'tap';
import { Neighbor, NeighborState } from '../../../stack/net/neighbor-row.js';
import { ArpOperation } from '../../../stack/wire/arp.js';
import { arp, BROADCAST_MAC, macOf, summary } from './frames.js';
import { type Host, Pair, Probe } from './pair.js';

function stateOf(host: Host, address: string): NeighborState {
  const row = host.net.neighbors.find(0, host.net.parseAddress(address));
  return row < 0 ? NeighborState.FREE : host.net.neighbors.t[row * Neighbor.STRIDE + Neighbor.STATE];
}
/** A pair in which nothing is under way: the announcements of the start are over. */
function quiet(a = {}, b = {}): Pair {
  const pair = new Pair(a, b);
  pair.pass(5000);
  return pair;
}

/** What may be heard of a neighbour that has another MAC now. Rows: name, the frame, believed within a second of a change, believed later. */
const MOVED = '02:00:00:00:00:99';
const moves: readonly (readonly [string, Parameters<typeof arp>[0], boolean, boolean])[] = [
  ['it asks for us', {}, true, true],
  ['it asks for itself: an announcement', { targetIp: '10.0.0.2' }, true, true],
  ['a reply that announces', { operation: ArpOperation.REPLY, targetIp: '10.0.0.2', targetMac: MOVED }, true, true],
  [
    'a reply that names itself and another MAC as its target',
    { operation: ArpOperation.REPLY, targetIp: '10.0.0.2', targetMac: BROADCAST_MAC },
    false,
    true,
  ],
  ['a reply to us', { operation: ArpOperation.REPLY, targetMac: macOf(1), to: macOf(1) }, false, true],
  ['it asks for somebody else', { targetIp: '10.0.0.77' }, false, true],
];

for (const [name, packet, atOnce, later] of moves)
  t.test(`REACHABLE, another MAC: ${name} → as Linux, ${atOnce ? 'at once' : 'after a second'}`, (t) => {
    for (const [waitMs, believed] of [
      [0, atOnce],
      [1100, later],
    ] as const) {
      const pair = quiet();
      const a = new Probe(pair.a.net);
      a.send('10.0.0.2', 10);
      pair.run();
      pair.pass(waitMs);
      pair.a.hear(arp({ senderMac: MOVED, senderIp: '10.0.0.2', ...packet }));
      t.equal(stateOf(pair.a, '10.0.0.2'), believed ? NeighborState.STALE : NeighborState.REACHABLE, `${waitMs} ms`);
      pair.a.sent();
      a.send('10.0.0.2', 10);
      t.same(pair.a.sent().map(summary), [`ip 253 to 10.0.0.2 by ${believed ? MOVED : macOf(2)}`], 'used from then on');
      t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
    }
    t.end();
  });

t.test('a second answer within a second → the first holds; its own announcement ends that', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 10);
  pair.run();
  pair.pass(1100);
  pair.a.hear(arp({ senderMac: MOVED, senderIp: '10.0.0.2' }));
  pair.pass(1100);
  // The change that counts is that of the state, too: STALE becomes DELAY.
  a.send('10.0.0.2', 10);
  const answer = arp({ operation: ArpOperation.REPLY, senderIp: '10.0.0.2', targetMac: macOf(1), to: macOf(1) });
  pair.a.hear(answer);
  pair.a.sent();
  a.send('10.0.0.2', 10);
  t.same(pair.a.sent().map(summary), [`ip 253 to 10.0.0.2 by ${MOVED}`]);
  pair.a.advanceTo(pair.now + 1_100_000);
  pair.a.hear(answer);
  a.send('10.0.0.2', 10);
  t.same(pair.a.sent().map(summary), [`ip 253 to 10.0.0.2 by ${macOf(2)}`]);
  t.end();
});

t.test('a connection’s neighbour moves while it sends → not a datagram goes to the old MAC', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 10);
  pair.run();
  for (let i = 0; i < 20; i++) {
    const mac = i % 2 === 0 ? MOVED : macOf(2);
    pair.a.hear(arp({ senderMac: mac, senderIp: '10.0.0.2', targetIp: '10.0.0.2' }));
    a.send('10.0.0.2', 10);
    t.same(pair.a.sent().map(summary), [`ip 253 to 10.0.0.2 by ${mac}`]);
  }
  t.end();
});
