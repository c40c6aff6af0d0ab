import t from 'tap';
import { OutputFlag } from '../../../stack/net/transport.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { sameBytes } from '../../same-bytes.js';
import { frame, type Ip, icmp } from './frames.js';
import { Pair, Probe, pattern } from './pair.js';

/** Fragments of one datagram as frames to host 1, by their byte ranges of a payload of `total`. */
function pieces(total: number, ranges: readonly (readonly [number, number])[], ip: Ip = {}): Uint8Array[] {
  const payload = pattern(total);
  return ranges.map(([start, end]) =>
    frame({ id: 77, ...ip, payload: payload.slice(start, end), offset: start, more: end < total }),
  );
}
function target(limits = {}): { pair: Pair; probe: Probe; hear: (frames: Uint8Array[]) => Verdict[] } {
  const pair = new Pair({ limits });
  const probe = new Probe(pair.a.net);
  pair.run();
  return { pair, probe, hear: (frames) => frames.map((bytes) => pair.a.hear(bytes)) };
}
const {
  FRAGMENT_KEPT,
  OK,
  FRAGMENT_DUPLICATE,
  FRAGMENT_OVERLAP,
  FRAGMENT_MALFORMED,
  FRAGMENT_TOO_BIG,
  FRAGMENT_LIMIT,
} = {
  FRAGMENT_KEPT: Verdict.FRAGMENT_KEPT,
  OK: Verdict.OK,
  FRAGMENT_DUPLICATE: Verdict.FRAGMENT_DUPLICATE,
  FRAGMENT_OVERLAP: Verdict.FRAGMENT_OVERLAP,
  FRAGMENT_MALFORMED: Verdict.FRAGMENT_MALFORMED,
  FRAGMENT_TOO_BIG: Verdict.FRAGMENT_TOO_BIG,
  FRAGMENT_LIMIT: Verdict.FRAGMENT_LIMIT,
};

t.test('datagrams longer than the MTU, both ways → the same bytes arrive', (t) => {
  for (const mtu of [68, 576, 1500]) {
    const pair = new Pair(
      { mtu, limits: { fragmentsPerDatagram: 2000 } },
      { mtu, limits: { fragmentsPerDatagram: 2000 } },
    );
    const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
    a.send('10.0.0.2', 1);
    pair.run();
    for (const length of [mtu - 20, mtu - 19, 3000, mtu === 68 ? 20_000 : 65_515]) {
      a.send('10.0.0.2', length);
      pair.run();
      sameBytes(t, b.packets.at(-1)?.data, pattern(length), `${length} bytes over an MTU of ${mtu}`);
      b.send('10.0.0.1', length);
      pair.run();
      sameBytes(t, a.packets.at(-1)?.data, pattern(length), 'and back');
    }
    t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
    t.equal(pair.b.slab.freeCount, pair.b.slotsAtStart);
    t.equal(pair.b.net.reassemblies, 0);
  }
  t.end();
});

t.test('fragments out, every frame → within the MTU, multiples of eight but the last, one ID', (t) => {
  const pair = new Pair();
  const a = new Probe(pair.a.net);
  new Probe(pair.b.net);
  a.send('10.0.0.2', 1);
  pair.run();
  a.send('10.0.0.2', 4000);
  const frames = pair.a.sent().map((bytes) => new DataView(bytes.buffer, bytes.byteOffset));
  t.same(
    frames.map((view) => view.getUint16(16)),
    [1500, 1500, 1060],
  );
  t.same(
    frames.map((view) => view.getUint16(20)),
    [0x2000, 0x2000 | 185, 370],
  );
  t.equal(new Set(frames.map((view) => view.getUint16(18))).size, 1);
  a.send('10.0.0.2', 4000);
  const next = pair.a.sent().map((bytes) => new DataView(bytes.buffer, bytes.byteOffset));
  t.not(next[0].getUint16(18), frames[0].getUint16(18), 'the next datagram has another ID');
  t.end();
});

t.test('DF and longer than the path takes → TOO_BIG, nothing sent, slot back', (t) => {
  const pair = new Pair();
  const a = new Probe(pair.a.net);
  pair.pass(5000);
  t.equal(a.send('10.0.0.2', 1481, OutputFlag.DONT_FRAGMENT), Verdict.TOO_BIG);
  t.equal(a.send('10.0.0.2', 65_516), Verdict.TOO_BIG, 'no fragment can say where it belongs');
  t.equal(pair.a.sent().length, 0);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.equal(pair.a.net.stats.ipFragFails, 2);
  t.end();
});

t.test('no room for all fragments → none is sent', (t) => {
  const pair = new Pair({ transmitQueueFrames: 10 });
  const a = new Probe(pair.a.net);
  a.send('10.0.0.2', 1);
  pair.run();
  t.equal(a.send('10.0.0.2', 20_000), Verdict.NO_BUFFER);
  t.equal(pair.a.sent().length, 0);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('fragments in every order → complete at the last to come', (t) => {
  const ranges: (readonly [number, number])[] = [
    [0, 800],
    [800, 1600],
    [1600, 2400],
    [2400, 2999],
  ];
  for (const order of permutations([0, 1, 2, 3])) {
    const { pair, probe, hear } = target();
    const frames = pieces(2999, ranges);
    const verdicts = hear(order.map((i) => frames[i]));
    t.same(verdicts, [FRAGMENT_KEPT, FRAGMENT_KEPT, FRAGMENT_KEPT, OK], `order ${order}`);
    sameBytes(t, probe.packets[0].data, pattern(2999), 'byte for byte');
    t.equal(pair.a.net.reassemblies, 0);
  }
  t.end();
});

/** Ranges of a datagram of 2400 bytes, of which [1600, 2400) comes last, and one more that lies inside what is there. */
const inside: Record<string, (readonly [number, number])[]> = {
  'the same again': [
    [0, 800],
    [800, 1600],
    [800, 1600],
  ],
  'in the middle of one': [
    [0, 1600],
    [80, 160],
  ],
  'same start, shorter': [
    [0, 1600],
    [0, 800],
  ],
  'same end, shorter': [
    [0, 1600],
    [800, 1600],
  ],
  'over two that follow each other': [
    [0, 800],
    [800, 1600],
    [80, 1000],
  ],
  'all of two, which came in the other order': [
    [800, 1600],
    [0, 800],
    [0, 1600],
  ],
};
for (const [name, ranges] of Object.entries(inside))
  t.test(`fragment inside what is there: ${name} → dropped, the first bytes stay, the datagram completes`, (t) => {
    const { pair, probe, hear } = target();
    const frames = pieces(2400, [...ranges, [1600, 2400]]);
    // Other bytes than those that came first: they must not get in.
    const again = frames.at(-2) as Uint8Array;
    again.fill(0xee, 14 + 20);
    t.same(hear(frames), [...ranges.slice(1).map(() => FRAGMENT_KEPT), FRAGMENT_DUPLICATE, OK]);
    sameBytes(t, probe.packets[0].data, pattern(2400), 'byte for byte');
    t.equal(pair.a.net.stats.ipReasmOverlaps, 0);
    t.equal(pair.a.net.stats.ipReasmFails, 0);
    t.equal(pair.a.net.reassemblies, 0);
    t.end();
  });

t.test('the last fragment again, and a part of it that says more would come → dropped', (t) => {
  const { probe, hear } = target();
  const [first, last] = pieces(2000, [
    [0, 1600],
    [1600, 2000],
  ]);
  const part = frame({ id: 77, payload: pattern(2000).slice(1600, 1680), offset: 1600, more: true });
  t.same(hear([last, last, part, first]), [FRAGMENT_KEPT, FRAGMENT_DUPLICATE, FRAGMENT_DUPLICATE, OK]);
  sameBytes(t, probe.packets[0].data, pattern(2000), 'byte for byte');
  t.end();
});

t.test('TCP whose second fragment begins at offset 8 → taken, as by Linux; rewritten ports or flags → not', (t) => {
  const { probe: none, pair, hear } = target();
  const tcp = new Probe(pair.a.net, 6);
  const [first, second] = pieces(
    64,
    [
      [0, 8],
      [8, 64],
    ],
    { protocol: 6 },
  );
  t.same(hear([first, second]), [FRAGMENT_KEPT, OK]);
  sameBytes(t, tcp.packets[0].data, pattern(64), 'byte for byte');
  // RFC 3128's attack: offset 0 once more, and longer.
  const [, , rewritten] = pieces(
    64,
    [
      [0, 8],
      [8, 64],
      [0, 16],
    ],
    { protocol: 6 },
  );
  t.same(hear([first, rewritten, second]), [FRAGMENT_KEPT, FRAGMENT_OVERLAP, FRAGMENT_OVERLAP]);
  t.equal(tcp.packets.length, 1);
  t.equal(none.packets.length, 0);
  t.end();
});

t.test('overlap that brings something new → the whole datagram is refused, what comes later too', (t) => {
  const shapes: Record<string, (readonly [number, number])[]> = {
    'tail over head': [
      [0, 800],
      [792, 1600],
      [1600, 2000],
    ],
    'head over tail': [
      [800, 1600],
      [0, 808],
      [1600, 2000],
    ],
    around: [
      [80, 160],
      [0, 1600],
      [1600, 2000],
    ],
    'same start, longer': [
      [0, 800],
      [0, 1600],
      [1600, 2000],
    ],
    'across a gap': [
      [0, 800],
      [1600, 1800],
      [400, 1704],
    ],
    'behind the end': [
      [1600, 2000],
      [0, 1600],
      [1992, 2000],
    ],
  };
  for (const [name, ranges] of Object.entries(shapes)) {
    const { pair, probe, hear } = target();
    const verdicts = hear(pieces(2000, ranges));
    if (name === 'behind the end') {
      // Complete before the overlap came: what is left over starts a datagram of its own, and ends by time.
      t.same(verdicts, [FRAGMENT_KEPT, OK, FRAGMENT_KEPT], name);
      continue;
    }
    const kept = name === 'across a gap' ? FRAGMENT_KEPT : FRAGMENT_OVERLAP;
    t.same(verdicts, [FRAGMENT_KEPT, kept, FRAGMENT_OVERLAP], name);
    t.equal(probe.packets.length, 0);
    t.equal(pair.a.net.stats.ipReasmOverlaps, 1);
    pair.pass(31_000);
    t.equal(pair.a.net.reassemblies, 0);
    t.equal(pair.a.net.stats.icmpOutMsgs, 0, 'no time exceeded for what was refused');
  }
  t.end();
});

t.test('two ends that differ, or data behind the end → refused', (t) => {
  const late = frame({ id: 77, payload: pattern(16), offset: 800, more: false });
  const later = frame({ id: 77, payload: pattern(16), offset: 1600, more: false });
  const beyond = frame({ id: 77, payload: pattern(16), offset: 1600, more: true });
  for (const frames of [
    [late, later],
    [later, late],
    [late, beyond],
    [beyond, late],
  ]) {
    const { pair, hear } = target();
    t.same(hear(frames), [FRAGMENT_KEPT, FRAGMENT_OVERLAP]);
    t.equal(pair.a.net.stats.ipReasmOverlaps, 1, 'the whole of it');
    t.same(hear([frame({ id: 77, payload: pattern(8), more: true })]), [FRAGMENT_OVERLAP], 'and what is still to come');
  }
  t.end();
});

t.test('fragments that lie about themselves → malformed', (t) => {
  const { pair, hear } = target();
  t.same(
    hear([
      frame({ payload: pattern(801), offset: 0, more: true }),
      frame({ payload: pattern(0), offset: 800, more: true }),
      frame({ payload: pattern(0), offset: 800, more: false }),
      frame({ payload: pattern(100), offset: 65_528, more: false }),
      frame({ payload: pattern(16), offset: 65_504, more: false }),
    ]),
    [FRAGMENT_MALFORMED, FRAGMENT_MALFORMED, FRAGMENT_MALFORMED, FRAGMENT_TOO_BIG, FRAGMENT_TOO_BIG],
  );
  t.equal(pair.a.net.reassemblies, 0, 'none of them costs memory');
  t.end();
});

t.test('the longest datagram, and one longer by its options → taken, refused', (t) => {
  const ranges: (readonly [number, number])[] = [];
  for (let start = 0; start < 65_515; start += 1480) ranges.push([start, Math.min(65_515, start + 1480)]);
  const plain = target();
  t.equal(plain.hear(pieces(65_515, ranges)).at(-1), OK);
  sameBytes(t, plain.probe.packets[0].data, pattern(65_515), 'byte for byte');
  const optioned = target();
  const frames = pieces(65_515, ranges);
  frames[0] = pieces(65_515, ranges, { options: [1, 1, 1, 0] })[0];
  t.equal(optioned.hear(frames).at(-1), FRAGMENT_TOO_BIG);
  t.equal(optioned.probe.packets.length, 0);
  t.end();
});

t.test('incomplete for 30 s → dropped; time exceeded only when the first fragment came', (t) => {
  const { pair, hear } = target();
  const echoPart = icmp(8, 0, 0x00070001, pattern(800)).slice(0, 800);
  pair.pass(5000);
  pair.a.sent();
  hear(pieces(2000, [[0, 800]]));
  hear(pieces(2000, [[800, 1600]], { id: 78 }));
  hear([frame({ id: 79, protocol: 1, payload: echoPart, more: true })]);
  hear([frame({ id: 80, protocol: 1, payload: icmp(3, 1, 0, pattern(792)).slice(0, 800), more: true })]);
  t.equal(pair.a.net.reassemblies, 4);
  pair.filter = () => [];
  let sent: Uint8Array[] = [];
  pair.filter = (bytes, from) => {
    if (from === pair.a && bytes[13] === 0) sent.push(bytes);
    return [bytes];
  };
  pair.pass(29_990);
  t.equal(pair.a.net.reassemblies, 4);
  pair.pass(20);
  t.equal(pair.a.net.reassemblies, 0);
  t.equal(pair.a.net.stats.ipReasmTimeout, 4);
  t.equal(pair.a.net.stats.icmpOutTimeExcds, 2, 'not for the one without a beginning, nor for the ICMP error');
  sent = sent.filter((bytes) => bytes[34] === 11);
  t.equal(sent.length, 2);
  t.equal(sent[0][35], 1, 'code 1: in reassembly');
  t.equal(sent[0].length - 14, 576, 'as much of the datagram as fits 576 bytes');
  t.same(sent[0].slice(42 + 20), pattern(2000).slice(0, 576 - 28 - 20));
  t.end();
});

t.test('flood of fragments that never complete → memory bounded, a real datagram still gets through', (t) => {
  const limits = { fragmentBytesMax: 1 << 20, reassembliesMax: 256 };
  const { pair, probe, hear } = target(limits);
  for (let i = 0; i < 5000; i++) {
    hear([
      frame({
        from: `10.0.0.${3 + (i % 200)}`,
        id: i & 0xffff,
        payload: pattern(1480),
        offset: (i % 40) * 1480,
        more: true,
      }),
    ]);
    if (i % 1000 === 999) {
      t.same(
        hear(
          pieces(
            3000,
            [
              [0, 1480],
              [1480, 2960],
              [2960, 3000],
            ],
            { id: i },
          ),
        ),
        [FRAGMENT_KEPT, FRAGMENT_KEPT, OK],
      );
      t.ok(pair.a.net.reassemblies <= 256);
    }
  }
  t.equal(probe.packets.length, 5);
  t.ok(pair.a.net.stats.ipReasmFails > 4000);
  pair.pass(40_000);
  t.equal(pair.a.net.reassemblies, 0);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('too many fragments of one datagram → given up', (t) => {
  const { pair, hear } = target({ fragmentsPerDatagram: 16 });
  const ranges: (readonly [number, number])[] = [];
  for (let i = 0; i < 17; i++) ranges.push([i * 16, i * 16 + 8]);
  const verdicts = hear(pieces(4000, ranges));
  t.equal(verdicts[15], FRAGMENT_KEPT);
  t.equal(verdicts[16], FRAGMENT_LIMIT);
  t.equal(pair.a.net.reassemblies, 0);
  t.end();
});

t.test('ECN of the fragments → congestion seen by any is the datagram’s; with not-ECT it is dropped', (t) => {
  const mixed = (first: number, second: number) => {
    const made = target();
    const [a] = pieces(1600, [[0, 800]], { tos: first });
    const [b] = pieces(1600, [[800, 1600]], { tos: second });
    return { verdicts: made.hear([a, b]), probe: made.probe };
  };
  const marked = mixed(0x22, 0x23);
  t.equal(marked.verdicts[1], OK);
  t.equal(marked.probe.packets[0].tos, 0x23);
  t.equal(mixed(0x20, 0x23).verdicts[1], FRAGMENT_MALFORMED);
  t.equal(mixed(0x20, 0x20).verdicts[1], OK);
  t.end();
});

t.test('same ID, another protocol, source or destination → not mixed', (t) => {
  const { pair, probe, hear } = target();
  hear(pieces(1600, [[0, 800]], { from: '10.0.0.3' }));
  hear(pieces(1600, [[0, 800]], { protocol: 254 }));
  t.same(hear(pieces(1600, [[800, 1600]])), [FRAGMENT_KEPT]);
  t.equal(pair.a.net.reassemblies, 3);
  t.same(hear(pieces(1600, [[0, 800]])), [OK]);
  t.equal(probe.packets.length, 1);
  t.end();
});

function permutations(items: number[]): number[][] {
  if (items.length < 2) return [items];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}
