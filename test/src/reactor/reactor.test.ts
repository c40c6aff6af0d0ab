import t from 'tap';
import type { SynchronousEventDemultiplexer } from '../../../src/reactor/demultiplexer.js';
import type { EventHandler, Handle } from '../../../src/reactor/event-handler.js';
import { Reactor } from '../../../src/reactor/reactor.js';
import { Event, EventQueue, SocketKind } from '../../../stack/net/event-queue.js';

/** A table of sockets that exist, with what is ready on each; the queue is the stack's own. */
class ScriptedDemultiplexer implements SynchronousEventDemultiplexer {
  readonly queue = new EventQueue(4096, 16, 16);
  /** Generation of each row, and what is the case there. */
  readonly generations = new Map<number, number>();
  readonly ready = new Map<number, number>();
  get kind(): SocketKind {
    return this.queue.kind;
  }
  get row(): number {
    return this.queue.row;
  }
  get events(): number {
    return this.queue.events;
  }
  select(): boolean {
    return this.queue.next();
  }
  raise(kind: SocketKind, row: number, events: number): void {
    this.queue.push(kind, row, events);
  }
  rowOf(_kind: SocketKind, handle: Handle): number {
    return handle % 2 ** 24;
  }
  handleOf(_kind: SocketKind, row: number): Handle {
    return ((this.generations.get(row) ?? 0) * 2 ** 24 + row) as Handle;
  }
  readiness(_kind: SocketKind, handle: Handle): number {
    return this.ready.get(handle % 2 ** 24) ?? 0;
  }
  open(row: number): Handle {
    this.generations.set(row, (this.generations.get(row) ?? 0) + 1);
    return this.handleOf(SocketKind.CONNECTION, row);
  }
}

class Recorder implements EventHandler {
  readonly calls: [number, number, number][] = [];
  afterwards: (handle: Handle) => void = () => {};
  handleEvent(handle: Handle, events: number, cookie: number): void {
    this.calls.push([handle, events, cookie]);
    this.afterwards(handle);
  }
}

const KIND = SocketKind.CONNECTION;

t.test('registered, event in the mask → the handler gets handle, events and cookie', (t) => {
  const demultiplexer = new ScriptedDemultiplexer();
  const reactor = new Reactor(demultiplexer);
  const recorder = new Recorder();
  const first = demultiplexer.open(5);
  const second = demultiplexer.open(70);
  reactor.registerHandler(KIND, first, recorder, Event.READABLE | Event.WRITABLE, 11);
  reactor.registerHandler(KIND, second, recorder, Event.READABLE, -7);
  demultiplexer.raise(KIND, 70, Event.READABLE | Event.FAILED);
  demultiplexer.raise(KIND, 5, Event.WRITABLE);
  t.equal(reactor.handleEvents(), false);
  t.same(recorder.calls, [
    [second, Event.READABLE, -7],
    [first, Event.WRITABLE, 11],
  ]);
  t.end();
});

t.test('registered late, bytes wait already → told at once', (t) => {
  const demultiplexer = new ScriptedDemultiplexer();
  const reactor = new Reactor(demultiplexer);
  const recorder = new Recorder();
  const handle = demultiplexer.open(1);
  demultiplexer.ready.set(1, Event.READABLE | Event.PEER_CLOSED);
  reactor.handleEvents();
  reactor.registerHandler(KIND, handle, recorder, Event.READABLE);
  reactor.handleEvents();
  t.same(recorder.calls, [[handle, Event.READABLE, 0]]);
  t.end();
});

t.test('mask widened, event is the case already → told; mask narrowed → not told', (t) => {
  const demultiplexer = new ScriptedDemultiplexer();
  const reactor = new Reactor(demultiplexer);
  const recorder = new Recorder();
  const handle = demultiplexer.open(1);
  reactor.registerHandler(KIND, handle, recorder, Event.WRITABLE, 3);
  demultiplexer.ready.set(1, Event.READABLE);
  demultiplexer.raise(KIND, 1, Event.READABLE);
  reactor.handleEvents();
  t.same(recorder.calls, []);
  reactor.setMask(KIND, handle, Event.READABLE);
  demultiplexer.raise(KIND, 1, Event.WRITABLE);
  reactor.handleEvents();
  t.same(recorder.calls, [[handle, Event.READABLE, 3]]);
  t.end();
});

t.test('one handler throws → it is reported, the others are called', (t) => {
  const demultiplexer = new ScriptedDemultiplexer();
  const reported: unknown[][] = [];
  const reactor = new Reactor(demultiplexer, { onHandlerError: (...all) => reported.push(all) });
  const bad = new Recorder();
  const good = new Recorder();
  const error = new Error('a program is wrong');
  bad.afterwards = () => {
    throw error;
  };
  const first = demultiplexer.open(1);
  const second = demultiplexer.open(2);
  reactor.registerHandler(KIND, first, bad, Event.READABLE);
  reactor.registerHandler(KIND, second, good, Event.READABLE);
  demultiplexer.raise(KIND, 1, Event.READABLE);
  demultiplexer.raise(KIND, 2, Event.READABLE);
  reactor.handleEvents();
  t.same(reported, [[error, KIND, first]]);
  t.equal(good.calls.length, 1);
  t.end();
});

t.test('removed, events queued before → silence; registered again on the next generation → only the new one', (t) => {
  const demultiplexer = new ScriptedDemultiplexer();
  const reactor = new Reactor(demultiplexer);
  const old = new Recorder();
  const recorder = new Recorder();
  const handle = demultiplexer.open(9);
  reactor.registerHandler(KIND, handle, old, Event.READABLE);
  demultiplexer.raise(KIND, 9, Event.READABLE);
  reactor.removeHandler(KIND, handle);
  reactor.handleEvents();
  t.same(old.calls, []);
  const next = demultiplexer.open(9);
  t.throws(() => reactor.registerHandler(KIND, handle, old, Event.READABLE), { code: 'EBADF' });
  reactor.registerHandler(KIND, next, recorder, Event.READABLE);
  reactor.removeHandler(KIND, handle);
  demultiplexer.raise(KIND, 9, Event.READABLE);
  reactor.handleEvents();
  t.same(recorder.calls, [[next, Event.READABLE, 0]]);
  t.end();
});

t.test('a handler that raises its own event for ever → the budget ends the call and says there is more', (t) => {
  const demultiplexer = new ScriptedDemultiplexer();
  const reactor = new Reactor(demultiplexer);
  const recorder = new Recorder();
  recorder.afterwards = (handle) => reactor.raise(KIND, handle, Event.READABLE);
  reactor.registerHandler(KIND, demultiplexer.open(1), recorder, Event.READABLE);
  demultiplexer.raise(KIND, 1, Event.READABLE);
  t.equal(reactor.handleEvents(), true);
  t.ok(recorder.calls.length >= 1000 && recorder.calls.length < 10_000);
  t.end();
});

t.test('many handlers come and go → their numbers are used again, none is mistaken', (t) => {
  const demultiplexer = new ScriptedDemultiplexer();
  const reactor = new Reactor(demultiplexer);
  let wrong = 0;
  for (let round = 0; round < 50; round++) {
    const owners = new Map<number, Recorder>();
    for (let row = 0; row < 100; row++) {
      const recorder = new Recorder();
      owners.set(row, recorder);
      reactor.registerHandler(KIND, demultiplexer.open(row), recorder, Event.READABLE, row);
    }
    for (let row = 0; row < 100; row++) demultiplexer.raise(KIND, row, Event.READABLE);
    reactor.handleEvents();
    for (const [row, recorder] of owners) {
      if (recorder.calls.length !== 1 || recorder.calls[0][2] !== row) wrong += 1;
      if (row % 2 === 0) reactor.removeHandler(KIND, demultiplexer.handleOf(KIND, row));
    }
  }
  t.equal(wrong, 0);
  t.end();
});

t.test('connections and listeners of the same row → told apart', (t) => {
  const demultiplexer = new ScriptedDemultiplexer();
  const reactor = new Reactor(demultiplexer);
  const connection = new Recorder();
  const listener = new Recorder();
  const handle = demultiplexer.open(3);
  reactor.registerHandler(SocketKind.CONNECTION, handle, connection, Event.READABLE);
  reactor.registerHandler(SocketKind.LISTENER, handle, listener, Event.ACCEPTABLE);
  demultiplexer.raise(SocketKind.LISTENER, 3, Event.ACCEPTABLE);
  reactor.handleEvents();
  t.equal(connection.calls.length, 0);
  t.equal(listener.calls.length, 1);
  t.end();
});
