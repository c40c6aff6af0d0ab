import type { Test } from 'tap';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import type { Peer } from './peer.js';
import type { SegmentOptions } from './segment.js';
import { listening } from './states.js';

/** Connections in AccECN mode, or on their way to it. The count of ACE begins at five: `.EA`. */

export const NOT_ECT = 0;
export const ECT1 = 1;
export const ECT0 = 2;
export const CE = 3;
export const MSS = 1000;
/** ACE as the flags that make it, AE last. */
export const ACE = ['.', '.E', '.W', '.EW', '.A', '.EA', '.WA', '.EWA'] as const;
/** The counters as they begin, e1b, ceb, e0b. */
export const INITIAL = [1, 0, 1];

export interface Wishes {
  readonly limits?: Partial<TcpLimits>;
  readonly syn?: SegmentOptions;
}

export function asked(t: Test, flags: string, ecn: number, wishes: Wishes = {}): Peer {
  const peer = listening(t, { tcp: { ecn: 3, ...wishes.limits }, syn: { mss: MSS, ...wishes.syn } });
  peer.tsBase = peer.synOptions.ts === undefined ? undefined : (peer.synOptions.ts[0] - peer.nowUs / 1000) | 0;
  peer.inject({ flags, seq: 0, ecn, options: peer.synOptions });
  peer.nxt = 1;
  return peer;
}

/** Established from LISTEN in AccECN mode; the peer's third ACK has the option. */
export function agreed(t: Test, wishes: Wishes = {}): Peer {
  const peer = asked(t, 'SEWA', NOT_ECT, wishes);
  peer.expect({ flags: 'S.W', ecn: NOT_ECT });
  peer.ack({ flags: '.W', ecn: ECT0, options: { accEcn: INITIAL } });
  peer.accept();
  t.equal(peer.tcp.info(peer.id).ecnMode, 'accecn');
  return peer;
}

/** The stack has sent its SYN and asked for AccECN. */
export function asking(t: Test, wishes: Wishes = {}): Peer {
  const peer = listening(t, { tcp: { ecn: 3, ...wishes.limits }, syn: { mss: MSS, ...wishes.syn } });
  peer.stackPort = 5000;
  peer.peerPort = 7;
  peer.id = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, localPort: 5000 });
  peer.flush();
  peer.expect({ flags: 'SEWA', seq: 0, ecn: NOT_ECT });
  return peer;
}

/** Established by our OPEN in AccECN mode. */
export function opened(t: Test, wishes: Wishes = {}): Peer {
  const peer = asking(t, wishes);
  peer.inject({ flags: 'S.W', options: { ...peer.synOptions, accEcn: INITIAL } });
  peer.nxt = 1;
  peer.expect({ flags: '.W', ecn: ECT0 });
  return peer;
}
