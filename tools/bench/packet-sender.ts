/** Frames put on the kernel's side of a TAP: what is sent waits in the TAP's queue when the call returns. */
import koffi from 'koffi';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_PACKET = 263;
/** Past the queueing discipline, straight to the device: a flood must not wait there, where the peer's segments are. */
const PACKET_QDISC_BYPASS = 20;

export class PacketSender {
  readonly #fd: number;
  readonly #send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number;
  readonly #close: (fd: number) => number;

  /** Throws an Error: no such interface, no right. */
  constructor(interfaceName: string) {
    const libc = koffi.load('libc.so.6');
    const socket: (domain: number, type: number, protocol: number) => number = libc.func('int socket(int, int, int)');
    const bind: (fd: number, address: Uint8Array, length: number) => number = libc.func('int bind(int, void *, uint)');
    const setOption: (fd: number, level: number, name: number, value: Uint8Array, length: number) => number = libc.func(
      'int setsockopt(int, int, int, void *, uint)',
    );
    const indexOf: (name: string) => number = libc.func('uint if_nametoindex(const char *)');
    this.#send = libc.func('intptr_t send(int, void *, size_t, int)');
    this.#close = libc.func('int close(int)');
    const index = indexOf(interfaceName);
    if (index === 0) throw new Error(`there is no interface ${interfaceName}`);
    // struct sockaddr_ll: family, protocol (none: we receive nothing), interface index, …
    const address = new Uint8Array(20);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setInt32(4, index, true);
    this.#fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (this.#fd < 0 || bind(this.#fd, address, address.length) !== 0) {
      throw new Error(`no packet socket on ${interfaceName}: errno ${koffi.errno()}`);
    }
    setOption(this.#fd, SOL_PACKET, PACKET_QDISC_BYPASS, Uint8Array.of(1, 0, 0, 0), 4);
  }

  /** False when the device's queue is full: the frame is lost, as on a wire. */
  send(frame: Uint8Array): boolean {
    return this.#send(this.#fd, frame, frame.length, 0) === frame.length;
  }

  close(): void {
    this.#close(this.#fd);
  }
}
