import type { Test } from 'tap';
import type { TcpInfo } from '../../../stack/tcp/info.js';
import type { Peer, PeerOptions } from './peer.js';
import { synReceived } from './states.js';

/** What the tests of loss recovery begin with: a connection over a path of 100 ms, and segments by number. */

export const MSS = 1000;
export const RTT_MS = 100;

/** Established, the handshake measured as 100 ms: SRTT 100 ms, RTO 300. SACK agreed; Reno, whose half is easy to see. */
export function farAway(t: Test, options: PeerOptions = {}): Peer {
  const peer = synReceived(t, {
    syn: { mss: MSS, sackOk: true },
    ...options,
    // Nothing is forgotten between two steps of a test.
    tcp: { congestion: 'reno', hibernateMs: 1 << 29, ...options.tcp },
  });
  peer.advanceMs(RTT_MS);
  peer.ack();
  peer.accept();
  peer.drain();
  t.equal(status(peer).rttUs, RTT_MS * 1000);
  return peer;
}

/** The same with so many segments written, of which the window lets `out` go. */
export function flying(t: Test, written = 20, out = 10, options: PeerOptions = {}): Peer {
  const peer = farAway(t, options);
  peer.write(written * MSS);
  t.equal(sent(peer).length, out);
  return peer;
}

export function status(peer: Peer): TcpInfo {
  return peer.tcp.info(peer.id);
}

/** Numbers of the segments sent since the last look; the first byte of data is the first of segment 0. */
export function sent(peer: Peer): number[] {
  return peer
    .drain()
    .filter((segment) => segment.length > 0)
    .map((segment) => (segment.seq - 1) / MSS);
}

/** Everything before segment `n` has arrived, and the runs of segments given, from and up to but not including. */
export function acknowledge(peer: Peer, n: number, ...runs: (readonly [number, number])[]): void {
  const sack = runs.map(([from, to]) => [1 + from * MSS, 1 + to * MSS] as const);
  peer.inject({ ack: 1 + n * MSS, ...(runs.length === 0 ? {} : { options: { sack } }) });
}

/** cwnd and ssthresh in segments. */
export function window(peer: Peer): [number, number] {
  const { sndCwnd, sndSsthreshBytes } = status(peer);
  return [sndCwnd, sndSsthreshBytes === 0x7fffffff ? Number.POSITIVE_INFINITY : sndSsthreshBytes / MSS];
}

/** Outstanding, SACKed, lost, sent again. */
export function counts(peer: Peer): [number, number, number, number] {
  const { unacked, sacked, lost, retrans } = status(peer);
  return [unacked, sacked, lost, retrans];
}
