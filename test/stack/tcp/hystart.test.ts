import t, { type Test } from 'tap';
import { Tcb } from '../../../stack/tcp/tcb.js';
import { Rig } from './congestion-rig.js';

/** HyStart as Linux's CUBIC has it, and HyStart++ (RFC 9406). */

/** Slow start with so many segments, far from any threshold. */
function starting(t: Test, hystart: 'off' | 'classic' | 'plusplus', cwnd = 20): Rig {
  const it = new Rig(t, 'cubic', { hystart });
  it.cwnd = cwnd;
  t.equal(it.tcp.hot[it.c + Tcb.SSTHRESH], 0x7fffffff, 'nothing is known of the path');
  return it;
}
/** ACKs of one round, each with this round trip, 3 ms apart: no train. */
function samples(it: Rig, count: number, rttMs: number): void {
  it.tcp.hot[it.c + 2] = (it.tcp.hot[it.c + 1] + 1_000_000) | 0;
  for (let i = 0; i < count; i++) {
    it.advanceMs(3);
    it.control.onSample?.(it.tcp, it.c, it.k, rttMs * 1000);
  }
}
/** Everything out is acknowledged: the next sample begins a round. */
function nextRound(it: Rig): void {
  const { hot } = it.tcp;
  hot[it.c + 1] = (hot[it.c + 2] + 1) | 0;
  hot[it.c + 2] = hot[it.c + 1];
}
const left = (it: Rig): boolean => it.ssthresh === it.cwnd;

t.test('classic, the round trip grown by an eighth, within 4 and 16 ms → slow start ends where it is', (t) => {
  for (const [base, over, under] of [
    [10, 14.1, 13.9],
    [80, 90.1, 89.9],
    [300, 316.1, 315.9],
  ] as const) {
    for (const [rtt, ends] of [
      [over, true],
      [under, false],
    ] as const) {
      const it = starting(t, 'classic');
      samples(it, 9, base);
      nextRound(it);
      samples(it, 9, rtt);
      t.equal(left(it), ends, `${base} → ${rtt} ms`);
    }
  }
  t.end();
});

t.test('classic, eight samples → not yet; the ninth decides (Linux’s HYSTART_MIN_SAMPLES)', (t) => {
  const it = starting(t, 'classic');
  samples(it, 9, 50);
  nextRound(it);
  samples(it, 8, 70);
  t.notOk(left(it));
  samples(it, 1, 70);
  t.ok(left(it));
  t.end();
});

t.test('classic, one small sample among large ones → the round’s smallest counts', (t) => {
  const it = starting(t, 'classic');
  samples(it, 9, 50);
  nextRound(it);
  samples(it, 4, 70);
  samples(it, 1, 50);
  samples(it, 10, 70);
  t.notOk(left(it));
  t.end();
});

t.test('classic, a window below sixteen segments → not looked at (hystart_low_window)', (t) => {
  const it = starting(t, 'classic', 15);
  samples(it, 9, 50);
  nextRound(it);
  samples(it, 20, 90);
  t.notOk(left(it));
  t.end();
});

t.test('classic, ACKs less than 2 ms apart for more than half a round trip → a train; slow start ends', (t) => {
  const it = starting(t, 'classic');
  samples(it, 1, 40);
  nextRound(it);
  it.advanceMs(3);
  let acks = 0;
  for (; acks < 30 && !left(it); acks++) {
    it.control.onSample?.(it.tcp, it.c, it.k, 40_000);
    it.advanceMs(1.5);
  }
  // The first begins the round; the train is longer than 20 ms, and what own bursts may add, after 14 more.
  t.ok(acks >= 15 && acks <= 16, `${acks}`);
  t.end();
});

t.test('classic, the same with gaps of more than 2 ms → no train', (t) => {
  const it = starting(t, 'classic');
  samples(it, 1, 40);
  nextRound(it);
  for (let i = 0; i < 20; i++) {
    it.advanceMs(2.1);
    it.control.onSample?.(it.tcp, it.c, it.k, 40_000);
  }
  t.notOk(left(it));
  t.end();
});

t.test('off → no round trip ends slow start', (t) => {
  const it = starting(t, 'off');
  samples(it, 9, 50);
  nextRound(it);
  samples(it, 30, 500);
  t.notOk(left(it));
  t.end();
});

t.test('HyStart++, no round before → nothing to compare with (RFC 9406 §4.2)', (t) => {
  const it = starting(t, 'plusplus');
  samples(it, 8, 50);
  samples(it, 8, 500);
  it.ack(4);
  t.equal(it.cwnd, 24, 'slow start goes on');
  t.end();
});

t.test('HyStart++, a round slower by an eighth → conservative slow start: a quarter of what is acknowledged', (t) => {
  const it = starting(t, 'plusplus');
  samples(it, 8, 80);
  nextRound(it);
  samples(it, 8, 90);
  t.notOk(left(it));
  it.ack(4);
  t.equal(it.cwnd, 21);
  t.end();
});

t.test(
  'HyStart++, RttThresh → an eighth of the round before, but 4 ms at least and 16 at most (RFC 9406 §4.2)',
  (t) => {
    for (const [base, over, under] of [
      [10, 14, 13.9],
      [80, 90, 89.9],
      [300, 316, 315.9],
    ] as const) {
      for (const [rttMs, cwnd] of [
        [over, 21],
        [under, 24],
      ] as const) {
        const it = starting(t, 'plusplus');
        samples(it, 8, base);
        nextRound(it);
        samples(it, 8, rttMs);
        it.ack(4);
        t.equal(it.cwnd, cwnd, `${base} → ${rttMs} ms`);
      }
    }
    t.end();
  },
);

t.test('HyStart++, seven samples of a round → not judged yet; the eighth decides (N_RTT_SAMPLE, §4.3)', (t) => {
  const it = starting(t, 'plusplus');
  samples(it, 8, 80);
  nextRound(it);
  samples(it, 7, 95);
  it.ack(4);
  t.equal(it.cwnd, 24);
  samples(it, 1, 95);
  it.ack(4);
  t.equal(it.cwnd, 25);
  t.end();
});

t.test('HyStart++, a round slower by less → slow start goes on', (t) => {
  const it = starting(t, 'plusplus');
  samples(it, 8, 80);
  nextRound(it);
  samples(it, 8, 89.9);
  it.ack(4);
  t.equal(it.cwnd, 24);
  t.end();
});

t.test('HyStart++, conservative, the round trip is short again → slow start goes on (§4.2)', (t) => {
  const it = starting(t, 'plusplus');
  samples(it, 8, 80);
  nextRound(it);
  samples(it, 8, 95);
  nextRound(it);
  samples(it, 8, 94);
  it.ack(4);
  t.equal(it.cwnd, 24);
  t.end();
});

t.test('HyStart++, conservative for five rounds → congestion avoidance (CSS_ROUNDS)', (t) => {
  const it = starting(t, 'plusplus');
  samples(it, 8, 80);
  nextRound(it);
  samples(it, 8, 95);
  for (let round = 1; round <= 5; round++) {
    t.notOk(left(it), `round ${round}`);
    nextRound(it);
    samples(it, 8, 95);
  }
  t.ok(left(it));
  t.end();
});

t.test(
  'HyStart++, one ACK of a hundred segments → eight of them count, as nothing is paced (L, §4.3); all of them where it is',
  (t) => {
    const it = starting(t, 'plusplus');
    it.ack(100);
    t.equal(it.cwnd, 28);
    const paced = new Rig(t, 'cubic', { hystart: 'plusplus', pacing: true });
    paced.cwnd = 20;
    paced.ack(100);
    t.equal(paced.cwnd, 120);
    t.end();
  },
);

t.test('after it has ended slow start once → not again, until a timeout', (t) => {
  const it = starting(t, 'classic');
  samples(it, 9, 50);
  nextRound(it);
  samples(it, 9, 90);
  t.ok(left(it));
  it.ssthresh = 1_000_000;
  nextRound(it);
  samples(it, 9, 90);
  t.notOk(left(it));
  it.timeout();
  it.cwnd = 20;
  it.ssthresh = 1_000_000;
  samples(it, 9, 50);
  nextRound(it);
  samples(it, 9, 90);
  t.ok(left(it));
  t.end();
});

t.test(
  'HyStart++, after a loss or a timeout → plain slow start for the rest of the connection (RFC 9406 §4.3)',
  (t) => {
    for (const event of ['loss', 'timeout'] as const) {
      const it = starting(t, 'plusplus');
      samples(it, 8, 80);
      nextRound(it);
      if (event === 'loss') it.reduce();
      else it.timeout();
      // Slow start again, with a threshold that is far away, and a queue that grows.
      it.cwnd = 20;
      it.ssthresh = 1000;
      for (const rttMs of [80, 95, 110]) {
        samples(it, 8, rttMs);
        nextRound(it);
      }
      it.ack(4);
      t.equal(it.cwnd, 24, `${event}: the whole of it counts`);
      it.ack(100);
      t.equal(it.cwnd, 124, `${event}: and no limit of eight segments`);
    }
    t.end();
  },
);

t.test('HyStart++, conservative when a loss comes → no trace of it in a later slow start (§4.2)', (t) => {
  const it = starting(t, 'plusplus');
  samples(it, 8, 80);
  nextRound(it);
  samples(it, 8, 95);
  it.ack(4);
  t.equal(it.cwnd, 21, 'conservative');
  it.reduce();
  it.ssthresh = 1000;
  const { cwnd } = it;
  it.ack(4);
  t.equal(it.cwnd, cwnd + 4);
  t.end();
});

t.test('HyStart++, a silence in the first slow start → it is the first still (§4.3, MAY)', (t) => {
  const it = starting(t, 'plusplus');
  it.control.onRestart?.(it.tcp, it.c, it.k, 5000);
  samples(it, 8, 80);
  nextRound(it);
  samples(it, 8, 95);
  it.ack(4);
  t.equal(it.cwnd, 21);
  t.end();
});

t.test('the second after a reduction → its round trips are not taken: they measure the queue that caused it', (t) => {
  const it = starting(t, 'classic');
  it.ssthresh = 10;
  it.ack(1);
  samples(it, 1, 5);
  t.equal(it.word(10), 0, 'no smallest round trip yet');
  it.advanceMs(1000);
  samples(it, 1, 5);
  t.equal(it.word(10), 5000);
  t.end();
});
