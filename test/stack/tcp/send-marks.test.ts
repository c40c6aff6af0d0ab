import t from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { SendFlag } from '../../../stack/tcp/send-marks.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { type Peer, pattern } from './peer.js';
import { established } from './states.js';

/** What single writes say of their bytes: RFC 9293 §3.9.1.2, and Linux's MSG_EOR, MSG_MORE and TCP_NOTSENT_LOWAT. */

/** As the next bytes of the stream; bytes taken. */
function write(peer: Peer, bytes: number, how: SendFlag = SendFlag.NONE): number {
  const taken = peer.tcp.send(peer.id, pattern(bytes, peer.written), 0, bytes, how);
  peer.written += taken;
  peer.flush();
  return taken;
}

/** Flags and length of what was sent, in order. */
function shape(peer: Peer): string[] {
  return peer.drain().map((segment) => `${segment.flags} ${segment.data.length}`);
}

/** Nothing is kept for a connection that has no marks any more. */
function expectNothingKept(peer: Peer): void {
  const { extras, marks } = peer.tcp.context;
  peer.t.equal(extras.count, 0, 'no extra row');
  peer.t.equal(marks.count, 0, 'no mark');
}

t.test('SEND, a record ends, then more → a segment of its own for each, and nothing kept afterwards', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.CORK, 1);
  write(peer, 100, SendFlag.RECORD_END);
  write(peer, 2000, SendFlag.RECORD_END);
  t.same(shape(peer), ['P. 100', '. 1460'], 'the cork holds the end of the last record only');
  write(peer, 50);
  t.same(shape(peer), ['P. 540']);
  peer.tcp.setOption(peer.id, TcpOption.CORK, 0);
  peer.ack();
  t.same(shape(peer), ['P. 50']);
  peer.ack();
  expectNothingKept(peer);
  t.end();
});

t.test('SEND, a record ends with the last byte in the queue → Nagle waits with it as ever', (t) => {
  const peer = established(t);
  write(peer, 100);
  write(peer, 100, SendFlag.RECORD_END);
  t.same(shape(peer), ['P. 100']);
  peer.ack();
  t.same(shape(peer), ['P. 100']);
  expectNothingKept(peer);
  t.end();
});

t.test('timeout, a record was sent in small segments → joined up to its end, not beyond', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.NODELAY, 1);
  for (const how of [SendFlag.NONE, SendFlag.RECORD_END, SendFlag.NONE, SendFlag.NONE]) write(peer, 100, how);
  t.same(shape(peer), ['P. 100', 'P. 100', 'P. 100', 'P. 100']);
  peer.untilSent();
  t.same(shape(peer), ['P. 200']);
  peer.inject({ ack: 201 });
  t.same(shape(peer), ['P. 200']);
  t.end();
});

t.test('SEND with a window of 150 bytes, records of 100 → the window cuts as ever, the end of a record stays', (t) => {
  const peer = established(t, { win: 150 });
  peer.tcp.setOption(peer.id, TcpOption.NODELAY, 1);
  for (let i = 0; i < 3; i++) write(peer, 100, SendFlag.RECORD_END);
  const sizes: number[] = [];
  for (let i = 0; i < 20 && peer.tcp.unacknowledged(peer.id) > 0; i++) {
    for (const segment of peer.drain()) sizes.push(segment.data.length);
    peer.ack();
  }
  let at = 0;
  for (const size of sizes) {
    t.equal(Math.floor(at / 100), Math.floor((at + size - 1) / 100), `${at} to ${at + size} is of one record`);
    at += size;
  }
  t.equal(at, 300);
  t.end();
});

t.test('MTU probing, a record ends within the probe → no probe; behind it → a probe', (t) => {
  for (const [record, probes] of [
    [1100, 0],
    [40_000, 1],
  ] as const) {
    const peer = established(t, {
      syn: { mss: 1460 },
      tcp: { mtuProbing: 2, initialWindowSegments: 20, pushHalfWindows: false },
    });
    peer.tcp.setOption(peer.id, TcpOption.CORK, 1);
    write(peer, record, SendFlag.RECORD_END);
    write(peer, 30_000);
    t.equal(peer.stack.net.stats.tcpMtuProbes, probes, `a record of ${record} bytes`);
  }
  t.end();
});

t.test('SEND, more follows → held without PSH; the next ACK lets it go, and it is no cork of the program', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.NODELAY, 1);
  write(peer, 100);
  write(peer, 100, SendFlag.MORE);
  t.same(shape(peer), ['P. 100']);
  t.equal(peer.tcp.getOption(peer.id, TcpOption.CORK), 0);
  peer.ack();
  t.same(shape(peer), ['. 100'], 'no PSH: more was to follow');
  peer.ack();
  expectNothingKept(peer);
  t.end();
});

t.test('SEND, more follows, then CLOSE → FIN at once, without PSH', (t) => {
  const peer = established(t);
  write(peer, 100, SendFlag.MORE);
  peer.tcp.close(peer.id);
  peer.flush();
  t.same(shape(peer), ['F. 100']);
  t.end();
});

t.test('SEND, more follows, and the buffer takes less → pushed: what was to follow is with the program', (t) => {
  const peer = established(t, { listen: { sendBytes: 5000 } });
  t.equal(write(peer, 9000, SendFlag.MORE), 5000);
  t.same(shape(peer), ['. 1460', '. 1460', '. 1460', 'P. 620']);
  t.end();
});

t.test('a long SEND → PSH after each half of the largest window that can be sent at once; FreeBSD: at its end', (t) => {
  for (const [profile, expected] of [
    ['linux', ['. 1000', '. 1000', '. 1000', '. 1000', '. 1000', 'P. 1000']],
    ['freebsd', ['. 1000', '. 1000', '. 1000', '. 1000', '. 1000', '. 1000']],
  ] as const) {
    const peer = established(t, { syn: { mss: 1000 }, win: 6000, tcp: { profile } });
    write(peer, 7000);
    t.same(shape(peer), expected, profile);
    peer.ack();
    t.same(shape(peer), ['P. 1000']);
    peer.ack();
    expectNothingKept(peer);
  }
  t.end();
});

t.test('TCP_NOTSENT_LOWAT, what waits leaves by a window update → WRITABLE without another ACK', (t) => {
  const peer = established(t, { syn: { mss: 1000 }, win: 4000 });
  peer.tcp.setOption(peer.id, TcpOption.NOT_SENT_LOW_WATER, 1000);
  t.equal(write(peer, 60_000), 6000);
  peer.drain();
  peer.events();
  peer.inject({ ack: 1, win: 30_000 });
  t.equal(peer.tcp.unsent(peer.id), 0);
  t.ok(peer.told(Event.WRITABLE));
  t.end();
});

t.test('the connection ends with marks in its queue → they are free again', (t) => {
  const peer = established(t, { win: 0 });
  peer.tcp.setOption(peer.id, TcpOption.NOT_SENT_LOW_WATER, 4000);
  for (let i = 0; i < 5; i++) write(peer, 10, SendFlag.RECORD_END);
  t.equal(peer.tcp.context.marks.count, 5);
  peer.tcp.abort(peer.id);
  peer.flush();
  expectNothingKept(peer);
  t.end();
});

t.test('all marks are taken by one connection → the boundary is not kept, the bytes are, and it is counted', (t) => {
  const peer = established(t, { win: 0, tcp: { sendMarksMax: 8 } });
  for (let i = 0; i < 10; i++) t.equal(write(peer, 10, SendFlag.RECORD_END), 10);
  const { marks } = peer.tcp.context;
  t.ok(marks.count < 8, 'some are left for others');
  t.equal(peer.stack.net.stats.tcpMarksRefused, 10 - marks.count);
  t.equal(peer.tcp.pools().find((pool) => pool.name === 'tcp.send-marks')?.refused, 10 - marks.count);
  t.end();
});
