import koffi from 'koffi';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

type Pointer = Uint8Array;

/** The kernel's side of a TAP, frame by frame and without waiting: what is written to the TAP is here when `write` returns. */
export class PacketSocket {
  readonly #fd: number;
  readonly #close: (fd: number) => number;
  readonly #send: (fd: number, bytes: Pointer, length: number, flags: number) => number;
  readonly #recv: (fd: number, bytes: Pointer, length: number, flags: number) => number;
  readonly #buffer = new Uint8Array(65536);

  constructor(interfaceName: string, etherType: number) {
    const libc = koffi.load('libc.so.6');
    const socket: (domain: number, type: number, protocol: number) => number = libc.func('int socket(int, int, int)');
    const bind: (fd: number, address: Pointer, length: number) => number = libc.func('int bind(int, void *, uint)');
    const indexOf: (name: string) => number = libc.func('uint if_nametoindex(const char *)');
    this.#close = libc.func('int close(int)');
    this.#send = libc.func('intptr_t send(int, void *, size_t, int)');
    this.#recv = libc.func('intptr_t recv(int, void *, size_t, int)');
    const index = indexOf(interfaceName);
    if (index === 0) throw new Error(`no interface ${interfaceName}`);
    // struct sockaddr_ll: family, protocol in network order, interface index, …
    const address = new Uint8Array(20);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, etherType, false);
    view.setInt32(4, index, true);
    this.#fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (this.#fd < 0 || bind(this.#fd, address, address.length) !== 0) {
      throw new Error(`no packet socket: errno ${koffi.errno()}`);
    }
  }

  send(frame: Uint8Array): void {
    if (this.#send(this.#fd, frame, frame.length, 0) !== frame.length) throw new Error(`send: errno ${koffi.errno()}`);
  }

  /** The next frame, or undefined when none waits. */
  receive(): Uint8Array | undefined {
    const length = this.#recv(this.#fd, this.#buffer, this.#buffer.length, 0);
    return length < 0 ? undefined : this.#buffer.slice(0, length);
  }

  close(): void {
    this.#close(this.#fd);
  }
}
