import t, { type Test } from 'tap';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import type { Peer } from './peer.js';
import { established } from './states.js';

/** Path MTU probing, RFC 4821: found out, lost, begun after a black hole, begun again. */

const BASE = { mtuProbing: 2, mtuBaseMss: 512 };

/** A connection whose cwnd is large enough to risk a probe. */
function ready(t: Test, tcp: Partial<TcpLimits> = BASE): Peer {
  const peer = established(t, { tcp, syn: { mss: 1460, sackOk: true } });
  peer.write(5120);
  peer.drain();
  peer.ack();
  return peer;
}

const lengths = (peer: Peer) => peer.drain().map((segment) => segment.length);

t.test(
  'mtuProbing 2 → segments begin at the base size; half way to the largest is tried when enough waits behind it',
  (t) => {
    const peer = ready(t);
    t.equal(peer.tcp.info(peer.id).sndMss, 512);
    peer.write(986 + 4 * 512 - 1);
    t.notOk(lengths(peer).includes(986), 'too little would follow');
    peer.ack();
    peer.write(4000);
    t.equal(lengths(peer)[0], 986);
    peer.ack();
    t.equal(peer.tcp.info(peer.id).sndMss, 986);
    const sizes = new Set<number>();
    for (let i = 0; i < 5; i++) {
      peer.write(20_000);
      for (const length of lengths(peer)) sizes.add(length);
      peer.ack();
    }
    t.ok(sizes.has(1223), 'and half way again, once cwnd has grown');
    t.end();
  },
);

t.test('a probe arrives → cwnd stays what it was in bytes', (t) => {
  const peer = ready(t);
  const before = peer.tcp.info(peer.id).sndCwndBytes;
  peer.write(4000);
  peer.drain();
  peer.inject({ ack: 5121 + 986 });
  const after = peer.tcp.info(peer.id).sndCwndBytes;
  t.ok(Math.abs(after - before) <= 2 * 986, `${before} → ${after}`);
  t.end();
});

t.test(
  'a probe is lost alone → sent again in segments of the size before, cwnd and speed as before, no second try at that size',
  (t) => {
    const peer = ready(t);
    const before = peer.tcp.info(peer.id).sndCwnd;
    peer.write(4000);
    t.equal(lengths(peer)[0], 986);
    peer.inject({ ack: 5121, options: { sack: [[5121 + 986, peer.rcvNxt]] } });
    peer.advanceMs(50);
    t.same(lengths(peer), [512, 474]);
    t.equal(peer.tcp.info(peer.id).sndCwnd, before);
    peer.ack();
    peer.write(4000);
    const sizes = lengths(peer);
    t.ok(
      sizes.every((size) => size < 986),
      String(sizes),
    );
    t.equal(sizes[0], Math.floor((512 + 40 + 1025) / 2) - 40, 'half way to what was lost');
    t.end();
  },
);

t.test('a probe is in doubt after a timeout → it says nothing', (t) => {
  const peer = ready(t);
  peer.write(4000);
  peer.drain();
  peer.advanceMs(1500);
  peer.drain();
  peer.ack();
  t.equal(peer.tcp.info(peer.id).sndMss, 512);
  t.equal(peer.stack.net.stats.tcpMtuProbesLost, 0);
  t.end();
});

t.test('mtuProbing 0 → never; 1 → from the third timeout in a row', (t) => {
  for (const [mtuProbing, mss] of [
    [0, 1460],
    [1, 512],
  ] as const) {
    const peer = established(t, { tcp: { ...BASE, mtuProbing } });
    t.equal(peer.tcp.info(peer.id).sndMss, 1460);
    peer.write(1460);
    peer.advanceMs(10_000);
    t.equal(peer.tcp.info(peer.id).sndMss, mss);
  }
  t.end();
});

t.test('a black hole even for the base size → half of it, and half again, down to the floor', (t) => {
  const peer = established(t, { tcp: { mtuProbing: 1, mtuBaseMss: 512, mtuProbeFloor: 200 } });
  peer.write(1460);
  const sizes = new Set<number>();
  for (let i = 0; i < 60; i++) {
    peer.advanceMs(5000);
    for (const length of lengths(peer)) sizes.add(length);
  }
  t.same([...sizes], [1460, 512, 256, 200]);
  t.end();
});

t.test('the search is over → it begins again after its interval', (t) => {
  const peer = ready(t, { ...BASE, mtuBaseMss: 1000, mtuProbeIntervalMs: 60_000 });
  for (let i = 0; i < 12; i++) {
    peer.write(20_000);
    peer.drain();
    peer.ack();
  }
  const found = peer.tcp.info(peer.id).sndMss;
  t.ok(found > 1450, `${found}`);
  const { tcpMtuProbes } = peer.stack.net.stats;
  peer.write(20_000);
  peer.drain();
  peer.ack();
  t.equal(peer.stack.net.stats.tcpMtuProbes, tcpMtuProbes, 'nothing is left to find out');
  t.end();
});

t.test(
  'a search for the MTU, four gaps in what comes → the blocks told of them do not touch what is known of the path',
  (t) => {
    const peer = established(t, { tcp: { mtuProbing: 2 }, syn: { mss: 1460, sackOk: true }, win: 30_000 });
    const { sndMss, sndCwnd } = peer.tcp.info(peer.id);
    for (const seq of [1001, 3001, 5001, 7001]) peer.inject({ seq, data: 500 });
    t.equal(peer.drain().at(-1)?.options.sack?.length, 4);
    // A larger window is a reason to work the segment size out anew.
    peer.win = 60_000;
    peer.inject({ seq: 7501, data: 10 });
    t.same([peer.tcp.info(peer.id).sndMss, peer.tcp.info(peer.id).sndCwnd], [sndMss, sndCwnd]);
    peer.inject({ seq: 1, data: 8000 });
    peer.nxt = 8001;
    peer.read();
    peer.drain();
    peer.write(sndMss);
    t.equal(peer.drain().find((segment) => segment.length > 0)?.length, sndMss);
    t.end();
  },
);
