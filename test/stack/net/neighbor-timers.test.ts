import t from 'tap';
import { NeighborState } from '../../../stack/net/neighbor-row.js';
import { PathError } from '../../../stack/net/transport.js';
import { macOf, summary } from './frames.js';
import { type Host, Probe, quiet, stateOf } from './pair.js';

/** What waits for an answer counts from when the question is sent, and a late timer from when somebody listens again. */

function leaving(host: Host): string[] {
  return host.sent().map((bytes) => summary(bytes));
}

t.test('no entry, datagram sent eight seconds before the flush → requests a second apart, counted from there', (t) => {
  const { a } = quiet();
  const probe = new Probe(a.net);
  probe.send('10.0.0.7', 100);
  // Not late at the first, late at the second.
  a.advanceTo(6_000_000);
  a.advanceTo(13_000_000);
  t.same(leaving(a), ['arp request 10.0.0.7 to all'], 'one, and not a second one of the timer');
  for (const second of [14, 15]) {
    a.advanceTo(second * 1_000_000 - 1000);
    t.same(leaving(a), []);
    a.advanceTo(second * 1_000_000);
    t.same(leaving(a), ['arp request 10.0.0.7 to all']);
  }
  a.advanceTo(15_999_000);
  t.equal(probe.errors.length, 0);
  a.advanceTo(16_000_000);
  t.equal(probe.errors[0]?.error, PathError.HOST_DOWN);
  t.end();
});

t.test(
  'INCOMPLETE, nobody takes a turn for eight seconds → the answer that waits counts before the request, and before its failure',
  (t) => {
    for (const requests of [1, 3]) {
      const pair = quiet();
      const { a, b } = pair;
      const probe = new Probe(a.net);
      probe.send('10.0.0.2', 100);
      let [request] = a.sent();
      for (let second = 6; second < 5 + requests; second++) {
        a.advanceTo(second * 1_000_000);
        [request] = a.sent();
      }
      a.advanceTo(20_000_000);
      t.same(leaving(a), [], 'late: it waits for one more turn');
      b.advanceTo(20_000_000);
      b.hear(request as Uint8Array);
      for (const reply of b.sent()) a.hear(reply);
      a.advanceTo(20_000_000);
      t.same(leaving(a), [`ip 253 to 10.0.0.2 by ${macOf(2)}`]);
      t.equal(probe.errors.length, 0);
    }
    t.end();
  },
);

t.test('INCOMPLETE, late and still no answer → the next turn asks, and does not wait again', (t) => {
  const { a } = quiet();
  new Probe(a.net).send('10.0.0.7', 100);
  leaving(a);
  a.advanceTo(13_000_000);
  t.same(leaving(a), []);
  t.equal(a.net.msToNext(), 0, 'which is due at once');
  a.advanceTo(13_004_000);
  t.same(leaving(a), ['arp request 10.0.0.7 to all']);
  t.end();
});

t.test('STALE, used six seconds before the flush → a transport has five seconds from the sending to confirm', (t) => {
  const pair = quiet();
  const { a, b } = pair;
  const probe = new Probe(a.net);
  new Probe(b.net);
  probe.send('10.0.0.2', 100);
  pair.run();
  pair.pass(60_000);
  t.equal(stateOf(a, '10.0.0.2'), NeighborState.STALE);
  probe.send('10.0.0.2', 100);
  a.advanceTo(pair.now + 6_000_000);
  t.same(leaving(a), [`ip 253 to 10.0.0.2 by ${macOf(2)}`]);
  t.equal(stateOf(a, '10.0.0.2'), NeighborState.DELAY);
  a.advanceTo(pair.now + 11_000_000);
  t.same(leaving(a), [`arp request 10.0.0.2 to ${macOf(2)}`]);
  t.end();
});

t.test('an address added eight seconds before the flush → two announcements two seconds apart', (t) => {
  const { a } = quiet();
  a.net.addAddress(0, a.net.parseAddress('10.0.0.9'), 24);
  a.advanceTo(13_000_000);
  t.equal(leaving(a).length, 1);
  a.advanceTo(14_999_000);
  t.same(leaving(a), []);
  t.equal(a.net.msToNext(), 1);
  a.advanceTo(15_000_000);
  t.equal(leaving(a).length, 1);
  a.advanceTo(60_000_000);
  t.same(leaving(a), []);
  t.end();
});
