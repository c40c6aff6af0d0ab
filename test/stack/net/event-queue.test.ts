import t from 'tap';
import { Event, EventQueue, SocketKind } from '../../../stack/net/event-queue.js';

function drain(queue: EventQueue): number[][] {
  const list: number[][] = [];
  while (queue.next()) list.push([queue.kind, queue.row, queue.events]);
  return list;
}

t.test('several events of a socket → one entry with all of them, at the place of the first', (t) => {
  const queue = new EventQueue(10, 10, 10);
  queue.push(SocketKind.CONNECTION, 3, Event.CONNECTED);
  queue.push(SocketKind.UDP, 3, Event.READABLE);
  queue.push(SocketKind.CONNECTION, 3, Event.READABLE);
  queue.push(SocketKind.LISTENER, 0, Event.ACCEPTABLE);
  queue.push(SocketKind.CONNECTION, 3, Event.URGENT);
  t.equal(queue.length, 3);
  t.same(drain(queue), [
    [SocketKind.CONNECTION, 3, Event.CONNECTED | Event.READABLE | Event.URGENT],
    [SocketKind.UDP, 3, Event.READABLE],
    [SocketKind.LISTENER, 0, Event.ACCEPTABLE],
  ]);
  t.same(drain(queue), []);
  queue.push(SocketKind.CONNECTION, 3, Event.READABLE);
  t.same(drain(queue), [[SocketKind.CONNECTION, 3, Event.READABLE]], 'what was told is not told again');
  t.end();
});

t.test('forgotten → passed over; what the next socket of the row has to say is heard', (t) => {
  const queue = new EventQueue(10, 1, 1);
  queue.push(SocketKind.CONNECTION, 1, Event.READABLE);
  queue.push(SocketKind.CONNECTION, 2, Event.READABLE);
  queue.forget(SocketKind.CONNECTION, 1);
  t.same(drain(queue), [[SocketKind.CONNECTION, 2, Event.READABLE]]);
  queue.push(SocketKind.CONNECTION, 1, Event.READABLE);
  queue.forget(SocketKind.CONNECTION, 1);
  queue.push(SocketKind.CONNECTION, 1, Event.CONNECTED);
  t.same(drain(queue), [[SocketKind.CONNECTION, 1, Event.CONNECTED]], 'without what the last one had');
  t.end();
});

t.test('opened and closed without end, nobody looking → the queue does not grow', (t) => {
  const queue = new EventQueue(4, 1, 1);
  for (let i = 0; i < 10_000; i++) {
    queue.push(SocketKind.CONNECTION, i & 3, Event.READABLE);
    queue.forget(SocketKind.CONNECTION, i & 3);
  }
  t.ok(queue.length <= 4);
  t.same(drain(queue), []);
  t.end();
});

t.test('as many sockets as there may be, round after round → in order, none lost', (t) => {
  const queue = new EventQueue(5000, 1, 1);
  for (let round = 0; round < 3; round++) {
    for (let row = 0; row < 700; row++) queue.push(SocketKind.CONNECTION, row, Event.WRITABLE);
    for (let row = 0; row < 300; row++) queue.next();
    for (let row = 700; row < 5000; row++) queue.push(SocketKind.CONNECTION, row, Event.WRITABLE);
    t.same(
      drain(queue).map(([, row]) => row),
      Array.from({ length: 4700 }, (_, i) => i + 300),
    );
  }
  t.end();
});
