import t, { type Test } from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { TimerWheel } from '../../../stack/time/timer-wheel.js';

const DAY_MS = 86_400_000;

/** Everything due at `nowMs`, in the order it came. */
function round(wheel: TimerWheel, nowMs: number): number[] {
  const ids: number[] = [];
  for (let id = wheel.expire(nowMs | 0); id !== -1; id = wheel.expire(nowMs | 0)) ids.push(id);
  return ids;
}

t.test('no timer armed → nothing due, nothing to wait for', (t) => {
  const wheel = new TimerWheel(4, 0);
  t.equal(wheel.msToNext(0), Number.POSITIVE_INFINITY);
  t.equal(wheel.expire(1_000_000), -1);
  t.notOk(wheel.armed(0));
  wheel.cancel(0);
  t.equal(wheel.count, 0);
  t.throws(() => wheel.arm(4, 0), /one of the wheel/);
  t.throws(() => wheel.arm(-1, 0), /one of the wheel/);
  t.throws(() => wheel.cancel(4), /one of the wheel/);
  t.throws(() => wheel.armed(4), /one of the wheel/);
  t.end();
});

t.test('armed, one millisecond before and at the deadline → only then, and once', (t) => {
  for (const start of [0, 255, 65_535, 0x7ffffff0, -0x80000000, -3]) {
    for (const ms of [1, 2, 255, 256, 257, 65_535, 65_536, 16_777_216, DAY_MS, 0x7fffffff]) {
      const wheel = new TimerWheel(2, start);
      wheel.arm(1, (start + ms) | 0);
      t.ok(wheel.armed(1));
      t.equal(wheel.deadlineOf(1), (start + ms) | 0);
      t.equal(wheel.msToNext(start), ms);
      t.same(round(wheel, start + ms - 1), []);
      t.equal(wheel.msToNext((start + ms - 1) | 0), 1);
      t.same(round(wheel, start + ms), [1]);
      t.notOk(wheel.armed(1));
      t.equal(wheel.count, 0);
      t.same(round(wheel, start + ms + 1), []);
    }
  }
  t.end();
});

t.test('a deadline now or in the past → the next round', (t) => {
  const wheel = new TimerWheel(4, 1000);
  wheel.arm(0, 1000);
  wheel.arm(1, 0);
  wheel.arm(2, 1000 - 0x7fffffff);
  t.equal(wheel.msToNext(1000), 0);
  t.same(round(wheel, 1000).sort(), [0, 1, 2]);
  t.end();
});

t.test('re-armed → the last deadline holds, and it counts once', (t) => {
  const wheel = new TimerWheel(2, 0);
  for (const deadline of [10, 300, 301, 70_000, 20, 280, 290]) wheel.arm(0, deadline);
  t.equal(wheel.count, 1);
  t.same(round(wheel, 289), []);
  t.same(round(wheel, 290), [0]);
  t.end();
});

t.test('the earliest of two cancelled → the wait is for the other', (t) => {
  for (const first of [10, 3000, 100_000]) {
    const wheel = new TimerWheel(2, 0);
    wheel.arm(0, first);
    wheel.arm(1, 200_000);
    t.equal(wheel.msToNext(0), first);
    wheel.cancel(0);
    t.equal(wheel.msToNext(0), 200_000);
  }
  t.end();
});

t.test('late, and put off within the same round → not before its new deadline', (t) => {
  const wheel = new TimerWheel(3, 0);
  wheel.arm(0, 500);
  t.equal(wheel.expire(1000), 0);
  wheel.arm(2, 990);
  wheel.arm(2, 1001);
  t.same(round(wheel, 1000), []);
  t.same(round(wheel, 1000), []);
  t.equal(wheel.msToNext(1000), 1);
  t.same(round(wheel, 1001), [2]);
  t.end();
});

t.test('cancelled, also once its slot was opened → never', (t) => {
  const wheel = new TimerWheel(5, 0);
  for (let id = 0; id < 5; id++) wheel.arm(id, 500);
  t.ok(wheel.expire(500) >= 0);
  let left = 4;
  for (let id = 0; id < 5; id++) {
    if (!wheel.armed(id)) continue;
    wheel.cancel(id);
    left -= 1;
    if (left === 1) break;
  }
  t.equal(wheel.count, 1);
  t.equal(round(wheel, 500).length, 1);
  t.equal(wheel.count, 0);
  t.end();
});

t.test('armed by a handler within the round, for a time not ahead → the next round', (t) => {
  const wheel = new TimerWheel(5, 0);
  wheel.arm(0, 10);
  wheel.arm(4, 700);
  t.equal(wheel.expire(1000), 0);
  wheel.arm(1, 600);
  wheel.arm(2, 1000);
  wheel.arm(3, 5);
  wheel.arm(0, 2000);
  t.same(round(wheel, 1000), [4]);
  t.equal(wheel.msToNext(1000), 0);
  t.same(round(wheel, 1000).sort(), [1, 2, 3]);
  t.equal(wheel.msToNext(1000), 1000);
  t.end();
});

t.test('a handler that always arms again for now → the round ends', (t) => {
  const wheel = new TimerWheel(1, 0);
  wheel.arm(0, 5);
  for (let rounds = 0; rounds < 3; rounds++) {
    t.equal(wheel.expire(7), 0);
    wheel.arm(0, 7);
    t.equal(wheel.expire(7), -1);
    t.equal(wheel.msToNext(7), 0);
  }
  t.end();
});

t.test('a silence of most of the range, and of more than half of it → everything due, in order', (t) => {
  for (const jump of [0x7fffffff, 0x80000010, 0xb0000000]) {
    const wheel = new TimerWheel(64, 12_345);
    for (let id = 0; id < 31; id++) wheel.arm(id, (12_345 + 2 ** id) | 0);
    t.same(
      round(wheel, 12_345 + jump),
      Array.from({ length: 31 }, (_, id) => id),
    );
    wheel.arm(40, (12_345 + jump + 50) | 0);
    t.same(round(wheel, 12_345 + jump + 50), [40]);
  }
  t.end();
});

t.test('time a little back → nothing happens', (t) => {
  const wheel = new TimerWheel(2, 1000);
  wheel.arm(0, 1100);
  t.same(round(wheel, 900), []);
  t.same(round(wheel, 1099), []);
  t.same(round(wheel, 1100), [0]);
  t.end();
});

t.test(
  'a host that sleeps msToNext, nothing cancelled → wakes at deadlines, and at most twice more per slot on the way',
  (t) => {
    const prng = new Prng(3);
    const wheel = new TimerWheel(500, 0);
    const deadlines = new Set<number>();
    for (let id = 0; id < 500; id++) {
      const deadline = 1 + prng.below(id % 2 === 0 ? 400 : 10_000_000);
      wheel.arm(id, deadline);
      deadlines.add(deadline);
    }
    let now = 0;
    let wakes = 0;
    let seen = 0;
    while (wheel.count > 0) {
      now += wheel.msToNext(now);
      wakes += 1;
      for (const id of round(wheel, now)) {
        seen += 1;
        if (wheel.deadlineOf(id) !== now) t.fail(`timer ${id} for ${wheel.deadlineOf(id)} came at ${now}`);
      }
    }
    t.equal(seen, 500);
    t.equal(wakes, deadlines.size, 'every wake is a deadline: the slots know their earliest');
    t.end();
  },
);

t.test('a slot of ten thousand opens → a bounded part of it each round, all by their time', (t) => {
  const wheel = new TimerWheel(10_000, 0);
  for (let id = 0; id < 10_000; id++) wheel.arm(id, 70_000 + (id % 1000));
  t.same(round(wheel, 65_536), []);
  t.equal(wheel.msToNext(65_536), 0, 'there is more to move');
  let rounds = 1;
  while (wheel.msToNext(65_536) === 0) {
    t.same(round(wheel, 65_536), []);
    rounds += 1;
  }
  t.ok(rounds >= 4 && rounds <= 6, `${rounds} rounds`);
  t.equal(wheel.msToNext(65_536), 70_000 - 65_536);
  const ids: number[] = [];
  for (let i = 0; i < 20 && wheel.count > 0; i++) ids.push(...round(wheel, 71_000));
  t.equal(ids.length, 10_000);
  for (let i = 1; i < ids.length; i++) {
    if (wheel.deadlineOf(ids[i]) < wheel.deadlineOf(ids[i - 1])) t.fail('out of order');
  }
  t.end();
});

t.test('armed, re-armed and cancelled while a slot is half moved → as ever', (t) => {
  const wheel = new TimerWheel(10_000, 0);
  for (let id = 0; id < 6000; id++) wheel.arm(id, 70_000 + (id % 10));
  t.same(round(wheel, 65_600), []);
  for (let id = 0; id < 6000; id += 3) wheel.cancel(id);
  for (let id = 1; id < 6000; id += 3) wheel.arm(id, 65_590);
  for (let id = 2; id < 6000; id += 3) wheel.arm(id, 70_000 + (id % 7));
  wheel.arm(9000, 65_601);
  const early: number[] = [];
  for (let i = 0; i < 20 && (i === 0 || wheel.msToNext(65_600) === 0); i++) early.push(...round(wheel, 65_600));
  t.equal(early.length, 2000);
  t.ok(early.every((id) => id % 3 === 1));
  t.same(round(wheel, 65_601), [9000]);
  t.equal(wheel.msToNext(65_601), 70_000 - 65_601);
  const late: number[] = [];
  for (let i = 0; i < 20 && wheel.count > 0; i++) late.push(...round(wheel, 70_006));
  t.equal(late.length, 2000);
  t.ok(late.every((id) => id % 3 === 2));
  t.end();
});

/** Random arming, cancelling and waiting beside a plain map of deadlines that never wrap. */
function fuzz(t: Test, seed: number, steps: number, ids: number, startMs: number): number {
  const prng = new Prng(seed);
  const wheel = new TimerWheel(ids, startMs | 0);
  const model = new Map<number, number>();
  let now = startMs;
  let digest = 0;
  let expired = 0;
  const fail = (step: number, what: string): number => {
    t.fail(`seed ${seed}, step ${step}: ${what}`);
    return digest;
  };
  const ahead = (): number => {
    switch (prng.below(8)) {
      case 0:
        return -prng.below(1000);
      case 1:
        return prng.below(2 ** 31);
      case 2:
        return prng.below(2 ** 25);
      case 3:
        return prng.below(70_000);
      case 4:
        // Close around where a byte of the time turns over.
        return 256 ** (1 + prng.below(3)) - (now % 256 ** 2) + prng.below(3);
      default:
        return prng.below(600);
    }
  };
  for (let step = 0; step < steps; step++) {
    const id = prng.below(ids);
    switch (prng.below(8)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const deadline = now + ahead();
        wheel.arm(id, deadline | 0);
        model.set(id, deadline);
        break;
      }
      case 4:
        wheel.cancel(id);
        model.delete(id);
        break;
      default: {
        let next = Number.POSITIVE_INFINITY;
        for (const deadline of model.values()) next = Math.min(next, deadline);
        const ms = wheel.msToNext(now | 0);
        if (model.size === 0 ? ms !== Number.POSITIVE_INFINITY : ms < 0 || ms > Math.max(0, next - now)) {
          return fail(step, `msToNext ${ms}, but the next is in ${next - now}`);
        }
        const wait = prng.below(6);
        if (wait === 0) now += prng.below(2 ** 31);
        else if (wait === 1) now += prng.below(200_000);
        else if (wait === 2 && ms !== Number.POSITIVE_INFINITY) now += ms;
        else now += prng.below(300);
        let last = Number.NEGATIVE_INFINITY;
        for (let due = wheel.expire(now | 0); due !== -1; due = wheel.expire(now | 0)) {
          const deadline = model.get(due);
          if (deadline === undefined) return fail(step, `${due} is due but not armed`);
          if (deadline > now) return fail(step, `${due} is ${deadline - now} ms early`);
          if (wheel.deadlineOf(due) !== (deadline | 0)) return fail(step, `${due} has another deadline`);
          if (deadline < last && deadline > now - 2 ** 30 && last > startMs) {
            // Deadlines that were past when armed come first, in no order; the rest in order.
            if (!late.has(due)) return fail(step, `${due} comes after a later one`);
          }
          if (!late.has(due)) last = deadline;
          model.delete(due);
          digest = (Math.imul(digest, 31) + due) | 0;
          expired += 1;
        }
        for (const [other, deadline] of model) {
          if (deadline <= now) return fail(step, `${other} is ${now - deadline} ms late`);
        }
        late.clear();
      }
    }
    if (model.has(id) && (model.get(id) ?? 0) <= now) late.add(id);
    else late.delete(id);
    if (wheel.count !== model.size) return fail(step, `count ${wheel.count} beside ${model.size}`);
    if (wheel.armed(id) !== model.has(id)) return fail(step, `${id} armed: ${wheel.armed(id)}`);
  }
  t.ok(expired > steps / 20, `${expired} expired`);
  return digest;
}
/** Timers whose deadline had passed when they were armed. */
const late = new Set<number>();

t.test('random arming, cancelling and waiting, over many wraps of the time → as a plain list', (t) => {
  for (let seed = 1; seed <= 12; seed++) fuzz(t, seed, 10_000, seed * 20, seed * 0x15555555);
  t.end();
});

t.test('the same seed twice → the same order', (t) => {
  t.equal(fuzz(t, 20, 5000, 100, 0), fuzz(t, 20, 5000, 100, 0));
  t.end();
});
