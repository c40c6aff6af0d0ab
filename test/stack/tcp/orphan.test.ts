import t, { type Test } from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import type { Peer, PeerOptions } from './peer.js';
import { established } from './states.js';

/** A connection its program has let go of: SO_LINGER, orphans and their limits, FIN-WAIT-2 that nobody waits in. As Linux. */

function finWait2(t: Test, options: PeerOptions = {}): Peer {
  const peer = established(t, options);
  peer.close();
  peer.ack();
  peer.drain();
  return peer;
}

t.test('ESTABLISHED, close with bytes unread → RST with the window as it is once they are thrown away', (t) => {
  const peer = established(t, { tcp: { receiveBytes: 20_000 } });
  const before = peer.tcp.info(peer.id).rcvWnd;
  peer.data(1000);
  peer.drain();
  peer.close();
  const rst = peer.expect({ flags: 'R.', seq: 1, ack: 1001 });
  t.ok(rst.win >= before - 1000 && rst.win > 0, `window ${rst.win}`);
  t.equal(peer.stack.net.stats.tcpAbortOnClose, 1);
  peer.expectAllFreed();
  t.end();
});

t.test('ESTABLISHED with timestamps, abort → the RST carries them, and the window', (t) => {
  const peer = established(t, { syn: { mss: 1460, ts: [5, 0], sackOk: true } });
  peer.abort();
  const rst = peer.expect({ flags: 'R.', seq: 1, ack: 1 });
  t.ok(rst.options.ts !== undefined);
  t.ok(rst.win > 0);
  t.end();
});

t.test('LAST-ACK with bytes unread, abort → RST: they are lost', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.fin();
  peer.shutdown();
  peer.drain();
  peer.abort();
  peer.expect({ flags: 'R.' });
  t.end();
});

t.test('close, lingering → the id stays until the FIN is acknowledged, and SENT is told', (t) => {
  const peer = established(t);
  peer.write(100);
  t.equal(peer.tcp.closeLingering(peer.id), true);
  peer.flush();
  peer.expect({ flags: 'P.', length: 100 });
  peer.expect({ flags: 'F.', seq: 101 });
  peer.inject({ ack: 101 });
  t.notOk(peer.told(Event.SENT));
  peer.ack();
  t.ok(peer.told(Event.SENT));
  peer.expectState('FIN-WAIT-2');
  peer.close();
  peer.fin();
  t.equal(peer.tcp.counts.timeWait, 1);
  t.end();
});

t.test('close, lingering with bytes unread → RST at once, nothing to wait for', (t) => {
  const peer = established(t);
  peer.data(10);
  peer.drain();
  t.equal(peer.tcp.closeLingering(peer.id), false);
  peer.flush();
  peer.expect({ flags: 'R.' });
  peer.close();
  peer.expectAllFreed();
  t.end();
});

t.test('FIN-WAIT-1, lingering, rcv data → RST: both halves are closed here', (t) => {
  const peer = established(t);
  peer.tcp.closeLingering(peer.id);
  peer.flush();
  peer.drain();
  peer.inject({ data: 10 });
  peer.expect({ flags: 'R', seq: 2 });
  t.equal(peer.tcp.takeError(peer.id), 'ECONNRESET');
  t.equal(peer.stack.net.stats.tcpAbortOnData, 1);
  t.end();
});

t.test('ESTABLISHED, reading half shut → what comes is still acknowledged and can be read, then the end', (t) => {
  const peer = established(t);
  peer.tcp.shutdownReceive(peer.id);
  t.equal(peer.tcp.receive(peer.id, new Uint8Array(9)), -1);
  peer.data(10);
  peer.advanceMs(50);
  peer.expect({ flags: '.', ack: 11 });
  t.equal(peer.read().length, 10);
  t.equal(peer.tcp.receive(peer.id, new Uint8Array(9)), -1);
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('FIN-WAIT-2, reading half shut, rcv data → RST', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.ack();
  peer.drain();
  peer.tcp.shutdownReceive(peer.id);
  peer.inject({ data: 10 });
  peer.expect({ flags: 'R', seq: 2 });
  peer.expectState('CLOSED');
  t.end();
});

t.test('FIN-WAIT-2, orphan → ends after tcp_fin_timeout without a word', (t) => {
  const peer = finWait2(t);
  peer.advanceMs(59_900);
  t.equal(peer.tcp.counts.connections, 1);
  peer.advanceMs(200);
  peer.expectNothing();
  peer.expectAllFreed();
  t.end();
});

t.test('FIN-WAIT-2, orphan with TCP_LINGER2 → so long; but never less than 3.5 RTO', (t) => {
  for (const [linger2, rtt, least, most] of [
    [5000, 0, 4900, 5100],
    [1, 1000, 2000, 4000],
  ] as const) {
    const peer = established(t);
    peer.tcp.setOption(peer.id, TcpOption.LINGER2_MS, linger2);
    peer.close();
    peer.advanceMs(rtt);
    peer.ack();
    const began = peer.nowUs;
    while (peer.tcp.counts.connections > 0) peer.advanceMs(10);
    const lasted = (peer.nowUs - began) / 1000;
    t.ok(lasted >= least && lasted <= most, `${linger2}: ${lasted} ms`);
  }
  t.end();
});

t.test('FIN-WAIT-1, orphan with negative TCP_LINGER2, its FIN acknowledged → RST at once', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.LINGER2_MS, -1);
  peer.close();
  peer.expect({ flags: 'F.' });
  peer.ack();
  peer.expect({ flags: 'R', seq: 2 });
  peer.expectAllFreed();
  t.end();
});

t.test('FIN-WAIT-2, close with negative TCP_LINGER2 → RST at once', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.LINGER2_MS, -1);
  peer.shutdown();
  peer.ack();
  peer.drain();
  peer.close();
  peer.expect({ flags: 'R.', seq: 2, ack: 1 });
  t.equal(peer.stack.net.stats.tcpAbortOnLinger, 1);
  peer.expectAllFreed();
  t.end();
});

for (const [what, injection, flags] of [
  ['its FIN', { flags: 'F.' }, '.'],
  ['data', { data: 10 }, 'R'],
  ['data with its FIN', { flags: 'FP.', data: 10 }, 'R'],
  ['a SYN in the window', { flags: 'S', seq: 5 }, 'R.'],
  ['data again', { seq: -10, data: 10 }, '.'],
  ['an old bare ACK', { seq: 0 }, '.'],
  ['a bare ACK', {}, ''],
  ['a RST in the window', { flags: 'R', seq: 100 }, ''],
] as const) {
  t.test(`FIN-WAIT-2, orphan, rcv ${what} → ${flags === '' ? 'silence' : flags}`, (t) => {
    const peer = finWait2(t);
    peer.inject(injection);
    t.same(
      peer.drain().map((segment) => segment.flags),
      flags === '' ? [] : [flags],
    );
    const over = flags.startsWith('R') || what.startsWith('a RST') || what === 'its FIN';
    t.equal(peer.tcp.counts.connections, over ? 0 : 1);
    t.equal(peer.tcp.counts.timeWait, what === 'its FIN' ? 1 : 0);
    t.equal(peer.tcp.context.orphans, 0);
    t.end();
  });
}

t.test('close, more orphans than allowed → RST', (t) => {
  const peer = established(t, { tcp: { orphansMax: 0 } });
  peer.close();
  peer.expect({ flags: 'R.', seq: 1 });
  t.equal(peer.stack.net.stats.tcpAbortOnMemory, 1);
  peer.expectAllFreed();
  t.equal(peer.tcp.context.orphans, 0);
  t.end();
});

t.test('orphans → counted until FIN-WAIT-2, TIME-WAIT or the end', (t) => {
  const peer = established(t);
  const { context } = peer.tcp;
  peer.close();
  t.equal(context.orphans, 1);
  peer.fin({ ack: 1 });
  t.equal(context.orphans, 1, 'CLOSING');
  peer.ack();
  t.equal(context.orphans, 0, 'TIME-WAIT');
  t.end();
});

t.test('CLOSING, the last ACK in the same turn as the FIN → the FIN is acknowledged first', (t) => {
  const peer = established(t);
  peer.close();
  peer.drain();
  peer.receive({ flags: 'F.', ack: 1 });
  peer.nxt += 1;
  peer.receive({ ack: 2 });
  peer.flush();
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  t.equal(peer.tcp.counts.timeWait, 1);
  t.end();
});

t.test('FIN-WAIT-1, orphan, too many of them and ICMP says that there is no way → RST when the timer comes', (t) => {
  const peer = established(t, { tcp: { orphansMax: 1 } });
  peer.close();
  const fin = peer.expect({ flags: 'F.' });
  // It counts double then.
  peer.icmp(3, 1, fin.datagram);
  peer.untilSent();
  peer.expect({ flags: 'R.', seq: 2 });
  peer.expectAllFreed();
  t.end();
});
