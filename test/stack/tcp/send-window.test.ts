import t from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { sameBytes } from '../../same-bytes.js';
import { pattern } from './peer.js';
import { established } from './states.js';

/** What the peer's window lets out: RFC 9293 §3.8.6, silly-window avoidance of the sender, probes, windows that shrink. */

t.test('ESTABLISHED, a window of 1000 → never a byte more, in two segments; the update lets the rest out', (t) => {
  const peer = established(t, { win: 1000 });
  peer.write(2500);
  peer.expect({ seq: 1, length: 500 });
  peer.expect({ seq: 501, length: 500 });
  peer.expectNothing();
  peer.ack({ win: 1500 });
  peer.expect({ seq: 1001, length: 750 });
  peer.expect({ seq: 1751, length: 750 });
  t.end();
});

t.test(
  'ESTABLISHED, a window that grows → segments follow to half of it, up to the MSS; it never was smaller once it was larger',
  (t) => {
    const peer = established(t, { win: 500 });
    const sizes: number[] = [];
    for (const win of [500, 800, 2000, 2920, 65_535, 1000]) {
      peer.inject({ win });
      sizes.push(peer.tcp.info(peer.id).sndMss);
    }
    t.same(sizes, [500, 400, 1000, 1460, 1460, 1460]);
    t.end();
  },
);

t.test('ESTABLISHED, what is sent → the bytes that were written, in order', (t) => {
  const peer = established(t);
  peer.write(4000);
  const got = Buffer.concat(peer.drain().map((segment) => segment.data));
  sameBytes(t, new Uint8Array(got), pattern(4000), 'byte for byte');
  t.end();
});

t.test(
  'ESTABLISHED, a window that ends within a segment → the piece goes with a burst, but not while a small one is outstanding',
  (t) => {
    const peer = established(t, { win: 4000 });
    peer.write(8000);
    t.same(
      peer.drain().map((segment) => segment.length),
      [1460, 1460, 1080],
    );
    peer.inject({ ack: 2921, win: 3000 });
    t.same(
      peer.drain().map((segment) => segment.length),
      [1460],
      '460 bytes could go, and do not',
    );
    peer.inject({ ack: 5461, win: 1000 });
    peer.expectNothing('alone no piece is worth it');
    t.end();
  },
);

t.test('ESTABLISHED, the window has room for the data and not for the FIN → both wait for the override', (t) => {
  const peer = established(t);
  peer.data(1);
  peer.drain();
  peer.inject({ win: 100 });
  peer.write(0);
  peer.tcp.send(peer.id, pattern(100));
  peer.shutdown();
  peer.expectNothing();
  peer.untilSent();
  peer.expect({ seq: 1, length: 100, flags: 'P.' });
  peer.inject({ ack: 101, win: 100 });
  peer.expect({ seq: 101, flags: 'F.' });
  t.end();
});

t.test('ESTABLISHED, a window that is always small → half of it is worth a segment', (t) => {
  const peer = established(t, { win: 600 });
  peer.write(2000);
  peer.expect({ length: 300 });
  peer.expect({ length: 300 });
  peer.inject({ ack: 601, win: 299 });
  peer.expectNothing('less than half');
  peer.inject({ ack: 601, win: 300 });
  peer.expect({ seq: 601, length: 300 });
  t.end();
});

t.test(
  'ESTABLISHED, nothing in flight and a window not worth using → used after all, when the override timer says so',
  (t) => {
    const peer = established(t, { win: 4000 });
    peer.write(8000);
    peer.drain();
    peer.inject({ ack: 2921, win: 100 });
    peer.expectNothing();
    t.ok(peer.untilSent() <= 1000);
    peer.expect({ seq: 2921, length: 100 });
    t.end();
  },
);

t.test('ESTABLISHED, window zero → probes with back-off, for as long as they are answered (MUST-36, MUST-37)', (t) => {
  const peer = established(t);
  peer.inject({ win: 0 });
  peer.write(100);
  peer.expectNothing();
  let before = 0;
  for (let i = 0; i < 30; i++) {
    const waited = peer.untilSent();
    const probe = peer.expect({ flags: '.', seq: 0, length: 0 }, 'an octet the peer has');
    t.equal(probe.ack, 1);
    t.ok(waited >= 200 && waited <= 120_000 && waited >= before, `after ${waited} ms`);
    if (i > 0 && waited < 120_000) t.ok(waited >= 1.9 * before, 'twice as long as before');
    before = waited;
    peer.inject({ win: 0 });
    peer.expectNothing();
  }
  peer.expectState('ESTABLISHED');
  peer.inject({ win: 200 });
  peer.expect({ seq: 1, length: 100 });
  t.end();
});

t.test('ESTABLISHED, window zero, probes not answered → ETIMEDOUT in the end', (t) => {
  const peer = established(t);
  peer.inject({ win: 0 });
  peer.write(100);
  peer.advanceMs(2 * 3_600_000);
  peer.expectState('CLOSED');
  t.equal(peer.drain().length, 15);
  t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
  t.end();
});

t.test('ESTABLISHED, window zero and then open → data at once, no probe after', (t) => {
  const peer = established(t);
  peer.inject({ win: 0 });
  peer.write(100);
  peer.untilSent();
  peer.drain();
  peer.inject({ win: 1000 });
  peer.expect({ seq: 1, length: 100 });
  peer.ack({ win: 1000 });
  peer.advanceMs(60_000);
  peer.expectNothing();
  t.end();
});

t.test('ESTABLISHED, window zero, FIN queued behind data → neither goes; both when it opens', (t) => {
  const peer = established(t);
  peer.inject({ win: 0 });
  peer.write(10);
  peer.shutdown();
  peer.expectNothing();
  peer.inject({ win: 1000 });
  peer.expect({ flags: 'FP.', seq: 1, length: 10 });
  t.end();
});

t.test('ESTABLISHED, window zero, FIN alone → waits for the window, and is probed for', (t) => {
  const peer = established(t);
  peer.inject({ win: 0 });
  peer.shutdown();
  peer.untilSent();
  peer.expect({ flags: '.', length: 0 });
  peer.inject({ win: 1 });
  peer.expect({ flags: 'F.', seq: 1 });
  t.end();
});

t.test(
  'ESTABLISHED, the window shrinks in front of data in flight → nothing new; the old is still acknowledged (SHLD-15, 16)',
  (t) => {
    const peer = established(t, { win: 5000 });
    peer.write(10_000);
    t.equal(peer.drain().length, 4);
    peer.inject({ ack: 1461, win: 1000 });
    peer.expectNothing('SND.UNA + SND.WND lies before SND.NXT now');
    peer.inject({ ack: 5001, win: 5000 });
    t.equal(peer.drain()[0]?.seq, 5001);
    t.end();
  },
);

t.test(
  'ESTABLISHED, the window shrinks to nothing, the flight is lost → retried by timer, not given up while answered',
  (t) => {
    const peer = established(t);
    peer.write(1000);
    peer.drain();
    for (let i = 0; i < 40; i++) {
      peer.inject({ ack: 1, win: 0 });
      peer.advanceMs(130_000);
      peer.drain();
    }
    peer.expectState('ESTABLISHED');
    peer.inject({ ack: 1, win: 5000 });
    peer.untilSent();
    peer.expect({ seq: 1 });
    t.end();
  },
);

t.test('ESTABLISHED, an old segment with another window comes late → SND.WL1 and SND.WL2 keep it out', (t) => {
  const peer = established(t);
  peer.data(1);
  peer.data(100, { win: 3000 });
  t.equal(peer.tcp.info(peer.id).sndWnd, 3000);
  peer.inject({ seq: 51, data: 10, win: 9 });
  t.equal(peer.tcp.info(peer.id).sndWnd, 3000, 'older by its sequence number');
  peer.write(10);
  peer.drain();
  peer.ack({ win: 4000 });
  peer.inject({ ack: 1, win: 9 });
  t.equal(peer.tcp.info(peer.id).sndWnd, 4000, 'older by its acknowledgment');
  t.end();
});

t.test('ESTABLISHED, window scaling → the field counts units of the shift, but not in the SYN', (t) => {
  const peer = established(t, { syn: { mss: 1460, wscale: 3 }, win: 1000 });
  t.equal(peer.tcp.info(peer.id).sndWnd, 8000);
  t.equal(peer.tcp.info(peer.id).sndWscale, 3);
  t.end();
});

t.test('ESTABLISHED, a shift beyond 14 → 14 (RFC 7323 §2.3)', (t) => {
  const peer = established(t, { syn: { mss: 1460, wscale: 200 }, win: 65_535 });
  t.equal(peer.tcp.info(peer.id).sndWnd, 65_535 << 14);
  t.end();
});

t.test('send, the buffer is full → what fits; WRITABLE when a third is free', (t) => {
  const peer = established(t, { listen: { sendBytes: 9000 } });
  t.equal(peer.write(20_000), 9000);
  t.equal(peer.write(1), 0);
  t.equal(peer.tcp.writable(peer.id), 0);
  peer.events();
  peer.ack({ ack: 1 + 2920 });
  t.notOk(peer.told(Event.WRITABLE), 'less than a third');
  peer.ack();
  t.ok(peer.told(Event.WRITABLE));
  t.ok(peer.tcp.writable(peer.id) >= 3000);
  t.end();
});

t.test(
  'send, low water of unsent bytes set → no more than that waits, but for a buffer; WRITABLE below half of it',
  (t) => {
    const peer = established(t, { listen: { sendBytes: 9000 }, win: 2000 });
    peer.tcp.setOption(peer.id, TcpOption.NOT_SENT_LOW_WATER, 2500);
    // Half of the window is a segment. Two go at once; the sixth would begin with 3000 unsent.
    t.equal(peer.write(20_000), 5000);
    peer.events();
    t.equal(peer.drain().length, 2);
    peer.inject({ ack: 1001, win: 2000 });
    t.equal(peer.tcp.unsent(peer.id), 2000);
    t.notOk(peer.told(Event.WRITABLE), `${peer.tcp.unsent(peer.id)} bytes are unsent`);
    peer.inject({ ack: 2001, win: 2000 });
    t.equal(peer.tcp.unsent(peer.id), 1000);
    t.ok(peer.told(Event.WRITABLE), `${peer.tcp.unsent(peer.id)} bytes are unsent`);
    t.end();
  },
);

t.test('ESTABLISHED, a window whose highest bit is set → 65,535 bytes, no negative number (MUST-1)', (t) => {
  const peer = established(t, { win: 65_535, tcp: { initialWindowSegments: 100 }, listen: { sendBytes: 200_000 } });
  t.equal(peer.tcp.info(peer.id).sndWnd, 65_535);
  peer.data(1);
  peer.drain();
  peer.inject({ win: 0x8000 });
  t.equal(peer.tcp.info(peer.id).sndWnd, 0x8000);
  peer.write(100);
  peer.expect({ length: 100 });
  t.end();
});

t.test('ESTABLISHED, a scaled window of more than 65,535 → all of it may be used (REC-1)', (t) => {
  const peer = established(t, {
    syn: { mss: 1460, wscale: 7 },
    win: 1000,
    tcp: { initialWindowSegments: 200 },
    listen: { sendBytes: 300_000 },
  });
  t.equal(peer.tcp.info(peer.id).sndWnd, 128_000);
  peer.write(200_000);
  for (let i = 0; i < 40 && peer.tcp.info(peer.id).sndNxt - peer.tcp.info(peer.id).sndUna < 120_000; i++) peer.ack();
  const { sndNxt, sndUna } = peer.tcp.info(peer.id);
  t.ok(sndNxt - sndUna > 120_000 && sndNxt - sndUna <= 128_000, `${sndNxt - sndUna} bytes in flight`);
  t.end();
});
