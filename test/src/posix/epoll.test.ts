import t from 'tap';
import { EPOLL, MESSAGE, SO } from '../../../src/posix/constants.js';
import { intBytes } from '../../../src/posix/option-value.js';
import type { Outcome } from '../../../src/posix/socket-calls.js';
import { Script, told } from './script.js';

const TEXT = new Uint8Array(100);

function bits(outcome: Outcome | undefined): number[] {
  return outcome?.events?.map((event) => event.events) ?? [];
}

/** A connection, descriptor 4, in an epoll instance, descriptor 5. */
function watched(s: Script, events: number): void {
  s.accepted();
  s.ok(s.calls.epollCreate(0), 5);
  s.ok(s.calls.epollControl(5, EPOLL.EPOLL_CTL_ADD, 4, events, 77n));
}

t.test('level-triggered → told as long as it holds, with the data it was added with', (t) => {
  const s = new Script(t);
  watched(s, EPOLL.EPOLLIN);
  s.done(s.calls.epollWait(5, 10, 0), 0);
  const waiting = s.calls.epollWait(5, 10, -1);
  t.equal(told(waiting.outcome), 'waits');
  s.inject({ flags: 'P.', data: TEXT });
  t.same(s.done(waiting, 1).events, [{ events: EPOLL.EPOLLIN, data: 77n }]);
  s.done(s.calls.epollWait(5, 10, 0), 1);
  s.done(s.calls.recv(4, 1000, 0), 100);
  s.done(s.calls.epollWait(5, 10, 0), 0);
  t.end();
});

t.test('edge-triggered → told once for what happened, and again when more happens', (t) => {
  const s = new Script(t);
  watched(s, EPOLL.EPOLLIN | EPOLL.EPOLLOUT | EPOLL.EPOLLET);
  t.same(bits(s.done(s.calls.epollWait(5, 10, 0), 1)), [EPOLL.EPOLLOUT], 'what holds when it is added');
  s.done(s.calls.epollWait(5, 10, 0), 0);
  s.inject({ flags: 'P.', data: TEXT });
  t.same(bits(s.done(s.calls.epollWait(5, 10, 0), 1)), [EPOLL.EPOLLIN | EPOLL.EPOLLOUT]);
  s.done(s.calls.epollWait(5, 10, 0), 0);
  s.inject({ flags: 'P.', data: TEXT });
  s.done(s.calls.epollWait(5, 10, 0), 1);
  t.end();
});

t.test('one-shot → nothing more until EPOLL_CTL_MOD', (t) => {
  const s = new Script(t);
  watched(s, EPOLL.EPOLLOUT | EPOLL.EPOLLONESHOT);
  s.done(s.calls.epollWait(5, 10, 0), 1);
  s.inject({ flags: 'P.', data: TEXT });
  s.done(s.calls.epollWait(5, 10, 0), 0);
  s.ok(s.calls.epollControl(5, EPOLL.EPOLL_CTL_MOD, 4, EPOLL.EPOLLIN, 1n));
  t.same(s.done(s.calls.epollWait(5, 10, 0), 1).events, [{ events: EPOLL.EPOLLIN, data: 1n }]);
  t.end();
});

t.test('a buffer lent with MSG_ZEROCOPY → EPOLLERR once it is free, one notice for neighbours', (t) => {
  const s = new Script(t);
  watched(s, EPOLL.EPOLLET);
  s.fails(s.calls.recv(4, 0, MESSAGE.MSG_ERRQUEUE).outcome, 'EAGAIN');
  s.ok(s.calls.setsockopt(4, SO.SOL_SOCKET, SO.SO_ZEROCOPY, intBytes(1)));
  for (let i = 0; i < 2; i++) {
    s.done(s.calls.send(4, TEXT, MESSAGE.MSG_ZEROCOPY), 100);
    if (i === 0) s.done(s.calls.epollWait(5, 1, 0), 0);
    s.sent();
    s.inject({ flags: '.' });
  }
  t.same(bits(s.done(s.calls.epollWait(5, 1, 0), 1)), [EPOLL.EPOLLERR]);
  s.done(s.calls.epollWait(5, 1, 0), 0);
  const notice = s.done(s.calls.recv(4, 0, MESSAGE.MSG_ERRQUEUE), 0);
  t.equal(notice.messageFlags, MESSAGE.MSG_ERRQUEUE);
  const error = Buffer.from(notice.control?.[0]?.data ?? []);
  t.same([error.readUInt32LE(8), error.readUInt32LE(12)], [0, 1], 'sends 0 to 1');
  s.fails(s.calls.recv(4, 0, MESSAGE.MSG_ERRQUEUE).outcome, 'EAGAIN');
  t.end();
});

t.test('mistakes → EEXIST, ENOENT, EBADF, EINVAL, ENOTSOCK', (t) => {
  const s = new Script(t);
  watched(s, EPOLL.EPOLLIN);
  s.fails(s.calls.epollControl(5, EPOLL.EPOLL_CTL_ADD, 4, 0, 0n), 'EEXIST');
  s.ok(s.calls.epollControl(5, EPOLL.EPOLL_CTL_DEL, 4, 0, 0n));
  s.fails(s.calls.epollControl(5, EPOLL.EPOLL_CTL_DEL, 4, 0, 0n), 'ENOENT');
  s.fails(s.calls.epollControl(5, EPOLL.EPOLL_CTL_MOD, 4, 0, 0n), 'ENOENT');
  s.fails(s.calls.epollControl(5, 9, 4, 0, 0n), 'EINVAL');
  s.fails(s.calls.epollControl(5, EPOLL.EPOLL_CTL_ADD, 99, 0, 0n), 'EBADF');
  s.fails(s.calls.epollControl(5, EPOLL.EPOLL_CTL_ADD, 5, 0, 0n), 'EINVAL');
  s.fails(s.calls.epollControl(4, EPOLL.EPOLL_CTL_ADD, 4, 0, 0n), 'EINVAL');
  s.fails(s.calls.epollWait(5, 0, 0).outcome, 'EINVAL');
  s.fails(s.calls.epollCreate(1), 'EINVAL');
  s.fails(s.calls.listen(5, 1), 'ENOTSOCK');
  s.ok(s.calls.epollControl(5, EPOLL.EPOLL_CTL_ADD, 4, EPOLL.EPOLLIN, 0n));
  s.done(s.calls.close(4));
  s.done(s.calls.epollWait(5, 1, 0), 0);
  s.done(s.calls.close(5));
  s.fails(s.calls.epollWait(5, 1, 0).outcome, 'EBADF');
  t.end();
});
