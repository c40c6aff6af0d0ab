import t from 'tap';
import type { Address } from '../../../stack/base/units.js';
import { type Peer, STACK_PORT } from './peer.js';
import { established, handshakeBegins, listening, synSent } from './states.js';

/** OPEN, RFC 9293 §3.9.1.1: whose port it is, and from which address a call comes. */

const SECOND = '10.0.0.77';
/** The stack gets an address more on its link. */
function secondAddress(peer: Peer): Address {
  const address = peer.stack.net.parseAddress(SECOND);
  peer.stack.net.addAddress(0, address, 24);
  return address;
}
function callTo(peer: Peer, address: Address): void {
  (peer as { stackAddress: Address }).stackAddress = address;
  handshakeBegins(peer);
  peer.ack();
}

t.test('ESTABLISHED, passive OPEN of another port → the connection does not notice (MUST-41)', (t) => {
  const peer = established(t);
  const other = peer.tcp.listen({ port: 81 });
  peer.data(10);
  peer.drain();
  peer.write(10);
  peer.expect({ length: 10, ack: 11 });
  t.equal(peer.tcp.listenerInfo(peer.listener).waiting, 0);
  peer.stackPort = 81;
  handshakeBegins(peer);
  peer.ack();
  t.ok(peer.tcp.accept(other) !== 0);
  t.equal(peer.tcp.accept(peer.listener), 0, 'nor does the first listener');
  t.end();
});

t.test('LISTEN twice on one port, another address each → each hears its own calls (MUST-42)', (t) => {
  const peer = listening(t, { listen: { address: 0x0a00_0001 as Address } });
  const first = peer.stackAddress;
  const second = secondAddress(peer);
  const other = peer.tcp.listen({ port: STACK_PORT, address: second });
  callTo(peer, second);
  t.equal(peer.tcp.accept(peer.listener), 0);
  t.ok(peer.tcp.accept(other) !== 0);
  callTo(peer, first);
  t.equal(peer.tcp.accept(other), 0);
  t.ok(peer.tcp.accept(peer.listener) !== 0);
  t.end();
});

t.test('SYN-SENT or ESTABLISHED from a port, passive OPEN of that port → both are there (MUST-42)', (t) => {
  const peer = synSent(t);
  const listener = peer.tcp.listen({ port: 5000 });
  peer.inject({ flags: 'S.', options: peer.synOptions });
  peer.nxt = 1;
  peer.expectState('ESTABLISHED');
  peer.drain();
  peer.peerPort = 9000;
  handshakeBegins(peer);
  peer.ack();
  const accepted = peer.tcp.accept(listener);
  t.ok(accepted !== 0 && accepted !== peer.id);
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('active OPEN without a local address → the one that the route to the peer leaves by (MUST-44)', (t) => {
  const peer = listening(t);
  const { net } = peer.stack;
  net.addInterface({
    name: 'other',
    addresses: [{ address: net.parseAddress('192.168.7.1'), prefixLength: 24 }],
    medium: peer.iface.medium,
  });
  const near = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7 });
  const far = peer.tcp.open({ remoteAddress: net.parseAddress('192.168.7.2'), remotePort: 7 });
  t.equal(net.formatAddress(peer.tcp.localAddress(near)), '10.0.0.1');
  t.equal(net.formatAddress(peer.tcp.localAddress(far)), '192.168.7.1');
  t.end();
});

t.test('active OPEN with a local address → every segment of the connection has it (MUST-43, MUST-45)', (t) => {
  const peer = listening(t);
  const address = secondAddress(peer);
  peer.stackPort = 5000;
  peer.peerPort = 7;
  peer.id = peer.tcp.open({
    remoteAddress: peer.peerAddress,
    remotePort: 7,
    localAddress: address,
    localPort: 5000,
  });
  (peer as { stackAddress: Address }).stackAddress = address;
  peer.untilSent();
  peer.inject({ flags: 'S.', options: peer.synOptions });
  peer.nxt = 1;
  peer.expectState('ESTABLISHED');
  peer.write(10);
  peer.shutdown();
  const sources = peer.drain().map(({ datagram }) => datagram.slice(12, 16).join('.'));
  t.equal(sources.length, 4);
  t.same(new Set(sources), new Set([SECOND]));
  t.end();
});

t.test('passive OPEN without a local address, the SYN came to the second → the answer is from it (MUST-45)', (t) => {
  const peer = listening(t);
  callTo(peer, secondAddress(peer));
  peer.accept();
  t.equal(peer.stack.net.formatAddress(peer.tcp.localAddress(peer.id)), SECOND);
  peer.write(10);
  t.equal(peer.expect({ length: 10 }).datagram.slice(12, 16).join('.'), SECOND);
  t.end();
});

t.test('active OPEN to what is not one host → ENETUNREACH or EADDRNOTAVAIL, no segment (MUST-46)', (t) => {
  const peer = listening(t);
  const { net } = peer.stack;
  for (const text of ['255.255.255.255', '10.0.0.255', '224.0.0.1', '239.1.2.3', '0.0.0.0']) {
    t.throws(
      () => peer.tcp.open({ remoteAddress: net.parseAddress(text), remotePort: 7 }),
      { code: text === '0.0.0.0' ? 'EADDRNOTAVAIL' : 'ENETUNREACH' },
      text,
    );
  }
  peer.flush();
  peer.expectNothing();
  peer.expectAllFreed();
  t.end();
});
