import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { Medium } from '../../../stack/net/device.js';
import { sameBytes } from '../../same-bytes.js';
import { arp, datagram, frame, type Ip, icmp, macOf, udp } from './frames.js';
import { Host, Pair, Probe, pattern } from './pair.js';

/** Frames that reach every part when they are whole. From a third host: who forges the peer's ARP cuts it off, as on any link. */
function seeds(): Uint8Array[] {
  const from = '10.0.0.200';
  const senderMac = '02:00:00:00:00:c8';
  const quoted = datagram({ from: '10.0.0.1', to: '10.0.0.2', payload: pattern(64) });
  const packets: Ip[] = [
    { payload: pattern(100) },
    { payload: pattern(800), more: true },
    { payload: pattern(800), offset: 800, more: true },
    { payload: pattern(123), offset: 1600 },
    { payload: pattern(40), options: [7, 7, 4, 0, 0, 0, 0, 1, 131, 3, 4, 0] },
    { protocol: 17, payload: udp(1000, 2000, pattern(60), from) },
    { protocol: 1, payload: icmp(8, 0, 0x10001, pattern(56)) },
    { protocol: 1, payload: icmp(0, 0, 0x10001, pattern(56)) },
    { protocol: 1, payload: icmp(3, 4, 1200, quoted) },
    { protocol: 1, payload: icmp(11, 0, 0, quoted) },
    { protocol: 200, payload: pattern(700) },
    { to: '10.0.0.255', protocol: 17, payload: udp(68, 67, pattern(20), from, '10.0.0.255') },
  ];
  return [
    arp({ senderIp: from, senderMac }),
    arp({ operation: 2, senderIp: from, senderMac, targetMac: macOf(1) }),
    ...packets.map((ip) => frame({ from, ...ip }, macOf(1), senderMac)),
  ];
}

/** Puts the checksum of the IP header right, so that mutations reach what is behind it. */
function repair(bytes: Uint8Array, at: number): void {
  if (bytes.length < at + 20) return;
  const view = new DataView(bytes.buffer);
  view.setUint16(at + 10, 0);
  let sum = 0;
  const end = Math.min(bytes.length - 1, at + (bytes[at] & 15) * 4);
  for (let i = at; i < end; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(at + 10, ~sum & 0xffff);
}

function mutated(prng: Prng, from: readonly Uint8Array[]): Uint8Array {
  let bytes = from[prng.below(from.length)].slice();
  for (let n = prng.below(4); n > 0; n--) {
    switch (prng.below(5)) {
      case 0:
        bytes[prng.below(bytes.length)] = prng.next();
        break;
      case 1:
        bytes[prng.below(Math.min(bytes.length, 64))] ^= 1 << prng.below(8);
        break;
      case 2:
        bytes = bytes.slice(0, 1 + prng.below(bytes.length));
        break;
      case 3: {
        const longer = new Uint8Array(bytes.length + prng.below(64));
        longer.set(bytes);
        bytes = longer;
        break;
      }
      default:
        bytes[14 + prng.below(20)] = [0, 1, 0x7f, 0x80, 0xff][prng.below(5)];
    }
    if (bytes.length < 34) break;
  }
  if (prng.below(4) !== 0 && bytes.length > 14 && bytes[12] === 8 && bytes[13] === 0) repair(bytes, 14);
  return bytes;
}

t.test('100,000 mutated and random frames → no exception, every slot back, an honest peer still served', (t) => {
  const pair = new Pair({ slots: 512, limits: { neighborsMax: 128, fragmentBytesMax: 1 << 18, reassembliesMax: 64 } });
  const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
  const prng = new Prng(2026);
  const from = seeds();
  const verdicts = new Set<number>();
  let received = 0;
  for (let i = 0; i < 100_000; i++) {
    const bytes = i % 10 === 0 ? Uint8Array.from({ length: prng.below(200) }, () => prng.next()) : mutated(prng, from);
    verdicts.add(pair.a.hear(bytes));
    pair.a.sent();
    if (i % 5000 === 4999) {
      const before = b.packets.length;
      a.send('10.0.0.2', 2500);
      pair.pass(1100);
      received += b.packets.length - before;
    }
  }
  t.equal(received, 20, 'each of ours went through');
  t.ok(verdicts.size > 25, `${verdicts.size} different verdicts were reached`);
  t.ok(pair.a.net.neighbors.size <= 128);
  pair.pass(60_000);
  t.equal(pair.a.net.reassemblies, 0);
  t.equal(pair.a.net.neighbors.waiting, 0);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.equal(pair.b.slab.freeCount, pair.b.slotsAtStart);
  t.end();
});

t.test('the same on a medium without link headers → likewise', (t) => {
  const host = new Host(1, { medium: Medium.IP, slots: 256 });
  new Probe(host.net);
  const prng = new Prng(11);
  const from = seeds()
    .slice(2)
    .map((bytes) => bytes.slice(14));
  for (let i = 0; i < 30_000; i++) {
    const bytes = from[prng.below(from.length)].slice(0, 1 + prng.below(900));
    for (let n = prng.below(4); n > 0; n--) bytes[prng.below(bytes.length)] = prng.next();
    if (prng.below(2) === 0) repair(bytes, 0);
    host.hear(bytes);
    host.sent();
    if (i % 1000 === 0) host.advanceTo(i * 20_000);
  }
  host.advanceTo(1e12);
  t.equal(host.net.reassemblies, 0);
  t.equal(host.slab.freeCount, host.slotsAtStart);
  t.end();
});

t.test('no slot free → nothing is sent, nothing breaks; slots back → all as before', (t) => {
  const pair = new Pair({ slots: 64 });
  const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
  pair.run();
  const held: number[] = [];
  // One is left for the frame that comes in.
  while (pair.a.slab.freeCount > 1) held.push(pair.a.slab.take());
  for (const bytes of seeds()) pair.a.hear(bytes);
  held.push(pair.a.slab.take());
  t.equal(pair.a.net.takeSegment(), -1);
  t.ok(pair.a.net.roomTo(pair.a.net.parseAddress('10.0.0.2')) <= 0);
  a.send('10.0.0.2', 100);
  a.send('10.0.0.2', 5000);
  pair.a.net.sendEcho(pair.a.net.parseAddress('10.0.0.2'), 1, 1, 100);
  pair.pass(10_000);
  for (const slot of held) pair.a.slab.give(slot);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  a.send('10.0.0.2', 5000);
  pair.run();
  sameBytes(t, b.packets.at(-1)?.data, pattern(5000), 'byte for byte');
  pair.pass(40_000);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('the same seed, the same frames → the same frames out', (t) => {
  const run = () => {
    const host = new Host(1, { seed: 5 });
    new Probe(host.net);
    const prng = new Prng(3);
    const from = seeds();
    const out: string[] = [];
    for (let i = 0; i < 2000; i++) {
      host.hear(mutated(prng, from));
      host.advanceTo(i * 10_000);
      for (const bytes of host.sent()) out.push(Buffer.from(bytes).toString('hex'));
    }
    return out;
  };
  const first = run();
  t.ok(first.length > 100);
  t.same(run(), first);
  t.end();
});
