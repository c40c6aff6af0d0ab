import t from 'tap';
import { Verdict } from '../../../stack/wire/verdict.js';
import type { Peer } from './peer.js';
import { listening } from './states.js';

/** SYN cookies, RFC 4987 §3.6: what is kept in the sequence number and the timestamp, and when. */

const FULL = { mss: 1460, sackOk: true, ts: [5, 0] as const, wscale: 7 };

/** A SYN from another port; the initial sequence number of the answer. */
function syn(peer: Peer, port: number, options = peer.synOptions): number {
  peer.peerPort = port;
  peer.inject({ flags: 'S', seq: 0, options });
  return peer.stackIss;
}

t.test('LISTEN, more half-open connections than the backlog → a cookie for the next; nothing of it is kept', (t) => {
  const peer = listening(t, { listen: { backlog: 1 } });
  for (let i = 0; i < 2; i++) syn(peer, 6000 + i);
  t.equal(peer.tcp.counts.halfOpen, 2);
  t.equal(peer.stack.net.stats.tcpSynCookiesSent, 0);
  peer.drain();
  syn(peer, 6002, FULL);
  const { options } = peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  t.match(options, { mss: 1460, sackOk: true, wscale: 10 });
  t.equal(peer.stack.net.stats.tcpSynCookiesSent, 1);
  t.equal(peer.tcp.counts.halfOpen, 2);
  t.equal(peer.inject({ seq: 1, ack: 1, options: { ts: [6, options.ts?.[0] ?? 0] } }), Verdict.OK);
  peer.accept();
  peer.expectState('ESTABLISHED');
  const { sack, timestamps, windowScaling, sndWscale } = peer.tcp.info(peer.id);
  t.same(
    { sack, timestamps, windowScaling, sndWscale },
    { sack: true, timestamps: true, windowScaling: true, sndWscale: 7 },
  );
  t.equal(peer.stack.net.stats.tcpSynCookiesReceived, 1);
  t.end();
});

t.test('LISTEN, cookies off → a SYN for a full queue is dropped, and counted', (t) => {
  const peer = listening(t, { listen: { backlog: 1 }, tcp: { synCookies: 0 } });
  for (let i = 0; i < 2; i++) syn(peer, 6000 + i);
  peer.drain();
  syn(peer, 6002);
  t.equal(peer.lastVerdict, Verdict.TCP_SYN_QUEUE_FULL);
  peer.expectNothing();
  t.equal(peer.stack.net.stats.tcpSynQueueFullDrops, 1);
  t.end();
});

t.test(
  'LISTEN, cookies off, three quarters of tcp_max_syn_backlog taken → the rest is for peers known from before',
  (t) => {
    const peer = listening(t, { tcp: { synCookies: 0, synBacklogMax: 8 } });
    for (let i = 0; i < 7; i++) syn(peer, 6000 + i);
    t.equal(peer.tcp.counts.halfOpen, 7);
    syn(peer, 6100);
    t.equal(peer.lastVerdict, Verdict.TCP_SYN_QUEUE_FULL);
    t.end();
  },
);

t.test(
  'LISTEN, a cookie for each minute, MSS and port → only the pair it was made for gets in, for two minutes',
  (t) => {
    const peer = listening(t, { tcp: { synCookies: 2 } });
    for (const [mss, kept] of [
      [9000, 1460],
      [1459, 1440],
      [1300, 1300],
      [200, 536],
    ] as const) {
      syn(peer, 6000 + mss, { mss });
      peer.drain();
      peer.peerPort += 1;
      peer.inject({ seq: 1, ack: 1 });
      peer.expect({ flags: 'R', seq: 1 });
      peer.peerPort -= 1;
      peer.inject({ seq: 1, ack: 1 });
      peer.accept();
      t.equal(peer.tcp.info(peer.id).sndMss, kept);
      peer.abort();
      peer.drain();
    }
    const { stats } = peer.stack.net;
    t.equal(stats.tcpSynCookiesFailed, 4);
    syn(peer, 7000);
    peer.drain();
    peer.advanceMs(119_000);
    peer.inject({ seq: 1, ack: 1 });
    peer.expect({ flags: 'R' });
    t.end();
  },
);

t.test('LISTEN, no cookie was sent lately → an ACK for nobody is not taken for one', (t) => {
  const peer = listening(t);
  peer.inject({ seq: 1, ack: 1 });
  peer.expect({ flags: 'R' });
  t.equal(peer.stack.net.stats.tcpSynCookiesFailed, 0);
  t.end();
});

t.test('LISTEN, the ACK of a cookie, the accept queue is full → dropped; it comes again with the data', (t) => {
  const peer = listening(t, { tcp: { synCookies: 2 }, listen: { backlog: 0 } });
  syn(peer, 6001);
  const second = syn(peer, 6002);
  peer.peerPort = 6001;
  syn(peer, 6001);
  peer.inject({ seq: 1, ack: 1 });
  peer.peerPort = 6002;
  peer.stackIss = second;
  t.equal(peer.inject({ seq: 1, ack: 1 }), Verdict.TCP_ACCEPT_QUEUE_FULL);
  peer.accept();
  t.equal(peer.inject({ seq: 1, ack: 1, data: 3 }), Verdict.OK);
  peer.accept();
  t.equal(peer.read().length, 3);
  t.end();
});

t.test('LISTEN, an echoed timestamp that says what this stack does not do → no connection of it', (t) => {
  const peer = listening(t, { tcp: { synCookies: 2 } });
  syn(peer, 6001, FULL);
  const { options } = peer.expect({ flags: 'S.' });
  Object.assign(peer.tcp.limits, { sack: false });
  peer.inject({ seq: 1, ack: 1, options: { ts: [6, options.ts?.[0] ?? 0] } });
  peer.expect({ flags: 'R' });
  t.equal(peer.tcp.counts.connections, 0);
  t.end();
});
