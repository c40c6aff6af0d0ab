/** Frames put on the kernel's side of a TAP, many with a call: what is sent waits in the TAP's queue when the call returns. */
import koffi from 'koffi';
import { lastError, NativeBuffer } from './kernel-socket.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_PACKET = 263;
/** Past the queueing discipline, straight to the device: a flood must be lost there, as on a wire, and not hold us up. */
const PACKET_QDISC_BYPASS = 20;
const MSG_DONTWAIT = 0x40;
/** On a 64-bit machine: struct iovec, and struct mmsghdr with its msghdr (msg_iov at 16, msg_iovlen at 24). */
const IOVEC_BYTES = 16;
const MMSGHDR_BYTES = 64;
const MSG_IOV = 16;
const MSG_IOVLEN = 24;

const libc = koffi.load(null);
const socket: (domain: number, type: number, protocol: number) => number = libc.func('int socket(int, int, int)');
const bind: (fd: number, address: number, length: number) => number = libc.func('int bind(int, uintptr_t, uint)');
const setsockopt: (fd: number, level: number, name: number, value: number, length: number) => number = libc.func(
  'int setsockopt(int, int, int, uintptr_t, uint)',
);
const indexOf: (name: string) => number = libc.func('uint if_nametoindex(const char *)');
const sendmmsg: (fd: number, messages: number, count: number, flags: number) => number = libc.func(
  'int sendmmsg(int, uintptr_t, uint, int)',
);
const closeFd: (fd: number) => number = libc.func('int close(int)');

export class PacketSender {
  readonly #fd: number;
  readonly #count: number;
  readonly #frames: NativeBuffer;
  readonly #vectors: NativeBuffer;
  readonly #messages: NativeBuffer;
  #next = 0;

  /** Sends these frames over and over. Throws an Error: no such interface, no right. */
  constructor(interfaceName: string, frames: readonly Uint8Array[]) {
    const index = indexOf(interfaceName);
    if (index === 0) throw new Error(`there is no interface ${interfaceName}`);
    this.#count = frames.length;
    this.#frames = new NativeBuffer(frames.reduce((sum, frame) => sum + frame.length, 0));
    this.#vectors = new NativeBuffer(frames.length * IOVEC_BYTES);
    this.#messages = new NativeBuffer(frames.length * MMSGHDR_BYTES);
    let at = 0;
    frames.forEach((frame, i) => {
      this.#frames.bytes.set(frame, at);
      this.#vectors.bytes.writeBigUInt64LE(BigInt(this.#frames.address + at), i * IOVEC_BYTES);
      this.#vectors.bytes.writeBigUInt64LE(BigInt(frame.length), i * IOVEC_BYTES + 8);
      const vector = BigInt(this.#vectors.address + i * IOVEC_BYTES);
      this.#messages.bytes.writeBigUInt64LE(vector, i * MMSGHDR_BYTES + MSG_IOV);
      this.#messages.bytes.writeBigUInt64LE(1n, i * MMSGHDR_BYTES + MSG_IOVLEN);
      at += frame.length;
    });
    // struct sockaddr_ll: family, protocol (none: we receive nothing), interface index, …
    const address = new NativeBuffer(20);
    address.bytes.writeUInt16LE(AF_PACKET, 0);
    address.bytes.writeInt32LE(index, 4);
    this.#fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw lastError('socket');
    if (bind(this.#fd, address.address, 20) !== 0) throw lastError('bind');
    const one = new NativeBuffer(4);
    one.bytes.writeInt32LE(1, 0);
    if (setsockopt(this.#fd, SOL_PACKET, PACKET_QDISC_BYPASS, one.address, 4) !== 0) throw lastError('setsockopt');
  }

  /** Sends the next frames. Those for which the device's queue has no room are lost. */
  send(count: number): void {
    for (let left = count; left > 0; ) {
      const most = Math.min(left, this.#count - this.#next);
      const sent = sendmmsg(this.#fd, this.#messages.address + this.#next * MMSGHDR_BYTES, most, MSG_DONTWAIT);
      // The call ends at the first frame that is lost.
      const done = sent <= 0 ? 1 : sent;
      left -= done;
      this.#next = (this.#next + done) % this.#count;
    }
  }

  close(): void {
    closeFd(this.#fd);
  }
}
