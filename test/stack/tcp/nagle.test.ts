import t from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { established, opened } from './states.js';

/** When small segments may go: RFC 9293 §3.7.4, TCP_NODELAY, TCP_CORK, and Minshall's refinement as Linux has it. */

t.test(
  'ESTABLISHED, small writes, nothing in flight → the first at once, the others wait for its ACK, together',
  (t) => {
    const peer = established(t);
    for (let i = 0; i < 5; i++) peer.write(10);
    peer.expect({ seq: 1, length: 10, flags: 'P.' });
    peer.expectNothing();
    peer.ack();
    peer.expect({ seq: 11, length: 40, flags: 'P.' });
    peer.expectNothing();
    t.end();
  },
);

t.test('ESTABLISHED, small writes fill a segment → it goes without an ACK', (t) => {
  const peer = established(t);
  peer.write(10);
  peer.drain();
  peer.write(1000);
  peer.expectNothing();
  peer.write(1000);
  peer.expect({ seq: 11, length: 1460 });
  peer.expectNothing();
  t.end();
});

t.test('ESTABLISHED, a large write and its tail → the tail goes too: nothing small is in flight (Minshall)', (t) => {
  const peer = established(t);
  peer.write(1460 + 100);
  t.same(
    peer.drain().map((segment) => segment.length),
    [1460, 100],
  );
  peer.write(50);
  peer.expectNothing('now something small is');
  peer.inject({ ack: 1461 });
  peer.expectNothing();
  peer.inject({ ack: 1561 });
  peer.expect({ length: 50 });
  t.end();
});

t.test('ESTABLISHED, noDelay → every write goes at once', (t) => {
  const peer = established(t, { listen: { noDelay: true } });
  for (let i = 0; i < 5; i++) peer.write(10);
  t.same(
    peer.drain().map((segment) => segment.length),
    [10, 10, 10, 10, 10],
  );
  t.end();
});

t.test('ESTABLISHED, noDelay set while something waits → it goes', (t) => {
  const peer = opened(t);
  peer.write(10);
  peer.write(10);
  peer.drain();
  peer.tcp.setOption(peer.id, TcpOption.NODELAY, 1);
  peer.flush();
  peer.expect({ length: 10 });
  t.end();
});

t.test('ESTABLISHED, cork → only full segments; pulled, the rest', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.CORK, 1);
  peer.write(100);
  peer.write(100);
  peer.expectNothing();
  peer.write(1400);
  peer.expect({ length: 1460 });
  peer.expectNothing();
  peer.tcp.setOption(peer.id, TcpOption.CORK, 0);
  peer.flush();
  peer.expect({ length: 140 });
  t.end();
});

t.test('ESTABLISHED, cork and noDelay → the cork wins', (t) => {
  const peer = established(t, { listen: { noDelay: true } });
  peer.tcp.setOption(peer.id, TcpOption.CORK, 1);
  peer.write(100);
  peer.expectNothing();
  t.end();
});

t.test('ESTABLISHED, cork forgotten → the rest goes all the same, well within a second', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.CORK, 1);
  peer.write(100);
  t.ok(peer.untilSent() <= 500);
  peer.expect({ flags: 'P.', length: 100 });
  t.end();
});

t.test('ESTABLISHED, shutdown → what Nagle held back goes with the FIN', (t) => {
  const peer = established(t);
  peer.write(10);
  peer.write(10);
  peer.drain();
  peer.shutdown();
  peer.expect({ flags: 'FP.', length: 10 });
  t.end();
});
