import koffi from 'koffi';
import { FILE, MESSAGE, SO, SOCKET, TCP } from '../../src/posix/constants.js';
import type { Outcome } from '../../src/posix/socket-calls.js';
import type { Endpoint } from './conversation.js';
import { CONGESTION_CONTROL } from './kernel-settings.js';

const libc = koffi.load(null);
type Native = (...args: number[]) => number;
const native = (declaration: string): Native => libc.func(declaration) as Native;

const socket = native('int socket(int domain, int type, int protocol)');
const bind = native('int bind(int fd, uintptr_t address, uint32_t length)');
const listen = native('int listen(int fd, int backlog)');
const accept4 = native('int accept4(int fd, uintptr_t address, uintptr_t length, int flags)');
const connect = native('int connect(int fd, uintptr_t address, uint32_t length)');
const recv = native('intptr_t recv(int fd, uintptr_t buffer, size_t length, int flags)');
const send = native('intptr_t send(int fd, uintptr_t buffer, size_t length, int flags)');
const shutdown = native('int shutdown(int fd, int how)');
const close = native('int close(int fd)');
const fcntl = native('int fcntl(int fd, int command, intptr_t argument)');
const ioctl = native('int ioctl(int fd, ulong request, uintptr_t argument)');
const poll = native('int poll(uintptr_t fds, ulong count, int timeout)');
const getsockopt = native('int getsockopt(int fd, int level, int name, uintptr_t value, uintptr_t length)');
const setsockopt = native('int setsockopt(int fd, int level, int name, uintptr_t value, uint32_t length)');
const read = native('intptr_t read(int fd, uintptr_t buffer, size_t count)');
const write = native('intptr_t write(int fd, uintptr_t buffer, size_t count)');

/** The longest datagram, and the most a sequence reads or writes in one call. */
const BUFFER_BYTES = 1 << 18;
const LINGER_BYTES = 8;
/** One call that waits would hold up all sequences. */
const NEVER_WAITS = SOCKET.SOCK_CLOEXEC | SOCKET.SOCK_NONBLOCK;

/** Memory that the kernel reads and writes; the buffer stays where it is as long as somebody has it. */
const buffer = new Uint8Array(new ArrayBuffer(BUFFER_BYTES));
const bufferAt = Number(koffi.address(buffer));
const small = new Uint8Array(new ArrayBuffer(64));
const smallAt = Number(koffi.address(small));
const smallView = new DataView(small.buffer);

function outcome(result: number, more: Partial<Outcome> = {}): Outcome {
  return { result, errno: result < 0 ? koffi.errno() : 0, ...(result < 0 ? {} : more) };
}

/** `struct sockaddr_in` in the small buffer. */
function putAddress(host: string, port: number): number {
  small.fill(0, 0, 16);
  smallView.setUint16(0, SOCKET.AF_INET, true);
  smallView.setUint16(2, port);
  small.set(host.split('.').map(Number), 4);
  return 16;
}

/** The kernel's sockets, in the namespace of this process, and the wire behind its TUN. */
export class KernelEndpoint implements Endpoint {
  constructor(private readonly tunFd: number) {}

  socket(): Outcome {
    const fd = socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM | NEVER_WAITS, SOCKET.IPPROTO_TCP);
    if (fd < 0) return outcome(fd);
    small.set(Buffer.from(CONGESTION_CONTROL));
    const set = setsockopt(fd, SOCKET.IPPROTO_TCP, TCP.TCP_CONGESTION, smallAt, CONGESTION_CONTROL.length);
    if (set !== 0)
      throw new Error(`${CONGESTION_CONTROL} is no congestion control of this kernel (errno ${koffi.errno()})`);
    return outcome(fd);
  }

  nonblock(fd: number): Outcome {
    return outcome(fcntl(fd, FILE.F_SETFL, FILE.O_RDWR | FILE.O_NONBLOCK));
  }

  bind(fd: number, host: string, port: number): Outcome {
    return outcome(bind(fd, smallAt, putAddress(host, port)));
  }

  listen(fd: number, backlog: number): Outcome {
    return outcome(listen(fd, backlog));
  }

  accept(fd: number): Outcome {
    return outcome(accept4(fd, 0, 0, NEVER_WAITS));
  }

  connect(fd: number, host: string, port: number): Outcome {
    return outcome(connect(fd, smallAt, putAddress(host, port)));
  }

  recv(fd: number, length: number, flags: number): Outcome {
    return outcome(recv(fd, bufferAt, Math.min(length, BUFFER_BYTES), flags | MESSAGE.MSG_DONTWAIT));
  }

  send(fd: number, length: number, flags: number): Outcome {
    const bytes = Math.min(length, BUFFER_BYTES);
    return outcome(send(fd, bufferAt, bytes, flags | MESSAGE.MSG_NOSIGNAL | MESSAGE.MSG_DONTWAIT));
  }

  shutdown(fd: number, how: number): Outcome {
    return outcome(shutdown(fd, how));
  }

  close(fd: number): Outcome {
    return outcome(close(fd));
  }

  ioctl(fd: number, request: number): Outcome {
    return outcome(ioctl(fd, request, smallAt), { data: small.slice(0, 4) });
  }

  poll(fd: number, events: number): Outcome {
    smallView.setInt32(0, fd, true);
    smallView.setInt16(4, events, true);
    smallView.setInt16(6, 0, true);
    const result = poll(smallAt, 1, 0);
    return outcome(result, { data: new Uint8Array(Int32Array.of(smallView.getUint16(6, true)).buffer) });
  }

  getsockopt(fd: number, level: number, option: number, capacity: number): Outcome {
    smallView.setInt32(32, capacity, true);
    const result = getsockopt(fd, level, option, smallAt, smallAt + 32);
    return outcome(result, { data: small.slice(0, smallView.getInt32(32, true)) });
  }

  setsockopt(fd: number, level: number, option: number, value: Uint8Array): Outcome {
    small.set(value);
    return outcome(setsockopt(fd, level, option, smallAt, value.length));
  }

  deliver(datagram: Uint8Array): void {
    buffer.set(datagram);
    const written = write(this.tunFd, bufferAt, datagram.length);
    buffer.fill(0, 0, datagram.length);
    if (written !== datagram.length)
      throw new Error(`the TUN took ${written} of ${datagram.length} bytes (errno ${koffi.errno()})`);
  }

  /** The next datagram of the kernel's; undefined when none waits. */
  take(): Uint8Array | undefined {
    const length = read(this.tunFd, bufferAt, BUFFER_BYTES);
    if (length <= 0) return undefined;
    const datagram = buffer.slice(0, length);
    buffer.fill(0, 0, length);
    return datagram;
  }

  /** Sleeps until a datagram waits, or `ms` have passed. */
  wait(ms: number): void {
    smallView.setInt32(0, this.tunFd, true);
    smallView.setInt16(4, 1, true);
    poll(smallAt, 1, ms);
  }

  /** Ends whatever the descriptor is of, at once and with a RST. */
  abort(fd: number): void {
    small.fill(0, 0, LINGER_BYTES);
    smallView.setInt32(0, 1, true);
    setsockopt(fd, SO.SOL_SOCKET, SO.SO_LINGER, smallAt, LINGER_BYTES);
    close(fd);
  }
}
