import t from 'tap';
import { Verdict } from '../../../../stack/wire/verdict.js';
import { sameBytes } from '../../../same-bytes.js';
import { pattern } from '../peer.js';
import { established, listening, synSent } from '../states.js';

/** What a peer may say that is not so: acknowledgments, sizes, options. Nothing of it ends in more than a counter, or costs more than a true segment. */

t.test('ACKs of what was never sent, a thousand → one challenge ACK, nothing moves; before Linux 6.18 silence', (t) => {
  const silent = established(t, { tcp: { profile: 'linux-6.12' } });
  for (let i = 0; i < 1000; i++) silent.inject({ ack: 102 + i * 1000 });
  silent.expectNothing();
  const peer = established(t);
  peer.write(100);
  peer.drain();
  const before = peer.tcp.info(peer.id);
  for (let i = 0; i < 1000; i++) t.equal(peer.inject({ ack: 102 + i * 1000 }), Verdict.TCP_ACK_UNSENT);
  peer.expect({ length: 0, ack: 1, flags: '.' });
  peer.expectNothing();
  const after = peer.tcp.info(peer.id);
  for (const key of ['sndUna', 'sndNxt', 'sndWnd', 'sndCwndBytes'] as const) t.equal(after[key], before[key], key);
  t.end();
});

t.test('the same in CLOSE-WAIT → one challenge ACK in 500 ms', (t) => {
  const peer = established(t);
  peer.fin();
  peer.drain();
  for (let i = 0; i < 1000; i++) {
    peer.inject({ ack: 2 + i });
    peer.advanceMs(1);
  }
  t.equal(peer.drain().length, 2);
  t.end();
});

t.test(
  'optimistic ACKs: each segment acknowledged before it can have come → cwnd grows by bytes, not by ACKs, and never beyond what was sent',
  (t) => {
    const peer = established(t, { win: 65_535 });
    peer.tcp.send(peer.id, new Uint8Array(60_000));
    peer.flush();
    const began = peer.tcp.info(peer.id).sndCwndBytes;
    let acked = 1;
    for (let i = 0; i < 10; i++) {
      peer.drain();
      // The whole flight at once, as soon as it has left.
      acked = peer.rcvNxt;
      peer.inject({ ack: acked });
    }
    t.ok(peer.tcp.info(peer.id).sndCwndBytes - began <= acked, 'no more than was acknowledged');
    t.end();
  },
);

t.test('ACK division: one segment acknowledged byte by byte → cwnd grows by a segment in all', (t) => {
  const peer = established(t);
  peer.write(14_600);
  peer.drain();
  const { sndCwndBytes } = peer.tcp.info(peer.id);
  for (let i = 1; i <= 1460; i++) peer.inject({ ack: 1 + i });
  const grown = peer.tcp.info(peer.id).sndCwndBytes - sndCwndBytes;
  t.ok(grown <= 1460, `${grown} bytes, not ${1460 * 1460}`);
  t.end();
});

t.test('an MSS of 0, of 1, of 47 in the SYN → 536 for none, and no segment with less than 48 bytes of room', (t) => {
  for (const [mss, size] of [
    [0, 536],
    [1, 48],
    [47, 48],
    [65_535, 1460],
  ] as const) {
    const peer = established(t, { syn: { mss } });
    peer.write(2000);
    const sent = peer.drain();
    t.equal(sent[0]?.length, size, `${mss}`);
  }
  t.end();
});

t.test('a tiny MSS and many bytes to send → as many segments as the window of ten allows, no more', (t) => {
  const peer = established(t, { syn: { mss: 1, sackOk: true } });
  peer.write(100_000);
  t.ok(peer.drain().length <= 10);
  t.end();
});

t.test('timestamps that vanish → taken; that come without being agreed → not read; that go back → PAWS', (t) => {
  const timed = established(t, { syn: { mss: 1460, ts: [1000, 0] } });
  timed.tsBase = undefined;
  t.equal(timed.data(10), Verdict.OK);
  const plain = established(t);
  t.equal(plain.data(10, { options: { ts: [5, 6] } }), Verdict.OK);
  t.equal(plain.data(10, { options: { ts: [1, 6] } }), Verdict.OK);
  t.equal(plain.tcp.info(plain.id).rcvRttUs, 0, 'nor measured with');
  timed.tsBase = 0;
  t.equal(timed.inject({ data: 10, options: { ts: [5000, 0] } }), Verdict.OK);
  timed.nxt += 10;
  for (let i = 0; i < 100; i++) t.equal(timed.inject({ data: 10, options: { ts: [4000, 0] } }), Verdict.TCP_PAWS);
  t.equal(timed.tcp.readable(timed.id), 20);
  t.end();
});

t.test('SACK blocks without SACK agreed → not read', (t) => {
  const peer = established(t);
  peer.write(5000);
  peer.drain();
  for (let i = 0; i < 10; i++) peer.inject({ options: { sack: [[1461, 2921]] } });
  t.equal(peer.tcp.info(peer.id).sacked, 0);
  t.equal(peer.stack.net.stats.tcpSackBlocksIn, 0);
  t.end();
});

t.test('a window scale in a segment that is no SYN → changes nothing', (t) => {
  const peer = established(t, { syn: { mss: 1460, wscale: 2 } });
  const { sndWscale } = peer.tcp.info(peer.id);
  peer.data(1);
  peer.drain();
  peer.inject({ options: { wscale: 14 }, win: 1000 });
  t.same([peer.tcp.info(peer.id).sndWscale, peer.tcp.info(peer.id).sndWnd], [sndWscale, 4000]);
  t.end();
});

t.test('MSS and SACK-permitted in the middle → change nothing', (t) => {
  const peer = established(t);
  peer.inject({ options: { mss: 100, sackOk: true } });
  t.equal(peer.tcp.info(peer.id).sack, false);
  peer.write(1460);
  peer.expect({ length: 1460 });
  t.end();
});

t.test('a window of zero for ever, the program there → probed for ever; with a user timeout → ETIMEDOUT', (t) => {
  const peer = established(t);
  peer.ack({ win: 0 });
  peer.write(10);
  let probes = 0;
  for (let i = 0; i < 30; i++) {
    peer.untilSent();
    probes += peer.drain().length;
    peer.ack({ win: 0 });
  }
  t.ok(probes >= 30);
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('SYNs into an established connection, thousands → one challenge ACK in 500 ms', (t) => {
  const peer = established(t);
  for (let i = 0; i < 3000; i++) {
    peer.inject({ flags: 'S', seq: 1 + i, options: { mss: 1 } });
    if (i % 3 === 0) peer.advanceMs(1);
  }
  const answers = peer.drain().length;
  t.equal(answers, 3, 'in a second');
  peer.expectState('ESTABLISHED');
  t.equal(peer.data(10), Verdict.OK);
  t.end();
});

t.test('RSTs at every number of the window but the right one → challenge ACKs within the limit, and it lives', (t) => {
  const peer = established(t);
  for (let seq = 2; seq < 60_000; seq += 13) peer.inject({ flags: 'R', seq });
  t.equal(peer.drain().length, 1);
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('old segments without text, again and again from both ends → no storm of ACKs', (t) => {
  const peer = established(t);
  peer.data(100);
  peer.drain();
  for (let i = 0; i < 1000; i++) peer.inject({ seq: 1 });
  t.equal(peer.drain().length, 1);
  t.end();
});

t.test(
  'a FIN with text beyond the window → since Linux 6.18 nothing of it while data is unread, before all of it',
  (t) => {
    const old = established(t, { listen: { receiveBytes: 4000 }, tcp: { profile: 'linux-6.12' } });
    const now = established(t, { listen: { receiveBytes: 4000 } });
    for (const peer of [old, now]) {
      peer.data(1000);
      peer.inject({ flags: 'F.', data: 1400 });
    }
    old.expectState('CLOSE-WAIT');
    sameBytes(t, old.read(), pattern(2400), 'byte for byte');
    now.expectState('ESTABLISHED');
    sameBytes(t, now.read(), pattern(1000), 'what came before it');
    t.end();
  },
);

t.test('every segment of a handshake with every flag set → no connection, no trace', (t) => {
  const peer = listening(t);
  for (const flags of ['SF', 'SFPU', 'FPU', '', 'SR', 'R', 'F']) peer.inject({ flags, seq: 0 });
  t.equal(peer.tcp.counts.connections, 0);
  t.equal(peer.tcp.counts.halfOpen, 0);
  const calling = synSent(t);
  for (const flags of ['F', 'FPU', '', 'R']) calling.inject({ flags, seq: 0 });
  calling.expectState('SYN-SENT');
  t.end();
});
