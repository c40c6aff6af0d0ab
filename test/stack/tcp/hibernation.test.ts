import t, { type Test } from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { sameBytes } from '../../same-bytes.js';
import { type Peer, type PeerOptions, pattern } from './peer.js';
import { established } from './states.js';

/** An idle connection gives its cold row back, and nobody can tell when it wakes up. */

function asleep(t: Test, options: PeerOptions = {}): Peer {
  const peer = established(t, options);
  peer.data(3000);
  peer.read();
  peer.write(2000);
  peer.ack();
  peer.drain();
  peer.advanceMs(300);
  peer.drain();
  t.equal(peer.tcp.counts.active, 0, 'it sleeps');
  t.equal(peer.tcp.counts.connections, 1);
  return peer;
}

for (const [what, options] of [
  ['plain', {}],
  ['with every option', { syn: { mss: 1400, wscale: 5, sackOk: true, ts: [77, 0] as const } }],
] as const) {
  t.test(`ESTABLISHED ${what}, idle → no cold row, no timer; data wakes it, numbers and windows as they were`, (t) => {
    const peer = asleep(t, options);
    t.equal(peer.stack.nextDeadline(), Number.POSITIVE_INFINITY, 'nothing is pending');
    const before = peer.tcp.info(peer.id);
    peer.advanceMs(3_600_000);
    peer.expectNothing();
    const cameMs = peer.nowUs / 1000;
    peer.data(1000);
    t.ok(peer.untilSent() <= 40, 'it was a conversation: the ACK may wait for an answer');
    const ack = peer.expect({ flags: '.', seq: 2001, ack: 4001 });
    if (options !== undefined && 'syn' in options) {
      t.equal(ack.options.ts?.[1], (77 + cameMs - 1000) | 0, 'the peer’s clock is followed');
    }
    sameBytes(t, peer.read(), pattern(1000, 3000), 'byte for byte');
    t.equal(peer.tcp.counts.active, 1);
    const after = peer.tcp.info(peer.id);
    for (const key of [
      'sndUna',
      'sndNxt',
      'sndWnd',
      'sndMss',
      'rttUs',
      'sndWscale',
      'rcvWscale',
      'sndCwndBytes',
    ] as const)
      t.equal(after[key], before[key], key);
    t.ok(after.rcvWnd + 1000 >= before.rcvWnd, 'what was promised is kept: the edge stays where it was');
    t.end();
  });
}

t.test('ESTABLISHED, idle, the program sends → sent at once, in sequence, acknowledged', (t) => {
  const peer = asleep(t);
  peer.advanceMs(60_000);
  peer.write(500);
  const segment = peer.expect({ flags: 'P.', seq: 2001, ack: 3001, length: 500 });
  sameBytes(t, segment.data, pattern(500, 2000), 'byte for byte');
  peer.ack();
  peer.advanceMs(300);
  t.equal(peer.tcp.counts.active, 0);
  t.end();
});

t.test('ESTABLISHED, idle, timestamps → TSval runs on by the same clock', (t) => {
  const peer = established(t, { syn: { mss: 1460, ts: [1, 0] } });
  peer.write(10);
  const first = peer.drain()[0]?.options.ts?.[0] ?? 0;
  peer.ack();
  peer.advanceMs(5000);
  t.equal(peer.tcp.counts.active, 0);
  peer.write(10);
  t.equal((peer.drain()[0]?.options.ts?.[0] ?? 0) - first, 5000);
  t.end();
});

t.test(
  'ESTABLISHED, idle with a shut window of the peer’s → still shut, probed when there is something to send',
  (t) => {
    const peer = established(t);
    peer.inject({ win: 0 });
    peer.advanceMs(1000);
    t.equal(peer.tcp.counts.active, 1, 'the largest window ever offered bounds a segment, and nothing else keeps it');
    peer.advanceMs(300_000);
    t.equal(peer.tcp.counts.active, 0, 'five minutes later that is past');
    peer.write(10);
    peer.expectNothing();
    peer.untilSent();
    peer.expect({ flags: '.', seq: 0, length: 0 });
    peer.inject({ win: 100 });
    peer.expect({ seq: 1, length: 10 });
    t.end();
  },
);

t.test('CLOSE-WAIT and FIN-WAIT-2, idle → sleep too, and end in order', (t) => {
  const closed = established(t);
  closed.fin();
  closed.untilSent();
  closed.drain();
  closed.advanceMs(1000);
  t.equal(closed.tcp.counts.active, 0);
  closed.close();
  closed.expect({ flags: 'F.', seq: 1, ack: 2 });
  closed.ack();
  closed.expectAllFreed();
  const half = established(t);
  half.shutdown();
  half.ack();
  half.drain();
  half.advanceMs(1000);
  t.equal(half.tcp.counts.active, 0);
  half.fin();
  half.expect({ flags: '.', ack: 2 });
  half.expectTimeWait();
  t.end();
});

for (const [what, prepare] of [
  ['bytes not acknowledged', (peer: Peer) => peer.write(10)],
  ['bytes not read', (peer: Peer) => peer.data(10)],
  ['a gap', (peer: Peer) => peer.inject({ seq: 100, data: 10 })],
  ['an option set', (peer: Peer) => peer.tcp.setOption(peer.id, TcpOption.USER_TIMEOUT_MS, 1_000_000)],
] as const) {
  t.test(`ESTABLISHED, ${what} → stays awake`, (t) => {
    const peer = established(t);
    prepare(peer);
    peer.advanceMs(10_000);
    t.equal(peer.tcp.counts.active, 1);
    t.end();
  });
}

t.test('ESTABLISHED, unread bytes read at last → sleeps', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.advanceMs(10_000);
  peer.read();
  peer.advanceMs(500);
  t.equal(peer.tcp.counts.active, 0);
  t.end();
});

t.test('ESTABLISHED, an option set between two turns as the wheel’s entry comes up → sleeps all the same', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.read();
  peer.drain();
  // Marked, and not yet flushed, when the entry expires.
  peer.tcp.setOption(peer.id, TcpOption.NODELAY, 1);
  peer.nowUs += 400_000;
  peer.stack.advance(peer.nowUs as never);
  peer.flush();
  peer.advanceMs(1000);
  t.equal(peer.tcp.counts.active, 0);
  t.end();
});

t.test('ESTABLISHED, asleep, RST or FIN or abort → as if awake', (t) => {
  const reset = asleep(t);
  reset.inject({ flags: 'R' });
  reset.expectState('CLOSED');
  const ended = asleep(t);
  ended.fin();
  ended.expectState('CLOSE-WAIT');
  const aborted = asleep(t);
  aborted.abort();
  aborted.expect({ flags: 'R.', seq: 2001, ack: 3001 });
  aborted.expectAllFreed();
  t.end();
});

t.test('ESTABLISHED, asleep, info and options → answered without waking it', (t) => {
  const peer = asleep(t);
  const { active, rcvWnd, sndCwndBytes } = peer.tcp.info(peer.id);
  t.equal(active, false);
  t.ok(rcvWnd > 0 && sndCwndBytes > 0);
  t.equal(peer.tcp.getOption(peer.id, TcpOption.SEND_BYTES), 131_072);
  t.equal(peer.tcp.writable(peer.id), 131_072);
  t.equal(peer.tcp.counts.active, 0);
  t.end();
});

t.test('ESTABLISHED, a path narrower than the peer’s MSS, asleep and awake again and again → cwnd stays', (t) => {
  const peer = established(t);
  peer.write(5000);
  const big = peer.drain()[0];
  peer.icmp(3, 4, big?.datagram ?? new Uint8Array(0), 1100);
  peer.drain();
  peer.ack();
  peer.advanceMs(300_000);
  t.ok(asleepNow(peer));
  const { sndCwnd, sndMss } = peer.tcp.info(peer.id);
  t.equal(sndMss, 1060, 'asleep, too, it is what the path carries');
  for (let i = 0; i < 5; i++) {
    peer.inject({});
    peer.advanceMs(1000);
    t.ok(asleepNow(peer), 'waking up has changed nothing');
  }
  t.same([peer.tcp.info(peer.id).sndCwnd, peer.tcp.info(peer.id).sndMss], [sndCwnd, sndMss]);
  t.end();
});

t.test('ESTABLISHED, the FIN has come before the last text, which is lost → stays awake, and the FIN counts', (t) => {
  const peer = established(t, { syn: { mss: 1460, sackOk: true } });
  peer.inject({ flags: 'F.', seq: 101 });
  peer.drain();
  peer.advanceMs(10_000);
  t.notOk(asleepNow(peer));
  peer.data(100);
  peer.expectState('CLOSE-WAIT');
  t.end();
});

t.test(
  'ESTABLISHED, data last went long ago, a segment has come since, asleep → the restart counts from the data',
  (t) => {
    const peer = established(t, { syn: { mss: 1000 }, tcp: { congestion: 'reno' } });
    for (let i = 0; i < 3; i++) {
      peer.write(40_000);
      for (let left = 40; left > 0 && peer.tcp.unacknowledged(peer.id) > 0; left--) peer.ack();
    }
    peer.drain();
    const grown = peer.tcp.info(peer.id).sndCwnd;
    t.ok(grown >= 40, `cwnd is ${grown}`);
    peer.advanceMs(20_000);
    peer.data(10);
    peer.read();
    peer.advanceMs(500);
    t.ok(asleepNow(peer));
    peer.write(1000);
    t.equal(
      peer.tcp.info(peer.id).sndCwnd,
      10,
      'a hundred RTOs of silence, although the peer has spoken half a second ago',
    );
    t.end();
  },
);

t.test('ESTABLISHED, asleep, TCP_INFO → what it was: rates, round trips, sizes, sequence numbers', (t) => {
  const peer = asleep(t, { syn: { mss: 1400, wscale: 5, sackOk: true, ts: [77, 0] } });
  const awake = established(t, {
    tcp: { hibernateMs: 1 << 29 },
    syn: { mss: 1400, wscale: 5, sackOk: true, ts: [77, 0] },
  });
  awake.data(3000);
  awake.read();
  awake.write(2000);
  awake.ack();
  awake.advanceMs(300);
  t.same({ ...peer.tcp.info(peer.id), active: true }, awake.tcp.info(awake.id));
  t.ok(asleepNow(peer), 'and to ask does not wake it');
  peer.inject({ flags: 'R' });
  awake.inject({ flags: 'R' });
  t.same(peer.tcp.info(peer.id), awake.tcp.info(awake.id), 'nor is anything lost by its end');
  t.end();
});

function asleepNow(peer: Peer): boolean {
  return peer.tcp.counts.active === 0;
}
