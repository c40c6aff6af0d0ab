import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { Cold, Tcb } from '../../../stack/tcp/tcb.js';
import { Sent, SentFlag } from '../../../stack/tcp/transmit-pool.js';
import { acknowledge, counts, farAway, flying, MSS, RTT_MS, sent, status, window } from './lossy.js';
import type { Peer } from './peer.js';

/** The records of what is outstanding, and SACK blocks that are wrong, lie, or are meant to make us work: RFC 2018 §8, CVE-2019-11477 to 11479. */

/** An episode of PRR runs (RFC 9937): only in two of the states may one. */
function reducing(peer: Peer): boolean {
  const { hot, cold } = peer.tcp.context;
  return cold[(hot[(peer.tcp.rowOf(peer.id) << Tcb.SHIFT) + Tcb.COLD] as number) + Cold.RECOVER_FS] !== 0;
}

/** What the counts must be, by walking. */
function walk(peer: Peer): [number, number, number, number] {
  const { hot, cold, transmits } = peer.tcp.context;
  const k = hot[(peer.tcp.rowOf(peer.id) << Tcb.SHIFT) + Tcb.COLD] as number;
  const { rows } = transmits;
  const found: [number, number, number, number] = [0, 0, 0, 0];
  let end: number | undefined;
  for (let at = cold[k + Cold.SENT_HEAD] as number; at !== 0; at = rows[at + Sent.NEXT] as number) {
    if (end !== undefined && end !== rows[at + Sent.SEQ]) throw new Error('the records have a gap');
    end = rows[at + Sent.END];
    const flags = rows[at + Sent.FLAGS] as number;
    found[0] += 1;
    if ((flags & SentFlag.SACKED) !== 0) found[1] += 1;
    if ((flags & SentFlag.LOST) !== 0) found[2] += 1;
    if ((flags & SentFlag.RETRANS) !== 0) found[3] += 1;
  }
  let timed = 0;
  let before: number | undefined;
  for (let at = cold[k + Cold.OLDEST] as number; at !== 0; at = rows[at + Sent.LATER] as number) {
    const atUs = rows[at + Sent.AT_US] as number;
    if (before !== undefined && ((atUs - before) | 0) < 0) throw new Error('the order of sending is not kept');
    before = atUs;
    timed += 1;
    if (((rows[at + Sent.FLAGS] as number) & SentFlag.SACKED) !== 0) throw new Error('SACKed, and still awaited');
  }
  if (timed > found[0]) throw new Error('more are awaited than are outstanding');
  return found;
}

t.test('blocks outside what is outstanding, reversed, empty or at SND.UNA → nothing is marked', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 2);
  sent(peer);
  const before = counts(peer);
  for (const [from, to] of [
    [2, 4],
    [30, 31],
    [5, 4],
    [4, 4],
    [0, 9],
    [1_000_000, 3],
    [3, 2_100_000],
  ] as const) {
    acknowledge(peer, 2, [from, to]);
  }
  t.same(counts(peer), before);
  t.end();
});

t.test('a block that holds part of a segment → that segment is not SACKed, and is not taken apart', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  peer.inject({ ack: 1, options: { sack: [[1 + 1.5 * MSS, 1 + 3.5 * MSS]] } });
  t.same(counts(peer).slice(1), [1, 0, 0]);
  for (let from = 4; from < 9; from++) {
    for (let byte = 10; byte < MSS - 10; byte += 90)
      peer.inject({ ack: 1, options: { sack: [[1 + from * MSS + byte, 1 + from * MSS + byte + 5]] } });
  }
  t.same(counts(peer).slice(1), [1, 0, 0]);
  t.ok(peer.tcp.context.transmits.count <= 11, `${peer.tcp.context.transmits.count} records`);
  t.end();
});

t.test('blocks in any order, overlapping and told again → each segment counts once', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [7, 9], [5, 8], [2, 3]);
  t.equal(counts(peer)[1], 5);
  const { delivered } = status(peer);
  acknowledge(peer, 0, [2, 3], [5, 9]);
  acknowledge(peer, 0, [5, 7], [6, 9]);
  t.equal(counts(peer)[1], 5);
  t.equal(status(peer).delivered, delivered);
  t.equal(status(peer).reordSeen, 0, 'the order within one ACK says nothing');
  t.same(walk(peer), counts(peer));
  t.end();
});

t.test('an ACK from before SND.UNA → its blocks still count (Linux), its window does not', (t) => {
  const peer = flying(t);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 2);
  peer.inject({ ack: 1, win: 100, options: { sack: [[1 + 4 * MSS, 1 + 5 * MSS]] } });
  t.equal(counts(peer)[1], 1);
  t.equal(status(peer).sndWnd, 65_535);
  t.end();
});

t.test(
  'the peer takes a SACK back → after half a round trip all is lost, and no SACK of it counts (RFC 2018 §8)',
  (t) => {
    const peer = flying(t, 10);
    peer.advanceMs(RTT_MS);
    acknowledge(peer, 0, [1, 3]);
    peer.drain();
    // The first is acknowledged and the two after it are not.
    acknowledge(peer, 1);
    t.equal(counts(peer)[1], 2);
    t.equal(peer.untilSent(), 50);
    t.same(sent(peer), [1]);
    t.same(counts(peer), [9, 0, 9, 1]);
    t.equal(peer.stack.net.stats.tcpSackReneging, 1);
    t.equal(status(peer).caState, 'loss');
    t.end();
  },
);

t.test('the flight is too big for the path → cut anew, cwnd stays (RFC 1191 §6.5)', (t) => {
  const peer = flying(t, 4, 4);
  peer.tcp.context.hot[(peer.tcp.rowOf(peer.id) << Tcb.SHIFT) + Tcb.MSS_AND_SHIFTS] = 600;
  peer.untilSent();
  peer.untilSent();
  const first = peer.drain().filter((segment) => segment.length > 0);
  t.ok(
    first.every((segment) => segment.length <= 600),
    'nothing larger than the path takes',
  );
  t.same(walk(peer), counts(peer));
  t.end();
});

t.test('small segments lost → sent again as one (Linux: tcp_retrans_collapse), with their PSH', (t) => {
  const peer = farAway(t, { listen: { noDelay: true }, tcp: { tailLossProbe: 0 } });
  for (let i = 0; i < 4; i++) peer.write(100);
  t.equal(peer.drain().length, 4);
  peer.untilSent();
  peer.expect({ seq: 1, length: 400, flags: 'P.' });
  t.same(counts(peer), [1, 0, 1, 1]);
  t.end();
});

t.test('small segments lost, told not to gather → one by one', (t) => {
  const peer = farAway(t, { listen: { noDelay: true }, tcp: { tailLossProbe: 0, retransmitGathers: false } });
  for (let i = 0; i < 4; i++) peer.write(100);
  peer.drain();
  peer.untilSent();
  peer.expect({ seq: 1, length: 100 });
  t.end();
});

t.test('a segment sent again → with the flags it had', (t) => {
  const peer = flying(t, 4, 4);
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 0, [1, 4]);
  peer.expect({ seq: 1, length: MSS, flags: '.' });
  t.end();
});

t.test('more is sent than there are records for → it waits for acknowledgments, and goes on', (t) => {
  const peer = farAway(t, { tcp: { transmitRecordsPerConnection: 4 } });
  peer.write(20 * MSS);
  t.same(sent(peer), [0, 1, 2, 3]);
  acknowledge(peer, 2);
  t.same(sent(peer), [4, 5]);
  t.end();
});

t.test('no records at all → looked at again, and sent once there are some', (t) => {
  const peer = farAway(t, { tcp: { transmitRecordsMax: 1 } });
  const { transmits } = peer.tcp.context;
  const held = transmits.take();
  peer.write(MSS);
  t.same(sent(peer), []);
  peer.advanceMs(100);
  t.same(sent(peer), []);
  transmits.give(held);
  peer.advanceMs(20);
  t.same(sent(peer), [0]);
  t.end();
});

/** Reads of the records, counted. */
function counted(peer: Peer): { reads: number } {
  const { transmits } = peer.tcp.context;
  const meter = { reads: 0 };
  const { rows } = transmits;
  const watched = new Proxy(rows, {
    get(target, key) {
      meter.reads += 1;
      return target[key as unknown as number];
    },
    set(target, key, value) {
      target[key as unknown as number] = value;
      return true;
    },
  });
  Object.defineProperty(transmits, 'rows', { value: watched });
  return meter;
}

/** 4,000 segments in flight. */
function wide(peer: Peer, segments: number): void {
  const { hot, cold } = peer.tcp.context;
  const c = peer.tcp.rowOf(peer.id) << Tcb.SHIFT;
  const k = hot[c + Tcb.COLD] as number;
  hot[c + Tcb.CWND] = segments * 500;
  hot[c + Tcb.SND_WND] = segments * 500;
  cold[k + Cold.MAX_SND_WND] = segments * 500;
  for (let left = segments; left > 0; left -= 200) {
    peer.write(200 * 500);
    peer.drain();
  }
}

t.test('thousands outstanding, blocks that jump to and fro and are told again and again → a few steps each', (t) => {
  const peer = farAway(t, {
    syn: { mss: 500, sackOk: true, wscale: 10 },
    slots: 512,
    tcp: { sendBytes: 4 << 20, sendBytesMax: 4 << 20, bufferBytesMax: 16 << 20 },
  });
  wide(peer, 4000);
  t.equal(counts(peer)[0], 4000);
  peer.advanceMs(RTT_MS / 2);
  const meter = counted(peer);
  const at = (n: number): number => 1 + n * 500;
  const random = new Prng(7);
  let worst = 0;
  for (let i = 0; i < 400; i++) {
    const sack: [number, number][] = [];
    for (let b = 0; b < 4; b++) {
      const from = 1 + (b % 2 === 0 ? random.below(30) : 3900 + random.below(30));
      sack.push([at(from), at(from + 1 + random.below(40))]);
    }
    meter.reads = 0;
    peer.inject({ ack: 1, options: { sack } });
    peer.drain();
    // Losses are marked and sent again once; the first ACKs pay for that.
    if (i > 50) worst = Math.max(worst, meter.reads);
  }
  t.ok(worst < 4000, `${worst} reads for an ACK`);
  // The whole window told of in one block, many times.
  for (let i = 0; i < 20; i++) {
    meter.reads = 0;
    peer.inject({ ack: 1, options: { sack: [[at(1), at(4000)]] } });
    peer.drain();
    if (i > 0) worst = Math.max(worst, meter.reads);
  }
  t.ok(worst < 4000, `${worst} reads`);
  t.end();
});

t.test('any blocks, acknowledgments and timeouts → the counts are what walking finds, and all is given back', (t) => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = new Prng(seed);
    const peer = farAway(t, { tcp: { recovery: seed % 2, retransmitGathers: seed % 3 !== 0 } });
    peer.write(200 * MSS);
    let una = 0;
    for (let step = 0; step < 120; step++) {
      peer.drain();
      const out = counts(peer)[0];
      const next = Math.floor((status(peer).sndNxt - peer.stackIss - 1) / MSS);
      if (random.below(4) === 0) una = Math.min(next, una + random.below(4));
      const runs: [number, number][] = [];
      for (let i = random.below(4); i > 0; i--) {
        const from = una + random.below(out + 2);
        runs.push([from, from + 1 + random.below(4)]);
      }
      acknowledge(peer, una, ...runs);
      if (reducing(peer) && !['cwr', 'recovery'].includes(status(peer).caState))
        t.fail(`seed ${seed}, step ${step}: a reduction runs in ${status(peer).caState}`);
      const actual = counts(peer);
      const expected = walk(peer);
      if (JSON.stringify(actual) !== JSON.stringify(expected)) t.same(actual, expected, `seed ${seed}, step ${step}`);
      if (random.below(3) === 0) peer.advanceMs(random.below(150));
    }
    peer.abort();
    if (peer.tcp.context.transmits.count !== 0) t.equal(peer.tcp.context.transmits.count, 0, `seed ${seed}`);
  }
  t.end();
});

t.test('recovery by SACK, a hole in four → cwnd by PRR, every hole once, at the end ssthresh (RFC 9937)', (t) => {
  const peer = flying(t, 30);
  peer.advanceMs(RTT_MS);
  const arrived = [1, 2, 4, 5, 7, 8, 9];
  const again: number[] = [];
  const runs: [number, number][] = [];
  for (const n of arrived) {
    const last = runs[0];
    if (last !== undefined && last[1] === n) runs[0] = [last[0], n + 1];
    else runs.unshift([n, n + 1]);
    acknowledge(peer, 0, ...runs.slice(0, 3));
    again.push(...sent(peer).filter((segment) => segment < 10));
  }
  t.same(counts(peer)[1], 7);
  t.ok(again.includes(0));
  peer.advanceMs(RTT_MS);
  acknowledge(peer, 3, [4, 6], [7, 10]);
  acknowledge(peer, 6, [7, 10]);
  acknowledge(peer, 10);
  t.same(window(peer)[1], 5);
  t.equal(status(peer).totalRto, 0);
  t.end();
});
