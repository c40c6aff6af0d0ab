import t from 'tap';
import { createWire } from '../../../drivers/loopback.js';
import { VirtualWorld } from '../../../src/host/virtual-world.js';
import type { ConnectionId } from '../../../stack/base/units.js';
import { Stack } from '../../../stack/stack.js';
import { stateName } from '../../../stack/tcp/state.js';
import { sameBytes } from '../../same-bytes.js';
import { SMALL_UDP } from '../../small-udp.js';
import { pattern } from './peer.js';

/** A stack that calls itself, and one that calls an address where nobody is. */

function alone() {
  const world = new VirtualWorld(1_000_000);
  const stack = new Stack({
    seed: 1,
    now: world.now,
    tcp: { connectionsMax: 16, activeMax: 16, bufferBytesMax: 8 << 20 },
    udp: SMALL_UDP,
  });
  const host = world.add('alone', stack);
  const address = stack.net.parseAddress('10.0.0.1');
  host.attach(createWire()[0], { addresses: [{ address, prefixLength: 24 }] });
  const pass = (us: number) => {
    host.wake();
    world.runFor(us);
  };
  return { world, stack, tcp: stack.tcp, address, pass };
}

function allFreed(stack: Stack) {
  const { connections, active, halfOpen, timeWait } = stack.tcp.counts;
  return [connections, active, halfOpen, timeWait, stack.slab.slots - stack.slab.freeCount];
}

t.test('a stack calls its own address → both ends are served, nothing goes to the wire, all is given back', (t) => {
  const { stack, tcp, address, pass } = alone();
  const listener = tcp.listen({ port: 80 });
  const near = tcp.open({ remoteAddress: address, remotePort: 80 });
  pass(10_000);
  const far = tcp.accept(listener) as ConnectionId;
  const bytes = pattern(500_000);
  const into = new Uint8Array(bytes.length);
  let sent = 0;
  let got = 0;
  for (let i = 0; i < 1000 && got < bytes.length; i++) {
    sent += tcp.send(near, bytes, sent);
    pass(1000);
    got += Math.max(0, tcp.receive(far, into, got));
  }
  sameBytes(t, into, bytes, 'byte for byte');
  const { framesSent } = (stack.net.interfaces[0] as (typeof stack.net.interfaces)[0]).counters;
  t.equal(framesSent, 1, 'but the announcement of the address');
  tcp.close(near);
  tcp.close(far);
  tcp.closeListener(listener);
  pass(200_000_000);
  t.same(allFreed(stack), [0, 0, 0, 0, 0]);
  t.end();
});

t.test('a connection from a port to itself → simultaneous open with itself, and it works (RFC 9293 §3.5)', (t) => {
  const { stack, tcp, address, pass } = alone();
  const self = tcp.open({ remoteAddress: address, remotePort: 9999, localPort: 9999 });
  pass(5000);
  t.equal(stateName(tcp.state(self)), 'ESTABLISHED');
  tcp.send(self, pattern(1000));
  pass(5000);
  const into = new Uint8Array(2000);
  t.equal(tcp.receive(self, into), 1000);
  sameBytes(t, into.subarray(0, 1000), pattern(1000), 'byte for byte');
  tcp.shutdown(self);
  pass(5000);
  t.equal(tcp.receive(self, into), -1);
  tcp.close(self);
  pass(200_000_000);
  t.same(allFreed(stack), [0, 0, 0, 0, 0]);
  t.end();
});

t.test('SYN-SENT, nobody has the address → EHOSTUNREACH in a few seconds, not after two minutes of SYNs', (t) => {
  const { world, stack, tcp, pass } = alone();
  const id = tcp.open({ remoteAddress: stack.net.parseAddress('10.0.0.77'), remotePort: 80 });
  const began = world.now;
  pass(0);
  world.runUntil(began + 60_000_000, () => stateName(tcp.state(id)) === 'CLOSED');
  t.equal(tcp.takeError(id), 'EHOSTUNREACH');
  t.ok(world.now - began < 5_000_000);
  tcp.close(id);
  pass(200_000_000);
  t.same(allFreed(stack), [0, 0, 0, 0, 0]);
  t.end();
});
