/** ARP requests are limited in all, and nobody who is there has to wait for those who are not. */
import t from 'tap';
import { OutputFlag } from '../../../stack/net/transport.js';
import { ArpOperation } from '../../../stack/wire/arp.js';
import { arp, macOf, summary } from './frames.js';
import { Host, Probe } from './pair.js';

/** Requests sent in each of so many seconds, while a program sends to `perMs` new hosts of the link each millisecond. */
function asking(host: Host, probe: Probe, seconds: number, perMs: number): { all: number[]; to: Map<string, number> } {
  const all: number[] = [];
  const to = new Map<string, number>();
  const start = host.clock.us;
  let next = 0;
  for (let second = 0; second < seconds; second++) {
    let sent = 0;
    for (let ms = 0; ms < 1000; ms++) {
      for (let i = 0; i < perMs; i++, next++) probe.send(`10.0.${16 + ((next >>> 8) % 200)}.${next & 255}`, 10);
      host.advanceTo(start + (second * 1000 + ms + 1) * 1000);
      for (const line of host.sent().map(summary)) {
        if (!line.startsWith('arp request')) continue;
        sent += 1;
        to.set(line, (to.get(line) ?? 0) + 1);
      }
    }
    all.push(sent);
  }
  return { all, to };
}

t.test('12,000 new neighbours a second → no more ARP requests than the limit for all', (t) => {
  const host = new Host(1, { prefixLength: 16 });
  host.advanceTo(6_000_000);
  host.sent();
  const { all } = asking(host, new Probe(host.net), 3, 12);
  t.ok(all[0] <= 2024 && all[0] > 1900, `a burst, then the rate: ${all[0]}`);
  for (const sent of all.slice(1)) t.ok(sent <= 1000 && sent > 900, `the rate: ${sent}`);
  t.ok(host.net.stats.arpRequestsRateLimited > 10_000, 'counted');
  t.equal(host.slab.freeCount + host.net.neighbors.waiting, host.slotsAtStart, 'no slot lost');
  t.end();
});

t.test('at the limit → the gateway is asked for at once, and who has answered before is verified', (t) => {
  const host = new Host(1, { prefixLength: 16, limits: { arpRequestsPerSecond: 10, arpRequestsBurst: 20 } });
  host.net.addRoute({
    destination: host.net.parseAddress('0.0.0.0'),
    prefixLength: 0,
    gateway: host.net.parseAddress('10.0.0.3'),
  });
  const probe = new Probe(host.net);
  probe.send('10.0.0.2', 10);
  host.hear(arp({ operation: ArpOperation.REPLY, targetMac: macOf(1), to: macOf(1) }));
  host.advanceTo(6_000_000);
  host.net.neighbors.doubt(host.net.neighbors.find(0, host.net.parseAddress('10.0.0.2')));
  host.sent();
  asking(host, probe, 1, 1);
  probe.send('192.0.2.1', 10);
  t.same(host.sent().map(summary), ['arp request 10.0.0.3 to all'], 'the gateway');
  probe.send('10.0.0.2', 10);
  const { to } = asking(host, probe, 8, 1);
  t.equal(to.get(`arp request 10.0.0.2 to ${macOf(2)}`), 3, 'three times, a second apart');
  t.equal(to.get('arp request 10.0.0.3 to all'), 2, 'and the gateway three times, with the first');
  t.end();
});

t.test('held back by the limit → asked three times all the same, and only then given up', (t) => {
  const host = new Host(1, { limits: { arpRequestsPerSecond: 10, arpRequestsBurst: 4 } });
  host.advanceTo(6_000_000);
  host.sent();
  const probe = new Probe(host.net);
  const hosts = Array.from({ length: 20 }, (_, i) => `10.0.0.${100 + i}`);
  for (const address of hosts) probe.send(address, 10);
  const asked = new Map<string, number>();
  for (let ms = 0; ms < 20_000; ms += 50) {
    host.advanceTo(6_000_000 + ms * 1000);
    for (const line of host.sent().map(summary)) asked.set(line, (asked.get(line) ?? 0) + 1);
  }
  t.same(
    hosts.map((address) => asked.get(`arp request ${address} to all`)),
    hosts.map(() => 3),
  );
  t.equal(probe.errors.length, 20, 'each is reported');
  t.equal(host.net.neighbors.size, 0);
  t.equal(host.slab.freeCount, host.slotsAtStart);
  t.end();
});

t.test('at the limit → a connection’s neighbour is asked for at once, an answer’s is not', (t) => {
  const host = new Host(1, { prefixLength: 16, limits: { arpRequestsPerSecond: 10, arpRequestsBurst: 20 } });
  host.advanceTo(6_000_000);
  asking(host, new Probe(host.net), 1, 1);
  const tcp = new Probe(host.net, 6);
  tcp.send('10.0.0.2', 20, OutputFlag.ANSWER);
  t.same(host.sent().map(summary), []);
  tcp.send('10.0.0.2', 20);
  t.same(host.sent().map(summary), ['arp request 10.0.0.2 to all']);
  t.end();
});
