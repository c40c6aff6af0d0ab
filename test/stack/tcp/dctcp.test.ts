import t from 'tap';
import { MSS, Rig } from './congestion-rig.js';

/** DCTCP, RFC 8257: how much is marked decides how much is given way. */

/** A window of `segments` is acknowledged, so many of them marked. */
function window(it: Rig, segments: number, marked: number): void {
  const { tcp, c, k } = it;
  tcp.hot[c + 2] = (tcp.hot[c + 1] + segments * MSS) | 0;
  it.moveUna(segments);
  it.control.onDelivered?.(tcp, c, k, segments * MSS, marked * MSS);
  // The next observation window begins at SND.NXT: one byte beyond what is acknowledged ends it.
  tcp.hot[c + 2] = (tcp.hot[c + 1] + 1) | 0;
}
const alpha = (it: Rig): number => it.word(0) / 1024;

t.test('the beginning → alpha is one: the first mark halves (§3.3)', (t) => {
  const it = new Rig(t, 'dctcp');
  t.equal(alpha(it), 1);
  it.cwnd = 20;
  it.control.onEcn?.(it.tcp, it.c, it.k, 20 * MSS);
  t.equal(it.ssthresh, 10);
  t.end();
});

t.test('windows, marked in part → alpha (1 - g) + g M, g = 1/16 (§3.3 step 6)', (t) => {
  const it = new Rig(t, 'dctcp');
  let expected = 1;
  for (const marked of [0, 0, 5, 10, 0, 3, 10, 10, 1, 0, 0, 7]) {
    window(it, 10, marked);
    expected = expected * (15 / 16) + marked / 10 / 16;
    t.ok(Math.abs(alpha(it) - expected) < 0.01, `${marked}: ${alpha(it)}, ${expected}`);
  }
  t.end();
});

t.test('all marked, window after window → alpha stays at one, and not above', (t) => {
  const it = new Rig(t, 'dctcp');
  for (let i = 0; i < 100; i++) window(it, 10, 10);
  t.ok(alpha(it) > 0.98 && alpha(it) <= 1, `${alpha(it)}`);
  t.end();
});

t.test('nothing marked for long → alpha is zero, and a lone mark costs next to nothing', (t) => {
  const it = new Rig(t, 'dctcp');
  for (let i = 0; i < 200; i++) window(it, 10, 0);
  t.equal(alpha(it), 0);
  window(it, 100, 1);
  it.cwnd = 100;
  it.control.onEcn?.(it.tcp, it.c, it.k, 100 * MSS);
  t.ok(it.ssthresh >= 99, `${it.ssthresh}`);
  t.end();
});

t.test('a quarter marked for long → cwnd gives an eighth (step 9)', (t) => {
  const it = new Rig(t, 'dctcp');
  for (let i = 0; i < 200; i++) window(it, 16, 4);
  it.cwnd = 80;
  it.control.onEcn?.(it.tcp, it.c, it.k, 80 * MSS);
  t.ok(it.ssthresh >= 69 && it.ssthresh <= 71, `${it.ssthresh}`);
  t.end();
});

t.test('an ACK within the window → counted, alpha as it was', (t) => {
  const it = new Rig(t, 'dctcp');
  const { tcp, c, k } = it;
  tcp.hot[c + 2] = (tcp.hot[c + 1] + 10 * MSS) | 0;
  it.begin();
  it.moveUna(3);
  it.control.onDelivered?.(tcp, c, k, 3 * MSS, 0);
  t.equal(alpha(it), 1);
  t.same([it.word(2), it.word(3)], [3 * MSS, 0]);
  t.end();
});

t.test('a loss without a mark, a timeout → as Reno (§3.5)', (t) => {
  const it = new Rig(t, 'dctcp');
  for (let i = 0; i < 200; i++) window(it, 10, 0);
  it.cwnd = 40;
  it.loss();
  t.equal(it.ssthresh, 20);
  it.timeout();
  t.same([it.cwnd, it.ssthresh], [1, 20]);
  t.end();
});

t.test('marks without any delivery → no division by nothing', (t) => {
  const it = new Rig(t, 'dctcp');
  const { tcp, c, k } = it;
  it.moveUna(1);
  it.control.onDelivered?.(tcp, c, k, 0, MSS);
  t.ok(alpha(it) <= 1 && alpha(it) >= 0);
  t.end();
});
