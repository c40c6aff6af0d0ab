import t, { type Test } from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import type { Peer, PeerOptions } from './peer.js';
import { established } from './states.js';

/** Pacing: a window spread over the round trip, a millisecond's worth at a time. */

const MSS = 1000;
/** With the headers that count. */
const SEGMENT = MSS + 20;

/** Established with a round trip of `rttMs`, measured on the handshake. */
function paced(t: Test, rttMs: number, options: PeerOptions = {}): Peer {
  const peer = established(t, { syn: { mss: MSS }, ...options });
  peer.write(1);
  peer.advanceMs(rttMs);
  peer.ack();
  peer.drain();
  return peer;
}

/** When each segment leaves, in ms from now, until `count` have; each is acknowledged at once, if so wished. */
function departures(peer: Peer, count: number, acked = false): number[] {
  const began = peer.nowUs;
  const at: number[] = [];
  for (;;) {
    for (const segment of peer.drain()) if (segment.length > 0) at.push((peer.nowUs - began) / 1000);
    if (at.length >= count) return at;
    if (acked) peer.ack();
    if (peer.sent.length === 0) peer.untilSent(10_000);
  }
}

t.test('off, the default → a window leaves at once', (t) => {
  const peer = paced(t, 100);
  peer.write(10 * MSS);
  t.equal(peer.drain().length, 10);
  t.equal(peer.tcp.info(peer.id).maxPacingRate, Infinity);
  t.end();
});

t.test('the first ten segments → at once: what an initial window is (as Linux)', (t) => {
  const peer = established(t, { syn: { mss: MSS }, tcp: { pacing: true } });
  peer.write(10 * MSS);
  t.equal(peer.drain().length, 10);
  t.end();
});

t.test('slow start → at twice cwnd a round trip', (t) => {
  const peer = paced(t, 100, { tcp: { pacing: true } });
  peer.write(10 * MSS);
  const { pacingRate, sndCwndBytes, rttUs } = peer.tcp.info(peer.id);
  t.ok(Math.abs((pacingRate * rttUs) / (2 * sndCwndBytes * 1e6) - 1) < 0.001, `${pacingRate}`);
  peer.drain();
  peer.advanceMs(100);
  peer.ack();
  peer.drain();
  peer.write(20 * MSS);
  const at = departures(peer, 20);
  const rate = peer.tcp.info(peer.id).pacingRate;
  const ideal = (19 * SEGMENT * 1000) / rate;
  t.ok(Math.abs((at[19] as number) - ideal) < 3, `the last after ${at[19]} ms; at that rate ${ideal.toFixed(1)}`);
  t.ok(Math.max(...at.map((ms) => at.filter((other) => other === ms).length)) <= 3, 'no bursts');
  t.end();
});

t.test('congestion avoidance → at 1.2 cwnd a round trip', (t) => {
  const peer = paced(t, 100, { tcp: { pacing: true, congestion: 'reno' } });
  peer.write(10 * MSS);
  peer.drain();
  peer.untilSent();
  peer.drain();
  for (let i = 0; i < 30; i++) {
    peer.advanceMs(100);
    peer.drain();
    peer.ack();
    peer.write(MSS * 12);
  }
  peer.drain();
  const { pacingRate, sndCwndBytes, sndSsthreshBytes, rttUs, flightBytes } = peer.tcp.info(peer.id);
  t.ok(sndCwndBytes >= sndSsthreshBytes / 2);
  const expected = (1.2 * Math.max(sndCwndBytes, flightBytes) * 1e6) / rttUs;
  t.ok(Math.abs(pacingRate - expected) < expected / 100, `${pacingRate}, ${expected}`);
  t.end();
});

t.test('a rate the program sets → no more than that a second, whatever cwnd is; also with pacing off', (t) => {
  const peer = paced(t, 1);
  peer.tcp.setOption(peer.id, TcpOption.MAX_PACING_RATE, 10_000);
  t.equal(peer.tcp.getOption(peer.id, TcpOption.MAX_PACING_RATE), 10_000);
  peer.write(8 * MSS);
  peer.drain();
  peer.ack();
  peer.write(10 * MSS);
  const at = departures(peer, 10, true);
  t.ok(Math.abs((at[9] as number) - (9 * SEGMENT) / 10) < 110, `${at}`);
  t.equal(peer.tcp.info(peer.id).maxPacingRate, 10_000);
  t.equal(peer.tcp.info(peer.id).pacingRate, 10_000);
  peer.tcp.setOption(peer.id, TcpOption.MAX_PACING_RATE, 0);
  t.equal(peer.tcp.info(peer.id).maxPacingRate, Infinity);
  t.end();
});

t.test('a rate of 4 GB/s → kept as it was given', (t) => {
  const peer = paced(t, 1);
  peer.tcp.setOption(peer.id, TcpOption.MAX_PACING_RATE, 0xffff_ffff);
  t.equal(peer.tcp.getOption(peer.id, TcpOption.MAX_PACING_RATE), 0xffff_ffff);
  t.throws(() => peer.tcp.setOption(peer.id, TcpOption.MAX_PACING_RATE, -1), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => peer.tcp.setOption(peer.id, TcpOption.MAX_PACING_RATE, 2 ** 32), { code: 'ERR_OUT_OF_RANGE' });
  t.end();
});

t.test('a rate of many segments a millisecond → a millisecond’s worth each time, none is lost', (t) => {
  const peer = paced(t, 1, { win: 65_535 });
  // Five segments a millisecond.
  peer.tcp.setOption(peer.id, TcpOption.MAX_PACING_RATE, 5 * SEGMENT * 1000);
  for (let i = 0; i < 4; i++) {
    peer.write(20 * MSS);
    peer.advanceMs(10);
    peer.ack();
  }
  peer.drain();
  peer.write(30 * MSS);
  const at = departures(peer, 30);
  t.ok((at[29] as number) >= 5 && (at[29] as number) <= 6, `${at}`);
  for (let ms = 1; ms < 5; ms++) t.equal(at.filter((other) => other === ms).length, 5);
  t.end();
});

t.test('a pause → it is not made up for in one burst', (t) => {
  const peer = paced(t, 100, { tcp: { pacing: true, slowStartAfterIdle: false, hibernateMs: 1 << 30 } });
  for (let i = 0; i < 3; i++) {
    peer.write(10 * MSS);
    peer.advanceMs(100);
    peer.ack();
  }
  peer.drain();
  peer.advanceMs(5000);
  peer.write(20 * MSS);
  t.ok(peer.drain().length <= 3);
  peer.advanceMs(100);
  t.ok(peer.drain().length >= 15);
  t.end();
});

t.test('more than half an hour of silence → a departure long past is not taken for one to come', (t) => {
  const peer = paced(t, 100, { tcp: { pacing: true } });
  peer.tcp.setOption(peer.id, TcpOption.MAX_PACING_RATE, 1_000_000);
  peer.write(10 * MSS);
  peer.advanceMs(100);
  peer.ack();
  peer.drain();
  peer.advanceMs(40 * 60_000);
  peer.write(MSS);
  t.equal(peer.drain().length, 1);
  t.end();
});

t.test('what is lost → its repair is paced, too', (t) => {
  const peer = paced(t, 10);
  peer.tcp.setOption(peer.id, TcpOption.MAX_PACING_RATE, 2 * SEGMENT);
  peer.write(12 * MSS);
  const at = departures(peer, 14);
  t.ok((at[13] as number) - (at[12] as number) >= 400, `${at}`);
  t.end();
});
