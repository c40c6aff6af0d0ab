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
  t.equal(peer.drain().at(-1)?.win, 0);
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

t.test('ESTABLISHED, urgent data beyond what has come → how much is left, until it is read (MUST-31, MUST-33)', (t) => {
  const peer = established(t);
  const left = () => peer.tcp.info(peer.id).urgentBytes;
  t.equal(left(), 0);
  peer.data(1000, { flags: 'PU.', urgent: 60_000 });
  t.equal(left(), 60_000, 'many segments of it are still to come');
  t.equal(peer.read(400).length, 400);
  t.equal(left(), 59_600);
  for (let i = 0; i < 60; i++) {
    peer.data(1000);
    peer.read();
  }
  t.equal(left(), 0, 'what is read now is ordinary');
  t.end();
});

t.test('CLOSE-WAIT, urgent data not read yet → the FIN is not one of its bytes (MUST-33)', (t) => {
  const peer = established(t);
  peer.data(10, { flags: 'PU.', urgent: 6 });
  peer.fin();
  t.equal(peer.tcp.info(peer.id).urgentBytes, 6);
  peer.read(5);
  t.equal(peer.tcp.info(peer.id).urgentBytes, 1);
  peer.read(1);
  t.equal(peer.tcp.info(peer.id).urgentBytes, 0);
  t.end();
});

t.test(
  'ESTABLISHED, markUrgent of more than a segment pointer reaches → the pointer says as far as it can (MUST-31)',
  (t) => {
    const peer = established(t, { syn: { mss: 1460, wscale: 7 }, listen: { sendBytes: 200_000 } });
    peer.tcp.send(peer.id, new Uint8Array(100_000));
    peer.tcp.markUrgent(peer.id);
    peer.flush();
    peer.expect({ flags: '.U', seq: 1, urgent: 65_535 });
    peer.drain();
    for (let i = 0; i < 8 && peer.tcp.unsent(peer.id) > 0; i++) peer.ack();
    const last = peer.drain().at(-1);
    t.equal((last?.seq ?? 0) + (last?.urgent ?? 0), 100_001, 'and the last of it to its very end');
    t.end();
  },
);
