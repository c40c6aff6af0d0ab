/** How many SYNs are answered in a second: those that become connections do not count. */
import t from 'tap';
import { createWire } from '../../../drivers/loopback.js';
import { VirtualWorld } from '../../../src/host/virtual-world.js';
import type { ConnectionId } from '../../../stack/base/units.js';
import { Stack } from '../../../stack/stack.js';
import { State } from '../../../stack/tcp/state.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { SMALL_UDP } from '../../small-udp.js';

const BURST = 8;

function pair(synCookies = 1) {
  const world = new VirtualWorld(1_000_000);
  const wire = createWire({ latencyUs: 10 });
  const tcp = { connectionsMax: 512, activeMax: 512, synReceivedMax: 256, bufferBytesMax: 8 << 20, synCookies };
  const net = { synAnswersPerSecond: 10, synAnswersBurst: BURST };
  const [server, client] = [net, {}].map((limits, i) => {
    const stack = new Stack({ seed: i + 1, now: world.now, tcp, net: limits, udp: SMALL_UDP });
    const host = world.add(`${i}`, stack);
    host.attach(wire[i], { addresses: [{ address: stack.net.parseAddress(`10.0.0.${i + 1}`), prefixLength: 24 }] });
    return { stack, host };
  });
  const remoteAddress = server.stack.net.parseAddress('10.0.0.1');
  server.stack.tcp.listen({ port: 80, backlog: 256 });
  const connect = (): ConnectionId => {
    const id = client.stack.tcp.open({ remoteAddress, remotePort: 80 });
    client.host.wake();
    return id;
  };
  const established = (ids: readonly ConnectionId[]): number =>
    ids.filter((id) => client.stack.tcp.state(id) === State.ESTABLISHED).length;
  return { world, server: server.stack, connect, established };
}

for (const [name, synCookies] of [
  ['half-open connections', 1],
  ['SYN cookies', 2],
] as const) {
  t.test(`${name}: connections one after the other, many more than the limit → all at once`, (t) => {
    const { world, server, connect, established } = pair(synCookies);
    const ids: ConnectionId[] = [];
    for (let i = 0; i < 10 * BURST; i++) {
      ids.push(connect());
      world.runFor(100);
    }
    t.equal(established(ids), 10 * BURST);
    t.equal(server.net.stats.tcpSynRateLimited, 0);
    t.end();
  });
}

t.test('more SYNs at once than the limit → the rest is dropped with a verdict, repeated, and answered later', (t) => {
  const { world, server, connect, established } = pair();
  const ids = Array.from({ length: 4 * BURST }, connect);
  world.runFor(100_000);
  const first = established(ids);
  t.ok(first > 0 && first <= BURST, `${first} at once`);
  const { stats } = server.net;
  t.equal(stats.tcpSynRateLimited, 4 * BURST - first);
  t.equal(stats.verdicts[Verdict.TCP_SYN_RATE_LIMITED], 4 * BURST - first);
  t.equal(stats.tcpListenDrops, 4 * BURST - first, 'and with those a listener drops');
  world.runFor(60_000_000);
  t.equal(established(ids), 4 * BURST);
  t.end();
});
