import t from 'tap';
import { Rig } from './congestion-rig.js';

/** CUBIC against the formulas of RFC 9438, worked out here a second time in floating point. */

const C = 0.4;
const BETA = 0.7;

/** W_cubic(t), figure 1. */
function curve(wMax: number, cwnd: number, seconds: number): number {
  const k = Math.cbrt((wMax - cwnd) / C);
  return C * (seconds - k) ** 3 + wMax;
}

t.test('a loss → 0.7 of cwnd, and W_max where it was (RFC 9438 §4.6)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 100;
  it.reduce();
  t.same([it.cwnd, it.ssthresh, it.word(0)], [70, 70, 100]);
  t.end();
});

t.test('losses one after the other below W_max → it shrinks by more than cwnd did (fast convergence, §4.7)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 100;
  it.reduce();
  it.reduce();
  // 70 × (1 + 0.7) / 2
  t.same([it.cwnd, it.word(0)], [49, 59]);
  it.cwnd = 80;
  it.reduce();
  t.equal(it.word(0), 80, 'a loss above it sets it to cwnd');
  t.end();
});

t.test(
  'after a loss, round trips of 100 ms → cwnd is on the curve: concave up to W_max, then convex (§4.2, §4.4, §4.5)',
  (t) => {
    const it = new Rig(t, 'cubic');
    it.cwnd = 1000;
    it.reduce();
    const began = it.nowUs;
    let steepest = 0;
    for (let i = 0; i < 150; i++) {
      const before = it.cwnd;
      it.round(100, 2);
      const seconds = (it.nowUs - began) / 1e6;
      // The target is the curve a round trip ahead, and cwnd follows it within one.
      t.ok(
        it.cwnd >= curve(1000, 700, seconds - 0.2) - 3,
        `${seconds} s: ${it.cwnd} ≥ ${curve(1000, 700, seconds - 0.2)}`,
      );
      t.ok(
        it.cwnd <= curve(1000, 700, seconds + 0.1) + 3,
        `${seconds} s: ${it.cwnd} ≤ ${curve(1000, 700, seconds + 0.1)}`,
      );
      if (seconds > 4 && seconds < 9) steepest = Math.max(steepest, it.cwnd - before);
    }
    // K = cbrt(300 / 0.4) = 9.09 s.
    t.ok(it.cwnd > 1050, `after 15 s it has gone past W_max: ${it.cwnd}`);
    t.ok(steepest < 40, 'and it lingered before');
    t.end();
  },
);

t.test('K → cbrt((W_max - cwnd) / C) in 1/1024 s (§4.2)', (t) => {
  for (const wMax of [10, 100, 1000, 20_000]) {
    const it = new Rig(t, 'cubic');
    it.cwnd = wMax;
    it.reduce();
    it.advanceMs(100);
    it.ack(1);
    const seconds = Math.cbrt((wMax - Math.floor(wMax * BETA)) / C);
    t.ok(Math.abs(it.word(2) / 1024 - seconds) < seconds / 1000, `${wMax}: ${it.word(2) / 1024} s, ${seconds} s`);
  }
  t.end();
});

t.test('short round trips → W_est is ahead of the curve, and cwnd grows as Reno’s with beta 0.7 would (§4.3)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 100;
  it.reduce();
  const began = it.cwnd;
  // Not as far as cwnd_prior.
  const rounds = 40;
  for (let i = 0; i < rounds; i++) it.round(2, 2);
  // alpha = 3 (1 - beta) / (1 + beta) = 0.53 segments a round trip.
  const friendly = began + (rounds * 3 * (1 - BETA)) / (1 + BETA);
  t.ok(
    Math.abs(it.cwnd - friendly) < 3,
    `${it.cwnd}, Reno ${friendly.toFixed(1)}, the curve ${curve(100, 70, 0.08).toFixed(1)}`,
  );
  t.end();
});

t.test('W_est has reached cwnd_prior → a segment a round trip from there on, as Reno (alpha is 1, §4.3)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 20;
  it.reduce();
  let rounds = 0;
  // 14 to 20 at 8/15 of a segment a round trip: in eleven. The curve is behind until 2.5 s have passed.
  for (; it.word(6) < 20; rounds++) it.round(32, 2);
  t.ok(rounds >= 11 && rounds <= 13, `${rounds} round trips to cwnd_prior`);
  const before = it.word(6);
  for (let i = 0; i < 20; i++) it.round(32, 2);
  t.ok(Math.abs(it.word(6) - before - 20) <= 2, `${it.word(6) - before} segments in 20 round trips`);
  t.ok(Math.abs(it.cwnd - it.word(6)) <= 2, `and cwnd goes with it: ${it.cwnd}, ${it.word(6)}`);
  t.end();
});

t.test(
  'losses one after the other → cwnd_prior is cwnd before the last, whatever fast convergence makes of W_max',
  (t) => {
    const it = new Rig(t, 'cubic');
    it.cwnd = 100;
    it.reduce();
    it.reduce();
    t.same([it.word(0), it.word(4)], [59, 70]);
    t.end();
  },
);

t.test('far behind the curve → never more than a segment for two acknowledged (target ≤ 1.5 cwnd, §4.4)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 1000;
  it.reduce();
  it.cwnd = 10;
  it.ssthresh = 2;
  it.advanceMs(100);
  it.ack(2);
  it.advanceMs(20_000);
  it.ack(2);
  const before = it.cwnd;
  it.ack(10);
  t.equal(it.cwnd, before + 5);
  t.end();
});

t.test('no loss yet → at least a twentieth a round trip, from where slow start ended (as Linux)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 100;
  it.ssthresh = 50;
  it.round(10);
  t.same(it.cwnd, 105);
  t.end();
});

t.test('on the flat part → a segment in a hundred windows', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 1000;
  it.reduce();
  it.cwnd = 1000;
  it.advanceMs(100);
  it.ack(1);
  t.equal(it.word(7), 100_000);
  t.end();
});

t.test('a timeout → W_max and the epoch are forgotten, as Linux has it; slow start up to 0.7 (§4.8)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 100;
  it.reduce();
  it.round(50);
  const { cwnd } = it;
  it.timeout();
  t.same([it.cwnd, it.ssthresh, it.word(0), it.word(6)], [1, Math.floor((cwnd * 717) / 1024), 0, 0]);
  t.equal(it.word(4), cwnd, 'cwnd_prior');
  it.round(50);
  it.round(50);
  t.equal(it.cwnd, 4);
  t.end();
});

t.test('a silence → the epoch begins later by as much: the curve has not run ahead (§5.8)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 1000;
  it.reduce();
  for (let i = 0; i < 10; i++) it.round(100, 2);
  const { cwnd } = it;
  it.advanceMs(8000);
  it.control.onRestart?.(it.tcp, it.c, it.k, 8000);
  it.round(100, 2);
  t.ok(it.cwnd < cwnd + 20, `${cwnd} → ${it.cwnd}`);
  const other = new Rig(t, 'cubic');
  other.cwnd = 1000;
  other.reduce();
  for (let i = 0; i < 10; i++) other.round(100, 2);
  other.advanceMs(8000);
  other.round(100, 2);
  t.ok(other.cwnd > cwnd + 40, `without it: ${other.cwnd}`);
  t.end();
});

t.test('a silence longer than the epoch is old → it begins now, not in the future', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 100;
  it.reduce();
  it.round(50);
  it.control.onRestart?.(it.tcp, it.c, it.k, 1_000_000);
  t.equal(it.word(3), it.tcp.clock.ms);
  t.end();
});

t.test('ACKs within 1/32 s and no step → the curve is not worked out again (as Linux)', (t) => {
  const it = new Rig(t, 'cubic');
  it.cwnd = 1000;
  it.reduce();
  it.advanceMs(100);
  it.ack(1);
  const at = it.word(9);
  it.advanceMs(31);
  it.ack(1);
  t.equal(it.word(9), at);
  it.advanceMs(1);
  it.ack(1);
  t.equal(it.word(9), it.tcp.clock.ms);
  t.end();
});

t.test('the clock’s milliseconds come round → no step is lost nor made up', (t) => {
  const it = new Rig(t, 'cubic');
  it.advanceMs(2 ** 31 - 20_000);
  it.begin();
  it.cwnd = 200;
  it.reduce();
  for (let i = 0; i < 300; i++) it.round(100, 2);
  const early = new Rig(t, 'cubic');
  early.cwnd = 200;
  early.reduce();
  for (let i = 0; i < 300; i++) early.round(100, 2);
  t.equal(it.cwnd, early.cwnd);
  t.end();
});
