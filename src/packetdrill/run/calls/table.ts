import type { CallRun, Issued } from './call-run.js';
import { read, readv, recvmsg, sendmsg, write, writev } from './data.js';
import { epollCreate, epollCtl, epollWait } from './epoll.js';
import { open, pipe, sendfile, splice } from './files.js';
import { fcntl, getsockopt, ioctl, setsockopt } from './options.js';
import { poll } from './poll.js';
import { accept, bind, close, connect, getpeername, getsockname, listen, shutdown, socket } from './sockets.js';

/** The system calls there are, by name. */
const CALLS: ReadonlyMap<string, (run: CallRun) => Issued> = new Map([
  ['socket', socket],
  ['bind', bind],
  ['listen', listen],
  ['accept', accept],
  ['accept4', accept],
  ['connect', connect],
  ['read', read],
  ['recv', read],
  ['recvfrom', read],
  ['readv', readv],
  ['recvmsg', recvmsg],
  ['write', write],
  ['send', write],
  ['sendto', write],
  ['writev', writev],
  ['sendmsg', sendmsg],
  ['close', close],
  ['shutdown', shutdown],
  ['getsockname', getsockname],
  ['getpeername', getpeername],
  ['setsockopt', setsockopt],
  ['getsockopt', getsockopt],
  ['fcntl', fcntl],
  ['ioctl', ioctl],
  ['poll', poll],
  ['open', open],
  ['pipe', pipe],
  ['sendfile', sendfile],
  ['splice', splice],
  ['epoll_create', epollCreate],
  ['epoll_create1', epollCreate],
  ['epoll_ctl', epollCtl],
  ['epoll_wait', epollWait],
]);

/** Calls of kernels that suites use, and that have nothing behind them here. */
const UNSUPPORTED = new Set(
  `epoll_pwait epoll_pwait2 creat lseek fstat stat unlink setuid setgid seteuid prctl clone vfork execve wait4
   waitpid pread pwrite preadv pwritev preadv2 pwritev2 sctp_sendv sctp_recvv sctp_send sctp_opt_info
   sctp_getladdrs sctp_getpaddrs sctp_freeladdrs sctp_freepaddrs sctp_getaddrlen sctp_connectx2 io_uring_setup
   io_uring_enter io_uring_register getrandom clock_gettime nanosleep usleep sleep select pselect ppoll pipe2
   vmsplice tee openat sendmmsg recvmmsg cap_set dup dup2 dup3 socketpair mmap munmap io_setup io_submit
   sctp_bindx sctp_sendmsg sctp_recvmsg sctp_connectx sctp_peeloff kqueue kevent fork`.split(/\s+/),
);

export function callOf(name: string): ((run: CallRun) => Issued) | undefined {
  return CALLS.get(name);
}

export function isKnownElsewhere(name: string): boolean {
  return UNSUPPORTED.has(name);
}
