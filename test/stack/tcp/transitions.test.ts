import t, { type Test } from 'tap';
import { type StateName, stateName, TRANSITIONS } from '../../../stack/tcp/state.js';
import { type Peer } from './peer.js';
import { established, listening, opened, synReceived, synSent } from './states.js';

/** Every arrow of RFC 9293 figure 5, named by it. The last test holds the list against the table the stack is held to. */

const covered = new Set<string>();

function arrow(from: StateName, event: string, to: StateName, body: (t: Test) => void): void {
  covered.add(`${from} → ${to}`);
  t.test(`${from}, ${event} → ${to}`, (t) => {
    body(t);
    t.end();
  });
}

// Fixtures: each state, by the shortest way there. The program still holds the connection unless its name says "orphan".

function simultaneous(t: Test): Peer {
  const peer = synSent(t);
  peer.inject({ flags: 'S', seq: 0, options: peer.synOptions });
  peer.nxt = 1;
  peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  peer.expectState('SYN-RECEIVED');
  return peer;
}
function finWait1(t: Test): Peer {
  const peer = established(t);
  peer.shutdown();
  peer.expect({ flags: 'F.', seq: 1, ack: 1 });
  peer.expectState('FIN-WAIT-1');
  return peer;
}
function finWait2(t: Test): Peer {
  const peer = finWait1(t);
  peer.ack();
  peer.expectState('FIN-WAIT-2');
  return peer;
}
function closeWait(t: Test): Peer {
  const peer = established(t);
  peer.fin();
  peer.untilSent();
  peer.expect({ flags: '.', seq: 1, ack: 2 });
  peer.expectState('CLOSE-WAIT');
  return peer;
}
function closing(t: Test): Peer {
  const peer = finWait1(t);
  peer.fin({ ack: 1 });
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  peer.expectState('CLOSING');
  return peer;
}
function lastAck(t: Test): Peer {
  const peer = closeWait(t);
  peer.shutdown();
  peer.expect({ flags: 'F.', seq: 1, ack: 2 });
  peer.expectState('LAST-ACK');
  return peer;
}
function timeWait(t: Test): Peer {
  const peer = finWait2(t);
  peer.fin();
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  peer.expectTimeWait();
  return peer;
}

/** The peer's RST in its place ends it, and the program is told why. */
function reset(peer: Peer, code: string | undefined): void {
  peer.inject({ flags: 'R.' });
  peer.expectState('CLOSED');
  peer.t.equal(peer.tcp.takeError(peer.id), code);
  peer.expectNothing('a RST is never answered');
}

arrow('CLOSED', 'passive OPEN', 'LISTEN', (t) => {
  const peer = listening(t);
  t.same(peer.tcp.listenerInfo(peer.listener).port, 80);
  t.equal(peer.tcp.counts.listeners, 1);
  peer.expectNothing('a passive OPEN is silent');
});

arrow('CLOSED', 'active OPEN', 'SYN-SENT', (t) => {
  const peer = synSent(t);
  peer.expectState('SYN-SENT');
});

arrow('LISTEN', 'rcv SYN', 'SYN-RECEIVED', (t) => {
  const peer = synReceived(t);
  t.equal(peer.tcp.counts.halfOpen, 1);
  t.equal(peer.tcp.counts.connections, 0, 'a half-open connection has no row yet');
});

arrow('LISTEN', 'CLOSE', 'CLOSED', (t) => {
  const peer = listening(t);
  peer.tcp.closeListener(peer.listener);
  t.equal(peer.tcp.counts.listeners, 0);
  peer.inject({ flags: 'S', options: peer.synOptions });
  peer.expect({ flags: 'R.', seq: 0, ack: 1 });
});

arrow('SYN-SENT', 'rcv SYN', 'SYN-RECEIVED', (t) => {
  simultaneous(t);
});

arrow('SYN-SENT', 'rcv SYN,ACK', 'ESTABLISHED', (t) => {
  const peer = opened(t);
  peer.expectNothing();
});

arrow('SYN-SENT', 'CLOSE', 'CLOSED', (t) => {
  const peer = synSent(t);
  peer.close();
  peer.expectNothing('the SYN is not taken back');
  peer.expectAllFreed();
});

arrow('SYN-SENT', 'rcv RST,ACK of SYN', 'CLOSED', (t) => {
  const peer = synSent(t);
  peer.inject({ flags: 'R.', ack: 1 });
  peer.expectState('CLOSED');
  t.equal(peer.tcp.takeError(peer.id), 'ECONNREFUSED');
});

arrow('SYN-SENT', 'time-out', 'CLOSED', (t) => {
  const peer = synSent(t);
  peer.advanceMs(131_000);
  peer.expectState('CLOSED');
  t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
});

arrow('SYN-RECEIVED', 'rcv ACK of SYN', 'ESTABLISHED', (t) => {
  established(t);
});

arrow('SYN-RECEIVED', 'rcv ACK of SYN', 'ESTABLISHED', (t) => {
  const peer = simultaneous(t);
  peer.inject({ flags: '.', seq: 1, ack: 1 });
  peer.expectState('ESTABLISHED');
});

arrow('SYN-RECEIVED', 'CLOSE', 'FIN-WAIT-1', (t) => {
  const peer = simultaneous(t);
  peer.shutdown();
  peer.expectNothing('the FIN waits until the handshake is complete');
  peer.inject({ flags: '.', seq: 1, ack: 1 });
  peer.expect({ flags: 'F.', seq: 1, ack: 1 });
  peer.expectState('FIN-WAIT-1');
});

arrow('SYN-RECEIVED', 'rcv FIN', 'CLOSE-WAIT', (t) => {
  const peer = synReceived(t);
  peer.fin({ ack: 1 });
  peer.accept();
  peer.expectState('CLOSE-WAIT');
  peer.untilSent();
  peer.expect({ flags: '.', seq: 1, ack: 2 });
});

arrow('SYN-RECEIVED', 'rcv RST, from LISTEN', 'CLOSED', (t) => {
  const peer = synReceived(t);
  peer.inject({ flags: 'R' });
  peer.expectNothing();
  peer.expectAllFreed();
  t.equal(peer.tcp.accept(peer.listener), 0, 'the program never heard of it');
});

arrow('SYN-RECEIVED', 'rcv RST, from SYN-SENT', 'CLOSED', (t) => {
  reset(simultaneous(t), 'ECONNREFUSED');
});

arrow('SYN-RECEIVED', 'time-out', 'CLOSED', (t) => {
  const peer = simultaneous(t);
  peer.advanceMs(200_000);
  peer.expectState('CLOSED');
  t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
});

arrow('ESTABLISHED', 'CLOSE', 'FIN-WAIT-1', (t) => {
  finWait1(t);
});

arrow('ESTABLISHED', 'rcv FIN', 'CLOSE-WAIT', (t) => {
  const peer = closeWait(t);
  t.equal(peer.tcp.receive(peer.id, new Uint8Array(1)), -1, 'the program sees the end');
});

arrow('ESTABLISHED', 'ABORT', 'CLOSED', (t) => {
  const peer = established(t);
  peer.abort();
  peer.expect({ flags: 'R.', seq: 1, ack: 1 });
  peer.expectAllFreed();
});

arrow('ESTABLISHED', 'rcv RST', 'CLOSED', (t) => {
  reset(established(t), 'ECONNRESET');
});

arrow('FIN-WAIT-1', 'rcv ACK of FIN', 'FIN-WAIT-2', (t) => {
  finWait2(t);
});

arrow('FIN-WAIT-1', 'rcv FIN', 'CLOSING', (t) => {
  closing(t);
});

arrow('FIN-WAIT-1', 'rcv FIN,ACK of FIN', 'TIME-WAIT', (t) => {
  const peer = finWait1(t);
  peer.fin({ ack: 2 });
  peer.expect({ flags: '.', seq: 2, ack: 2 });
  peer.expectTimeWait();
});

arrow('FIN-WAIT-1', 'ABORT', 'CLOSED', (t) => {
  const peer = finWait1(t);
  peer.abort();
  peer.expect({ flags: 'R.', seq: 2 });
  peer.expectAllFreed();
});

arrow('FIN-WAIT-1', 'rcv RST', 'CLOSED', (t) => {
  reset(finWait1(t), 'ECONNRESET');
});

arrow('FIN-WAIT-1', 'time-out', 'CLOSED', (t) => {
  const peer = finWait1(t);
  peer.advanceMs(3_600_000);
  peer.expectState('CLOSED');
  t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
});

arrow('FIN-WAIT-2', 'rcv FIN', 'TIME-WAIT', (t) => {
  timeWait(t);
});

arrow('FIN-WAIT-2', 'ABORT', 'CLOSED', (t) => {
  const peer = finWait2(t);
  peer.abort();
  peer.expect({ flags: 'R.', seq: 2 });
  peer.expectAllFreed();
});

arrow('FIN-WAIT-2', 'rcv RST', 'CLOSED', (t) => {
  reset(finWait2(t), 'ECONNRESET');
});

arrow('FIN-WAIT-2', 'orphan, nobody ends the other half for 60 s', 'CLOSED', (t) => {
  const peer = finWait2(t);
  peer.close();
  peer.advanceMs(59_000);
  t.equal(peer.tcp.counts.connections, 1);
  peer.advanceMs(2000);
  peer.expectNothing();
  peer.expectAllFreed();
});

arrow('CLOSE-WAIT', 'CLOSE', 'LAST-ACK', (t) => {
  lastAck(t);
});

arrow('CLOSE-WAIT', 'ABORT', 'CLOSED', (t) => {
  const peer = closeWait(t);
  peer.abort();
  peer.expect({ flags: 'R.', seq: 1, ack: 2 });
  peer.expectAllFreed();
});

arrow('CLOSE-WAIT', 'rcv RST', 'CLOSED', (t) => {
  reset(closeWait(t), 'EPIPE');
});

arrow('CLOSING', 'rcv ACK of FIN', 'TIME-WAIT', (t) => {
  const peer = closing(t);
  peer.ack();
  peer.expectTimeWait();
  peer.expectNothing();
});

arrow('CLOSING', 'rcv RST', 'CLOSED', (t) => {
  reset(closing(t), 'ECONNRESET');
});

arrow('CLOSING', 'ABORT', 'CLOSED', (t) => {
  const peer = closing(t);
  peer.abort();
  peer.expectAllFreed();
});

arrow('LAST-ACK', 'rcv ACK of FIN', 'CLOSED', (t) => {
  const peer = lastAck(t);
  peer.ack();
  peer.expectState('CLOSED');
  t.equal(peer.tcp.takeError(peer.id), undefined);
  peer.close();
  peer.expectAllFreed();
});

arrow('LAST-ACK', 'rcv RST', 'CLOSED', (t) => {
  reset(lastAck(t), 'ECONNRESET');
});

arrow('TIME-WAIT', '2MSL time-out', 'CLOSED', (t) => {
  const peer = timeWait(t);
  peer.advanceMs(59_900);
  peer.expectTimeWait();
  peer.advanceMs(200);
  peer.expectState('CLOSED');
  peer.close();
  peer.expectAllFreed();
});

arrow('TIME-WAIT', '2MSL time-out, orphan', 'CLOSED', (t) => {
  const peer = timeWait(t);
  peer.close();
  t.equal(peer.tcp.counts.connections, 0, 'it needs no full row any more');
  t.equal(peer.tcp.counts.timeWait, 1);
  peer.advanceMs(59_900);
  t.equal(peer.tcp.counts.timeWait, 1);
  peer.advanceMs(200);
  peer.expectAllFreed();
});

t.test('the table of transitions, held against the tests → each arrow has one', (t) => {
  for (const { from, to, event } of TRANSITIONS) {
    t.ok(covered.has(`${stateName(from)} → ${stateName(to)}`), `${stateName(from)}, ${event} → ${stateName(to)}`);
  }
  t.end();
});
