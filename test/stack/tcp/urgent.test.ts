import t from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { established } from './states.js';

/** Urgent data, RFC 9293 §3.8.5 and RFC 6093: in the stream, with a pointer to the byte behind it. */

t.test('ESTABLISHED, markUrgent → URG and a pointer to the byte after, until it is acknowledged', (t) => {
  const peer = established(t);
  peer.tcp.send(peer.id, new Uint8Array(2000));
  peer.tcp.markUrgent(peer.id);
  peer.tcp.send(peer.id, new Uint8Array(1000));
  peer.flush();
  peer.expect({ flags: '.U', seq: 1, length: 1460, urgent: 2000 });
  peer.expect({ seq: 1461, urgent: 540 });
  peer.ack();
  peer.write(10);
  const plain = peer.drain();
  t.notOk(plain.some((segment) => segment.flags.includes('U')));
  t.end();
});

t.test('ESTABLISHED, rcv URG → told once each time it moves ahead; the bytes stay in the stream', (t) => {
  const peer = established(t);
  peer.data(10, { flags: 'PU.', urgent: 5 });
  t.ok(peer.told(Event.URGENT));
  peer.events();
  peer.data(10, { flags: 'PU.', urgent: 5 });
  t.ok(peer.told(Event.URGENT), 'ahead of the first');
  peer.events();
  peer.inject({ seq: 1, data: 10, flags: 'PU.', urgent: 5 });
  t.notOk(peer.told(Event.URGENT), 'the same again');
  t.equal(peer.read().length, 20);
  t.end();
});

t.test('ESTABLISHED, rcv URG on an empty segment before the data → told', (t) => {
  const peer = established(t);
  peer.inject({ flags: 'U.', urgent: 500 });
  t.ok(peer.told(Event.URGENT));
  t.end();
});

t.test('ESTABLISHED, window shut, rcv URG → told all the same (MUST-66)', (t) => {
  const peer = established(t, { listen: { receiveBytes: 2304 } });
  peer.data(1152);
  peer.data(1152);
  peer.events();
  peer.inject({ flags: 'PU.', data: 5, urgent: 5 });
  t.ok(peer.told(Event.URGENT));
  t.end();
});

t.test(
  'ESTABLISHED, rcv URG on a segment half of which is old → the pointer counts from its own sequence number',
  (t) => {
    const peer = established(t);
    peer.data(100);
    peer.events();
    peer.inject({ seq: 51, data: 100, flags: 'PU.', urgent: 50 });
    t.notOk(peer.told(Event.URGENT), 'it points to what has been received');
    peer.inject({ seq: 101, data: 100, flags: 'PU.', urgent: 51 });
    t.ok(peer.told(Event.URGENT));
    t.end();
  },
);
