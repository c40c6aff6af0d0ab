import t from 'tap';
import type { ConnectionId } from '../../../stack/base/units.js';
import { Event } from '../../../stack/net/event-queue.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { sameBytes } from '../../same-bytes.js';
import { type Peer, pattern, STACK_PORT } from './peer.js';
import { established, handshakeBegins, listening } from './states.js';

/** When memory runs out: nothing that was accepted is lost, and all goes on once there is some again. */

/** Sixteen chunks of 4 KiB are the least an arena has. */
const TINY = { bufferBytesMax: 65_536, sendBytes: 1 << 20, receiveBytes: 131_072 };

/** Another connection beside the first. */
function another(peer: Peer, port: number): ConnectionId {
  peer.peerPort = port;
  handshakeBegins(peer);
  peer.ack();
  return peer.tcp.accept(peer.listener) as ConnectionId;
}

/** What the connection's queues may have of the sixteen chunks. */
function fill(peer: Peer, id: ConnectionId): number {
  return peer.tcp.send(id, new Uint8Array(100_000));
}

t.test('send, memory runs short → half of what is free, then the reserve; WRITABLE when others give some back', (t) => {
  const peer = listening(t, { tcp: TINY });
  const first = another(peer, 5001);
  const firstIss = peer.stackIss;
  const ids = [5002, 5003, 5004].map((port) => another(peer, port));
  t.equal(fill(peer, first), 32_768, 'half');
  t.equal(fill(peer, ids[0] as ConnectionId), 16_384, 'the reserve');
  t.equal(fill(peer, ids[1] as ConnectionId), 16_384, 'the reserve');
  t.equal(peer.tcp.context.arena.chunksFree, 0);
  const last = ids[2] as ConnectionId;
  peer.id = last;
  peer.events();
  t.equal(fill(peer, last), 0);
  t.equal(fill(peer, last), 0, 'asking again changes nothing');
  t.equal(peer.tcp.pools()[0]?.refused, 2);
  peer.flush();
  t.notOk(peer.told(Event.WRITABLE));
  // The first is acknowledged in full.
  peer.peerPort = 5001;
  peer.stackIss = firstIss;
  peer.nxt = 1;
  for (let i = 0; i < 60 && peer.tcp.unacknowledged(first) > 0; i++) {
    peer.drain();
    peer.inject({ ack: peer.tcp.info(first).sndNxt - firstIss });
  }
  t.equal(peer.tcp.unacknowledged(first), 0);
  t.ok(peer.told(Event.WRITABLE));
  t.ok(fill(peer, last) > 0);
  for (const id of [first, ...ids]) peer.tcp.abort(id);
  peer.flush();
  peer.drain();
  peer.expectAllFreed();
  t.end();
});

t.test('send, starved a thousand times → stands in line once', (t) => {
  const peer = listening(t, { tcp: TINY });
  const ids = [5001, 5002, 5003, 5004].map((port) => another(peer, port));
  for (const id of ids.slice(0, 3)) fill(peer, id);
  const last = ids.pop() as ConnectionId;
  for (let i = 0; i < 1000; i++) fill(peer, last);
  t.equal(peer.tcp.context.starved.length, 1);
  t.end();
});

t.test(
  'send, nothing free, the largest makes no use of its memory for a second → reset with ENOBUFS for an empty queue',
  (t) => {
    const peer = listening(t, { tcp: TINY });
    const first = another(peer, 5001);
    const ids = [5002, 5003, 5004].map((port) => another(peer, port));
    for (const id of [first, ...ids.slice(0, 2)]) fill(peer, id);
    const last = ids[2] as ConnectionId;
    peer.flush();
    peer.drain();
    peer.id = last;
    peer.events();
    t.equal(fill(peer, last), 0, 'they have had no time to make use of it');
    peer.advanceMs(2500);
    t.ok(
      peer.drain().some((segment) => segment.flags.includes('R') && segment.destinationPort === 5001),
      'the peer of the largest learns of it',
    );
    t.equal(peer.tcp.takeError(first), 'ENOBUFS');
    t.ok(peer.told(Event.WRITABLE));
    t.ok(fill(peer, last) >= 4096);
    t.same(
      ids.map((id) => peer.tcp.takeError(id)),
      [undefined, undefined, undefined],
    );
    t.equal(peer.stack.net.stats.tcpMemoryEvicted, 1);
    for (const id of [first, ...ids]) peer.tcp.abort(id);
    peer.flush();
    peer.drain();
    peer.expectAllFreed();
    t.end();
  },
);

t.test('send, nothing free, an orphan is not answered → it goes before any connection that somebody owns', (t) => {
  const peer = listening(t, { tcp: TINY });
  const first = another(peer, 5001);
  const ids = [5002, 5003, 5004].map((port) => another(peer, port));
  for (const id of [first, ...ids.slice(0, 2)]) fill(peer, id);
  peer.tcp.close(ids[1] as ConnectionId);
  peer.flush();
  peer.advanceMs(2500);
  peer.drain();
  t.ok(fill(peer, ids[2] as ConnectionId) > 0);
  t.same(
    [first, ids[0] as ConnectionId].map((id) => peer.tcp.takeError(id)),
    [undefined, undefined],
  );
  t.equal(peer.tcp.counts.connections, 3);
  t.end();
});

t.test('receive, nobody reads → what is over the share is not acknowledged, and taken when it comes again', (t) => {
  const peer = established(t, { tcp: TINY });
  let at = 1;
  for (let i = 0; i < 60; i++) {
    peer.inject({ seq: at, data: 1460 });
    at = 1 + peer.tcp.readable(peer.id);
    if (peer.lastVerdict === Verdict.TCP_MEMORY) break;
  }
  t.equal(peer.lastVerdict, Verdict.TCP_MEMORY);
  const came = peer.tcp.readable(peer.id);
  t.ok(came >= 16_384 && came < 40_000, `${came} bytes of 65,536`);
  const last = peer.drain().at(-1);
  t.same([last?.ack, last?.win], [1 + came, 0]);
  sameBytes(t, peer.read(), pattern(came), 'byte for byte');
  t.ok((peer.drain().at(-1)?.win ?? 0) > 0, 'the window is open again');
  t.equal(peer.inject({ seq: 1 + came, data: 1460 }), Verdict.OK);
  sameBytes(t, peer.read(), pattern(1460, came), 'byte for byte');
  t.end();
});

t.test('receive, memory is short → bytes out of order that have waited for long give way to those in order', (t) => {
  const peer = listening(t, { tcp: TINY, syn: { mss: 1460, sackOk: true } });
  const first = another(peer, 5001);
  const firstIss = peer.stackIss;
  const ids = [5002, 5003, 5004].map((port) => another(peer, port));
  const last = ids[2] as ConnectionId;
  const lastIss = peer.stackIss;
  peer.peerPort = 5001;
  peer.stackIss = firstIss;
  for (let i = 1; i <= 9; i++) peer.inject({ seq: 1 + i * 2000, ack: 1, data: 1460 });
  const runs = peer.tcp.context.reassembly.count;
  t.ok(runs >= 6, `${runs} islands are kept`);
  peer.advanceMs(2000);
  for (const id of ids.slice(0, 2)) fill(peer, id);
  t.equal(peer.tcp.context.arena.chunksFree, 0);
  peer.peerPort = 5004;
  peer.stackIss = lastIss;
  t.equal(peer.inject({ seq: 1, ack: 1, data: 1460 }), Verdict.OK);
  t.equal(peer.tcp.readable(last), 1460);
  t.equal(peer.tcp.context.reassembly.count, runs - 1, 'one island went, the newest');
  t.equal(peer.tcp.info(first).rcvOoopack > 0, true);
  t.equal(peer.tcp.takeError(first), undefined);
  t.equal(peer.stack.net.stats.tcpRunsEvicted, 1);
  for (const id of [first, ...ids]) peer.tcp.abort(id);
  peer.flush();
  peer.drain();
  peer.expectAllFreed();
  t.end();
});

t.test('no cold row left → segments wait to be sent again, SEND for WRITABLE, OPEN fails; all goes on later', (t) => {
  const peer = listening(t, { tcp: { activeMax: 2 } });
  const first = another(peer, 5001);
  const firstIss = peer.stackIss;
  peer.advanceMs(300);
  t.equal(peer.tcp.counts.active, 0, 'the first sleeps');
  const second = another(peer, 5002);
  const secondIss = peer.stackIss;
  const third = another(peer, 5003);
  // Bytes not acknowledged keep two of them awake.
  peer.tcp.send(second, new Uint8Array(10));
  peer.tcp.send(third, new Uint8Array(10));
  peer.flush();
  peer.drain();
  t.equal(peer.tcp.send(first, new Uint8Array(1)), 0, 'taken later');
  peer.id = first;
  peer.events();
  t.throws(() => peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 9 }), { code: 'ENOBUFS' });
  t.equal(peer.tcp.counts.connections, 3, 'nothing is half made');
  peer.peerPort = 5001;
  peer.stackIss = firstIss;
  t.equal(peer.inject({ seq: 1, ack: 1, data: 10 }), Verdict.TCP_MEMORY);
  peer.peerPort = 5002;
  peer.stackIss = secondIss;
  peer.inject({ seq: 1, ack: 11 });
  peer.advanceMs(300);
  peer.drain();
  peer.peerPort = 5001;
  peer.stackIss = firstIss;
  t.ok(peer.told(Event.WRITABLE));
  t.equal(peer.tcp.send(first, new Uint8Array(1)), 1);
  t.equal(peer.inject({ seq: 1, ack: 1, data: 10 }), Verdict.OK);
  t.equal(peer.tcp.readable(first), 10);
  t.end();
});

t.test('no cold row left, close → RST, for even an orderly end needs one; nothing is left behind', (t) => {
  const peer = listening(t, { tcp: { activeMax: 1 } });
  const first = another(peer, 5001);
  peer.advanceMs(300);
  const second = another(peer, 5002);
  peer.tcp.send(second, new Uint8Array(10));
  peer.flush();
  peer.drain();
  peer.peerPort = 5001;
  peer.tcp.close(first);
  peer.flush();
  t.equal(peer.sent.length, 1);
  t.ok(peer.drain()[0]?.flags.includes('R'));
  peer.tcp.abort(second);
  peer.flush();
  peer.drain();
  peer.expectAllFreed();
  t.end();
});

t.test('no cold row left when a sleeper is to be probed → probed as soon as there is one', (t) => {
  const peer = listening(t, { tcp: { activeMax: 1, keepIdleMs: 5000 }, listen: { keepAlive: true } });
  another(peer, 5001);
  const firstIss = peer.stackIss;
  peer.advanceMs(300);
  const second = another(peer, 5002);
  // Unread, and so awake.
  peer.inject({ seq: 1, ack: 1, data: 10 });
  peer.drain();
  peer.advanceMs(4800);
  t.notOk(peer.drain().some((segment) => segment.destinationPort === 5001));
  peer.tcp.abort(second);
  peer.flush();
  peer.drain();
  peer.advanceMs(1100);
  const probe = peer.drain()[0];
  t.equal(probe?.destinationPort, 5001);
  t.equal(((probe?.seq ?? 0) + peer.stackIss - firstIss) | 0, 0, 'the octet before SND.NXT');
  t.end();
});

t.test('no slot left to send in → sent later, nothing is lost', (t) => {
  const peer = established(t);
  const { slab } = peer.stack;
  const taken: number[] = [];
  for (let slot = slab.take(); slot >= 0; slot = slab.take()) taken.push(slot);
  peer.written += peer.tcp.send(peer.id, pattern(3000));
  peer.flush();
  peer.expectNothing('there is no slot');
  for (const slot of taken) slab.give(slot);
  peer.flush();
  t.same(
    peer.drain().map((segment) => segment.length),
    [1460, 1460, 80],
  );
  t.end();
});

t.test(
  'no slot left for an ACK, a SYN,ACK, a RST → the next turn, the timer, or the next segment makes up for it',
  (t) => {
    const peer = listening(t, { slots: 8 });
    const { slab } = peer.stack;
    const taken: number[] = [];
    // One is left for what the peer sends.
    while (slab.freeCount > 1) taken.push(slab.take());
    const give = () => {
      for (const slot of taken.splice(0)) slab.give(slot);
    };
    const starve = () => {
      while (slab.freeCount > 1) taken.push(slab.take());
    };
    peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
    peer.drain();
    give();
    peer.advanceMs(1001);
    peer.expect({ flags: 'S.' });
    peer.drain();
    peer.nxt = 1;
    peer.ack();
    peer.accept();
    starve();
    peer.receive({ data: 100 });
    peer.nxt += 100;
    peer.receive({ seq: 500, data: 100 });
    give();
    peer.flush();
    const acks = peer.drain();
    t.equal(acks.at(-1)?.ack, 101);
    peer.abort();
    peer.drain();
    peer.expectAllFreed();
    t.end();
  },
);

t.test('the transmit queue is full → the rest is sent as it drains, in order', (t) => {
  const peer = established(t, { win: 65_535, slots: 64, syn: { mss: 536 } });
  const { slab } = peer.stack;
  const taken: number[] = [];
  while (slab.freeToSend > 4) taken.push(slab.take());
  peer.written += peer.tcp.send(peer.id, pattern(5360));
  const lengths: number[] = [];
  const data: number[] = [];
  for (let i = 0; i < 20 && data.length < 5360; i++) {
    peer.flush();
    for (const segment of peer.drain()) {
      lengths.push(segment.length);
      data.push(...segment.data);
    }
  }
  sameBytes(t, Uint8Array.from(data), pattern(5360), 'byte for byte');
  for (const slot of taken) slab.give(slot);
  t.end();
});

t.test('the limit on connections → ENOBUFS for OPEN, and a slot again after a close', (t) => {
  const peer = established(t, { tcp: { connectionsMax: 1 } });
  const options = { remoteAddress: peer.peerAddress, remotePort: 9 };
  t.throws(() => peer.tcp.open(options), { code: 'ENOBUFS' });
  peer.abort();
  t.ok(peer.tcp.open(options) > 0);
  t.end();
});

t.test('listeners, as many as allowed → EMFILE, and one again after a close', (t) => {
  const peer = listening(t, { tcp: { listenersMax: 2 } });
  peer.tcp.listen({ port: 81 });
  t.throws(() => peer.tcp.listen({ port: 82 }), { code: 'EMFILE' });
  peer.tcp.closeListener(peer.listener);
  t.ok(peer.tcp.listen({ port: STACK_PORT }) > 0);
  t.throws(() => peer.tcp.accept(peer.listener), { code: 'EBADF' }, 'the old one’s id is stale');
  t.end();
});
