import type { Test } from 'tap';
import { Peer, type PeerOptions, STACK_PORT } from './peer.js';

/** The states a scenario begins in. */

/** A listener waits. */
export function listening(t: Test, options: PeerOptions = {}): Peer {
  const peer = new Peer(t, options);
  peer.listener = peer.tcp.listen({ port: STACK_PORT, ...options.listen });
  return peer;
}

/** The peer's SYN has come and was answered. */
export function synReceived(t: Test, options: PeerOptions = {}): Peer {
  const peer = listening(t, options);
  handshakeBegins(peer);
  return peer;
}

export function handshakeBegins(peer: Peer): void {
  peer.nxt = 0;
  peer.rcvNxt = 0;
  peer.tsBase = peer.synOptions.ts === undefined ? undefined : (peer.synOptions.ts[0] - peer.nowUs / 1000) | 0;
  peer.inject({ flags: 'S', win: Math.min(peer.win, 0xffff), options: peer.synOptions });
  peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  peer.nxt = 1;
}

/** Established from LISTEN and accepted. Nothing is sent or told that the test has not asked for. */
export function established(t: Test, options: PeerOptions = {}): Peer {
  const peer = synReceived(t, options);
  peer.ack();
  peer.accept();
  peer.expectState('ESTABLISHED');
  settle(peer);
  return peer;
}

/** The stack has sent its SYN. */
export function synSent(t: Test, options: PeerOptions = {}): Peer {
  const peer = new Peer(t, options);
  peer.stackPort = 5000;
  peer.peerPort = options.peerPort ?? 7;
  peer.id = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: peer.peerPort, localPort: 5000 });
  peer.flush();
  peer.expect({ flags: 'S', seq: 0 });
  return peer;
}

/** Established by the stack's own OPEN. */
export function opened(t: Test, options: PeerOptions = {}): Peer {
  const peer = synSent(t, options);
  peer.tsBase = peer.synOptions.ts === undefined ? undefined : (peer.synOptions.ts[0] - peer.nowUs / 1000) | 0;
  peer.inject({ flags: 'S.', win: Math.min(peer.win, 0xffff), options: peer.synOptions });
  peer.nxt = 1;
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  peer.expectState('ESTABLISHED');
  settle(peer);
  return peer;
}

/** Window updates and events of the beginning are out of the way. */
function settle(peer: Peer): void {
  peer.flush();
  peer.drain();
  peer.events();
}
