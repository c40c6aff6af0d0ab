import t from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { established } from './states.js';

/** The PSH flag, RFC 9293 §3.9.1.2: SEND has no push of its own here, so every SEND is one. */

t.test('SEND of one byte → sent at once, with PSH: nothing waits for more to come (MUST-60, MUST-61)', (t) => {
  const peer = established(t);
  peer.write(1);
  peer.expect({ flags: 'P.', seq: 1, length: 1 });
  t.end();
});

t.test('SEND of several segments → PSH on the last that is buffered, and on it only (MUST-61)', (t) => {
  const peer = established(t);
  peer.write(3 * 1460 + 20);
  t.same(
    peer.drain().map((segment) => segment.flags),
    ['.', '.', '.', 'P.'],
  );
  t.end();
});

t.test('several SENDs in one segment → one PSH for all of them (SHLD-27)', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.CORK, 1);
  for (let i = 0; i < 4; i++) peer.write(365);
  peer.expect({ flags: 'P.', seq: 1, length: 1460 });
  peer.expectNothing();
  t.end();
});
