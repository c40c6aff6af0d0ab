import t from 'tap';
import { Neighbor, NeighborState } from '../../../stack/net/neighbor-row.js';
import { PathError } from '../../../stack/net/transport.js';
import { ArpOperation } from '../../../stack/wire/arp.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { sameBytes } from '../../same-bytes.js';
import { arp, frame, macOf, summary } from './frames.js';
import { type Host, Pair, Probe, pattern, quiet, stateOf } from './pair.js';

function reachableTime(host: Host, address: string): number {
  const row = host.net.neighbors.find(0, host.net.parseAddress(address));
  return host.net.neighbors.t[row * Neighbor.STRIDE + Neighbor.REACHABLE_MS];
}

t.test('no entry, datagram sent → one broadcast request, datagram follows the reply', (t) => {
  const pair = quiet();
  const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
  t.equal(a.send('10.0.0.2', 100), Verdict.NEIGHBOR_PENDING);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.INCOMPLETE);
  const frames: string[] = [];
  pair.filter = (bytes) => {
    frames.push(summary(bytes));
    return [bytes];
  };
  pair.run();
  t.same(frames, [
    'arp request 10.0.0.2 to all',
    `arp reply 10.0.0.1 to ${macOf(1)}`,
    `ip 253 to 10.0.0.2 by ${macOf(2)}`,
  ]);
  sameBytes(t, b.packets[0].data, pattern(100), 'byte for byte');
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.REACHABLE);
  // RFC 826: who asks is about to speak, so the asked one learns too; not verified, so STALE.
  t.equal(stateOf(pair.b, '10.0.0.1'), NeighborState.STALE);
  t.equal(a.send('10.0.0.2', 100), Verdict.OK, 'the next one goes at once');
  pair.run();
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('INCOMPLETE, more datagrams than the queue holds → the newest are kept, in order', (t) => {
  const pair = quiet({ limits: { neighborQueueFrames: 3 } });
  const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
  for (let length = 1; length <= 8; length++) t.equal(a.send('10.0.0.2', length), Verdict.NEIGHBOR_PENDING);
  t.equal(pair.a.net.neighbors.waiting, 3);
  pair.run();
  t.same(
    b.packets.map((packet) => packet.data.length),
    [6, 7, 8],
  );
  t.equal(pair.a.net.stats.neighborQueueDrops, 5);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('INCOMPLETE many times over → all queues together are bounded, and everyone is asked for', (t) => {
  const pair = quiet({ limits: { neighborQueueFramesTotal: 20 } });
  const a = new Probe(pair.a.net);
  for (let host = 10; host < 60; host++) t.equal(a.send(`10.0.0.${host}`, 10), Verdict.NEIGHBOR_PENDING);
  t.equal(pair.a.net.neighbors.waiting, 20);
  t.equal(pair.a.sent().length, 50, 'a request for each');
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart - 20);
  pair.pass(5000);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart, 'all given back when nobody answered');
  t.end();
});

t.test('all queues full → the longest gives its oldest; whoever has the longest takes from himself', (t) => {
  const pair = quiet({ limits: { neighborQueueFramesTotal: 10 } });
  const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
  for (let length = 11; length <= 18; length++) a.send('10.0.0.9', length);
  a.send('10.0.0.8', 20);
  a.send('10.0.0.8', 21);
  t.equal(pair.a.net.neighbors.waiting, 10);
  a.send('10.0.0.9', 19);
  a.send('10.0.0.2', 30);
  a.send('10.0.0.2', 31);
  t.equal(pair.a.net.neighbors.waiting, 10);
  const failed = (address: string) =>
    a.errors.filter((error) => error.destination === address).map((error) => error.data.length);
  pair.run();
  t.same(
    b.packets.map((packet) => packet.data.length),
    [30, 31],
    'whoever came last lost nothing',
  );
  pair.pass(5000);
  t.same(failed('10.0.0.9'), [14, 15, 16, 17, 18, 19]);
  t.same(failed('10.0.0.8'), [20, 21]);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('room for no waiting packet at all → the neighbour is asked for all the same', (t) => {
  const pair = quiet({ limits: { neighborQueueFramesTotal: 0 } });
  const a = new Probe(pair.a.net);
  t.equal(a.send('10.0.0.2', 10), Verdict.NEIGHBOR_QUEUE_FULL);
  t.same(pair.a.sent().map(summary), ['arp request 10.0.0.2 to all']);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('INCOMPLETE, nobody answers → three requests a second apart, then HOST_DOWN for each datagram', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  const times: number[] = [];
  pair.filter = (bytes) => {
    if (summary(bytes) === 'arp request 10.0.0.9 to all') times.push(pair.now - 5_000_000);
    return [];
  };
  a.send('10.0.0.9', 40);
  a.send('10.0.0.9', 50);
  pair.pass(10_000);
  t.same(times, [0, 1_000_000, 2_000_000]);
  t.same(
    a.errors.map((error) => [error.error, error.destination, error.data.length]),
    [
      [PathError.HOST_DOWN, '10.0.0.9', 40],
      [PathError.HOST_DOWN, '10.0.0.9', 50],
    ],
  );
  sameBytes(t, a.errors[0].data, pattern(40), 'byte for byte');
  t.equal(stateOf(pair.a, '10.0.0.9'), NeighborState.FREE);
  t.equal(pair.a.net.stats.icmpOutMsgs, 0, 'no ICMP from ourselves to ourselves');
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('REACHABLE, silence → STALE within the random reachable time; nothing is sent', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  new Probe(pair.b.net);
  a.send('10.0.0.2', 10);
  pair.run();
  const ms = reachableTime(pair.a, '10.0.0.2');
  t.ok(ms >= 15_000 && ms <= 45_000, 'RFC 4861: half to one and a half of 30 s');
  const sent = pair.a.iface.counters.framesSent;
  pair.pass(ms - 1);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.REACHABLE);
  pair.pass(2);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.STALE);
  t.equal(pair.a.iface.counters.framesSent, sent);
  t.end();
});

t.test('STALE, datagram sent → DELAY, five seconds later PROBE by unicast, answered → REACHABLE', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 10);
  pair.pass(50_000);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.STALE);
  t.equal(a.send('10.0.0.2', 10), Verdict.OK, 'the datagram is not kept waiting');
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.DELAY);
  const frames: string[] = [];
  pair.filter = (bytes) => {
    frames.push(summary(bytes));
    return [bytes];
  };
  pair.pass(4999);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.DELAY);
  t.notOk(frames.some((text) => text.startsWith('arp')));
  pair.pass(2);
  t.ok(frames.includes(`arp request 10.0.0.2 to ${macOf(2)}`));
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.REACHABLE);
  t.end();
});

t.test('DELAY, transport confirms → REACHABLE without a probe', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 10);
  pair.pass(50_000);
  a.send('10.0.0.2', 10);
  pair.a.net.confirmReachable(pair.a.net.parseAddress('10.0.0.2'));
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.REACHABLE);
  const before = pair.a.net.stats.arpRequestsSent;
  pair.pass(6000);
  t.equal(pair.a.net.stats.arpRequestsSent, before);
  t.end();
});

t.test('REACHABLE, transport goes on confirming → never STALE', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 10);
  pair.run();
  for (let i = 0; i < 30; i++) {
    pair.pass(10_000);
    pair.a.net.confirmReachable(pair.a.net.parseAddress('10.0.0.2'));
    if (i > 4) t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.REACHABLE);
  }
  t.equal(pair.a.net.stats.arpRequestsSent, 1);
  t.end();
});

t.test('PROBE, nobody answers → three unicast requests, then forgotten; the next datagram asks everybody', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 10);
  pair.pass(50_000);
  const frames: string[] = [];
  pair.filter = (bytes, from) => {
    if (from === pair.a) frames.push(summary(bytes));
    return [];
  };
  a.send('10.0.0.2', 10);
  pair.pass(5000 + 2999);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.PROBE);
  t.equal(frames.filter((text) => text === `arp request 10.0.0.2 to ${macOf(2)}`).length, 3);
  pair.pass(2);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.FREE);
  a.send('10.0.0.2', 10);
  pair.run();
  t.equal(frames.at(-1), 'arp request 10.0.0.2 to all');
  t.end();
});

t.test('ARP heard → learned only from who asks us or answers us', (t) => {
  const pair = quiet();
  const host = pair.a;
  const learned = () => host.net.neighbors.size;
  const before = learned();
  t.equal(host.hear(arp({ senderIp: '10.0.0.30', targetIp: '10.0.0.40' })), Verdict.ARP_NOT_FOR_US);
  t.equal(learned(), before, 'a request for another');
  t.equal(host.hear(arp({ senderIp: '10.0.0.30', targetIp: '10.0.0.30' })), Verdict.ARP_NOT_FOR_US);
  t.equal(learned(), before, 'an announcement');
  host.hear(arp({ operation: ArpOperation.REPLY, senderIp: '10.0.0.30', targetMac: macOf(1), to: macOf(1) }));
  t.equal(learned(), before, 'a reply nobody asked for');
  host.hear(arp({ senderIp: '192.168.7.7' }));
  t.equal(learned(), before, 'a request from off the link');
  t.equal(host.sent().length, 1, '… which is answered all the same');
  host.hear(arp({ senderIp: '0.0.0.0' }));
  t.equal(learned(), before, 'a probe');
  t.same(host.sent().map(summary), [`arp reply 0.0.0.0 to ${macOf(2)}`]);
  t.equal(host.hear(arp({ senderIp: '10.0.0.30' })), Verdict.OK);
  t.equal(learned(), before + 1, 'a request for us');
  t.equal(stateOf(host, '10.0.0.30'), NeighborState.STALE);
  host.sent();
  t.equal(host.slab.freeCount, host.slotsAtStart);
  t.end();
});

t.test('ARP malformed or forged → counted, nothing learned, nothing answered', (t) => {
  const pair = quiet();
  const host = pair.a;
  const size = host.net.neighbors.size;
  const short = arp().slice(0, 30);
  t.equal(host.hear(short), Verdict.ARP_TOO_SHORT);
  t.equal(host.hear(arp({ senderMac: 'ff:ff:ff:ff:ff:ff' })), Verdict.ARP_MALFORMED, 'a sender that is everybody');
  t.equal(host.hear(arp({ senderMac: '00:00:00:00:00:00' })), Verdict.ARP_MALFORMED, 'a sender that is nobody');
  t.equal(host.hear(arp({ senderIp: '127.0.0.1' })), Verdict.ARP_MALFORMED);
  t.equal(host.hear(arp({ senderIp: '10.0.0.255' })), Verdict.ARP_MALFORMED);
  t.equal(host.hear(arp({ senderIp: '224.0.0.1' })), Verdict.ARP_MALFORMED);
  const hardware = arp();
  hardware[15] = 7;
  t.equal(host.hear(hardware), Verdict.ARP_MALFORMED);
  const operation = arp();
  operation[21] = 9;
  t.equal(host.hear(operation), Verdict.ARP_MALFORMED);
  t.equal(host.net.neighbors.size, size);
  t.equal(host.sent().length, 0);
  t.end();
});

t.test('address added → announced twice, two seconds apart', (t) => {
  const pair = new Pair();
  const times: string[] = [];
  pair.filter = (bytes, from) => {
    if (from === pair.a) times.push(`${pair.now / 1000} ${summary(bytes)}`);
    return [bytes];
  };
  pair.pass(10_000);
  t.same(times, ['0 arp announce 10.0.0.1 to all', '2000 arp announce 10.0.0.1 to all']);
  pair.a.net.addAddress(0, pair.a.net.parseAddress('10.0.0.50'), 24);
  pair.pass(1000);
  t.equal(times.at(-1), '10000 arp announce 10.0.0.50 to all');
  pair.a.net.removeAddress(0, pair.a.net.parseAddress('10.0.0.50'));
  pair.pass(5000);
  t.equal(times.length, 3, 'taken away: the second announcement is not made');
  t.end();
});

t.test('another claims our address → conflict counted, defended once in ten seconds', (t) => {
  const pair = quiet();
  const claim = arp({ senderMac: '02:00:00:00:00:66', senderIp: '10.0.0.1', targetIp: '10.0.0.1' });
  pair.a.hear(claim);
  t.same(pair.a.sent().map(summary), ['arp announce 10.0.0.1 to all']);
  pair.a.hear(claim);
  t.equal(pair.a.sent().length, 0);
  t.equal(pair.a.net.stats.arpConflicts, 2);
  pair.pass(10_001);
  pair.a.hear(claim);
  t.equal(pair.a.sent().length, 1);
  t.equal(pair.a.net.neighbors.find(0, pair.a.net.parseAddress('10.0.0.1')), -1);
  t.end();
});

t.test('more neighbours than entries → bounded; one in use survives a flood of requests', (t) => {
  const pair = quiet({ prefixLength: 16, limits: { neighborsMax: 64 } }, { prefixLength: 16 });
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 10);
  pair.run();
  for (let i = 0; i < 2000; i++) {
    pair.a.hear(arp({ senderMac: '02:00:00:00:00:77', senderIp: `10.0.${1 + (i >>> 8)}.${i & 255}` }));
    if (i % 32 === 0) {
      pair.pass(1);
      t.equal(a.send('10.0.0.2', 10), Verdict.OK);
    }
    pair.a.sent();
  }
  t.equal(pair.a.net.neighbors.size, 64);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.REACHABLE);
  t.ok(pair.a.net.stats.neighborEvictions > 1900);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('scan of addresses nobody has → neighbours that were there once survive it', (t) => {
  const pair = quiet({ prefixLength: 16, limits: { neighborsMax: 64 } });
  const a = new Probe(pair.a.net);
  for (let i = 100; i < 110; i++) pair.a.hear(arp({ senderMac: '02:00:00:00:00:77', senderIp: `10.0.0.${i}` }));
  for (let i = 0; i < 500; i++) {
    a.send(`10.0.${9 + (i >>> 8)}.${i & 255}`, 20);
    if (i % 50 === 0) pair.pass(1);
  }
  t.equal(pair.a.net.neighbors.size, 10 + 16, 'a quarter of the table for those that nobody answers for');
  for (let i = 100; i < 110; i++) t.equal(stateOf(pair.a, `10.0.0.${i}`), NeighborState.STALE, `10.0.0.${i}`);
  pair.pass(5000);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('more unresolved neighbours than entries → evicted with their queues, no slot lost', (t) => {
  const pair = quiet({ prefixLength: 16, limits: { neighborsMax: 16 } });
  const a = new Probe(pair.a.net);
  for (let i = 0; i < 500; i++) {
    a.send(`10.0.9.${i & 255}`, 20);
    pair.a.sent();
  }
  t.ok(pair.a.net.neighbors.size <= 16);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart - pair.a.net.neighbors.waiting);
  pair.pass(5000);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('interface down → what waits is given back, nothing is queued', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  a.send('10.0.0.9', 10);
  pair.a.sent();
  pair.a.net.setUp(0, false);
  t.equal(pair.a.net.neighbors.size, 0);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.equal(a.send('10.0.0.9', 10), Verdict.INTERFACE_DOWN);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  pair.a.net.setUp(0, true);
  t.same(pair.a.sent().map(summary), ['arp announce 10.0.0.1 to all']);
  t.end();
});

t.test('gateway → its MAC, the destination’s address', (t) => {
  const pair = quiet();
  pair.a.net.addRoute({
    destination: pair.a.net.parseAddress('0.0.0.0'),
    prefixLength: 0,
    gateway: pair.a.net.parseAddress('10.0.0.2'),
  });
  const a = new Probe(pair.a.net);
  a.send('8.8.8.8', 10);
  const frames: string[] = [];
  pair.filter = (bytes) => {
    frames.push(summary(bytes));
    return [bytes];
  };
  pair.run();
  t.equal(frames[0], 'arp request 10.0.0.2 to all');
  t.equal(frames.at(-1), `ip 253 to 8.8.8.8 by ${macOf(2)}`);
  t.equal(pair.b.net.stats.verdicts[Verdict.IP_NOT_FOR_US], 1, 'forwarding is off');
  t.equal(pair.b.hear(frame({ to: '8.8.8.8' }, macOf(2), macOf(1))), Verdict.IP_NOT_FOR_US);
  t.end();
});

t.test('REACHABLE, a transport gets no answers → STALE, and verified while it is used (RFC 9293 MUST-20)', (t) => {
  const pair = quiet();
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 10);
  pair.run();
  const address = pair.a.net.parseAddress('10.0.0.2');
  const requests = pair.a.net.stats.arpRequestsSent;
  pair.a.net.doubtReachable(address);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.STALE);
  t.equal(pair.a.net.stats.pathDoubts, 1);
  t.equal(a.send('10.0.0.2', 10), Verdict.OK, 'it is not cut off for a mere suspicion');
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.DELAY);
  pair.a.net.doubtReachable(address);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.DELAY, 'a doubt while it is being verified delays nothing');
  pair.pass(5001);
  t.equal(pair.a.net.stats.arpRequestsSent, requests + 1);
  t.equal(stateOf(pair.a, '10.0.0.2'), NeighborState.REACHABLE);
  pair.a.net.doubtReachable(pair.a.net.parseAddress('10.0.0.200'));
  t.equal(stateOf(pair.a, '10.0.0.200'), NeighborState.FREE, 'a doubt about a stranger makes no entry');
  t.end();
});
