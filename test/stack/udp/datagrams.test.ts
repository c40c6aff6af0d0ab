import t from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { UdpOption } from '../../../stack/udp/options.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { datagram, frame, icmp, udp } from '../net/frames.js';
import { pattern } from '../net/pair.js';
import { udpPair } from './udp-pair.js';

t.test('header that lies, checksum wrong → dropped and counted; checksum zero → taken', (t) => {
  const { a } = udpPair();
  const server = a.udp.open({ port: 7 });
  const good = udp(1000, 7, pattern(20));
  const hear = (payload: Uint8Array) => a.host.hear(frame({ protocol: 17, payload }));
  const patched = (at: number, value: number) => {
    const copy = good.slice();
    copy[at] = value;
    return copy;
  };
  t.equal(hear(good.slice(0, 7)), Verdict.UDP_TOO_SHORT);
  t.equal(hear(patched(5, 7)), Verdict.UDP_LENGTH);
  t.equal(hear(patched(5, 29)), Verdict.UDP_LENGTH);
  t.equal(hear(patched(12, 0)), Verdict.UDP_CHECKSUM);
  t.equal(a.host.net.stats.udpInCsumErrors, 1);
  t.equal(a.host.net.stats.udpInErrors, 4);
  t.equal(a.udp.readable(server), -1);
  const none = good.slice();
  none[6] = 0;
  none[7] = 0;
  t.equal(hear(none), Verdict.OK, 'RFC 1122 §4.1.3.4: no checksum is no error');
  const trailing = new Uint8Array(good.length + 5);
  trailing.set(good);
  t.equal(hear(trailing), Verdict.OK, 'IP may carry more than UDP says');
  t.equal(a.udp.readable(server), 20);
  t.end();
});

t.test('every datagram out → carries a checksum, and it is right', (t) => {
  const { pair, a, b } = udpPair();
  const server = b.udp.open({ port: 7 });
  const client = a.udp.open();
  let zero = 0;
  pair.filter = (bytes) => {
    if (bytes[23] === 17 && bytes[40] === 0 && bytes[41] === 0) zero += 1;
    return [bytes];
  };
  for (let i = 0; i < 3000; i++) {
    a.send(client, Uint8Array.of(i >>> 8, i), '10.0.0.2', 7);
    pair.run();
  }
  t.equal(zero, 0);
  t.equal(b.read(server).length, 3000);
  t.equal(b.host.net.stats.udpInCsumErrors, 0);
  t.end();
});

t.test('router says too big → what no longer fits is fragmented here; with DONT_FRAGMENT it is refused', (t) => {
  const { pair, a, b } = udpPair();
  const server = b.udp.open({ port: 7 });
  const client = a.udp.open();
  const bold = a.udp.open();
  a.udp.connect(client, a.at('10.0.0.2'), 7);
  a.udp.connect(bold, a.at('10.0.0.2'), 7);
  a.udp.setOption(bold, UdpOption.DONT_FRAGMENT, 1);
  let quoted = new Uint8Array(0) as Uint8Array;
  pair.filter = (bytes) => {
    quoted = bytes.slice(14);
    return [];
  };
  const tooBig = () =>
    a.host.hear(frame({ from: '10.0.0.254', protocol: 1, payload: icmp(3, 4, 1200, quoted.slice(0, 200)) }));
  t.equal(a.send(client, pattern(1472)), Verdict.OK);
  pair.run();
  t.equal(quoted[6] & 0x40, 0x40, 'DF: it fitted as far as was known');
  t.equal(tooBig(), Verdict.OK);
  t.equal(a.host.net.pathMtu(a.at('10.0.0.2')), 1200);
  t.same(a.happened(), [], 'nothing the program has to know');
  t.equal(a.send(bold, pattern(1472)), Verdict.TOO_BIG);
  let frames = 0;
  pair.filter = (bytes) => {
    frames += 1;
    t.ok(bytes.length - 14 <= 1200);
    return [bytes];
  };
  t.equal(a.send(client, pattern(1472)), Verdict.OK);
  t.equal(a.send(bold, pattern(1000)), Verdict.OK);
  pair.run();
  t.equal(frames, 3);
  t.same(b.read(server).length, 2);
  pair.filter = (bytes) => {
    quoted = bytes.slice(14);
    return [];
  };
  a.send(bold, pattern(1000));
  pair.run();
  a.host.hear(frame({ from: '10.0.0.254', protocol: 1, payload: icmp(3, 4, 900, quoted.slice(0, 200)) }));
  t.same(a.happened(), [`${bold}: ${Event.FAILED}`]);
  t.equal(a.udp.takeError(bold), 'EMSGSIZE');
  t.end();
});

t.test(
  'connected, net or host unreachable, time exceeded → not told: it may pass; protocol unreachable → told',
  (t) => {
    const { pair, a } = udpPair();
    const id = a.udp.open();
    a.udp.connect(id, a.at('10.0.0.2'), 7);
    let quoted = new Uint8Array(0) as Uint8Array;
    pair.filter = (bytes) => {
      quoted = bytes.slice(14);
      return [];
    };
    a.send(id, 'x');
    pair.run();
    const error = (type: number, code: number) =>
      a.host.hear(frame({ from: '10.0.0.254', protocol: 1, payload: icmp(type, code, 0, quoted) }));
    for (const [type, code] of [
      [3, 0],
      [3, 1],
      [11, 0],
    ] as const) {
      t.equal(error(type, code), Verdict.OK);
      t.same(a.happened(), [], `type ${type} code ${code}`);
      t.equal(a.udp.takeError(id), undefined);
    }
    error(3, 2);
    t.equal(a.udp.takeError(id), 'ENOPROTOOPT');
    t.end();
  },
);

t.test('errors about datagrams nobody here sent → change nothing', (t) => {
  const { a } = udpPair();
  a.udp.open({ port: 7 });
  const error = (sourcePort: number, mtu: number) =>
    a.host.hear(
      frame({
        from: '10.0.0.254',
        protocol: 1,
        payload: icmp(
          3,
          4,
          mtu,
          datagram({
            from: '10.0.0.1',
            to: '10.0.0.2',
            protocol: 17,
            payload: udp(sourcePort, 9, pattern(0)),
            totalLength: 1500,
          }),
        ),
      }),
    );
  t.equal(error(4444, 600), Verdict.ICMP_IMPLAUSIBLE);
  t.equal(a.host.net.pathMtu(a.at('10.0.0.2')), 1500);
  t.equal(error(7, 600), Verdict.OK, 'a port in use may have sent it');
  t.equal(a.host.net.pathMtu(a.at('10.0.0.2')), 600);
  t.end();
});

t.test('options → in the header; out of range → refused', (t) => {
  const { pair, a, b } = udpPair();
  b.udp.open({ port: 7 });
  const id = a.udp.open();
  a.udp.setOption(id, UdpOption.TTL, 9);
  a.udp.setOption(id, UdpOption.TOS, 0xb8);
  a.udp.setOption(id, UdpOption.MULTICAST_TTL, 3);
  const seen: number[][] = [];
  pair.filter = (bytes) => {
    seen.push([bytes[15], bytes[22]]);
    return [bytes];
  };
  a.send(id, 'x', '10.0.0.2', 7);
  a.send(id, 'x', '224.0.0.1', 7);
  pair.run();
  t.same(seen, [
    [0xb8, 9],
    [0xb8, 3],
  ]);
  t.equal(a.udp.getOption(id, UdpOption.TTL), 9);
  t.equal(a.udp.getOption(id, UdpOption.BROADCAST), 0);
  for (const [option, value] of [
    [UdpOption.TTL, 0],
    [UdpOption.TTL, 256],
    [UdpOption.TOS, -1],
    [UdpOption.MULTICAST_TTL, 1.5],
    [UdpOption.MULTICAST_TTL, 0],
    [UdpOption.RECEIVE_BYTES_MAX, 0],
  ])
    t.throws(() => a.udp.setOption(id, option, value), { code: 'ERR_OUT_OF_RANGE' });
  t.end();
});

t.test('no route, no room, bytes that are not there → said so, nothing lost', (t) => {
  const { a } = udpPair({ transmitQueueFrames: 4 });
  const id = a.udp.open();
  t.equal(a.send(id, 'x', '192.0.2.1', 7), Verdict.NO_ROUTE);
  t.throws(() => a.udp.connect(id, a.at('192.0.2.1'), 7), { code: 'ENETUNREACH' });
  t.throws(() => a.udp.send(id, pattern(4), 0, 5, a.at('10.0.0.2'), 7), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => a.udp.send(id, pattern(4), -1, 2, a.at('10.0.0.2'), 7), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => a.udp.send(id, pattern(4), 3, 2, a.at('10.0.0.2'), 7), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => a.send(id, 'x', '10.0.0.2', 0), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => a.udp.send(id, pattern(4), 0, 4, a.at('10.0.0.2')), { code: 'EDESTADDRREQ' });
  t.throws(() => a.udp.send(id, pattern(4), 0, 4, a.at('10.0.0.2'), 7, a.at('10.0.0.9')), { code: 'EADDRNOTAVAIL' });
  for (let i = 0; i < 4; i++) t.equal(a.send(id, 'x', '10.0.0.2', 7), Verdict.OK);
  t.equal(a.send(id, 'x', '10.0.0.2', 7), Verdict.NO_BUFFER);
  t.equal(a.host.net.stats.udpSndbufErrors, 1);
  a.host.sent();
  t.equal(a.host.slab.freeCount, a.host.slotsAtStart);
  t.end();
});

t.test('closed with datagrams waiting and an event queued → forgotten, memory back', (t) => {
  const { pair, a, b } = udpPair({}, { receiveBytesTotal: 1 << 16 });
  const client = a.udp.open();
  for (let i = 0; i < 200; i++) {
    const server = b.udp.open({ port: 7 });
    for (let n = 0; n < 5; n++) a.send(client, pattern(1400), '10.0.0.2', 7);
    pair.run();
    b.udp.close(server);
    t.same(b.happened(), []);
  }
  t.equal(b.host.net.stats.udpRcvbufErrors, 0);
  t.end();
});
