import type { Test } from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { Peer, type PeerOptions, pattern } from './peer.js';
import { established, listening, opened, synSent } from './states.js';

/**
 * Every condition a connection can be in when its program calls: the eleven states, and what is left when it is over.
 */

const SMALL: PeerOptions = {
  slots: 32,
  tcp: { connectionsMax: 4, activeMax: 4, bufferBytesMax: 1 << 20, outOfOrderMax: 16, transmitRecordsMax: 64 },
};

/** Both have sent a SYN, and neither has an ACK: SYN-RECEIVED of an active OPEN. */
function crossed(t: Test): Peer {
  const peer = synSent(t, SMALL);
  peer.inject({ flags: 'S', seq: 0, options: { mss: 1460 } });
  peer.nxt = 1;
  peer.expectState('SYN-RECEIVED');
  return peer;
}

/** A Fast Open child: data of its SYN can be read, and the handshake is not complete. */
function child(t: Test): Peer {
  const peer = listening(t, {
    ...SMALL,
    tcp: { ...SMALL.tcp, fastOpen: 0x602 },
    listen: { options: new Map([[TcpOption.FAST_OPEN_QUEUE, 5]]) },
  });
  peer.inject({ flags: 'S', seq: 0, data: pattern(10), options: { mss: 1460 } });
  peer.nxt = 11;
  peer.accept();
  peer.expectState('SYN-RECEIVED');
  return peer;
}

function then(peer: Peer, ...steps: readonly (() => unknown)[]): Peer {
  for (const step of steps) step();
  return peer;
}

export const FATES: Readonly<Record<string, (t: Test) => Peer>> = {
  'SYN-SENT': (t) => synSent(t, SMALL),
  'SYN-RECEIVED': crossed,
  'SYN-RECEIVED, Fast Open': child,
  ESTABLISHED: (t) => established(t, SMALL),
  'ESTABLISHED, by OPEN': (t) => opened(t, SMALL),
  'ESTABLISHED, asleep': (t) => {
    const peer = established(t, SMALL);
    return then(peer, () => peer.advanceMs(1000));
  },
  'ESTABLISHED, unread': (t) => {
    const peer = established(t, SMALL);
    return then(peer, () => peer.data(10));
  },
  'FIN-WAIT-1': (t) => {
    const peer = established(t, SMALL);
    return then(peer, () => peer.shutdown());
  },
  'FIN-WAIT-2': (t) => {
    const peer = established(t, SMALL);
    return then(
      peer,
      () => peer.shutdown(),
      () => peer.ack(),
    );
  },
  'CLOSE-WAIT': (t) => {
    const peer = established(t, SMALL);
    return then(peer, () => peer.fin());
  },
  CLOSING: (t) => {
    const peer = established(t, SMALL);
    return then(
      peer,
      () => peer.shutdown(),
      () => peer.fin({ ack: 1 }),
    );
  },
  'LAST-ACK': (t) => {
    const peer = established(t, SMALL);
    return then(
      peer,
      () => peer.fin(),
      () => peer.shutdown(),
    );
  },
  'TIME-WAIT': (t) => {
    const peer = established(t, SMALL);
    return then(
      peer,
      () => peer.shutdown(),
      () => peer.ack(),
      () => peer.fin(),
    );
  },
  'CLOSED, in order': (t) => {
    const peer = established(t, SMALL);
    return then(
      peer,
      () => peer.fin(),
      () => peer.shutdown(),
      () => peer.ack(),
    );
  },
  'CLOSED, reset': (t) => {
    const peer = established(t, SMALL);
    return then(peer, () => peer.inject({ flags: 'R' }));
  },
  'CLOSED, reset, unread': (t) => {
    const peer = established(t, SMALL);
    return then(
      peer,
      () => peer.data(10),
      () => peer.inject({ flags: 'R' }),
    );
  },
  'CLOSED, refused': (t) => {
    const peer = synSent(t, SMALL);
    return then(peer, () => peer.inject({ flags: 'R.', seq: 0, ack: 1 }));
  },
  'CLOSED, timed out': (t) => {
    const peer = established(t, SMALL);
    return then(
      peer,
      () => peer.tcp.setOption(peer.id, TcpOption.USER_TIMEOUT_MS, 1000),
      () => peer.write(10),
      () => peer.advanceMs(20_000),
    );
  },
};
