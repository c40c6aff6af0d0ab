import t from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { established, opened } from './states.js';

/** RFC 9293 §3.8.4. Off unless asked for; an ACK of the octet before SND.NXT, so that the peer answers with its own. */

const HOUR = 3_600_000;
const KEEP = { tcp: { keepIdleMs: 10_000, keepIntervalMs: 1000, keepCount: 3 }, listen: { keepAlive: true } };

t.test('ESTABLISHED, not asked for → silence for ever (MUST-25)', (t) => {
  const peer = established(t);
  peer.advanceMs(50 * HOUR);
  peer.expectNothing();
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('ESTABLISHED, defaults → the first probe after two hours (MUST-28)', (t) => {
  const peer = established(t, { listen: { keepAlive: true } });
  const waited = peer.untilSent();
  t.ok(Math.abs(waited - 2 * HOUR) < 1000, `${waited} ms`);
  peer.expect({ flags: '.', seq: 0, ack: 1, length: 0 });
  t.end();
});

t.test('ESTABLISHED, probes answered → for ever alive, one an idle time', (t) => {
  const peer = established(t, KEEP);
  for (let i = 0; i < 20; i++) {
    const waited = peer.untilSent();
    t.ok(waited >= 9900 && waited <= 10_300, `${waited} ms`);
    peer.expect({ flags: '.', seq: 0, length: 0 });
    peer.inject({});
  }
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('ESTABLISHED, probes not answered → keepCount of them, then RST and ETIMEDOUT', (t) => {
  const peer = established(t, KEEP);
  peer.untilSent();
  peer.expect({ flags: '.' });
  for (let i = 1; i < 3; i++) {
    t.equal(peer.untilSent(), 1000);
    peer.expect({ flags: '.', seq: 0 });
  }
  t.equal(peer.untilSent(), 1000);
  peer.expect({ flags: 'R.', seq: 1 });
  peer.expectState('CLOSED');
  t.ok(peer.told(Event.FAILED));
  t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
  t.end();
});

t.test('ESTABLISHED, an answer after two probes → alive, counting begins anew', (t) => {
  const peer = established(t, KEEP);
  peer.advanceMs(11_500);
  t.equal(peer.drain().length, 2);
  peer.inject({});
  t.ok(peer.untilSent() >= 9900);
  peer.expect({ flags: '.' });
  t.equal(peer.untilSent(), 1000);
  t.end();
});

t.test('ESTABLISHED, traffic → the idle time begins with it', (t) => {
  const peer = established(t, KEEP);
  peer.advanceMs(8000);
  peer.data(10);
  peer.drain();
  const waited = peer.untilSent();
  t.ok(waited >= 9900 && waited <= 10_300, `${waited} ms`);
  t.end();
});

t.test('ESTABLISHED, options of its own → its own times', (t) => {
  const peer = opened(t);
  peer.tcp.setOption(peer.id, TcpOption.KEEPALIVE, 1);
  peer.tcp.setOption(peer.id, TcpOption.KEEPALIVE_IDLE_MS, 5000);
  peer.tcp.setOption(peer.id, TcpOption.KEEPALIVE_INTERVAL_MS, 700);
  peer.tcp.setOption(peer.id, TcpOption.KEEPALIVE_COUNT, 2);
  t.equal(peer.untilSent(), 5000);
  peer.drain();
  t.equal(peer.untilSent(), 700);
  peer.drain();
  t.equal(peer.untilSent(), 700);
  peer.expect({ flags: 'R.' });
  t.end();
});

t.test('ESTABLISHED, switched off again → silence', (t) => {
  const peer = established(t, KEEP);
  peer.advanceMs(11_500);
  peer.drain();
  peer.tcp.setOption(peer.id, TcpOption.KEEPALIVE, 0);
  peer.advanceMs(HOUR);
  peer.expectNothing();
  peer.expectState('ESTABLISHED');
  t.end();
});

for (const [what, prepare] of [
  ['unread bytes keep it awake', (peer: ReturnType<typeof established>) => peer.data(10)],
  ['options keep it awake', (peer: ReturnType<typeof established>) => peer.tcp.setOption(peer.id, TcpOption.TOS, 16)],
  [
    'it slept and was woken',
    (peer: ReturnType<typeof established>) => {
      peer.advanceMs(5000);
      peer.data(10);
    },
  ],
] as const) {
  t.test(`ESTABLISHED, ${what} → probed all the same`, (t) => {
    const peer = established(t, KEEP);
    prepare(peer);
    peer.advanceMs(300);
    peer.drain();
    t.ok(peer.untilSent() <= 10_300);
    peer.expect({ flags: '.', seq: 0, length: 0 });
    peer.advanceMs(5000);
    peer.expectState('CLOSED');
    t.end();
  });
}

t.test('FIN-WAIT-2, half-closed → probed', (t) => {
  const peer = established(t, KEEP);
  peer.shutdown();
  peer.ack();
  peer.drain();
  peer.advanceMs(15_000);
  t.equal(peer.drain().at(-1)?.flags, 'R.');
  peer.expectState('CLOSED');
  t.end();
});

t.test('ESTABLISHED, a user timeout set → decides instead of the count (RFC 5482)', (t) => {
  const peer = established(t, { ...KEEP, listen: { keepAlive: true, userTimeoutMs: 30_000 } });
  peer.advanceMs(29_000);
  peer.expectState('ESTABLISHED');
  peer.advanceMs(3000);
  peer.expectState('CLOSED');
  t.end();
});

t.test('ESTABLISHED, the peer probes us → answered, and neither end goes on', (t) => {
  const peer = established(t);
  peer.advanceMs(HOUR);
  peer.inject({ seq: 0, ack: 1 });
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  peer.expectNothing();
  peer.advanceMs(1000);
  // An older kind of probe carries the octet.
  peer.inject({ seq: 0, data: Uint8Array.of(0) });
  peer.expect({ flags: '.', seq: 1, ack: 1 });
  t.equal(peer.tcp.readable(peer.id), 0);
  t.end();
});
