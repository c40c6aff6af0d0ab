import t, { type Test } from 'tap';
import { runSearch } from '../../../../stack/tcp/run-list.js';
import { Cold, Tcb } from '../../../../stack/tcp/tcb.js';
import { Verdict } from '../../../../stack/wire/verdict.js';
import { sameBytes } from '../../../same-bytes.js';
import { type Peer, pattern } from '../peer.js';
import { established } from '../states.js';

/** Floods of segments out of order: what each costs is counted, in steps of the search and in memory, and does not grow with what is kept. */

const OPTIONS = { syn: { mss: 1460, sackOk: true, wscale: 7 }, listen: { receiveBytes: 4 << 20 } } as const;

/** Steps a search takes at the most over `inject`, and all of them. */
function steps(inject: () => void): number {
  const before = runSearch.steps;
  inject();
  return runSearch.steps - before;
}

function keepApart(peer: Peer, count: number, at: (i: number) => number): number[] {
  const costs: number[] = [];
  for (let i = 0; i < count; i++) costs.push(steps(() => peer.inject({ seq: at(i), data: 1 })));
  peer.drain();
  return costs;
}

function check(t: Test, costs: number[], what: string): void {
  const most = Math.max(...costs);
  const all = costs.reduce((sum, cost) => sum + cost, 0);
  // Four levels, on each some four records on the way: sixteen; with luck that has a chance of 1 in thousands, thrice that.
  t.ok(most <= 60, `${what}: ${most} steps at the most`);
  t.ok(all / costs.length <= 24, `${what}: ${(all / costs.length).toFixed(1)} steps on average`);
}

t.test('512 bytes apart, descending, ascending and shuffled → a search takes some dozen steps', (t) => {
  for (const [what, at] of [
    ['descending', (i: number) => 2000 - 2 * i],
    ['ascending', (i: number) => 1001 + 2 * i],
    ['shuffled', (i: number) => 1001 + 2 * ((i * 197) % 512)],
    ['outside in', (i: number) => (i % 2 === 0 ? 1001 + i : 3001 - i)],
  ] as const) {
    const peer = established(t, OPTIONS);
    const costs = keepApart(peer, 500, at);
    t.ok(peer.tcp.context.reassembly.count >= 490, `${peer.tcp.context.reassembly.count} runs`);
    check(t, costs, what);
  }
  t.end();
});

t.test('the same again and again → duplicates, no more is kept, and no longer searched', (t) => {
  const peer = established(t, OPTIONS);
  keepApart(peer, 500, (i) => 2000 - 2 * i);
  const { arena, reassembly } = peer.tcp.context;
  const before = [arena.chunksFree, reassembly.count];
  const costs: number[] = [];
  for (let i = 0; i < 2000; i++)
    costs.push(steps(() => t.equal(peer.inject({ seq: 2000 - 2 * (i % 500), data: 1 }), Verdict.TCP_DUPLICATE)));
  t.same([arena.chunksFree, reassembly.count], before);
  check(t, costs, 'duplicates');
  t.end();
});

t.test('more runs than a connection may have → refused and acknowledged; the stream is whole in the end', (t) => {
  const peer = established(t, OPTIONS);
  keepApart(peer, 600, (i) => 2 + 2 * i);
  t.equal(peer.tcp.context.reassembly.count, 512);
  for (let at = 0; at < 1201; at += 100) peer.inject({ seq: 1 + at, data: 101 });
  sameBytes(t, peer.read(), pattern(1301), 'byte for byte');
  t.equal(peer.tcp.context.reassembly.count, 0);
  peer.abort();
  peer.expectAllFreed();
  t.end();
});

t.test(
  'single bytes out of order, a buffer of 64 KiB → charged what they cost, and no more is kept than the buffer holds',
  (t) => {
    const peer = established(t, { ...OPTIONS, listen: { receiveBytes: 65_536 } });
    for (let i = 0; i < 500; i++) peer.inject({ seq: 1001 + 2 * i, data: 1 });
    // A byte costs 832, and the limit may be passed by one segment.
    t.equal(peer.tcp.context.reassembly.count, Math.floor(65_536 / 832) + 1);
    peer.inject({ seq: 1, data: 1000 });
    t.ok(peer.tcp.readable(peer.id) >= 1000, 'what is due is taken');
    t.end();
  },
);

t.test('a segment that covers what lay out of order → charged in its place, and its own successor for nothing', (t) => {
  const peer = established(t, OPTIONS);
  const { cold, hot } = peer.tcp.context;
  const charged = () => cold[(hot[(peer.tcp.rowOf(peer.id) << Tcb.SHIFT) + Tcb.COLD] as number) + Cold.OOO_MEM];
  peer.inject({ seq: 1001, data: 10 });
  peer.inject({ seq: 1101, data: 10 });
  t.equal(charged(), 2 * 832, 'two buffers');
  peer.inject({ seq: 1001, data: 300 });
  t.equal(charged(), 1280, 'one, a larger one, for both');
  peer.inject({ seq: 1301, data: 100 });
  t.equal(charged(), 1280, 'it fits behind');
  peer.inject({ seq: 1401, data: 300 });
  t.equal(charged(), 2560, 'this does not');
  t.end();
});

t.test('overlapping segments, each a byte further → one run, one search', (t) => {
  const peer = established(t, OPTIONS);
  const costs: number[] = [];
  for (let i = 0; i < 1000; i++) costs.push(steps(() => peer.inject({ seq: 1001 + i, data: 1000 })));
  t.equal(peer.tcp.context.reassembly.count, 1);
  check(t, costs, 'overlapping');
  peer.inject({ seq: 1, data: 1000 });
  sameBytes(t, peer.read(1 << 16), pattern(2999), 'byte for byte');
  t.end();
});

t.test('one segment over five hundred runs → swallows them, each once', (t) => {
  const peer = established(t, { ...OPTIONS, mtu: 9000, slotBytes: 16_384 });
  keepApart(peer, 500, (i) => 1001 + 2 * i);
  const cost = steps(() => peer.inject({ seq: 901, data: 1400 }));
  t.equal(peer.tcp.context.reassembly.count, 1);
  t.ok(cost <= 60, `${cost} steps`);
  peer.inject({ seq: 1, data: 900 });
  sameBytes(t, peer.read(), pattern(2300), 'byte for byte');
  t.end();
});

t.test('a FIN beyond what is missing, text beyond the FIN → the FIN ends the stream, the rest is nobody’s', (t) => {
  const peer = established(t, OPTIONS);
  peer.inject({ flags: 'F.', seq: 101, data: 100 });
  peer.inject({ seq: 301, data: 100 });
  peer.inject({ seq: 1, data: 100 });
  sameBytes(t, peer.read(), pattern(200), 'byte for byte');
  peer.expectState('CLOSE-WAIT');
  t.equal(peer.tcp.context.reassembly.count, 0);
  peer.abort();
  peer.expectAllFreed();
  t.end();
});

t.test('two FINs at different places → the nearer one counts', (t) => {
  const peer = established(t, OPTIONS);
  peer.inject({ flags: 'F.', seq: 201 });
  peer.inject({ flags: 'F.', seq: 101 });
  peer.inject({ seq: 1, data: 100 });
  peer.expectState('CLOSE-WAIT');
  t.equal(peer.read().length, 100);
  t.end();
});
