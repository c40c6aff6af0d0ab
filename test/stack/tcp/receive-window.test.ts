import t, { type Test } from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { sameBytes } from '../../same-bytes.js';
import { Peer, pattern } from './peer.js';
import { established, listening } from './states.js';

/** What we offer: RFC 9293 §3.8.6.2.2. The right edge never moves left, and moves right by steps worth having. */

/** RCV.WND, and where a test sets it. */
const RCV_WND = 5;
function room(peer: Peer): number {
  return peer.tcp.context.hot[(peer.tcp.rowOf(peer.id) << 4) + RCV_WND] as number;
}
/** A peer that does not care: more is taken for offered than was. */
function offer(peer: Peer, bytes: number): void {
  peer.tcp.context.hot[(peer.tcp.rowOf(peer.id) << 4) + RCV_WND] = bytes;
}

/** Sends `total` bytes in segments of `size`, each only as the window allows. Returns how many went. */
function pour(peer: Peer, size: number, total: number): number {
  let poured = 0;
  while (poured < total) {
    if (room(peer) < size) break;
    peer.data(size);
    poured += size;
  }
  return poured;
}

t.test('LISTEN, rcv SYN → a window of half the buffer in whole segments, as Linux', (t) => {
  for (const [syn, win] of [
    [{ mss: 1460 }, 64_240],
    [{ mss: 1460, wscale: 7 }, 64_240],
    [{ mss: 1460, ts: [1, 0] as const }, 65_160],
  ] as const) {
    const peer = listening(t, { syn });
    peer.inject({ flags: 'S', options: syn });
    t.equal(peer.drain()[0]?.win, win);
  }
  const large = listening(t, { tcp: { receiveBytes: 540_000 } });
  large.inject({ flags: 'S', options: { mss: 1460, wscale: 7 } });
  t.equal(large.drain()[0]?.win, 65_535, 'the field of a SYN is not scaled');
  t.end();
});

t.test('CLOSED, OPEN → a SYN with the same window', (t) => {
  const peer = new Peer(t);
  peer.stackPort = 5000;
  peer.peerPort = 7;
  peer.id = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, localPort: 5000 });
  peer.flush();
  t.equal(peer.drain()[0]?.win, 64_240);
  t.end();
});

t.test('ESTABLISHED, the program does not read → the window closes in whole segments, to nothing', (t) => {
  // 10,000 of 20,000 bytes are a window; three segments of MSS 3000 in it.
  const peer = established(t, { mtu: 3040, slotBytes: 4096, listen: { receiveBytes: 20_000 } });
  const wins: (number | undefined)[] = [];
  for (let i = 0; i < 3; i++) {
    peer.data(1000);
    wins.push(peer.drain().at(-1)?.win);
  }
  // A packet of 1040 bytes costs 2304: text is 111 of 256 parts, so 8671 in all, and each takes 999 of it.
  t.same(wins, [8000, 7000, 6000], 'what was promised, less what came');
  pour(peer, 1000, 20_000);
  peer.advanceMs(300);
  t.same([room(peer), peer.drain().at(-1)?.win], [0, 0]);
  const taken = peer.tcp.readable(peer.id);
  t.equal(peer.inject({ data: 100 }), Verdict.TCP_WINDOW_CLOSED);
  t.equal(peer.tcp.readable(peer.id), taken, 'what does not fit is not taken');
  t.equal(peer.stack.net.stats.tcpZeroWindowDrops, 1);
  t.end();
});

t.test(
  'ESTABLISHED, linux-6.12, a segment that begins in the window and is longer → taken whole; at its edge → not',
  (t) => {
    const peer = established(t, { listen: { receiveBytes: 4000 }, tcp: { profile: 'linux-6.12' } });
    const offered = peer.tcp.info(peer.id).rcvWnd;
    t.ok(offered < 2800);
    peer.inject({ data: 1400 });
    t.equal(peer.inject({ seq: 1401, data: 1400 }), Verdict.OK);
    t.equal(peer.tcp.readable(peer.id), 2800);
    peer.drain();
    t.equal(peer.inject({ seq: 2801, data: 1400 }), Verdict.TCP_WINDOW_CLOSED);
    peer.expect({ flags: '.', ack: 2801, win: 0 });
    sameBytes(t, peer.read(), pattern(2800), 'byte for byte');
    t.end();
  },
);

t.test('ESTABLISHED, a segment that ends beyond the window → refused while bytes are unread, else taken whole', (t) => {
  const peer = established(t, { listen: { receiveBytes: 4000 } });
  peer.inject({ data: 1400 });
  peer.drain();
  t.equal(peer.inject({ seq: 1401, data: 1400 }), Verdict.TCP_SEQUENCE);
  peer.expect({ flags: '.', ack: 1401 });
  t.equal(peer.stack.net.stats.tcpBeyondWindow, 1);
  const { rcvWnd } = peer.tcp.info(peer.id);
  t.equal(peer.inject({ flags: 'F.', seq: 1401, data: rcvWnd }), Verdict.OK, 'a FIN may lie beyond');
  peer.expectState('CLOSE-WAIT');
  const empty = established(t, { listen: { receiveBytes: 4000 } });
  t.equal(empty.inject({ data: 2800 }), Verdict.OK);
  t.equal(empty.tcp.readable(empty.id), 2800);
  t.end();
});

t.test('ESTABLISHED, window shut, the program reads crumbs → silence until a segment and a sixteenth are free', (t) => {
  const peer = established(t, { listen: { receiveBytes: 16_000 } });
  while (peer.tcp.info(peer.id).rcvWnd > 0) {
    peer.data(Math.min(1000, peer.tcp.info(peer.id).rcvWnd));
    peer.advanceMs(200);
  }
  peer.drain();
  const held = peer.tcp.readable(peer.id);
  let read = 0;
  while (peer.sent.length === 0 && read < held) {
    peer.read(100);
    read += 100;
  }
  const { win } = peer.expect({ flags: '.', length: 0 });
  t.ok(win >= 1000 && win % 1000 === 0, `a window of ${win} after ${read} of ${held} bytes`);
  peer.read(100);
  peer.expectNothing('a smaller gain rides on the next ACK');
  t.end();
});

/** Its window is shut by one segment. */
function shut(t: Test): Peer {
  const peer = established(t, { listen: { receiveBytes: 2304 } });
  peer.data(1152);
  peer.expect({ flags: '.', ack: 1153, win: 0 });
  return peer;
}

t.test('ESTABLISHED, window shut → a probe is answered, and what it carries refused', (t) => {
  const peer = shut(t);
  peer.inject({ data: 1 });
  peer.expect({ flags: '.', ack: 1153, win: 0 });
  peer.inject({ seq: 1152, data: 0 });
  peer.expect({ flags: '.', ack: 1153, win: 0 });
  peer.inject({ seq: 1152, data: 1 });
  peer.expect({ flags: '.', ack: 1153, win: 0 });
  t.equal(peer.tcp.readable(peer.id), 1152);
  t.end();
});

t.test('ESTABLISHED, window shut → ACK and RST still count (MUST-66)', (t) => {
  const peer = shut(t);
  peer.write(100);
  peer.drain();
  peer.inject({ data: 5, ack: 101 });
  t.equal(peer.tcp.unacknowledged(peer.id), 0);
  peer.inject({ flags: 'R' });
  peer.expectState('CLOSED');
  t.end();
});

t.test('ESTABLISHED, window shut, rcv a bare FIN → taken: it needs no room', (t) => {
  const peer = shut(t);
  peer.fin();
  peer.expectState('CLOSE-WAIT');
  sameBytes(t, peer.read(), pattern(1152), 'byte for byte');
  t.end();
});

t.test(
  'ESTABLISHED, more is sent than the limit holds, and the program has set the limit → refused, window zero; read → open again',
  (t) => {
    const peer = established(t, { listen: { receiveBytes: 8000 } });
    const verdicts: Verdict[] = [];
    // Whatever the window says.
    for (let i = 0; i < 8; i++) {
      offer(peer, 10_000);
      verdicts.push(peer.inject({ data: 1000, seq: 1 + peer.tcp.readable(peer.id) }));
    }
    t.ok(verdicts.includes(Verdict.TCP_MEMORY));
    t.equal(peer.drain().at(-1)?.win, 0, 'though more was promised');
    t.ok(peer.tcp.readable(peer.id) <= 8000);
    t.ok(peer.stack.net.stats.tcpRcvPruned > 0);
    peer.read();
    t.ok((peer.drain().at(-1)?.win ?? 0) > 0);
    t.end();
  },
);

t.test(
  'ESTABLISHED, the window is told as zero → up to the largest edge ever offered segments count, until it is reached',
  (t) => {
    for (const profile of ['linux-6.18', 'linux-7.3'] as const) {
      const keeps = profile === 'linux-7.3';
      const peer = established(t, { tcp: { profile } });
      for (let i = 0; i < 20; i++) peer.data(1000);
      peer.advanceMs(50);
      const last = peer.drain().at(-1);
      const nxt = 20_001;
      const edge = (last?.ack ?? 0) + ((last?.win ?? 0) << peer.tcp.info(peer.id).rcvWscale);
      peer.tcp.setOption(peer.id, TcpOption.RECEIVE_BYTES, 4000);
      t.equal(peer.inject({ seq: nxt, data: 1000 }), Verdict.TCP_MEMORY);
      t.equal(peer.drain().at(-1)?.win, 0, 'though more was promised');
      t.equal(peer.tcp.context.extras.count, keeps ? 1 : 0);
      t.equal(
        peer.inject({ seq: edge, win: 7000 }),
        keeps ? Verdict.OK : Verdict.TCP_SEQUENCE,
        `${profile}: at the edge`,
      );
      t.equal(peer.tcp.info(peer.id).sndWnd === 7000, keeps, `${profile}: its ACK counts`);
      t.equal(peer.inject({ seq: edge + 1 }), Verdict.TCP_SEQUENCE, `${profile}: beyond`);
      t.equal(peer.inject({ seq: nxt + 1, data: 10 }), Verdict.TCP_SEQUENCE, 'text is not taken');
      peer.advanceMs(600);
      peer.drain();
      t.equal(peer.tcp.info(peer.id).rcvWnd, 0);
      // Once the window has passed the edge nothing is remembered.
      for (let at = nxt; at < edge + 10_000; at += 500) {
        peer.read();
        peer.drain();
        peer.inject({ seq: at, data: 500 });
      }
      peer.read();
      peer.drain();
      t.equal(peer.tcp.context.extras.count, 0, `${profile}: forgotten`);
      t.equal(peer.tcp.readable(peer.id), 0);
    }
    t.end();
  },
);

t.test('ESTABLISHED, the same, and the limit may grow → it grows', (t) => {
  const peer = established(t);
  for (let i = 0; i < 80; i++) {
    offer(peer, 10_000);
    t.equal(peer.inject({ data: 1460, seq: 1 + i * 1460 }), Verdict.OK);
  }
  t.ok(peer.tcp.getOption(peer.id, TcpOption.RECEIVE_BYTES) > 131_072);
  t.equal(peer.stack.net.stats.tcpRcvPruned, 0);
  t.end();
});

t.test(
  'ESTABLISHED, out of order beyond the limit → the last runs go first, and their blocks are not told again',
  (t) => {
    const peer = established(t, { syn: { mss: 1460, sackOk: true, wscale: 0 }, listen: { receiveBytes: 20_000 } });
    for (let i = 5; i >= 1; i--) peer.inject({ seq: 1 + i * 1500, data: 1000 });
    t.equal(peer.tcp.context.reassembly.count, 5);
    for (let i = 5; i >= 1; i--)
      for (const at of [1300, 1200, 1100]) peer.inject({ seq: 1 + i * 1500 - 1500 + at, data: 50 });
    t.ok(peer.stack.net.stats.tcpOfoPruned > 0);
    for (const [left] of peer.drain().at(-1)?.options.sack ?? []) t.ok(left < 7501, 'the one at 7501 was let go');
    peer.inject({ seq: 1, data: 1500 });
    t.equal(peer.tcp.readable(peer.id), 2500);
    t.end();
  },
);

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
  t.ok(peer.tcp.info(peer.id).rcvWnd <= (20_000 * 162) / 256, 'what of it is text in segments of 1460 bytes');
  t.end();
});
