import t, { type Test } from 'tap';
import { type Peer, type PeerOptions } from './peer.js';
import { established, listening, synSent } from './states.js';

/** TIME-WAIT, RFC 9293 §3.3.2 and RFC 6191. It is a small row of its own, whether the program still holds the connection or not. */

function timeWait(t: Test, options: PeerOptions = {}): Peer {
  const peer = established(t, options);
  peer.close();
  peer.ack();
  peer.fin();
  peer.drain();
  t.equal(peer.tcp.counts.timeWait, 1);
  return peer;
}

t.test('TIME-WAIT, the FIN again → acknowledged again, and 2MSL begin anew', (t) => {
  const peer = timeWait(t);
  peer.advanceMs(40_000);
  peer.inject({ flags: 'F.', seq: 1 });
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  peer.advanceMs(40_000);
  t.equal(peer.tcp.counts.timeWait, 1);
  peer.advanceMs(20_100);
  peer.expectAllFreed();
  t.end();
});

t.test('TIME-WAIT, anything with an ACK → 2MSL begin anew; a SYN alone does not (as Linux)', (t) => {
  for (const [again, injection] of [
    [true, { flags: 'F.', seq: 500 }],
    [true, { seq: -500, data: 10 }],
    [true, { flags: '.', seq: 2 }],
    [true, { flags: 'S.', seq: 9 }],
    [false, { flags: 'S', seq: -9 }],
    [false, { flags: 'R', seq: 3 }],
  ] as const) {
    const peer = timeWait(t);
    peer.advanceMs(40_000);
    peer.inject(injection);
    peer.advanceMs(20_100);
    t.equal(peer.tcp.counts.timeWait, again ? 1 : 0, JSON.stringify(injection));
  }
  t.end();
});

t.test('TIME-WAIT with timestamps, an older one → ACK, and 2MSL begin anew', (t) => {
  const peer = timeWait(t, { syn: { mss: 1460, ts: [1000, 0] } });
  peer.advanceMs(40_000);
  peer.tsBase = undefined;
  peer.inject({ flags: '.', seq: 2, options: { ts: [900, 0] } });
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  peer.advanceMs(20_100);
  t.equal(peer.tcp.counts.timeWait, 1);
  t.end();
});

t.test('TIME-WAIT, the exact RST, told to keep it (RFC 1337) → stays', (t) => {
  const peer = timeWait(t, { tcp: { rfc1337: true } });
  peer.inject({ flags: 'R', seq: 2 });
  t.equal(peer.tcp.counts.timeWait, 1);
  t.end();
});

t.test('TIME-WAIT, held by the program → CLOSED to it, the FIN again is acknowledged all the same', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.ack();
  peer.fin();
  peer.expectTimeWait();
  peer.drain();
  peer.advanceMs(40_000);
  peer.inject({ flags: 'F.', seq: 1 });
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  peer.advanceMs(40_000);
  peer.expectTimeWait();
  peer.close();
  peer.advanceMs(20_100);
  peer.expectAllFreed();
  t.end();
});

t.test('TIME-WAIT, held by the program, close → the rest of 2MSL', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.ack();
  peer.fin();
  peer.drain();
  peer.advanceMs(40_000);
  peer.close();
  t.equal(peer.tcp.counts.timeWait, 1);
  peer.advanceMs(19_000);
  t.equal(peer.tcp.counts.timeWait, 1);
  peer.advanceMs(1100);
  peer.expectAllFreed();
  t.end();
});

t.test(
  'TIME-WAIT, empty segments out of the window → an ACK now and then, so that two such ends do not talk for ever',
  (t) => {
    const peer = timeWait(t);
    for (let i = 0; i < 20; i++) peer.inject({ seq: -100 });
    t.equal(peer.drain().length, 1);
    peer.advanceMs(501);
    peer.inject({ seq: -100 });
    peer.expect({ flags: '.', seq: 2, ack: 2 });
    // Text wants its answer every time.
    for (let i = 0; i < 3; i++) peer.inject({ seq: -100, data: 10 });
    t.equal(peer.drain().length, 3);
    t.end();
  },
);

t.test('TIME-WAIT, bare ACK in window → silence', (t) => {
  const peer = timeWait(t);
  peer.inject({});
  peer.expectNothing();
  t.end();
});

t.test('TIME-WAIT, RST → only the exact number ends it (RFC 1337, RFC 5961)', (t) => {
  const peer = timeWait(t);
  peer.inject({ flags: 'R', seq: 3 });
  peer.inject({ flags: 'R', seq: 1 });
  t.equal(peer.tcp.counts.timeWait, 1);
  peer.inject({ flags: 'R', seq: 2 });
  t.equal(peer.tcp.counts.timeWait, 0);
  t.end();
});

/** A SYN for the pair in TIME-WAIT, with these numbers. */
function callAgain(peer: Peer, seq: number, tsVal?: number): void {
  const options = tsVal === undefined ? { mss: 1460 } : { mss: 1460, ts: [tsVal, 0] as const };
  peer.tsBase = undefined;
  peer.inject({ flags: 'S', seq, options });
}

t.test(
  'TIME-WAIT, SYN beyond the old sequence numbers → a new connection, its own numbers beyond the old (RFC 6191)',
  (t) => {
    const peer = timeWait(t);
    const oldIss = peer.stackIss;
    callAgain(peer, 3);
    const answer = peer.expect({ flags: 'S.', ack: 4 });
    t.equal(answer.seq, 0);
    t.ok(((peer.stackIss - (oldIss + 2)) | 0) > 0, 'ISS lies beyond what the old one sent');
    t.equal(peer.tcp.counts.timeWait, 0);
    t.equal(peer.stack.net.stats.tcpTimeWaitsReused, 1);
    t.end();
  },
);

t.test('TIME-WAIT, SYN at or before the old sequence numbers → ACK, TIME-WAIT stays', (t) => {
  const peer = timeWait(t);
  callAgain(peer, 2);
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  callAgain(peer, -5);
  t.equal(peer.tcp.counts.timeWait, 1);
  t.equal(peer.tcp.counts.halfOpen, 0);
  t.end();
});

t.test('TIME-WAIT, held by the program, SYN beyond the old numbers → a new connection, the old id still reads', (t) => {
  const peer = established(t);
  peer.shutdown();
  peer.ack();
  peer.inject({ flags: 'F.', seq: 1, data: 5 });
  peer.expectTimeWait();
  peer.drain();
  const { id, tcp } = peer;
  callAgain(peer, 100);
  peer.expect({ flags: 'S.', ack: 101 });
  t.equal(tcp.counts.halfOpen, 1);
  t.equal(tcp.receive(id, new Uint8Array(10)), 5, 'what the old one brought');
  t.equal(tcp.receive(id, new Uint8Array(10)), -1);
  tcp.close(id);
  t.equal(tcp.counts.halfOpen, 1);
  t.end();
});

t.test('TIME-WAIT with timestamps, SYN with a newer one → a new connection, whatever its sequence number', (t) => {
  const peer = timeWait(t, { syn: { mss: 1460, ts: [1000, 0] } });
  callAgain(peer, -1_000_000, 5000);
  peer.expect({ flags: 'S.', ack: -999_999 });
  t.end();
});

t.test('TIME-WAIT with timestamps, SYN with an older one → ACK, TIME-WAIT stays', (t) => {
  const peer = timeWait(t, { syn: { mss: 1460, ts: [1000, 0] } });
  callAgain(peer, 1_000_000, 999);
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  t.equal(peer.tcp.counts.timeWait, 1);
  t.end();
});

t.test('TIME-WAIT with timestamps, SYN with the same one or none → the sequence number decides', (t) => {
  const options = { syn: { mss: 1460, ts: [1000, 0] as const } };
  const same = timeWait(t, options);
  callAgain(same, 50, 1000);
  same.expect({ flags: 'S.', ack: 51 });
  const none = timeWait(t, options);
  callAgain(none, 50);
  none.expect({ flags: 'S.', ack: 51 });
  const before = timeWait(t, options);
  callAgain(before, -50);
  before.expect({ flags: '.', ack: 2 });
  t.end();
});

t.test('TIME-WAIT, SYN, but nobody listens any more → ACK, TIME-WAIT stays', (t) => {
  const peer = timeWait(t);
  peer.tcp.closeListener(peer.listener);
  callAgain(peer, 3);
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  t.end();
});

t.test('TIME-WAIT, the table is full → the oldest ends early', (t) => {
  const peer = listening(t, { tcp: { timeWaitMax: 2 } });
  for (let i = 0; i < 3; i++) {
    peer.peerPort = 6000 + i;
    peer.nxt = 0;
    peer.rcvNxt = 0;
    peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
    peer.nxt = 1;
    peer.ack();
    peer.accept();
    peer.close();
    peer.ack();
    peer.fin();
    peer.drain();
  }
  t.equal(peer.tcp.counts.timeWait, 2);
  peer.peerPort = 6000;
  peer.inject({ flags: '.', seq: 2 });
  peer.expect({ flags: 'R' });
  peer.peerPort = 6001;
  peer.inject({ seq: -9, data: 1 });
  peer.expect({ flags: '.' });
  t.end();
});

t.test('TIME-WAIT of several, one begins anew → each ends in its own time', (t) => {
  const peer = listening(t);
  const iss: number[] = [];
  for (let i = 0; i < 4; i++) {
    peer.peerPort = 6000 + i;
    peer.nxt = 0;
    peer.rcvNxt = 0;
    peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
    iss.push(peer.stackIss);
    peer.nxt = 1;
    peer.ack();
    peer.accept();
    peer.close();
    peer.ack();
    peer.fin();
    peer.drain();
    peer.advanceMs(1000);
  }
  for (const again of [1, 0, 3]) {
    peer.peerPort = 6000 + again;
    peer.stackIss = iss[again] as number;
    peer.advanceMs(1000);
    peer.inject({ flags: 'F.', seq: 1 });
  }
  const left: number[] = [];
  for (let i = 0; i < 70; i++) {
    peer.advanceMs(1000);
    left.push(peer.tcp.counts.timeWait);
  }
  // The third came at 2 s and was left alone; the others began anew at 5, 6 and 7 s; now it is 7.
  t.same(
    [54, 55, 57, 58, 59, 60].map((s) => left[s - 1]),
    [4, 3, 3, 2, 1, 0],
  );
  t.end();
});

/** The stack called, both closed, its pair waits. */
function activeTimeWait(t: Test, ts: boolean, timeWaitReuse = 1, timeWaitReuseDelayMs = 1000): Peer {
  const peer = synSent(t, {
    tcp: { timeWaitReuse, timeWaitReuseDelayMs },
    ...(ts ? { syn: { mss: 1460, ts: [1, 0] } } : {}),
  });
  if (ts) peer.tsBase = (1 - peer.nowUs / 1000) | 0;
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: peer.synOptions });
  peer.nxt = 1;
  peer.close();
  peer.ack();
  peer.fin();
  peer.drain();
  t.equal(peer.tcp.counts.timeWait, 1);
  return peer;
}
function openAgain(peer: Peer): void {
  peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, localPort: 5000 });
  peer.flush();
}

t.test('TIME-WAIT of our own OPEN, timeWaitReuseDelayMs → so old it must be', (t) => {
  const peer = activeTimeWait(t, true, 1, 50);
  peer.advanceMs(49);
  t.throws(() => openAgain(peer), { code: 'EADDRNOTAVAIL' });
  peer.advanceMs(1);
  openAgain(peer);
  peer.expect({ flags: 'S' });
  t.end();
});

t.test(
  'TIME-WAIT of our own OPEN, with timestamps, a second old → the pair may be taken over by the next OPEN',
  (t) => {
    const peer = activeTimeWait(t, true);
    t.throws(() => openAgain(peer), { code: 'EADDRNOTAVAIL' });
    peer.advanceMs(1000);
    const old = peer.stackIss;
    openAgain(peer);
    peer.expect({ flags: 'S' });
    t.ok(((peer.stackIss - old - 2) | 0) > 0);
    t.equal(peer.tcp.counts.timeWait, 0);
    t.end();
  },
);

t.test('TIME-WAIT of our own OPEN, without timestamps → the pair may not be taken over', (t) => {
  const peer = activeTimeWait(t, false);
  peer.advanceMs(30_000);
  t.throws(() => openAgain(peer), { code: 'EADDRNOTAVAIL' });
  peer.advanceMs(30_100);
  openAgain(peer);
  peer.expect({ flags: 'S' });
  t.end();
});

t.test('TIME-WAIT of our own OPEN, defaults → only a host of its own may take the pair over (tcp_tw_reuse 2)', (t) => {
  const peer = activeTimeWait(t, true, 2);
  peer.advanceMs(30_000);
  t.throws(() => openAgain(peer), { code: 'EADDRNOTAVAIL' });
  t.end();
});
