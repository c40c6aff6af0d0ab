import t from 'tap';
import { Alarm } from '../../../src/host/alarm.js';

/** Node's timers, played by hand. */
class Timers {
  set: { callback: () => void; ms: number; cleared: boolean; referenced: boolean }[] = [];
  immediates: { callback: () => void; cleared: boolean }[] = [];
  install(t: { teardown(callback: () => void): void }): void {
    const before = { setTimeout, clearTimeout, setImmediate, clearImmediate };
    const fake = {
      setTimeout: (callback: () => void, ms: number) => {
        const timer = {
          callback,
          ms,
          cleared: false,
          referenced: true,
          ref: () => {
            timer.referenced = true;
          },
          unref: () => {
            timer.referenced = false;
          },
        };
        this.set.push(timer);
        return timer;
      },
      clearTimeout: (timer: { cleared: boolean }) => {
        timer.cleared = true;
      },
      setImmediate: (callback: () => void) => {
        const immediate = { callback, cleared: false, ref: () => {}, unref: () => {} };
        this.immediates.push(immediate);
        return immediate;
      },
      clearImmediate: (immediate: { cleared: boolean }) => {
        immediate.cleared = true;
      },
    };
    Object.assign(globalThis, fake);
    t.teardown(() => Object.assign(globalThis, before));
  }
}

t.test('a deadline that moves later → no new timer; one that moves earlier → one', (t) => {
  const timers = new Timers();
  timers.install(t);
  let fired = 0;
  const alarm = new Alarm(() => fired++);
  alarm.set(200_000, 0);
  for (let now = 1000; now < 100_000; now += 1000) alarm.set(now + 200_000, now);
  t.equal(timers.set.length, 1);
  alarm.set(140_000, 100_000);
  t.equal(timers.set.length, 2);
  t.equal(timers.set[0].cleared, true);
  t.equal(timers.set[1].ms, 40);
  timers.set[1].callback();
  t.equal(fired, 1);
  alarm.set(900_000, 140_000);
  t.equal(timers.set.length, 3, 'after it has fired any deadline needs a timer again');
  t.end();
});

t.test('a part of a millisecond → rounded up, never before the deadline', (t) => {
  const timers = new Timers();
  timers.install(t);
  const alarm = new Alarm(() => {});
  alarm.set(1001, 0);
  t.equal(timers.set[0].ms, 2);
  t.end();
});

t.test('a deadline in the past → an immediate, once', (t) => {
  const timers = new Timers();
  timers.install(t);
  let fired = 0;
  const alarm = new Alarm(() => fired++);
  alarm.set(500, 1000);
  alarm.set(400, 1000);
  alarm.soon();
  t.equal(timers.set.length, 0);
  t.equal(timers.immediates.length, 1);
  timers.immediates[0].callback();
  t.equal(fired, 1);
  alarm.soon();
  t.equal(timers.immediates.length, 2);
  t.end();
});

t.test('a timer replaced by an immediate → the next deadline has a timer again, however late it is', (t) => {
  const timers = new Timers();
  timers.install(t);
  const alarm = new Alarm(() => {});
  alarm.set(50_000, 0);
  alarm.set(10_000, 10_000);
  t.equal(timers.set[0].cleared, true);
  timers.immediates[0].callback();
  alarm.set(1_000_000, 10_001);
  t.equal(timers.set.length, 2);
  t.equal(timers.set[1].ms, 990);
  t.end();
});

t.test('a deadline weeks away → the longest timer there is, and not at once', (t) => {
  const timers = new Timers();
  timers.install(t);
  const alarm = new Alarm(() => {});
  alarm.set(90 * 86_400 * 1e6, 0);
  t.equal(timers.set[0].ms, 0x7fffffff);
  t.end();
});

t.test('a deadline → keeps no process alive; cleared → nothing fires', (t) => {
  const timers = new Timers();
  timers.install(t);
  const alarm = new Alarm(() => {});
  alarm.set(5000, 0);
  t.equal(timers.set[0].referenced, false);
  alarm.soon();
  alarm.clear();
  t.equal(timers.set[0].cleared, true);
  t.equal(timers.immediates[0].cleared, true);
  t.end();
});
