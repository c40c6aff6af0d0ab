import koffi from 'koffi';

const enum Request {
  TUNSETIFF = 0x400454ca,
  TUNSETOFFLOAD = 0x400454d0,
  TUNSETTXFILTER = 0x400454d1,
  TUNSETSNDBUF = 0x400454d4,
  TUNATTACHFILTER = 0x401054d5,
  TUNSETVNETHDRSZ = 0x400454d8,
  TUNSETSTEERINGEBPF = 0x800454e0,
  TUNSETFILTEREBPF = 0x800454e1,
  TUNSETCARRIER = 0x400454e2,
}
export const enum Flag {
  IFF_TUN = 0x0001,
  IFF_TAP = 0x0002,
  IFF_NO_PI = 0x1000,
  IFF_VNET_HDR = 0x4000,
}
/** Checksums and segments of TCP and UDP: all that a virtual machine asks for. */
export const ALL_OFFLOADS = 0x6f;
const O_RDWR_NONBLOCK_CLOEXEC = 0o2004002;
const BPF_PROG_LOAD = 5;
const SOCKET_FILTER = 1;
/** Of bpf(2), by architecture. */
const SYS_BPF: Readonly<Record<string, number>> = { x64: 321, arm64: 280 };

const system = koffi.load('libc.so.6');
const open: (path: string, flags: number) => number = system.func('int open(const char *, int)');
const close: (fd: number) => number = system.func('int close(int)');
const ioctl: (fd: number, request: number, argument: unknown) => number = system.func('int ioctl(int, ulong, void *)');
const ioctlWord: (fd: number, request: number, argument: number) => number = system.func(
  'int ioctl(int, ulong, uintptr_t)',
);
const read: (fd: number, into: Uint8Array, count: number) => number = system.func(
  'intptr_t read(int, _Out_ void *, size_t)',
);
const bpf: (number: number, command: number, attributes: Uint8Array, size: number) => number = system.func(
  'long syscall(long, long, void *, ulong)',
);

/** Another program on a TUN or TAP interface, as qemu or a VPN is: what it sets stays on a persistent interface when it goes. */
export class Holder {
  readonly fd: number;

  constructor(name: string, flags: number) {
    this.fd = open('/dev/net/tun', O_RDWR_NONBLOCK_CLOEXEC);
    const request = new Uint8Array(40);
    new TextEncoder().encodeInto(name, request);
    new DataView(request.buffer).setUint16(16, flags, true);
    this.#set(Request.TUNSETIFF, request);
  }

  headerBytes(bytes: number): void {
    this.#set(Request.TUNSETVNETHDRSZ, word(bytes));
  }
  sendBuffer(bytes: number): void {
    this.#set(Request.TUNSETSNDBUF, word(bytes));
  }
  carrier(on: boolean): void {
    this.#set(Request.TUNSETCARRIER, word(on ? 1 : 0));
  }
  offload(what: number): void {
    setOffload(this.fd, what);
  }
  /** Only frames to this address come out. */
  addressFilter(mac: Uint8Array): void {
    this.#set(Request.TUNSETTXFILTER, Uint8Array.of(0, 0, 1, 0, ...mac));
  }
  /** A classic BPF program that lets no frame out: ret #0. */
  socketFilter(): void {
    const program = Uint8Array.of(6, 0, 0, 0, 0, 0, 0, 0);
    const descriptor = new Uint8Array(16);
    const view = new DataView(descriptor.buffer);
    view.setUint16(0, 1, true);
    view.setBigUint64(8, BigInt(koffi.address(program)), true);
    this.#set(Request.TUNATTACHFILTER, descriptor);
    if (program.length === 0) throw new Error('held until here');
  }
  /** An eBPF program that answers 0: as a filter it lets no frame out, as steering it chooses queue 0. False where there is no bpf(2) for us. */
  programs(): boolean {
    const number = SYS_BPF[process.arch];
    if (number === undefined) return false;
    // r0 = 0; exit
    const program = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
    const licence = new TextEncoder().encode('GPL\0');
    const attributes = new Uint8Array(128);
    const view = new DataView(attributes.buffer);
    view.setUint32(0, SOCKET_FILTER, true);
    view.setUint32(4, program.length / 8, true);
    view.setBigUint64(8, BigInt(koffi.address(program)), true);
    view.setBigUint64(16, BigInt(koffi.address(licence)), true);
    const fd = bpf(number, BPF_PROG_LOAD, attributes, attributes.length);
    if (fd < 0 || program.length + licence.length === 0) return false;
    this.#set(Request.TUNSETFILTEREBPF, word(fd));
    this.#set(Request.TUNSETSTEERINGEBPF, word(fd));
    close(fd);
    return true;
  }

  /** The next frame, or undefined when none waits. */
  receive(): Uint8Array | undefined {
    const buffer = new Uint8Array(70_000);
    const length = read(this.fd, buffer, buffer.length);
    return length <= 0 ? undefined : buffer.subarray(0, length);
  }

  close(): void {
    close(this.fd);
  }

  #set(request: Request, argument: Uint8Array): void {
    if (ioctl(this.fd, request, argument) < 0) {
      throw new Error(`ioctl 0x${request.toString(16)}: errno ${koffi.errno()}`);
    }
  }
}

/** For a descriptor of somebody else's, too. */
export function setOffload(fd: number, what: number): void {
  if (ioctlWord(fd, Request.TUNSETOFFLOAD, what) < 0) throw new Error(`TUNSETOFFLOAD: errno ${koffi.errno()}`);
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
