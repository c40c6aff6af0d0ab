import t from 'tap';
import { StackError } from '../../../stack/base/errors.js';
import { Prng } from '../../../stack/base/prng.js';
import type { Address } from '../../../stack/base/units.js';
import { maskOf } from '../../../stack/net/address.js';
import { Medium } from '../../../stack/net/device.js';
import { PATH_MTU_MIN } from '../../../stack/net/path-mtu.js';
import { Route, RouteTable } from '../../../stack/net/route.js';
import { OutputFlag } from '../../../stack/net/transport.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { sameBytes } from '../../same-bytes.js';
import { Host, Pair, Probe, pattern } from './pair.js';

function codeOf(action: () => void): string {
  try {
    action();
  } catch (error) {
    return error instanceof StackError ? error.code : String(error);
  }
  return 'none';
}

t.test('look-up → the longest prefix, then the lowest metric; the same as by definition', (t) => {
  const prng = new Prng(7);
  const table = new RouteTable();
  const routes: { network: number; length: number; metric: number; mark: number }[] = [];
  for (let i = 0; i < 300; i++) {
    const length = prng.below(33);
    const network = (((10 << 24) | (prng.next() & 0x00030307)) & maskOf(length)) | 0;
    const metric = prng.below(3);
    if (routes.some((r) => r.network === network && r.length === length && r.metric === metric)) continue;
    table.add({ destination: network as Address, prefixLength: length, gateway: i as Address, metric }, 0);
    routes.push({ network, length, metric, mark: i });
  }
  const expected = (address: number) =>
    routes
      .filter((r) => (address & maskOf(r.length)) === r.network)
      .sort((x, y) => y.length - x.length || x.metric - y.metric)[0]?.mark ?? -1;
  const found = (address: number) => {
    const r = table.lookup(address);
    return r < 0 ? -1 : table.rows[r + Route.GATEWAY];
  };
  const wrong = () => {
    let count = 0;
    for (let i = 0; i < 3000; i++) {
      const address = (10 << 24) | (prng.next() & 0x00030307);
      if (found(address) !== expected(address)) count += 1;
    }
    return count;
  };
  t.equal(wrong(), 0);
  for (let i = 0; i < 100; i++) {
    const [gone] = routes.splice(prng.below(routes.length), 1);
    table.remove(
      {
        destination: gone.network as Address,
        prefixLength: gone.length,
        gateway: gone.mark as Address,
        metric: gone.metric,
      },
      0,
    );
  }
  t.equal(wrong(), 0, 'after a hundred were removed');
  t.end();
});

t.test('routes that cannot be → thrown at the caller, with a code', (t) => {
  const { net } = new Host(1);
  const at = (text: string) => net.parseAddress(text);
  t.equal(
    codeOf(() => net.addRoute({ destination: at('10.1.0.1'), prefixLength: 16, gateway: at('10.0.0.2') })),
    'EINVAL',
  );
  t.equal(
    codeOf(() => net.addRoute({ destination: at('10.1.0.0'), prefixLength: 33, gateway: at('10.0.0.2') })),
    'ERR_OUT_OF_RANGE',
  );
  t.equal(
    codeOf(() => net.addRoute({ destination: at('10.1.0.0'), prefixLength: 16, gateway: at('9.9.9.9') })),
    'ENETUNREACH',
  );
  t.equal(
    codeOf(() => net.addRoute({ destination: at('10.1.0.0'), prefixLength: 16 })),
    'EINVAL',
  );
  t.equal(
    codeOf(() => net.addRoute({ destination: at('10.1.0.0'), prefixLength: 16, iface: 4 })),
    'ENODEV',
  );
  net.addRoute({ destination: at('10.1.0.0'), prefixLength: 16, gateway: at('10.0.0.2') });
  t.equal(
    codeOf(() => net.addRoute({ destination: at('10.1.0.0'), prefixLength: 16, gateway: at('10.0.0.2') })),
    'EADDRINUSE',
  );
  net.removeRoute({ destination: at('10.1.0.0'), prefixLength: 16, gateway: at('10.0.0.2') });
  t.equal(
    codeOf(() => net.removeRoute({ destination: at('10.1.0.0'), prefixLength: 16, gateway: at('10.0.0.2') })),
    'ENOENT',
  );
  t.end();
});

t.test('interfaces and addresses that cannot be → thrown at the caller, with a code', (t) => {
  const { net } = new Host(1);
  const at = (text: string) => net.parseAddress(text);
  for (const [text, length] of [
    ['10.0.0.0', 24],
    ['10.0.0.255', 24],
    ['127.0.0.1', 8],
    ['224.0.0.5', 24],
    ['0.0.0.0', 24],
    ['255.255.255.255', 32],
  ] as const)
    t.equal(
      codeOf(() => net.addAddress(0, at(text), length)),
      'EINVAL',
      `${text}/${length}`,
    );
  t.equal(
    codeOf(() => net.addAddress(0, at('10.0.0.1'), 24)),
    'EADDRINUSE',
  );
  t.equal(
    codeOf(() => net.addAddress(0, at('10.0.0.9'), 0)),
    'ERR_OUT_OF_RANGE',
  );
  t.equal(
    codeOf(() => net.addAddress(3, at('10.0.0.9'), 24)),
    'ENODEV',
  );
  t.equal(
    codeOf(() => net.removeAddress(0, at('10.0.0.9'))),
    'EADDRNOTAVAIL',
  );
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
  const base = { name: 'x', medium: Medium.ETHERNET, mac };
  t.equal(
    codeOf(() => net.addInterface({ name: 'x', medium: Medium.ETHERNET })),
    'EINVAL',
    'no MAC',
  );
  t.equal(
    codeOf(() => net.addInterface({ ...base, mac: Uint8Array.of(1, 0, 0, 0, 0, 9) })),
    'EINVAL',
    'a group MAC',
  );
  t.equal(
    codeOf(() => net.addInterface({ ...base, mtu: 67 })),
    'ERR_OUT_OF_RANGE',
  );
  t.equal(
    codeOf(() => net.addInterface({ ...base, mtu: 9000 })),
    'ERR_OUT_OF_RANGE',
    'longer than a slot',
  );
  t.equal(
    codeOf(() => net.addInterface({ ...base, vlan: 4095 })),
    'ERR_OUT_OF_RANGE',
  );
  t.equal(
    codeOf(() => net.addInterface({ name: 'tun', medium: Medium.IP, vlan: 5 })),
    'EINVAL',
  );
  t.equal(net.interfaces.length, 1, 'none of them stays behind');
  t.end();
});

t.test('route added or removed → the next datagram goes by it, whatever was remembered', (t) => {
  const { net } = new Host(1);
  const to = net.parseAddress('172.16.0.1');
  t.equal(net.sourceFor(to), 0);
  t.equal(net.pathMtu(to), 576, 'no path: what every host takes');
  const route = {
    destination: net.parseAddress('0.0.0.0'),
    prefixLength: 0,
    gateway: net.parseAddress('10.0.0.2'),
    mtu: 1300,
  };
  net.addRoute(route);
  t.equal(net.formatAddress(net.sourceFor(to)), '10.0.0.1');
  t.equal(net.pathMtu(to), 1300);
  t.equal(net.interfaceMtu(to), 1500, 'what we can receive is another matter');
  net.removeRoute(route);
  t.equal(net.sourceFor(to), 0);
  const probe = new Probe(net);
  t.equal(probe.send('172.16.0.1', 10), Verdict.NO_ROUTE);
  t.equal(net.stats.ipOutNoRoutes, 1);
  t.end();
});

t.test('several addresses → the one on the next hop’s link speaks', (t) => {
  const { net } = new Host(1);
  const at = (text: string) => net.parseAddress(text);
  net.addAddress(0, at('192.168.5.1'), 24);
  net.addRoute({ destination: at('8.0.0.0'), prefixLength: 8, gateway: at('192.168.5.254') });
  const source = (text: string) => net.formatAddress(net.sourceFor(at(text)));
  t.equal(source('10.0.0.77'), '10.0.0.1');
  t.equal(source('192.168.5.77'), '192.168.5.1');
  t.equal(source('8.8.8.8'), '192.168.5.1');
  t.equal(source('192.168.5.255'), '192.168.5.1', 'broadcast too');
  t.equal(source('10.0.0.1'), '10.0.0.1', 'to ourselves as ourselves');
  t.equal(source('127.0.0.5'), '127.0.0.5');
  t.ok(net.isLocal(at('192.168.5.1')));
  t.ok(net.isBroadcast(at('192.168.5.255')));
  net.removeAddress(0, at('192.168.5.1'));
  t.notOk(net.isLocal(at('192.168.5.1')));
  t.notOk(net.isBroadcast(at('192.168.5.255')));
  t.equal(source('192.168.5.77'), '0.0.0.0', 'its route went with it');
  t.end();
});

t.test('0.0.0.0/8 → never sent to; broadcast → only when asked for', (t) => {
  const pair = new Pair();
  pair.a.net.addRoute({ destination: pair.a.net.parseAddress('0.0.0.0'), prefixLength: 0, iface: 0 });
  const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
  pair.run();
  t.equal(a.send('0.0.0.0', 10), Verdict.NO_ROUTE);
  t.equal(a.send('0.1.2.3', 10), Verdict.NO_ROUTE);
  t.equal(a.send('10.0.0.255', 10), Verdict.NO_ROUTE);
  t.equal(a.send('255.255.255.255', 10), Verdict.NO_ROUTE);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.equal(a.send('10.0.0.255', 10, OutputFlag.BROADCAST), Verdict.OK);
  t.equal(a.send('255.255.255.255', 3000, OutputFlag.BROADCAST), Verdict.OK);
  t.equal(a.send('224.0.0.1', 10), Verdict.OK, 'a group needs no leave');
  pair.run();
  t.same(
    b.packets.map((packet) => [packet.destination, packet.broadcast, packet.data.length]),
    [
      ['10.0.0.255', true, 10],
      ['255.255.255.255', true, 3000],
      ['224.0.0.1', true, 10],
    ],
  );
  t.end();
});

t.test('path MTU reported → lowered, never raised, not below the minimum; forgotten after ten minutes', (t) => {
  const pair = new Pair();
  const { net } = pair.a;
  const to = net.parseAddress('10.0.0.2');
  net.lowerPathMtu(to, 1400);
  t.equal(net.pathMtu(to), 1400);
  net.lowerPathMtu(to, 1450);
  t.equal(net.pathMtu(to), 1400, 'a report never raises');
  net.lowerPathMtu(to, 60);
  t.equal(net.pathMtu(to), 1400, 'no link is narrower than 68');
  t.equal(net.interfaceMtu(to), 1500);
  t.equal(net.pathMtu(net.parseAddress('10.0.0.3')), 1500, 'another path');
  pair.pass(599_000);
  t.equal(net.pathMtu(to), 1400);
  pair.pass(1001);
  t.equal(net.pathMtu(to), 1500);
  t.equal(net.stats.pathMtuLowered, 1);
  t.equal(net.stats.pathMtuExpired, 1);
  t.equal(net.msToNext(), Infinity, 'and nothing is left to wait for');
  t.end();
});

t.test('path MTU below our minimum → the minimum, and DF is left out so that routers may fragment', (t) => {
  const pair = new Pair();
  const a = new Probe(pair.a.net);
  const b = new Probe(pair.b.net);
  const to = pair.a.net.parseAddress('10.0.0.2');
  a.send('10.0.0.2', 1);
  pair.run();
  pair.a.net.lowerPathMtu(to, 300);
  t.equal(pair.a.net.pathMtu(to), PATH_MTU_MIN);
  const words: number[] = [];
  pair.filter = (bytes) => {
    words.push((bytes[20] << 8) | bytes[21]);
    return [bytes];
  };
  t.equal(a.send('10.0.0.2', 500, OutputFlag.DONT_FRAGMENT), Verdict.OK);
  t.equal(a.send('10.0.0.2', 1000, OutputFlag.DONT_FRAGMENT), Verdict.OK, 'longer: fragmented here');
  pair.run();
  t.equal(words[0] & 0x4000, 0);
  t.equal(words.length, 3);
  sameBytes(t, b.packets.at(-1)?.data, pattern(1000), 'byte for byte');
  t.end();
});

t.test('many narrow paths → the table stays bounded, the latest are known', (t) => {
  const { net } = new Host(1, { prefixLength: 8 });
  let last = 0 as Address;
  for (let i = 0; i < 20_000; i++) {
    last = ((10 << 24) | (i * 7 + 256)) as Address;
    net.lowerPathMtu(last, 1280);
  }
  t.equal(net.pathMtu(last), 1280);
  let known = 0;
  for (let i = 0; i < 20_000; i++) if (net.pathMtu(((10 << 24) | (i * 7 + 256)) as Address) === 1280) known += 1;
  t.ok(known <= 1024 && known > 900, `${known} of 20,000 remembered`);
  t.end();
});

t.test('atomic datagrams need no ID, others get one that is not used again soon (RFC 6864)', (t) => {
  const pair = new Pair();
  const a = new Probe(pair.a.net);
  new Probe(pair.b.net);
  a.send('10.0.0.2', 1);
  pair.run();
  const ids = (flags: number, count: number) => {
    for (let i = 0; i < count; i++) a.send('10.0.0.2', 8, flags);
    return pair.a.sent().map((bytes) => (bytes[18] << 8) | bytes[19]);
  };
  t.same(ids(OutputFlag.DONT_FRAGMENT, 3), [0, 0, 0]);
  const seen = new Set<number>();
  for (let i = 0; i < 128; i++) for (const id of ids(0, 500)) seen.add(id);
  t.equal(seen.size, 64_000);
  t.end();
});

t.test(
  'a link is down → its routes do not count: a less specific one does, or there is none; up again, as before',
  (t) => {
    const { net, slab } = new Host(1);
    const at = (text: string) => net.parseAddress(text);
    const other = net.addInterface({
      name: 'other',
      medium: Medium.IP,
      addresses: [{ address: at('10.9.0.1'), prefixLength: 16 }],
    });
    net.addRoute({ destination: at('0.0.0.0'), prefixLength: 0, gateway: at('10.9.0.2') });
    const peer = at('10.0.0.2');
    const source = () => net.formatAddress(net.sourceFor(peer));
    t.equal(source(), '10.0.0.1');
    const mtu = net.pathMtu(peer);
    net.setUp(0, false);
    t.equal(source(), '10.9.0.1', 'by the gateway');
    t.equal(net.hasRoute(peer), true);
    net.setUp(other.index, false);
    t.equal(source(), '0.0.0.0');
    t.equal(net.hasRoute(peer), false);
    t.equal(net.pathMtu(peer), mtu, 'what is open keeps its segments');
    t.equal(net.isLocal(at('10.0.0.1')), true, 'our addresses stay ours');
    t.equal(net.sourceFor(at('10.0.0.1')), at('10.0.0.1'), 'and can be reached from here');
    const free = slab.freeCount;
    t.equal(net.sendEcho(peer, 1, 1, 4000, 64, false), Verdict.INTERFACE_DOWN, 'in fragments, too');
    t.equal(slab.freeCount, free);
    t.ok(other.counters.dropsSent + net.interfaces[0].counters.dropsSent > 0, 'counted');
    net.setUp(0, true);
    t.equal(source(), '10.0.0.1');
    t.end();
  },
);
