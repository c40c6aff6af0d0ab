import type { Test } from 'tap';
import { CC_WORDS, type CongestionControl } from '../../stack/tcp/congestion.js';
import { Cold, Tcb } from '../../stack/tcp/tcb.js';
import { MSS, Rig } from '../stack/tcp/congestion-rig.js';

/**
 * What every congestion control owes its connection, whatever its curve: RFC 5681's bounds, and that it keeps to its own words. A module of yours is tested by
 * `congestionSuite(t, module)`.
 */
export function congestionSuite(t: Test, control: CongestionControl): void {
  const rig = (t: Test): Rig => {
    const rig = new Rig(t, 'reno');
    if (rig.tcp.congestions.find(control.name) < 0) rig.tcp.congestions.register(control);
    rig.peer.tcp.setCongestion(rig.peer.id, control.name);
    rig.tcp.cold[rig.k + Cold.CWND_LIMITED] = 1;
    return rig;
  };

  t.test(
    `${control.name}, slow start → at most doubled in a round trip, and not beyond ssthresh by more than avoidance adds`,
    (t) => {
      const it = rig(t);
      it.cwnd = 10;
      it.ssthresh = 30;
      it.round(50);
      t.ok(it.cwnd > 10 && it.cwnd <= 20, `${it.cwnd}`);
      it.round(50);
      t.ok(it.cwnd > 10 && it.cwnd <= 31, `${it.cwnd}`);
      t.end();
    },
  );

  t.test(`${control.name}, congestion avoidance → grows, by half of cwnd in a round trip at the most`, (t) => {
    const it = rig(t);
    it.cwnd = 40;
    it.ssthresh = 20;
    const before = it.cwnd;
    let last = before;
    for (let i = 0; i < 200; i++) {
      it.round(50);
      t.ok(it.cwnd >= last && it.cwnd <= last * 1.5 + 1, `${last} → ${it.cwnd}`);
      last = it.cwnd;
    }
    t.ok(last > before);
    t.end();
  });

  t.test(
    `${control.name}, loss → ssthresh below cwnd, at least two segments, whole segments; cwnd is left to recovery`,
    (t) => {
      for (const cwnd of [1, 2, 3, 5, 10, 100, 10_000]) {
        const it = rig(t);
        it.cwnd = cwnd;
        it.loss();
        t.ok(it.ssthresh >= 2 && (it.ssthresh < cwnd || it.ssthresh === 2), `${cwnd}: ${it.ssthresh}`);
        t.equal(it.ssthresh % 1, 0);
        t.equal(it.cwnd, cwnd);
      }
      t.end();
    },
  );

  t.test(`${control.name}, timeout → cwnd one segment, ssthresh as after a loss`, (t) => {
    const it = rig(t);
    it.cwnd = 50;
    it.timeout();
    t.equal(it.cwnd, 1);
    t.ok(it.ssthresh >= 2 && it.ssthresh < 50, `${it.ssthresh}`);
    it.round(50);
    t.equal(it.cwnd, 2, 'and slow start begins');
    t.end();
  });

  t.test(`${control.name}, a mark of ECN → ssthresh below cwnd, at least two segments`, (t) => {
    const it = rig(t);
    it.cwnd = 50;
    (control.onEcn ?? control.onLoss).call(control, it.tcp, it.c, it.k, 50 * MSS);
    t.ok(it.ssthresh >= 2 && it.ssthresh < 50, `${it.ssthresh}`);
    t.end();
  });

  t.test(`${control.name}, the clamp → cwnd is never larger`, (t) => {
    const it = rig(t);
    const max = it.tcp.limits.cwndMaxBytes;
    it.tcp.hot[it.c + Tcb.CWND] = max - 500;
    it.tcp.hot[it.c + Tcb.SSTHRESH] = 0x7fffffff;
    for (let i = 0; i < 10; i++) it.ack(1000);
    t.ok(it.tcp.hot[it.c + Tcb.CWND] <= max);
    it.ssthresh = 2;
    it.tcp.hot[it.c + Tcb.CWND] = max - 500;
    for (let i = 0; i < 100; i++) {
      it.advanceMs(1000);
      it.ack(100_000);
    }
    t.ok(it.tcp.hot[it.c + Tcb.CWND] <= max && it.tcp.hot[it.c + Tcb.CWND] > 0);
    t.end();
  });

  t.test(
    `${control.name}, any order of events → words around the private area untouched, cwnd and ssthresh positive`,
    (t) => {
      const it = rig(t);
      const { cold, hot } = it.tcp;
      const mine = (i: number): boolean => (i >= Cold.CC && i < Cold.CC + CC_WORDS) || i === Cold.CWND_CREDIT;
      const before = Array.from(cold.subarray(it.k, it.k + Cold.SIZE));
      let x = 12_345;
      for (let i = 0; i < 20_000; i++) {
        x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
        it.advanceMs((x >>> 8) % 50);
        const { tcp, c, k } = it;
        switch ((x >>> 16) % 9) {
          case 0:
            it.reduce();
            break;
          case 1:
            if (i % 7 === 0) it.timeout();
            break;
          case 2:
            control.onRestart?.(tcp, c, k, (x >>> 4) % 5000);
            break;
          case 3:
            control.onUndo?.(tcp, c, k);
            break;
          case 4:
            control.onDelivered?.(tcp, c, k, 3000, (x & 1) * 1500);
            break;
          case 5:
            if (i % 5 === 0) (control.onEcn ?? control.onLoss).call(control, tcp, c, k, hot[c + Tcb.CWND]);
            break;
          default:
            it.ack(1 + ((x >>> 10) % 16), 20 + ((x >>> 12) % 30));
        }
        if (!(hot[it.c + Tcb.CWND] >= MSS && hot[it.c + Tcb.SSTHRESH] >= 2 * MSS)) {
          t.fail(`event ${i}: cwnd ${hot[it.c + Tcb.CWND]}, ssthresh ${hot[it.c + Tcb.SSTHRESH]}`);
          break;
        }
      }
      const after = Array.from(cold.subarray(it.k, it.k + Cold.SIZE));
      t.same(
        after.filter((_, i) => !mine(i)),
        before.filter((_, i) => !mine(i)),
      );
      t.end();
    },
  );

  t.test(`${control.name}, two connections → neither knows of the other`, (t) => {
    const one = rig(t);
    const other = rig(t);
    one.cwnd = 40;
    other.cwnd = 40;
    for (let i = 0; i < 5; i++) one.reduce();
    one.round(50);
    const alone = rig(t);
    alone.cwnd = 40;
    alone.ssthresh = 20;
    other.ssthresh = 20;
    for (let i = 0; i < 20; i++) {
      other.round(50);
      alone.round(50);
    }
    t.equal(other.cwnd, alone.cwnd);
    t.end();
  });
}
