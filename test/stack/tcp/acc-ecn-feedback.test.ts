import t, { type Test } from 'tap';
import { Cold } from '../../../stack/tcp/tcb.js';
import { parseTcpOptions, TcpOptions } from '../../../stack/wire/tcp-options.js';
import { ACE, agreed, CE, ECT0, MSS, opened } from './acc-ecn-rig.js';
import type { Peer } from './peer.js';

/** Accurate ECN, RFC 9768 §3.2.2.5 and appendix A: what the sender makes of three bits and three counters. */

/** So many segments of MSS bytes are out; the peer has acknowledged nothing. Our own option takes twelve bytes of each. */
function flight(t: Test, segments: number, ecnOption = 0): Peer {
  const peer = opened(t, {
    limits: { congestion: 'reno', ecnOption, initialWindowSegments: 100, sendBytes: 1 << 20 },
    syn: { mss: ecnOption === 0 ? MSS : MSS + 12 },
  });
  peer.write(segments * MSS);
  t.equal(peer.drain().length, segments);
  return peer;
}

/** A flight on a path whose ACKs have delivered one packet each, so that a large ACK means lost ones. */
function wellAcknowledged(t: Test, segments: number): Peer {
  const peer = flight(t, segments + 1);
  peer.inject({ flags: '.EA', ack: 1 + MSS });
  peer.drain();
  return peer;
}

/** An ACK of so many segments with this ACE and these counters (e1b, ceb, e0b); how many marks it counted for. */
function marks(peer: Peer, segments: number, ace: number, accEcn?: readonly number[]): number {
  const before = peer.tcp.info(peer.id).deliveredCe;
  const una = peer.tcp.info(peer.id).sndUna;
  const iss = peer.tcp.info(peer.id).iss;
  peer.inject({
    flags: ACE[ace] as string,
    ack: ((una - iss) | 0) + segments * MSS,
    ...(accEcn === undefined ? {} : { options: { accEcn } }),
  });
  return peer.tcp.info(peer.id).deliveredCe - before;
}

t.test('an ACK of up to seven packets → the count says it exactly', (t) => {
  for (let n = 0; n <= 7; n++) t.equal(marks(flight(t, 20), 7, (5 + n) & 7), n, `${n} of seven`);
  t.end();
});

t.test(
  'an ACK of more, without option → the most that fits: as many rounds of eight as there may have been (§3.2.2.5.2)',
  (t) => {
    t.equal(marks(wellAcknowledged(t, 20), 8, 5), 8, 'all or none: all');
    t.equal(marks(wellAcknowledged(t, 20), 9, 6), 9);
    t.equal(marks(wellAcknowledged(t, 20), 9, 7), 2, 'ten would be too many');
    t.equal(marks(wellAcknowledged(t, 40), 20, 5), 16);
    t.equal(marks(wellAcknowledged(t, 40), 20, 2), 13);
    t.end();
  },
);

t.test('ACKs that deliver more than four packets on average → no ACK is taken for lost, and the least counts', (t) => {
  t.equal(marks(flight(t, 20), 10, 5), 0, 'the first ACK counts whole');
  t.equal(marks(flight(t, 20), 10, 7), 2);
  t.equal(marks(flight(t, 20), 8, 4), 7);
  const mixed = flight(t, 60);
  for (let i = 0; i < 20; i++) marks(mixed, 1, 5);
  t.equal(marks(mixed, 10, 5), 8, 'one large ACK among many small ones: others were lost');
  t.equal(marks(mixed, 10, 5), 8, 'the average follows slowly, by 1/64');
  t.end();
});

t.test('the average of an ACK → as Linux 7.3 has it, and never beyond sixteen bits', (t) => {
  const peer = flight(t, 60);
  const { cold, hot } = peer.tcp.context;
  const k = hot[(peer.tcp.rowOf(peer.id) << 4) + 14] as number;
  const average = (): number => (cold[k + Cold.ACC_COVERAGE] as number) >>> 16;
  marks(peer, 10, 5);
  t.equal(average(), 640, 'ten, in 1/64');
  marks(peer, 1, 5);
  t.equal(average(), (640 * 63 + 64) >>> 6);
  cold[k + Cold.ACC_COVERAGE] = -1;
  marks(peer, 7, 5);
  t.equal(average(), (0xffff * 63 + 7 * 64) >>> 6, 'no sign, whatever the highest bit is');
  t.end();
});

/** A flow whose packets have been reported as ECT(0), so that what an option leaves open is known. */
function steady(t: Test, segments: number): Peer {
  const peer = flight(t, segments + 2, 2);
  peer.inject({ flags: '.EA', ack: 1 + MSS, options: { accEcn: [1, 0, 1 + MSS] } });
  peer.inject({ flags: '.EA', ack: 1 + 2 * MSS, options: { accEcn: [1, 0, 1 + 2 * MSS] } });
  peer.drain();
  return peer;
}

t.test('an ACK of more, the option says that nothing was marked → nothing was', (t) => {
  const peer = steady(t, 20);
  t.equal(marks(peer, 8, 5, [1, 0, 1 + 10 * MSS]), 0);
  t.equal(marks(peer, 10, 5), 0, 'without option what has been is taken to go on');
  t.equal(peer.tcp.info(peer.id).deliveredE0Bytes, 20 * MSS);
  t.end();
});

t.test('an ACK of more, the option says that all was marked → all, beyond the three bits', (t) => {
  t.equal(marks(steady(t, 20), 8, 5, [1, 8 * MSS, 1 + 2 * MSS]), 8);
  t.equal(marks(steady(t, 40), 20, 1, [1, 20 * MSS, 1 + 2 * MSS]), 20);
  t.end();
});

t.test('an ACK of sixteen and more, some marked by the option → its share, with the three bits for the rest', (t) => {
  t.equal(marks(steady(t, 40), 24, 0, [1, 11 * MSS, 1 + 15 * MSS]), 11, '3 + 8');
  t.equal(marks(steady(t, 40), 24, 0, [1, 3 * MSS, 1 + 23 * MSS]), 3);
  t.end();
});

t.test('an ACK of eight to fifteen, by bytes → the rounds if more bytes were marked than the bits alone say', (t) => {
  t.equal(marks(steady(t, 20), 12, 6, [1, 9 * MSS, 1 + 5 * MSS]), 9);
  t.equal(marks(steady(t, 20), 12, 6, [1, MSS, 1 + 13 * MSS]), 1);
  t.end();
});

t.test('a mark → cwnd is lowered once for the window, as for ECE', (t) => {
  const peer = flight(t, 20);
  peer.inject({ flags: '.WA', ack: 1 + 2 * MSS });
  const { caState, sndSsthreshBytes } = peer.tcp.info(peer.id);
  t.same([caState, sndSsthreshBytes < 100 * MSS], ['cwr', true]);
  peer.inject({ flags: '.EWA', ack: 1 + 4 * MSS });
  t.equal(peer.tcp.info(peer.id).sndSsthreshBytes, sndSsthreshBytes);
  t.equal(peer.stack.net.stats.tcpEcnReductions, 1);
  t.end();
});

t.test(
  'an ACK that shows no progress, the count moved → it may be an old one, so nothing; with a newer timestamp it counts (§3.2.2.5)',
  (t) => {
    const peer = flight(t, 20);
    t.equal(marks(peer, 0, 7), 0);
    t.equal(marks(peer, 2, 7), 2, 'with progress both are seen');
    const stamped = agreed(t, { syn: { ts: [100, 0] }, limits: { congestion: 'reno' } });
    stamped.write(MSS);
    stamped.drain();
    const again = (): number => stamped.tcp.info(stamped.id).deliveredCe;
    stamped.inject({ flags: '.WA', ack: 1 });
    t.equal(again(), 0, 'the same millisecond as the third ACK');
    stamped.nowUs += 5000;
    stamped.inject({ flags: '.WA', ack: 1 });
    t.equal(again(), 1);
    t.end();
  },
);

t.test('nothing is outstanding, our ACKs are marked → counted, and nothing to give way for', (t) => {
  const peer = agreed(t, { syn: { ts: [100, 0] } });
  peer.nowUs += 5000;
  peer.data(10, { flags: 'P.EWA', ecn: CE });
  t.same([peer.tcp.info(peer.id).deliveredCe, peer.tcp.info(peer.id).caState], [2, 'open']);
  t.end();
});

t.test(
  'counters that go back, in an ACK overtaken by another → taken back, and the field of late is open again',
  (t) => {
    const peer = steady(t, 20);
    t.equal(peer.tcp.info(peer.id).deliveredE0Bytes, 2 * MSS);
    marks(peer, 1, 5, [1, 0, 1 + MSS]);
    t.equal(peer.tcp.info(peer.id).deliveredE0Bytes, MSS);
    t.equal(marks(peer, 8, 5), 8, 'nothing is known of these, so the worst');
    t.end();
  },
);

t.test('the option shows new bytes with CE and ACE stands → nothing of ours is ECN-capable (§3.2.3.2.5)', (t) => {
  const capable = (peer: Peer): boolean => {
    peer.write(MSS);
    return peer.drain().every(({ ecn }) => ecn === ECT0);
  };
  const lies = steady(t, 3);
  marks(lies, 1, 5, [1, MSS, 1 + 2 * MSS]);
  t.equal(capable(lies), false);
  t.equal(lies.tcp.info(lies.id).accEcnFailures, 2);
  const inStep = steady(t, 3);
  marks(inStep, 1, 6, [1, MSS, 1 + 2 * MSS]);
  t.equal(capable(inStep), true, 'both moved');
  const earlier = steady(t, 3);
  marks(earlier, 1, 6);
  marks(earlier, 1, 6, [1, MSS, 1 + 3 * MSS]);
  t.equal(capable(earlier), true, 'ACE moved with an ACK before, which had no option');
  const round = steady(t, 10);
  marks(round, 8, 5, [1, 8 * MSS, 1 + 2 * MSS]);
  t.equal(capable(round), true, 'eight packets: the three bits went round');
  const acks = steady(t, 3);
  for (let i = 0; i < 7; i++) acks.data(MSS, { flags: '.EA', ack: 1 + 2 * MSS, ecn: ECT0 });
  acks.drain();
  marks(acks, 1, 5, [1, MSS, 1 + 2 * MSS]);
  t.equal(capable(acks), true, 'seven ACKs of ours may have been marked, too');
  const twice = steady(t, 3);
  twice.untilSent();
  marks(twice, 1, 5, [1, MSS, 1 + 2 * MSS]);
  t.equal(capable(twice), true, 'what was sent again may have arrived twice');
  t.end();
});

t.test('the option shows more bytes with CE than were sent → no more marks than packets (§3.2.2.5.2)', (t) => {
  t.equal(marks(steady(t, 40), 20, 1, [1, 1 << 23, 1]), 20);
  t.equal(marks(steady(t, 20), 8, 5, [1, 0x7f_ffff, 1]), 8);
  t.end();
});

t.test('an option that repeats itself, or shrinks → nothing new, and no trust for the next', (t) => {
  const same = steady(t, 20);
  for (let i = 0; i < 3; i++) t.equal(marks(same, 1, 5, [1, 0, 1 + 2 * MSS]), 0);
  t.equal(same.tcp.info(same.id).deliveredE0Bytes, 2 * MSS);
  const less = steady(t, 20);
  marks(less, 1, 5, [1, 0, 0]);
  t.equal(marks(less, 8, 5, [1, 0, 0]), 8, 'its counters do not decide');
  t.end();
});

t.test(
  'two options in one segment → the later one, and one that is cut short or too long has its whole counters',
  (t) => {
    const parsed = (bytes: number[]): number[] => {
      const options = new TcpOptions();
      parseTcpOptions(new DataView(Uint8Array.from(bytes).buffer), 0, bytes.length, options);
      return [...options.accEcn.subarray(0, options.accEcnFields)];
    };
    t.same(parsed([174, 5, 0, 0, 7, 174, 8, 0, 0, 9, 0, 0, 3, 1, 1, 0]), [9, 3]);
    t.same(parsed([174, 7, 0, 0, 7, 1, 1, 0]), [7], 'the rest is padding (§3.2.3)');
    t.same(parsed([172, 14, 0, 0, 1, 0, 0, 2, 0, 0, 3, 9, 9, 9, 1, 0]), [1, 2, 3]);
    t.same(parsed([172, 2, 1, 0]), []);
    t.end();
  },
);

t.test('counters near the end of 24 bits → they wrap, and the difference is what counts', (t) => {
  const peer = flight(t, 12, 2);
  const { cold, hot } = peer.tcp.context;
  const k = hot[(peer.tcp.rowOf(peer.id) << 4) + 14] as number;
  // s.e0b as it is after 2^24 - 501 bytes.
  cold[k + Cold.S_E0B] = 0xffff_ff - 500;
  marks(peer, 1, 5, [1, 0, MSS - 500]);
  t.equal(peer.tcp.info(peer.id).deliveredE0Bytes, 0xffff_ff - 500 + MSS);
  t.end();
});

t.test(
  'random ACE and counters of every kind → never more marks than packets but for the three bits, and no harm',
  (t) => {
    let seed = 7;
    const below = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >>> 8) % n;
    };
    for (let trial = 0; trial < 20; trial++) {
      const peer = flight(t, 60, 2);
      let left = 60;
      while (left > 0) {
        const packets = Math.min(left, 1 + below(20));
        left -= packets;
        const counters = below(3) === 0 ? [below(1 << 24), below(1 << 24), below(1 << 24)] : undefined;
        const counted = marks(peer, packets, below(8), counters);
        if (counted < 0 || counted > Math.max(7, packets)) t.fail(`${counted} of ${packets}`);
      }
    }
    t.end();
  },
);
