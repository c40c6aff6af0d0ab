import t from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { type Peer } from './peer.js';
import { established, handshakeBegins, listening, opened, synReceived, synSent } from './states.js';

/** RFC 9293 §3.5, listening, and what a flood of SYNs may cost. */

t.test('SYN-SENT, the SYN is not answered → again after 1, 1, 1, 1, 1, 2, 4, … s, then ETIMEDOUT', (t) => {
  const peer = synSent(t);
  for (const wait of [1000, 1000, 1000, 1000, 1000, 2000, 4000, 8000, 16_000, 32_000]) {
    t.equal(peer.untilSent(), wait);
    peer.expect({ flags: 'S', seq: 0, length: 0 });
  }
  peer.advanceMs(63_999);
  peer.expectState('SYN-SENT');
  peer.advanceMs(2);
  peer.expectState('CLOSED');
  t.ok(peer.told(Event.FAILED));
  t.throws(() => peer.tcp.send(peer.id, new Uint8Array(1)), { code: 'ETIMEDOUT' });
  peer.close();
  peer.expectAllFreed();
  t.end();
});

t.test('SYN-SENT, synRetries set → that many', (t) => {
  const peer = synSent(t, { tcp: { synRetries: 2, synLinearTimeouts: 0 } });
  peer.advanceMs(8000);
  t.equal(peer.drain().length, 2);
  peer.expectState('CLOSED');
  t.end();
});

t.test('SYN-SENT, SYN lost twice → one segment of initial window, RTO of three seconds (RFC 6298 §5.7)', (t) => {
  const peer = synSent(t);
  peer.untilSent();
  peer.drain();
  peer.untilSent();
  peer.drain();
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1000 } });
  peer.nxt = 1;
  peer.drain();
  peer.write(5000);
  t.equal(peer.drain().length, 1, 'IW is one segment (RFC 5681 §3.1)');
  t.equal(peer.untilSent(), 3000);
  t.end();
});

t.test('SYN-SENT, SYN lost, timestamps → the echo is a measurement all the same', (t) => {
  const peer = synSent(t, { syn: { mss: 1000, ts: [7, 0] } });
  peer.untilSent();
  peer.drain();
  peer.advanceMs(50);
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1000, ts: [7, peer.tsEcho] } });
  t.equal(peer.tcp.info(peer.id).rttUs, 50_000);
  t.end();
});

t.test('SYN-SENT and SYN-SENT, both call → figure 8: each has sent SYN, then SYN,ACK, and is established', (t) => {
  const peer = synSent(t, { syn: { mss: 1460, wscale: 3 } });
  peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
  peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  peer.inject({ flags: 'S.', seq: 0, ack: 1, win: 8000, options: peer.synOptions });
  peer.expectState('ESTABLISHED');
  peer.nxt = 1;
  t.ok(peer.told(Event.CONNECTED));
  t.equal(peer.tcp.info(peer.id).sndWnd, 8000, 'the window of a SYN is not scaled');
  peer.drain();
  peer.data(100);
  peer.expect({ flags: '.', ack: 101 });
  t.end();
});

t.test('SYN-RECEIVED by simultaneous open, nothing more comes → SYN,ACK again', (t) => {
  const peer = synSent(t);
  peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
  peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  peer.untilSent();
  peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  t.end();
});

t.test('SYN-RECEIVED, SYN,ACK not answered → again after 1, 2, 4, 8, 16 s, then forgotten', (t) => {
  const peer = synReceived(t);
  for (const wait of [1000, 2000, 4000, 8000, 16_000]) {
    t.equal(peer.untilSent(), wait);
    peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  }
  peer.advanceMs(33_000);
  peer.expectNothing();
  peer.expectAllFreed();
  t.end();
});

t.test('SYN-RECEIVED, the SYN again → SYN,ACK at once with the same number, one row', (t) => {
  const peer = synReceived(t);
  peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
  peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  t.equal(peer.tcp.counts.halfOpen, 1);
  t.end();
});

t.test('SYN-RECEIVED, the ACK is lost and data comes → established by the data', (t) => {
  const peer = synReceived(t);
  peer.data(10);
  peer.accept();
  peer.expectState('ESTABLISHED');
  peer.expect({ flags: '.', ack: 11 });
  t.equal(peer.read().length, 10);
  t.end();
});

t.test('SYN-RECEIVED, the second segment of data comes first → established, kept until the first is there', (t) => {
  const peer = synReceived(t);
  peer.inject({ seq: 101, data: 100 });
  peer.accept();
  peer.expectState('ESTABLISHED');
  t.equal(peer.tcp.readable(peer.id), 0);
  peer.inject({ seq: 1, data: 100 });
  t.equal(peer.tcp.readable(peer.id), 200);
  t.end();
});

t.test('LISTEN, SYN with data → not acknowledged; it is sent again', (t) => {
  const peer = listening(t);
  peer.inject({ flags: 'S', seq: 0, data: 10, options: peer.synOptions });
  peer.expect({ flags: 'S.', ack: 1 });
  t.end();
});

t.test('LISTEN, SYN to the broadcast address → silence (MUST-57)', (t) => {
  const peer = listening(t);
  const address = peer.stackAddress;
  for (const text of ['10.0.0.255', '255.255.255.255', '224.0.0.1']) {
    (peer as { stackAddress: number }).stackAddress = peer.stack.net.parseAddress(text);
    peer.inject({ flags: 'S', options: peer.synOptions });
  }
  (peer as { stackAddress: number }).stackAddress = address;
  peer.expectNothing();
  t.equal(peer.tcp.counts.halfOpen, 0);
  t.end();
});

/** A whole handshake from another port. */
function call(peer: Peer, port: number): Verdict {
  peer.peerPort = port;
  handshakeBegins(peer);
  return peer.ack();
}

t.test('LISTEN, accept queue full → the ACK is as good as lost, new SYNs too; accept makes room', (t) => {
  const peer = listening(t, { listen: { backlog: 1 } });
  t.equal(call(peer, 5001), Verdict.OK);
  // A third is half-open before the queue is full.
  peer.peerPort = 5003;
  handshakeBegins(peer);
  const iss = peer.stackIss;
  t.equal(call(peer, 5002), Verdict.OK, 'one more than the backlog, as Linux');
  peer.peerPort = 5003;
  peer.stackIss = iss;
  t.equal(peer.inject({ seq: 1, ack: 1 }), Verdict.TCP_ACCEPT_QUEUE_FULL);
  peer.peerPort = 5004;
  t.equal(peer.inject({ flags: 'S', seq: 0, options: peer.synOptions }), Verdict.TCP_ACCEPT_QUEUE_FULL);
  peer.expectNothing();
  t.same(peer.tcp.listenerInfo(peer.listener), { address: 0, port: 80, backlog: 1, waiting: 2, halfOpen: 1 });
  peer.accept();
  t.equal(peer.tcp.remotePort(peer.id), 5001, 'first come, first served');
  peer.peerPort = 5003;
  t.equal(peer.inject({ seq: 1, ack: 1 }), Verdict.OK);
  peer.accept();
  t.equal(peer.tcp.remotePort(peer.id), 5002);
  peer.accept();
  t.equal(peer.tcp.remotePort(peer.id), 5003);
  t.equal(peer.tcp.accept(peer.listener), 0);
  t.end();
});

t.test(
  'LISTEN, a flood of SYNs, no cookies → memory bounded, the oldest give way, and a true peer gets through',
  (t) => {
    const peer = listening(t, { tcp: { synReceivedMax: 8, synCookies: 0 } });
    for (let i = 0; i < 1000; i++) {
      peer.peerPort = 10_000 + i;
      peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
    }
    t.equal(peer.drain().length, 1000, 'each is answered');
    t.equal(peer.tcp.counts.halfOpen, 8);
    t.equal(call(peer, 5001), Verdict.OK);
    peer.accept();
    peer.expectState('ESTABLISHED');
    peer.abort();
    peer.advanceMs(100_000);
    peer.drain();
    peer.expectAllFreed();
    t.end();
  },
);

t.test('LISTEN, half-open connections end in any order → it is still the oldest that gives way', (t) => {
  const peer = listening(t, { tcp: { synReceivedMax: 4, synCookies: 0 } });
  const iss: number[] = [];
  const syn = (i: number) => {
    peer.peerPort = 7000 + i;
    peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
    iss[i] = peer.stackIss;
    peer.drain();
  };
  const alive = (i: number) => {
    peer.peerPort = 7000 + i;
    peer.stackIss = iss[i] as number;
    return peer.tcp.context.synTable.find(peer.stackAddress, peer.peerAddress, (80 << 16) | peer.peerPort) >= 0;
  };
  for (const i of [0, 1, 2, 3]) syn(i);
  // From the middle, from the end, from the beginning.
  for (const i of [1, 3, 0]) {
    peer.peerPort = 7000 + i;
    peer.inject({ flags: 'R', seq: 1 });
  }
  for (const i of [4, 5, 6]) syn(i);
  t.same([2, 4, 5, 6].map(alive), [true, true, true, true]);
  for (const [i, gone] of [
    [7, 2],
    [8, 4],
    [9, 5],
    [10, 6],
    [11, 7],
  ] as const) {
    syn(i);
    t.notOk(alive(gone), `${gone} is the oldest`);
    t.equal(peer.tcp.counts.halfOpen, 4);
  }
  t.end();
});

t.test('LISTEN, no row left → dropped, and served once there is one', (t) => {
  const peer = listening(t, { tcp: { connectionsMax: 1 } });
  call(peer, 5001);
  peer.accept();
  const first = peer.id;
  peer.peerPort = 5002;
  handshakeBegins(peer);
  t.equal(peer.ack(), Verdict.TCP_CONNECTION_LIMIT);
  peer.tcp.abort(first);
  peer.flush();
  peer.drain();
  t.equal(peer.ack(), Verdict.OK);
  peer.accept();
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('SYN-RECEIVED, the listener is closed → RST for the ACK', (t) => {
  const peer = synReceived(t);
  peer.tcp.closeListener(peer.listener);
  peer.ack();
  peer.expect({ flags: 'R', seq: 1 });
  peer.expectAllFreed();
  t.end();
});

t.test('SYN-RECEIVED, the listener is closed and its row taken by another port → RST, nobody else gets it', (t) => {
  const peer = synReceived(t);
  peer.tcp.closeListener(peer.listener);
  peer.listener = peer.tcp.listen({ port: 81 });
  peer.ack();
  peer.expect({ flags: 'R', seq: 1 });
  t.equal(peer.tcp.accept(peer.listener), 0);
  peer.expectAllFreed();
  t.end();
});

t.test('established, not yet accepted, the listener is closed → RST', (t) => {
  const peer = listening(t);
  call(peer, 5001);
  peer.tcp.closeListener(peer.listener);
  peer.flush();
  peer.expect({ flags: 'R.', seq: 1 });
  peer.expectAllFreed();
  t.end();
});

t.test('established, reset before it is accepted → accepted all the same, and fails then (as Linux)', (t) => {
  const peer = listening(t);
  call(peer, 5001);
  peer.data(3);
  peer.inject({ flags: 'R' });
  peer.drain();
  peer.accept();
  t.ok(peer.told(Event.FAILED));
  t.equal(peer.read().length, 3);
  t.throws(() => peer.tcp.receive(peer.id, new Uint8Array(1)), { code: 'ECONNRESET' });
  t.end();
});

t.test('established, data before it is accepted → told again at accept', (t) => {
  const peer = listening(t);
  call(peer, 5001);
  peer.data(3);
  peer.fin();
  peer.events();
  peer.accept();
  t.ok(peer.told(Event.READABLE));
  t.ok(peer.told(Event.PEER_CLOSED));
  t.end();
});

t.test('SYN with options, SYN,ACK → only what was offered is answered (RFC 7323 §2.2, §3.2, RFC 2018 §2)', (t) => {
  const all = { mss: 1460, sackOk: true, ts: [5, 0] as const, wscale: 7 };
  const plain = listening(t);
  plain.inject({ flags: 'S', options: { mss: 1460 } });
  t.same(plain.sent[0]?.options, { mss: 1460 });
  const full = listening(t, { syn: all });
  full.inject({ flags: 'S', options: all });
  const { options } = full.expect({ flags: 'S.' });
  t.same({ ...options, ts: options.ts?.[1] }, { mss: 1460, sackOk: true, ts: 5, wscale: 10 });
  const none = listening(t, { tcp: { sack: false, timestamps: false, windowScaling: false } });
  none.inject({ flags: 'S', options: all });
  t.same(none.sent[0]?.options, { mss: 1460 });
  t.end();
});

t.test('SYN-SENT, SYN,ACK without our options → none is used', (t) => {
  const peer = opened(t, { syn: { mss: 1460 } });
  const { sack, timestamps, windowScaling } = peer.tcp.info(peer.id);
  t.same({ sack, timestamps, windowScaling }, { sack: false, timestamps: false, windowScaling: false });
  peer.write(10);
  t.same(peer.expect({ length: 10 }).options, {});
  t.end();
});

t.test('OPEN and LISTEN, what cannot be → one clear code each', (t) => {
  const peer = established(t);
  const { tcp } = peer;
  const remoteAddress = peer.peerAddress;
  t.throws(() => tcp.listen({ port: 80 }), { code: 'EADDRINUSE' });
  t.throws(() => tcp.listen({ port: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => tcp.listen({ port: 90, backlog: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => tcp.listen({ port: 90, address: remoteAddress }), { code: 'EADDRNOTAVAIL' });
  t.throws(() => tcp.open({ remoteAddress, remotePort: 70_000 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => tcp.open({ remoteAddress, remotePort: 4000, localPort: 80 }), { code: 'EADDRNOTAVAIL' });
  t.throws(() => tcp.open({ remoteAddress: peer.stack.net.parseAddress('9.9.9.9'), remotePort: 1 }), {
    code: 'ENETUNREACH',
  });
  t.throws(() => tcp.open({ remoteAddress: peer.stack.net.parseAddress('10.0.0.255'), remotePort: 1 }), {
    code: 'ENETUNREACH',
  });
  t.throws(() => tcp.open({ remoteAddress, remotePort: 1, localAddress: remoteAddress }), { code: 'EADDRNOTAVAIL' });
  t.throws(() => tcp.open({ remoteAddress, remotePort: 1, receiveBytes: 3 }), { code: 'ERR_OUT_OF_RANGE' });
  t.equal(tcp.counts.connections, 1, 'nothing was half made');
  t.end();
});

t.test('OPEN, all ephemeral ports to one peer in use → EADDRNOTAVAIL; another peer has its own', (t) => {
  const peer = listening(t, { tcp: { portFirst: 40_000, portLast: 40_003 } });
  const remoteAddress = peer.peerAddress;
  const ports = new Set<number>();
  for (let i = 0; i < 4; i++) ports.add(peer.tcp.localPort(peer.tcp.open({ remoteAddress, remotePort: 9 })));
  t.equal(ports.size, 4);
  t.throws(() => peer.tcp.open({ remoteAddress, remotePort: 9 }), { code: 'EADDRNOTAVAIL' });
  t.ok(peer.tcp.open({ remoteAddress, remotePort: 10 }) > 0);
  t.end();
});

t.test('SYN-SENT, R1 SYNs in vain → IP is told to doubt the way (MUST-22)', (t) => {
  const peer = synSent(t);
  for (let i = 1; i <= 4; i++) {
    peer.drain();
    peer.untilSent();
    t.equal(peer.stack.net.stats.pathDoubts, i < 3 ? 0 : 1, `${i} retransmissions`);
  }
  t.end();
});

t.test('SYN-SENT, more retries asked for → R2 of more than three minutes (MUST-23)', (t) => {
  const peer = synSent(t);
  peer.tcp.setOption(peer.id, TcpOption.SYN_RETRIES, 20);
  peer.advanceMs(200_000);
  peer.expectState('SYN-SENT');
  peer.drain();
  peer.advanceMs(3_600_000);
  peer.expectState('CLOSED');
  t.end();
});
