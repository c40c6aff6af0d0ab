import t from 'tap';
import { PathError } from '../../../stack/net/transport.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { BROADCAST_MAC, datagram, frame, type Ip, icmp } from './frames.js';
import { Host, Probe, pattern } from './pair.js';

/** A host that knows its neighbours 10.0.0.2 and 10.0.0.254, a router for the rest. */
function target(limits = {}): { host: Host; probe: Probe; hear: (bytes: Uint8Array) => Verdict } {
  const host = new Host(1, { limits });
  host.net.addRoute({
    destination: host.net.parseAddress('0.0.0.0'),
    prefixLength: 0,
    gateway: host.net.parseAddress('10.0.0.254'),
  });
  host.net.neighbors.heard(host.iface, host.net.parseAddress('10.0.0.2'), 0x0200, 2, 1);
  host.net.neighbors.heard(host.iface, host.net.parseAddress('10.0.0.254'), 0x0200, 254, 1);
  host.sent();
  return { host, probe: new Probe(host.net), hear: (bytes) => host.hear(bytes) };
}
/** A datagram of host 1's, as an ICMP error quotes it. */
function quote(ip: Ip = {}): Uint8Array {
  return datagram({ from: '10.0.0.1', to: '198.51.100.9', payload: pattern(8), totalLength: 1500, ...ip });
}
function error(type: number, code: number, rest = 0, quoted = quote(), ip: Ip = {}): Uint8Array {
  return frame({ from: '10.0.0.254', protocol: 1, payload: icmp(type, code, rest, quoted), ...ip });
}

t.test('errors in → the transport of the quoted protocol hears what is wrong, with whom, says who', (t) => {
  const kinds: [number, number, number, PathError, number][] = [
    [3, 0, 0, PathError.UNREACHABLE_NET, 0],
    [3, 1, 0, PathError.UNREACHABLE_HOST, 0],
    [3, 2, 0, PathError.UNREACHABLE_PROTOCOL, 0],
    [3, 3, 0, PathError.UNREACHABLE_PORT, 0],
    [3, 4, 1400, PathError.TOO_BIG, 1400],
    [3, 5, 0, PathError.UNREACHABLE_HOST, 0],
    [3, 6, 0, PathError.UNREACHABLE_NET, 0],
    [3, 7, 0, PathError.UNREACHABLE_HOST, 0],
    [3, 8, 0, PathError.UNREACHABLE_HOST, 0],
    [3, 9, 0, PathError.PROHIBITED, 0],
    [3, 10, 0, PathError.PROHIBITED, 0],
    [3, 11, 0, PathError.UNREACHABLE_NET, 0],
    [3, 12, 0, PathError.UNREACHABLE_HOST, 0],
    [3, 13, 0, PathError.PROHIBITED, 0],
    [11, 0, 0, PathError.TIME_EXCEEDED, 0],
    [11, 1, 0, PathError.TIME_EXCEEDED, 0],
    [12, 0, 20 << 24, PathError.PARAMETER_PROBLEM, 0],
  ];
  for (const [type, code, rest, kind, mtu] of kinds) {
    const { probe, hear } = target();
    t.equal(hear(error(type, code, rest)), Verdict.OK, `type ${type} code ${code}`);
    t.same(probe.errors, [{ error: kind, mtu, destination: '198.51.100.9', reporter: '10.0.0.254', data: pattern(8) }]);
  }
  t.end();
});

t.test('errors in that cannot be about us → dropped', (t) => {
  const { host, probe, hear } = target();
  const damaged = error(3, 1);
  damaged[60] ^= 1;
  const cases: [string, Uint8Array, Verdict][] = [
    ['checksum', damaged, Verdict.ICMP_CHECKSUM],
    ['no second word', frame({ protocol: 1, payload: icmp(3, 1, 0).slice(0, 7) }), Verdict.ICMP_TOO_SHORT],
    ['no quote', error(3, 1, 0, new Uint8Array(0)), Verdict.ICMP_QUOTE_INVALID],
    ['half a header', error(3, 1, 0, quote().slice(0, 19)), Verdict.ICMP_QUOTE_INVALID],
    ['seven bytes of transport', error(3, 1, 0, quote().slice(0, 27)), Verdict.ICMP_QUOTE_INVALID],
    ['another sender’s datagram', error(3, 1, 0, quote({ from: '10.0.0.3' })), Verdict.ICMP_QUOTE_INVALID],
    ['a later fragment', error(3, 1, 0, quote({ offset: 8 })), Verdict.ICMP_QUOTE_INVALID],
    ['a protocol we do not speak', error(3, 1, 0, quote({ protocol: 200 })), Verdict.ICMP_IMPLAUSIBLE],
    ['an unknown code', error(3, 77), Verdict.ICMP_TYPE_UNKNOWN],
    ['an unknown type', error(200, 0), Verdict.ICMP_TYPE_UNKNOWN],
    ['too big, and yet it fits', error(3, 4, 1500), Verdict.ICMP_IMPLAUSIBLE],
    ['too big for no link there is', error(3, 4, 60), Verdict.ICMP_IMPLAUSIBLE],
    [
      'to everybody',
      frame({ from: '10.0.0.2', to: '10.0.0.255', protocol: 1, payload: icmp(3, 1, 0, quote()) }, BROADCAST_MAC),
      Verdict.ICMP_BROADCAST,
    ],
    ['source quench', error(4, 0), Verdict.ICMP_IMPLAUSIBLE],
    ['redirect', error(5, 1, 0x0a000009), Verdict.ICMP_IMPLAUSIBLE],
  ];
  for (const [name, bytes, verdict] of cases) t.equal(hear(bytes), verdict, name);
  t.equal(probe.errors.length, 0);
  t.equal(host.sent().length, 0, 'and none is answered');
  t.equal(host.net.stats.icmpInRedirects, 1);
  t.equal(host.net.stats.icmpInSrcQuenchs, 1);
  t.equal(
    host.net.sourceFor(host.net.parseAddress('198.51.100.9')),
    host.net.parseAddress('10.0.0.1'),
    'the route stands',
  );
  t.end();
});

t.test('too big without an MTU → the next plateau below what was refused (RFC 1191 §5)', (t) => {
  for (const [refused, mtu] of [
    [1500, 1492],
    [1492, 1006],
    [4500, 4352],
    [1000, 552],
  ]) {
    const { probe, hear } = target();
    hear(error(3, 4, 0, quote({ totalLength: refused })));
    t.equal(probe.errors[0].mtu, mtu, `${refused} refused`);
  }
  t.end();
});

t.test('what must not be reported → is not (RFC 1122 §3.2.2)', (t) => {
  const { host, hear } = target();
  const unknown = { protocol: 200, payload: pattern(64) };
  const cases: [string, Uint8Array][] = [
    ['to everybody', frame({ ...unknown, to: '10.0.0.255' }, BROADCAST_MAC)],
    ['to everybody, on the link to us', frame({ ...unknown, to: '10.0.0.255' })],
    ['to a group', frame({ ...unknown, to: '224.0.0.1' }, '01:00:5e:00:00:01')],
    ['from nobody', frame({ ...unknown, to: '255.255.255.255', from: '0.0.0.0' }, BROADCAST_MAC)],
    ['an ICMP error with bad options', error(3, 1, 0, quote(), { options: [7, 1, 0, 0] })],
    ['an ICMP message of a later kind, likewise', error(42, 1, 0, quote(), { options: [7, 1, 0, 0] })],
    ['a fragment other than the first, likewise', frame({ ...unknown, offset: 800, options: [7, 1, 0, 0] })],
  ];
  for (const [name, bytes] of cases) {
    hear(bytes);
    t.equal(host.sent().length, 0, name);
  }
  hear(frame(unknown));
  t.equal(host.sent().length, 1, 'and the same to us is');
  hear(frame({ protocol: 1, payload: icmp(8, 0, 0), options: [7, 1, 0, 0] }));
  t.equal(host.sent().length, 1, 'so is an echo request with bad options');
  t.end();
});

t.test('quote → as much as fits 576 bytes, and no more than there was', (t) => {
  const { host, hear } = target();
  for (const [length, quoted] of [
    [0, 20],
    [100, 120],
    [528, 548],
    [529, 548],
    [1480, 548],
  ]) {
    const ip = { protocol: 200, payload: pattern(length), df: true, ttl: 3, id: 999 };
    hear(frame(ip));
    const [bytes] = host.sent();
    t.same(bytes.slice(42), datagram(ip).slice(0, quoted), `${length} bytes`);
    t.ok(bytes.length - 14 <= 576);
  }
  t.end();
});

t.test('errors out → a burst, then a rate (RFC 1812 §4.3.2.8)', (t) => {
  const { host, hear } = target({ icmpErrorsPerSecond: 100, icmpErrorsBurst: 20 });
  const flood = () => {
    for (let i = 0; i < 200; i++) hear(frame({ protocol: 200 }));
    // Without the requests that verify the neighbour.
    return host.sent().filter((bytes) => bytes[13] === 0).length;
  };
  const burst = flood();
  t.ok(burst >= 17 && burst <= 20, `${burst} at once`);
  t.equal(host.net.stats.icmpOutRateLimited, 200 - burst);
  t.equal(flood(), 0);
  let sent = 0;
  for (let ms = 10; ms <= 1000; ms += 10) {
    host.advanceTo(ms * 1000);
    sent += flood();
  }
  t.ok(sent >= 90 && sent <= 105, `${sent} in a second`);
  host.advanceTo(3_600_000_000);
  t.ok(flood() <= 20, 'an hour of silence saves up no more than a burst');
  t.end();
});

t.test('echo request to everybody → not answered', (t) => {
  const { host, hear } = target();
  t.equal(
    hear(frame({ to: '10.0.0.255', protocol: 1, payload: icmp(8, 0, 1) }, BROADCAST_MAC)),
    Verdict.ICMP_BROADCAST,
  );
  t.equal(host.sent().length, 0);
  t.equal(
    hear(frame({ protocol: 1, payload: icmp(13, 0, 1, new Uint8Array(12)) })),
    Verdict.ICMP_TYPE_UNKNOWN,
    'timestamps',
  );
  t.equal(host.sent().length, 0);
  t.end();
});

t.test('echo request damaged behind the header → dropped; odd lengths and type of service → returned', (t) => {
  const { host, hear } = target();
  const bytes = frame({ protocol: 1, payload: icmp(8, 0, 0x00010002, pattern(33)), tos: 0x48 });
  const damaged = bytes.slice();
  damaged[50] ^= 4;
  t.equal(hear(damaged), Verdict.ICMP_CHECKSUM);
  t.equal(hear(bytes), Verdict.OK);
  const [reply] = host.sent();
  t.equal(reply[15], 0x48);
  t.same(reply.slice(34), icmp(0, 0, 0x00010002, pattern(33)), 'with the right checksum');
  const slot = host.slab.take();
  host.slab.bytes.set(bytes, slot + 128);
  host.net.receive(0, slot + 128, bytes.length);
  t.same(host.slab.bytes.slice(slot + 128, slot + 128 + bytes.length), bytes, 'a trace still sees the request');
  t.end();
});

t.test('errors about our own echo requests → told to who asked', (t) => {
  const { host, hear } = target();
  host.net.sendEcho(host.net.parseAddress('198.51.100.9'), 0x1234, 7, 100, 1);
  const [request] = host.sent();
  t.equal(request[22], 1, 'TTL as asked');
  t.equal(hear(error(11, 0, 0, request.slice(14))), Verdict.OK);
  t.ok(host.net.nextEcho());
  t.equal(host.net.echoResult.error, PathError.TIME_EXCEEDED);
  t.equal(host.net.echoResult.source, host.net.parseAddress('10.0.0.254'));
  t.equal(host.net.echoResult.seq, 7);
  t.equal(
    hear(error(11, 0, 0, quote({ protocol: 1, payload: icmp(8, 0, 0x99990001) }))),
    Verdict.ICMP_IMPLAUSIBLE,
    'not ours',
  );
  t.equal(
    hear(error(11, 0, 0, quote({ protocol: 1, payload: icmp(0, 0, 0x12340001) }))),
    Verdict.ICMP_IMPLAUSIBLE,
    'a reply',
  );
  t.notOk(host.net.nextEcho());
  t.end();
});
