import { StackError } from '../stack/base/errors.js';
import { libc, loadKoffi, systemError } from './syscall.js';

/** A descriptor on Node's event loop. */
export interface DescriptorPoll {
  ref(): void;
  unref(): void;
  /** Idempotent. The descriptor may be closed afterwards, and not before. */
  close(): void;
}

const enum Epoll {
  EPOLL_CLOEXEC = 0o2000000,
  EPOLL_CTL_ADD = 1,
  /** struct epoll_event, packed or not. */
  EVENT_BYTES = 16,
}

/** Those not closed yet, by descriptor. */
const polls = new Map<number, DescriptorPoll>();

/**
 * Calls `onReadable` whenever `fd` is readable, from Node's event loop. When the kernel reports an error on it, as it does once
 * the interface behind it is deleted, `onError` is called with the error number, and nothing afterwards: libuv stops to watch
 * such a descriptor. Throws `EOPNOTSUPP` where system calls cannot be made, and for a descriptor that cannot be watched: `EBADF` is
 * not open, `EPERM` is a file or the like, `EBUSY` is watched already.
 */
export function pollReadable(fd: number, onReadable: () => void, onError: (errno: number) => void): DescriptorPoll {
  checkPollable(fd);
  // The callback gets libuv's status before the events, whatever koffi's types say.
  const callback = (status: unknown): void => {
    if (typeof status === 'number' && status < 0) onError(-status);
    else onReadable();
  };
  const handle = loadKoffi().node.poll(fd, { readable: true }, callback);
  const poll = {
    ref: () => handle.ref(),
    unref: () => handle.unref(),
    close: () => {
      if (polls.get(fd) !== poll) return;
      polls.delete(fd);
      if (polls.size === 0) process.off('exit', closeAll);
      handle.close();
    },
  };
  // Node turns its event loop once more after the last JavaScript has run. A frame that comes just then would have koffi call into a
  // program that is gone, and abort it.
  if (polls.size === 0) process.once('exit', closeAll);
  polls.set(fd, poll);
  return poll;
}

/** koffi ends the whole process when libuv refuses a descriptor. So the kernel is asked first. */
function checkPollable(fd: number): void {
  if (polls.has(fd)) throw new StackError('EBUSY', `descriptor ${fd} is watched already: EBUSY. Attach a device once`);
  const system = libc();
  const epoll = system.epollCreate(Epoll.EPOLL_CLOEXEC);
  if (epoll < 0) throw systemError(system.errno(), 'No descriptor can be watched', 'Are there too many open files?');
  const event = new Uint8Array(new ArrayBuffer(Epoll.EVENT_BYTES));
  const result = system.epollControl(epoll, Epoll.EPOLL_CTL_ADD, fd, system.addressOf(event));
  const errno = system.errno();
  system.close(epoll);
  if (result === 0) return;
  const advice = 'A device without a descriptor has -1 in pollFd, and onWake';
  throw systemError(errno, `descriptor ${fd} cannot be watched`, advice);
}

function closeAll(): void {
  for (const poll of polls.values()) poll.close();
}
