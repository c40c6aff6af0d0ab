import t from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { type Peer, pattern } from './peer.js';
import { established } from './states.js';

/** What we offer: RFC 9293 §3.8.6.2.2. The right edge never moves left, and moves right by steps worth having. */

/** Sends `total` bytes in segments of `size`, each only as the window allows. Returns how many went. */
function pour(peer: Peer, size: number, total: number): number {
  let poured = 0;
  while (poured < total) {
    const info = peer.tcp.info(peer.id);
    if (info.rcvWnd < size) break;
    peer.data(size);
    poured += size;
  }
  return poured;
}

t.test('ESTABLISHED, the program does not read → the window closes, byte by byte, to nothing', (t) => {
  const peer = established(t, { listen: { receiveBytes: 10_000 } });
  for (let i = 1; i <= 6; i++) {
    peer.data(1000);
    const sent = peer.drain();
    const last = sent[sent.length - 1];
    if (last !== undefined) t.equal(last.win, 10_000 - i * 1000);
  }
  t.equal(pour(peer, 1000, 4000), 4000);
  peer.inject({ data: 100 });
  const sent = peer.drain();
  t.same([sent[sent.length - 1]?.win, sent[sent.length - 1]?.ack], [0, 10_001]);
  t.equal(peer.tcp.readable(peer.id), 10_000, 'what does not fit is not taken');
  t.end();
});

t.test('ESTABLISHED, more than the window in one segment → cut at its edge', (t) => {
  const peer = established(t, { listen: { receiveBytes: 2920 }, tcp: { receiveWindowShare: 256 } });
  peer.inject({ data: 1400 });
  peer.inject({ seq: 1401, data: 1400 });
  peer.inject({ seq: 2801, data: 1400 });
  t.equal(peer.tcp.readable(peer.id), 2920);
  t.same(peer.read(), pattern(2920));
  t.end();
});

t.test(
  'ESTABLISHED, window shut, the program reads crumbs → silence until a segment or half the buffer is free',
  (t) => {
    const peer = established(t, { listen: { receiveBytes: 8000 } });
    pour(peer, 1000, 8000);
    peer.advanceMs(500);
    peer.drain();
    for (let i = 0; i < 9; i++) peer.read(100);
    peer.expectNothing('900 bytes free');
    peer.read(100);
    peer.expect({ flags: '.', win: 1000, length: 0 });
    peer.read(500);
    peer.expectNothing('a smaller gain rides on the next ACK');
    t.end();
  },
);

t.test('ESTABLISHED, window shut → a probe is answered, and what it carries refused', (t) => {
  const peer = established(t, { listen: { receiveBytes: 2304 } });
  peer.data(1152);
  peer.data(1152);
  peer.advanceMs(500);
  peer.drain();
  peer.inject({ data: 1 });
  peer.expect({ flags: '.', ack: 2305, win: 0 });
  peer.inject({ seq: 2304, data: 0 });
  peer.expect({ flags: '.', ack: 2305, win: 0 });
  t.equal(peer.tcp.readable(peer.id), 2304);
  t.end();
});

t.test('ESTABLISHED, window shut → ACK and RST still count (MUST-66)', (t) => {
  const peer = established(t, { listen: { receiveBytes: 2304 } });
  peer.data(1152);
  peer.data(1152);
  peer.write(100);
  peer.drain();
  peer.inject({ data: 5, ack: 101 });
  t.equal(peer.tcp.unacknowledged(peer.id), 0);
  peer.inject({ flags: 'R' });
  peer.expectState('CLOSED');
  t.end();
});

t.test(
  'ESTABLISHED with a shift, a stream of single bytes nobody reads → the buffer holds (rounding never outruns it)',
  (t) => {
    const peer = established(t, { syn: { mss: 1460, wscale: 0 }, tcp: { receiveBytes: 4096 } });
    t.ok(peer.tcp.info(peer.id).rcvWscale > 0);
    let offered = 0;
    for (let i = 0; i < 10_000; i++) {
      peer.data(1);
      for (const segment of peer.drain()) {
        const edge = segment.ack + (segment.win << 7);
        if (edge > offered) offered = edge;
      }
      peer.nxt = 1 + peer.tcp.readable(peer.id);
    }
    t.ok(peer.tcp.readable(peer.id) <= 4096 + 128, `${peer.tcp.readable(peer.id)} bytes are held`);
    t.ok(offered <= 1 + 4096 + 128, `nothing beyond ${offered} was ever offered`);
    t.end();
  },
);

t.test('ESTABLISHED with a shift, any sizes of segments and reads → the edge moves left by less than a unit', (t) => {
  const peer = established(t, { syn: { mss: 1460, wscale: 0 }, tcp: { receiveBytes: 50_000 } });
  let edge = 0;
  let x = 1;
  for (let i = 0; i < 3000; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff;
    const size = 1 + (x % 1460);
    if (peer.nxt + size <= edge || edge === 0) peer.data(size);
    if (x % 7 === 0) peer.read(x % 20_000);
    if (x % 5 === 0) peer.advanceMs(50);
    for (const segment of peer.drain()) {
      const now = segment.ack + (segment.win << 7);
      t.ok(now > edge - 128, `${now} after ${edge}`) || (i = 3000);
      if (now > edge) edge = now;
    }
  }
  t.end();
});

t.test('ESTABLISHED, a fast reader → the buffer grows to what a round trip brings (auto-tuning)', (t) => {
  const peer = established(t, { syn: { mss: 1460, wscale: 0 } });
  const before = peer.tcp.info(peer.id).rcvSsthresh;
  peer.write(1);
  peer.advanceMs(20);
  peer.ack();
  for (let i = 0; i < 400; i++) {
    peer.data(1460);
    if (i % 40 === 39) {
      peer.read();
      peer.advanceMs(10);
    }
  }
  const after = peer.tcp.info(peer.id).rcvSsthresh;
  t.ok(after >= 2 * 58_400 && after >= before, `${before} became ${after}`);
  t.end();
});

t.test('ESTABLISHED, receiveBytes set by the program → not tuned', (t) => {
  const peer = established(t, { listen: { receiveBytes: 20_000 } });
  peer.write(1);
  peer.advanceMs(20);
  peer.ack();
  for (let i = 0; i < 100; i++) {
    peer.data(1460);
    peer.read();
    peer.advanceMs(30);
  }
  t.equal(peer.tcp.getOption(peer.id, TcpOption.RECEIVE_BYTES), 20_000);
  t.equal(peer.tcp.info(peer.id).rcvWnd, 20_000);
  t.end();
});
