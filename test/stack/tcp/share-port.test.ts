import t from 'tap';
import type { Address, ListenerId } from '../../../stack/base/units.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { handshakeBegins, listening } from './states.js';

/** Several listeners on one port: SO_REUSEPORT. */

t.test('LISTEN twice on one port, both share it → each gets its part, and the same pair of ports the same one', (t) => {
  const peer = listening(t, { listen: { sharesPort: true }, tcp: { synReceivedMax: 64 } });
  const second = peer.tcp.listen({ port: 80, sharesPort: true });
  for (let i = 0; i < 24; i++) {
    peer.peerPort = 6000 + i;
    handshakeBegins(peer);
    t.equal(peer.ack(), Verdict.OK);
  }
  const counts = [peer.listener, second].map((id) => peer.tcp.listenerInfo(id).waiting);
  t.equal((counts[0] as number) + (counts[1] as number), 24);
  t.ok((counts[0] as number) > 3 && (counts[1] as number) > 3, `${counts}`);
  const left = [peer.listener, second].map((id) => peer.tcp.listenerInfo(id).halfOpen);
  t.same(left, [0, 0]);
  t.end();
});

t.test('LISTEN twice on one port, one does not share it → EADDRINUSE, whichever it is', (t) => {
  const shared = listening(t, { listen: { sharesPort: true } });
  t.throws(() => shared.tcp.listen({ port: 80 }), { code: 'EADDRINUSE' });
  const alone = listening(t);
  t.throws(() => alone.tcp.listen({ port: 80, sharesPort: true }), { code: 'EADDRINUSE' });
  t.end();
});

t.test('LISTEN on an address and on any → the address goes first; closed, the other takes over', (t) => {
  const peer = listening(t, { listen: { sharesPort: true } });
  const specific: ListenerId = peer.tcp.listen({ port: 80, address: peer.stackAddress as Address, sharesPort: true });
  handshakeBegins(peer);
  peer.ack();
  t.equal(peer.tcp.listenerInfo(specific).waiting, 1);
  peer.tcp.closeListener(specific);
  peer.flush();
  peer.peerPort += 1;
  peer.drain();
  handshakeBegins(peer);
  peer.ack();
  t.equal(peer.tcp.listenerInfo(peer.listener).waiting, 1);
  t.end();
});
