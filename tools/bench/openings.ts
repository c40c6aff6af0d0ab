import { connectStart, Epoll, type NativeBuffer, Poller, resetOnClose, throwPending } from './kernel-socket.js';

/** Connections in flight while thousands are opened: below any server's backlog. */
const OPENING_AT_ONCE = 64;
/** A server that does nothing for this long has lost something. */
export const STALL_MS = 10_000;

/**
 * Opens connections that are reset when this process ends, and returns when the last handshake is done. Whatever is measured after
 * that process is gone must not meet connections still saying goodbye.
 */
export function openMany(target: NativeBuffer, count: number): void {
  const poller = new Poller(OPENING_AT_ONCE);
  let begun = 0;
  const begin = (): void => {
    const fd = connectStart(target);
    resetOnClose(fd);
    begun++;
    poller.add(fd, Epoll.OUT | Epoll.EDGE, fd);
  };
  while (begun < Math.min(count, OPENING_AT_ONCE)) begin();
  for (let done = 0; done < count; ) {
    const ready = poller.wait(STALL_MS);
    for (let index = 0; index < ready; index++) {
      if ((poller.eventsOf(index) & (Epoll.ERR | Epoll.HUP)) !== 0) {
        throwPending(poller.tagOf(index));
        throw closedEarly();
      }
      done++;
      if (begun < count) begin();
    }
  }
}

export function closedEarly(): Error {
  return new Error('the server closed a connection it should have kept');
}
