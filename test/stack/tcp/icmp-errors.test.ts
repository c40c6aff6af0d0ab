import t from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { Icmpv4Type, Unreachable } from '../../../stack/wire/icmpv4.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { type Peer } from './peer.js';
import { established, synSent } from './states.js';

/** What ICMP says: RFC 9293 §3.9.2.2, believed as far as RFC 5927 allows. */

/** The datagram of the last segment sent, its sequence number moved. */
function quote(peer: Peer, datagram: Uint8Array, seq: number): Uint8Array {
  const moved = datagram.slice();
  new DataView(moved.buffer).setInt32(24, (peer.stackIss + seq) | 0);
  return moved;
}

for (const [code, error] of [
  [Unreachable.PORT, 'ECONNREFUSED'],
  [Unreachable.PROTOCOL, 'ENOPROTOOPT'],
  [Unreachable.HOST, 'EHOSTUNREACH'],
  [Unreachable.NET, 'ENETUNREACH'],
  [Unreachable.COMMUNICATION_PROHIBITED, 'EHOSTUNREACH'],
] as const) {
  t.test(`SYN-SENT, unreachable code ${code} → CLOSED, ${error}`, (t) => {
    const peer = synSent(t);
    peer.untilSent();
    const { datagram } = peer.expect({ flags: 'S' });
    t.equal(peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, code, datagram), Verdict.OK);
    peer.expectState('CLOSED');
    t.equal(peer.tcp.takeError(peer.id), error);
    t.end();
  });

  t.test(`ESTABLISHED, unreachable code ${code} → goes on; told if it times out (RFC 5927 §4.3)`, (t) => {
    const peer = established(t);
    peer.write(10);
    const { datagram } = peer.expect({ length: 10 });
    peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, code, datagram);
    peer.expectState('ESTABLISHED');
    peer.advanceMs(3_600_000);
    peer.expectState('CLOSED');
    t.equal(peer.tcp.takeError(peer.id), error);
    t.end();
  });
}

t.test('ESTABLISHED, unreachable, then an answer → forgotten', (t) => {
  const peer = established(t);
  peer.write(10);
  const { datagram } = peer.expect({ length: 10 });
  peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.HOST, datagram);
  peer.ack();
  peer.write(10);
  peer.advanceMs(3_600_000);
  t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
  t.end();
});

t.test('SYN-SENT, a quote with a sequence number that is not in flight → implausible (RFC 5927 §4.1)', (t) => {
  const peer = synSent(t);
  peer.untilSent();
  const { datagram } = peer.expect({ flags: 'S' });
  for (const seq of [-1, 2, 1000, 1 << 30]) {
    const verdict = peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.PORT, quote(peer, datagram, seq));
    t.equal(verdict, Verdict.ICMP_IMPLAUSIBLE);
  }
  peer.expectState('SYN-SENT');
  t.end();
});

t.test('ESTABLISHED, source quench → ignored (RFC 6633)', (t) => {
  const peer = established(t);
  peer.write(20_000);
  const { datagram } = peer.expect({ seq: 1 });
  const before = peer.tcp.info(peer.id).sndCwndBytes;
  peer.icmp(Icmpv4Type.SOURCE_QUENCH, 0, datagram);
  t.equal(peer.tcp.info(peer.id).sndCwndBytes, before);
  t.end();
});

t.test('ESTABLISHED, time exceeded → soft', (t) => {
  const peer = established(t);
  peer.write(10);
  const { datagram } = peer.expect({ length: 10 });
  peer.icmp(Icmpv4Type.TIME_EXCEEDED, 0, datagram);
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('ESTABLISHED, fragmentation needed → smaller segments, the flight again at once (RFC 1191)', (t) => {
  const peer = established(t);
  peer.write(3 * 1460);
  const [first] = peer.drain();
  peer.icmp(
    Icmpv4Type.DESTINATION_UNREACHABLE,
    Unreachable.FRAGMENTATION_NEEDED,
    (first as { datagram: Uint8Array }).datagram,
    1000,
  );
  const again = peer.drain();
  t.equal(again[0]?.seq, 1);
  t.ok(again.length > 0 && again.every((segment) => segment.datagram.length <= 1000));
  t.equal(peer.tcp.info(peer.id).pathMtu, 1000);
  for (let i = 0; i < 10; i++) {
    peer.ack();
    t.ok(peer.drain().every((segment) => segment.datagram.length <= 1000));
  }
  t.equal(peer.tcp.unacknowledged(peer.id), 0);
  t.end();
});

t.test('ESTABLISHED, fragmentation needed, no RTO, no loss of speed → cwnd and ssthresh as before', (t) => {
  const peer = established(t);
  peer.write(3 * 1460);
  const before = peer.tcp.info(peer.id);
  const [first] = peer.drain();
  peer.icmp(
    Icmpv4Type.DESTINATION_UNREACHABLE,
    Unreachable.FRAGMENTATION_NEEDED,
    (first as { datagram: Uint8Array }).datagram,
    1400,
  );
  const after = peer.tcp.info(peer.id);
  t.equal(after.sndSsthreshBytes, before.sndSsthreshBytes);
  t.equal(peer.stack.net.stats.tcpTimeouts, 0);
  t.end();
});

for (const [what, seq, mtu] of [
  ['with a number that is not in flight', 100_000, 600],
  ['that was acknowledged before', -2000, 600],
  ['with an MTU not smaller than ours', 1, 1500],
] as const) {
  t.test(`ESTABLISHED, fragmentation needed ${what} → not believed (RFC 5927 §7.2)`, (t) => {
    const peer = established(t);
    peer.write(2000);
    const [first] = peer.drain();
    const datagram = quote(peer, (first as { datagram: Uint8Array }).datagram, seq);
    peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.FRAGMENTATION_NEEDED, datagram, mtu);
    peer.expectNothing();
    t.equal(peer.tcp.info(peer.id).sndMss, 1460);
    t.end();
  });
}

t.test(
  'ESTABLISHED, fragmentation needed with an absurd MTU → ignored, or taken as 552, or as the next plateau',
  (t) => {
    for (const [mtu, mss] of [
      [1, 1460],
      [67, 1460],
      [68, 512],
      [0, 1452],
    ] as const) {
      const peer = established(t);
      peer.write(2000);
      const [first] = peer.drain();
      peer.icmp(
        Icmpv4Type.DESTINATION_UNREACHABLE,
        Unreachable.FRAGMENTATION_NEEDED,
        (first as { datagram: Uint8Array }).datagram,
        mtu,
      );
      t.equal(peer.tcp.info(peer.id).sndMss, mss, `MTU ${mtu}`);
      for (let i = 0; i < 100 && peer.tcp.unacknowledged(peer.id) > 0; i++) {
        peer.drain();
        peer.ack();
      }
      t.equal(peer.tcp.unacknowledged(peer.id), 0);
    }
    t.end();
  },
);

t.test('no connection, any error → counted and dropped', (t) => {
  const peer = established(t);
  peer.write(10);
  const { datagram } = peer.expect({ length: 10 });
  const other = datagram.slice();
  new DataView(other.buffer).setUint16(20, 9999);
  t.equal(peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.PORT, other), Verdict.TCP_NO_CONNECTION);
  t.end();
});

t.test('ESTABLISHED, source route failed, time exceeded, parameter problem → goes on (MUST-56)', (t) => {
  for (const [type, code] of [
    [Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.SOURCE_ROUTE_FAILED],
    [Icmpv4Type.TIME_EXCEEDED, 0],
    [Icmpv4Type.TIME_EXCEEDED, 1],
    [Icmpv4Type.PARAMETER_PROBLEM, 0],
    [Icmpv4Type.PARAMETER_PROBLEM, 1],
  ] as const) {
    const peer = established(t);
    peer.write(10);
    const { datagram } = peer.expect({ length: 10 });
    t.equal(peer.icmp(type, code, datagram), Verdict.OK, `type ${type} code ${code}`);
    peer.expectState('ESTABLISHED');
    t.equal(peer.tcp.takeError(peer.id), undefined);
    peer.ack();
    peer.data(10);
    t.equal(peer.read().length, 10);
  }
  t.end();
});

t.test('ESTABLISHED, errors wanted at once (IP_RECVERR) → told once, the connection goes on', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.RECEIVE_ERRORS, 1);
  peer.write(10);
  const [first] = peer.drain();
  peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.HOST, (first as { datagram: Uint8Array }).datagram);
  t.ok(peer.told(Event.NOTICE));
  t.equal(peer.tcp.takeNotice(peer.id), 'EHOSTUNREACH');
  t.equal(peer.tcp.takeNotice(peer.id), undefined);
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('ESTABLISHED, host unreachable about a retransmission → its last back-off is taken back (RFC 6069)', (t) => {
  const peer = established(t);
  peer.write(10);
  peer.drain();
  peer.advanceMs(2000);
  const [again] = peer.drain().slice(-1);
  const before = peer.tcp.info(peer.id).backoff;
  peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.HOST, (again as { datagram: Uint8Array }).datagram);
  t.equal(peer.tcp.info(peer.id).backoff, before - 1);
  t.ok(peer.untilSent() < 1000);
  t.end();
});

for (const [discover, smaller] of [
  [0, false],
  [1, true],
  [2, true],
  [3, true],
  [4, false],
] as const) {
  t.test(
    `ESTABLISHED, IP_MTU_DISCOVER ${discover}, fragmentation needed → ${smaller ? 'smaller segments' : 'passed over'}`,
    (t) => {
      const peer = established(t);
      peer.tcp.setOption(peer.id, TcpOption.MTU_DISCOVER, discover);
      peer.write(1460);
      const [first] = peer.drain();
      peer.icmp(
        Icmpv4Type.DESTINATION_UNREACHABLE,
        Unreachable.FRAGMENTATION_NEEDED,
        (first as { datagram: Uint8Array }).datagram,
        1000,
      );
      t.equal(peer.tcp.info(peer.id).sndMss, smaller ? 960 : 1460);
      t.end();
    },
  );
}

t.test('ESTABLISHED, fragmentation needed → cwnd is as many segments as before, of the new size (as Linux)', (t) => {
  const peer = established(t);
  peer.write(1460);
  const { datagram } = peer.expect({ length: 1460 });
  t.equal(peer.tcp.info(peer.id).sndCwnd, 10);
  peer.icmp(Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.FRAGMENTATION_NEEDED, datagram, 1040);
  const { sndMss, sndCwnd, sndCwndBytes } = peer.tcp.info(peer.id);
  t.same({ sndMss, sndCwnd, sndCwndBytes }, { sndMss: 1000, sndCwnd: 10, sndCwndBytes: 10_000 });
  t.end();
});
