import t, { type Test } from 'tap';
import type { ProfileName } from '../../../stack/tcp/profiles.js';
import type { Peer } from './peer.js';
import { established } from './states.js';

/** How the receive buffer is tuned by what comes, and where the profiles differ in it. */

/** The receiver has measured a round trip of 10 ms by the timestamps, and a segment is left unread. */
function measured(t: Test, profile: ProfileName): Peer {
  const peer = established(t, { syn: { mss: 1460, ts: [1, 0] }, tcp: { profile } });
  peer.advanceMs(10);
  peer.data(1448);
  peer.drain();
  t.equal(peer.tcp.info(peer.id).rcvRttUs, 10_000);
  return peer;
}

t.test('ESTABLISHED, a longer round trip while bytes are unread → counts until Linux 7, since then not', (t) => {
  for (const [profile, after] of [
    ['linux-6.18', 21_250],
    ['linux-7.3', 10_000],
  ] as const) {
    const peer = measured(t, profile);
    peer.advanceMs(100);
    peer.data(1448);
    t.equal(peer.tcp.info(peer.id).rcvRttUs, after, profile);
  }
  t.end();
});

t.test('ESTABLISHED, a longer round trip with nothing unread → counts', (t) => {
  const peer = measured(t, 'linux-7.3');
  peer.read();
  peer.advanceMs(100);
  peer.data(1448);
  t.equal(peer.tcp.info(peer.id).rcvRttUs, 21_250);
  t.end();
});
