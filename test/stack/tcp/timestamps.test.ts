import t, { type Test } from 'tap';
import { Verdict } from '../../../stack/wire/verdict.js';
import { type Peer, type PeerOptions } from './peer.js';
import { established } from './states.js';

/** RFC 7323: timestamps, and what they prove about old duplicates (PAWS). */

const DAY_MS = 86_400_000;

function timed(t: Test, tsVal = 1000, options: PeerOptions = {}): Peer {
  return established(t, { syn: { mss: 1460, ts: [tsVal, 0] }, ...options });
}
/** A segment of the peer's with this TSval. */
function inject(peer: Peer, tsVal: number, injection: Parameters<Peer['inject']>[0] = {}): Verdict {
  return peer.inject({ ...injection, options: { ts: [tsVal, peer.tsEcho] } });
}

t.test('ESTABLISHED, every segment sent → TSval by the millisecond, TSecr the last TSval in order (§4.3)', (t) => {
  const peer = timed(t);
  inject(peer, 2000, { data: 10 });
  peer.nxt += 10;
  const first = peer.expect({ ack: 11 });
  t.equal(first.options.ts?.[1], 2000);
  peer.advanceMs(7);
  inject(peer, 2007, { data: 10 });
  const second = peer.expect({ ack: 21 });
  t.equal((second.options.ts?.[0] ?? 0) - (first.options.ts?.[0] ?? 0), 7);
  t.equal(second.options.ts?.[1], 2007);
  t.end();
});

t.test('ESTABLISHED, a segment beyond a gap → its TSval is not echoed; the filler’s is (§4.3 C)', (t) => {
  const peer = timed(t);
  inject(peer, 2000, { seq: 101, data: 100 });
  t.equal(peer.expect({ ack: 1 }).options.ts?.[1], 1000);
  inject(peer, 2001, { seq: 1, data: 100 });
  t.equal(peer.expect({ ack: 201 }).options.ts?.[1], 2001);
  t.end();
});

t.test('ESTABLISHED, delayed ACK for two segments → the earlier TSval is echoed (§4.3 A)', (t) => {
  const peer = timed(t);
  for (let i = 0; i < 30; i++) {
    peer.data(1000);
    peer.read();
  }
  peer.advanceMs(100);
  peer.drain();
  inject(peer, 50_000, { data: 1000 });
  peer.expectNothing();
  inject(peer, 50_009, { seq: peer.nxt + 1000, data: 1000 });
  peer.read();
  t.equal(peer.expect({}).options.ts?.[1], 50_000);
  t.end();
});

t.test('ESTABLISHED, TSval older than TS.Recent → ACK, dropped (PAWS R1)', (t) => {
  const peer = timed(t);
  t.equal(inject(peer, 998, { data: 10 }), Verdict.TCP_PAWS);
  peer.expect({ flags: '.', ack: 1 });
  t.equal(peer.tcp.readable(peer.id), 0);
  t.equal(peer.stack.net.stats.tcpPawsRejected, 1);
  t.end();
});

t.test('ESTABLISHED, TSval equal to TS.Recent → accepted', (t) => {
  const peer = timed(t);
  t.equal(inject(peer, 1000, { data: 10 }), Verdict.OK);
  t.end();
});

t.test('ESTABLISHED, TSval wraps around → newer is newer', (t) => {
  const peer = timed(t, -5 | 0);
  t.equal(inject(peer, 3, { data: 10 }), Verdict.OK, '0xfffffffb, then 3');
  peer.nxt += 10;
  t.equal(inject(peer, -3 | 0, { data: 10 }), Verdict.TCP_PAWS, 'and back');
  t.end();
});

t.test('ESTABLISHED, RST with an old TSval or none → a RST is exempt (§5.2)', (t) => {
  for (const options of [{ ts: [1, 0] as const }, {}]) {
    const peer = timed(t);
    peer.tsBase = undefined;
    t.equal(peer.inject({ flags: 'R', options }), Verdict.TCP_RESET);
  }
  t.end();
});

t.test('ESTABLISHED, TSval one less than TS.Recent → accepted, and not followed: two cores of one sender', (t) => {
  const peer = timed(t);
  t.equal(inject(peer, 999, { data: 10 }), Verdict.OK);
  t.equal(peer.expect({ ack: 11 }).options.ts?.[1], 1000);
  t.end();
});

t.test(
  'ESTABLISHED, a bare ACK with an older TSval that says nothing new → overtaken, no answer; with text → answered',
  (t) => {
    const peer = timed(t);
    t.equal(inject(peer, 990, {}), Verdict.OK);
    peer.expectNothing();
    t.equal(inject(peer, 990, { data: 1 }), Verdict.TCP_PAWS);
    peer.expect({ flags: '.', ack: 1 });
    t.end();
  },
);

t.test('ESTABLISHED, SYN with an old TSval → challenged as any SYN', (t) => {
  const peer = timed(t);
  t.equal(inject(peer, 5, { flags: 'S' }), Verdict.TCP_PAWS);
  peer.expect({ flags: '.', ack: 1 });
  t.equal(peer.stack.net.stats.tcpChallengeAcks, 1);
  t.end();
});

t.test('ESTABLISHED, an ACK of what was never sent with a new TSval → TS.Recent stays', (t) => {
  const peer = timed(t);
  t.equal(inject(peer, 9000, { ack: 5, data: 1 }), Verdict.TCP_ACK_UNSENT);
  t.equal(inject(peer, 1001, { data: 1 }), Verdict.OK);
  t.end();
});

const MINUTE_DAYS = 1 / (24 * 60);
for (const [days, verdict, what] of [
  [30 * MINUTE_DAYS, Verdict.TCP_PAWS, 'half an hour proves nothing against PAWS'],
  [36 * MINUTE_DAYS, Verdict.OK, 'after 36 minutes a clock of 1 µs may have wrapped, so TS.Recent is invalid'],
  [24.5, Verdict.OK, 'nor after 24 days, as RFC 7323 has it'],
  [30, Verdict.OK, 'and stays so beyond half of the clock’s circle'],
  [45, Verdict.OK, 'and towards its end'],
] as const) {
  t.test(
    `ESTABLISHED, silent for ${Math.round(days * 24 * 60)} minutes, TSval older than TS.Recent → ${what} (§5.5)`,
    (t) => {
      const peer = timed(t);
      peer.advanceMs(days * DAY_MS);
      peer.drain();
      t.equal(inject(peer, 900, { data: 10 }), verdict);
      if (verdict === Verdict.OK) {
        peer.nxt += 10;
        t.equal(inject(peer, 901, { data: 10 }), Verdict.OK, 'and the new clock is followed');
      }
      t.end();
    },
  );
}

t.test('ESTABLISHED, a segment without timestamps though they were agreed → taken, as Linux does', (t) => {
  const peer = timed(t);
  peer.tsBase = undefined;
  t.equal(peer.inject({ data: 10 }), Verdict.OK);
  t.equal(peer.tcp.readable(peer.id), 10);
  t.end();
});

t.test('ESTABLISHED, timestamps though none were agreed → ignored', (t) => {
  const peer = established(t);
  t.equal(inject(peer, 5, { data: 10 }), Verdict.OK);
  peer.nxt += 10;
  t.equal(inject(peer, 4, { data: 10 }), Verdict.OK);
  for (const segment of peer.drain()) t.same(segment.options, {});
  t.end();
});

t.test('two connections → their clocks are not the same (§7.1)', (t) => {
  const peer = timed(t);
  const first = peer.tsEcho;
  peer.peerPort += 1;
  peer.nxt = 0;
  peer.inject({ flags: 'S', seq: 0, options: { mss: 1460, ts: [1, 0] } });
  t.not(peer.expect({ flags: 'S.' }).options.ts?.[0], first);
  t.end();
});
