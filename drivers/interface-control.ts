import { StackError } from '../stack/base/errors.js';
import { Medium } from '../stack/net/device.js';
import { Errno, type Libc, libc, Socket, systemError } from './syscall.js';

/**
 * The kernel's side of an interface, by the ioctls of netdevice(7): does it exist, its MTU, flags, addresses. All of it
 * is control path: called when a device is opened, never per frame.
 */
const enum Request {
  SIOCGIFFLAGS = 0x8913,
  SIOCSIFFLAGS = 0x8914,
  SIOCGIFADDR = 0x8915,
  SIOCSIFADDR = 0x8916,
  SIOCGIFNETMASK = 0x891b,
  SIOCSIFNETMASK = 0x891c,
  SIOCGIFMTU = 0x8921,
  SIOCSIFMTU = 0x8922,
  SIOCGIFHWADDR = 0x8927,
  SIOCGIFINDEX = 0x8933,
  SIOCGIFTXQLEN = 0x8942,
  SIOCSIFTXQLEN = 0x8943,
  SIOCETHTOOL = 0x8946,
}

const ETHERNET_HEADER_BYTES = 14;

/** The kernel's limit for the MTU is 65,535 less the link header: a TAP has that of Ethernet, a TUN none. */
export function mtuMax(medium: Medium): number {
  return medium === Medium.ETHERNET ? 65_535 - ETHERNET_HEADER_BYTES : 65_535;
}

/** struct ifreq: the interface's name, then a union. */
export const enum Ifreq {
  NAME = 0,
  UNION = 16,
  SIZE = 40,
}

const IFNAMSIZ = 16;
const IFF_UP = 1;
const ETHTOOL_GDRVINFO = 3;
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Throws unless the kernel would take `name` for an interface. `form` is how the user gave it: `tap:NAME`. */
export function checkInterfaceName(name: string, form: string): void {
  // Linux also expands "%d" in a name; a name must mean the same device twice, so that is refused.
  const bytes = new TextEncoder().encode(name).length;
  if (bytes === 0 || bytes >= IFNAMSIZ || name === '.' || name === '..' || /[\s/:%]/.test(name)) {
    throw new StackError(
      'ERR_INVALID_ARG_VALUE',
      `"${form}" is no device: an interface name has 1 to ${IFNAMSIZ - 1} bytes, without spaces, "/", ":" and "%", as in "tap:mill0"`,
    );
  }
}

/** An `ifreq` for `name`, in memory that does not move. */
export class InterfaceRequest {
  readonly bytes = new Uint8Array(new ArrayBuffer(Ifreq.SIZE));
  readonly view = new DataView(this.bytes.buffer);
  readonly address: number;
  constructor(name: string) {
    new TextEncoder().encodeInto(name, this.bytes);
    this.address = libc().addressOf(this.bytes);
  }
  getUint16(at: number): number {
    return this.view.getUint16(at, LITTLE_ENDIAN);
  }
  setUint16(at: number, value: number): void {
    this.view.setUint16(at, value, LITTLE_ENDIAN);
  }
  getInt32(at: number): number {
    return this.view.getInt32(at, LITTLE_ENDIAN);
  }
  setInt32(at: number, value: number): void {
    this.view.setInt32(at, value, LITTLE_ENDIAN);
  }
}

/** One interface of the network namespace this thread is in. `close` it when done. */
export class InterfaceControl {
  readonly #libc: Libc;
  #fd: number;
  constructor(readonly name: string) {
    this.#libc = libc();
    this.#fd = this.#libc.socket(Socket.AF_INET, Socket.SOCK_DGRAM | Socket.SOCK_CLOEXEC, 0);
    if (this.#fd < 0) {
      throw systemError(
        this.#libc.errno(),
        `A socket to configure ${name} with cannot be opened`,
        'Are there too many open files?',
      );
    }
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#libc.close(this.#fd);
    this.#fd = -1;
  }

  exists(): boolean {
    const request = new InterfaceRequest(this.name);
    return this.#libc.ioctl(this.#fd, Request.SIOCGIFINDEX, request.address) === 0;
  }

  get mtu(): number {
    const request = new InterfaceRequest(this.name);
    this.#call(Request.SIOCGIFMTU, request, `The MTU of ${this.name} cannot be read`);
    return request.getInt32(Ifreq.UNION);
  }
  set mtu(mtu: number) {
    const request = new InterfaceRequest(this.name);
    request.setInt32(Ifreq.UNION, mtu);
    this.#call(Request.SIOCSIFMTU, request, `The MTU of ${this.name} cannot be set to ${mtu}`, 'Leave --mtu out');
  }

  /** How many frames the kernel keeps for us before it drops. */
  get queueFrames(): number {
    const request = new InterfaceRequest(this.name);
    this.#call(Request.SIOCGIFTXQLEN, request, `The queue length of ${this.name} cannot be read`);
    return request.getInt32(Ifreq.UNION);
  }
  set queueFrames(frames: number) {
    const request = new InterfaceRequest(this.name);
    request.setInt32(Ifreq.UNION, frames);
    this.#call(Request.SIOCSIFTXQLEN, request, `The queue of ${this.name} cannot be set to ${frames} frames`);
  }

  /** The kernel's own MAC address on it. */
  get mac(): Uint8Array {
    const request = new InterfaceRequest(this.name);
    this.#call(Request.SIOCGIFHWADDR, request, `The MAC address of ${this.name} cannot be read`);
    return request.bytes.slice(Ifreq.UNION + 2, Ifreq.UNION + 8);
  }

  get up(): boolean {
    return (this.#flags() & IFF_UP) !== 0;
  }

  bringUp(): void {
    const flags = this.#flags();
    if ((flags & IFF_UP) !== 0) return;
    const request = new InterfaceRequest(this.name);
    request.setUint16(Ifreq.UNION, flags | IFF_UP);
    this.#call(
      Request.SIOCSIFFLAGS,
      request,
      `${this.name} cannot be brought up`,
      `As root: ip link set ${this.name} up`,
    );
  }

  /** Gives the kernel an IPv4 address here, and with it the route to its subnet: `prefixLength` is 1 to 32. */
  setAddress(address: number, prefixLength: number): void {
    const mask = -1 << (32 - prefixLength);
    if (this.#readAddress(Request.SIOCGIFADDR) === address && this.#readAddress(Request.SIOCGIFNETMASK) === mask)
      return;
    this.#writeAddress(Request.SIOCSIFADDR, address, 'address');
    this.#writeAddress(Request.SIOCSIFNETMASK, mask, 'netmask');
  }

  /** `tap`, `tun`, or whichever driver it has; empty when that cannot be told. */
  kind(): string {
    // struct ethtool_drvinfo: command, driver[32], version[32], firmware[32], bus[32], …; the TUN driver calls its bus "tap" or "tun".
    const info = new Uint8Array(new ArrayBuffer(196));
    new DataView(info.buffer).setUint32(0, ETHTOOL_GDRVINFO, LITTLE_ENDIAN);
    const request = new InterfaceRequest(this.name);
    request.view.setBigUint64(Ifreq.UNION, BigInt(this.#libc.addressOf(info)), LITTLE_ENDIAN);
    if (this.#libc.ioctl(this.#fd, Request.SIOCETHTOOL, request.address) !== 0) return '';
    const driver = textAt(info, 4);
    return driver === 'tun' ? textAt(info, 100) : driver;
  }

  #flags(): number {
    const request = new InterfaceRequest(this.name);
    this.#call(Request.SIOCGIFFLAGS, request, `The state of ${this.name} cannot be read`);
    return request.getUint16(Ifreq.UNION);
  }

  #readAddress(what: Request): number | undefined {
    const request = new InterfaceRequest(this.name);
    if (this.#libc.ioctl(this.#fd, what, request.address) !== 0) return undefined;
    return request.view.getInt32(Ifreq.UNION + 4, false);
  }

  #writeAddress(what: Request, value: number, called: string): void {
    const request = new InterfaceRequest(this.name);
    request.setUint16(Ifreq.UNION, Socket.AF_INET);
    request.view.setInt32(Ifreq.UNION + 4, value, false);
    this.#call(what, request, `The kernel's ${called} on ${this.name} cannot be set`, 'Is it in use elsewhere?');
  }

  #call(what: Request, request: InterfaceRequest, doing: string, advice = `See "ip link show ${this.name}"`): void {
    if (this.#libc.ioctl(this.#fd, what, request.address) === 0) return;
    const errno = this.#libc.errno();
    if (errno === Errno.EPERM || errno === Errno.EACCES) {
      throw systemError(
        errno,
        doing,
        `Run as root, or let root configure the interface beforehand ("ip link set ${this.name} up mtu …", "ip address add …")`,
      );
    }
    throw systemError(errno, doing, advice);
  }
}

function textAt(bytes: Uint8Array, from: number): string {
  const end = bytes.indexOf(0, from);
  return new TextDecoder().decode(bytes.subarray(from, Math.min(end, from + 32)));
}

/** `10.0.0.1/24` → its address as an int32 and its prefix length. */
export function parseHostAddress(text: string): { address: number; prefixLength: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const [a, b, c, d, prefixLength] = match === null ? [] : match.slice(1).map(Number);
  // 0.0.0.0 would take the kernel's address away, and from 224 on there are no hosts.
  const ok =
    a !== undefined &&
    b !== undefined &&
    c !== undefined &&
    d !== undefined &&
    prefixLength !== undefined &&
    a >= 1 &&
    a <= 223 &&
    b <= 255 &&
    c <= 255 &&
    d <= 255 &&
    prefixLength >= 1 &&
    prefixLength <= 32;
  if (!ok) {
    throw new StackError(
      'ERR_INVALID_ARG_VALUE',
      `"${text}" is no host address: give an IPv4 address and a prefix length, as in "10.0.0.1/24"`,
    );
  }
  return { address: (a << 24) | (b << 16) | (c << 8) | d, prefixLength };
}
