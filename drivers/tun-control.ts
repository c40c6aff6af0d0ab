import { type Libc, systemError } from './syscall.js';

/**
 * What a descriptor of /dev/net/tun can set on the interface it is attached to, by the ioctls of linux/if_tun.h. Control path:
 * called when a device is opened or closed, never per frame.
 */
const enum TunIoctl {
  TUNSETIFF = 0x400454ca,
  TUNSETPERSIST = 0x400454cb,
  TUNSETOFFLOAD = 0x400454d0,
  TUNSETTXFILTER = 0x400454d1,
  // Declared as if they read, in the kernel's own header.
  TUNSETSTEERINGEBPF = 0x800454e0,
  TUNSETFILTEREBPF = 0x800454e1,
}
export const enum TunFlag {
  IFF_TUN = 0x0001,
  IFF_TAP = 0x0002,
  /** No four bytes of packet information in front of each frame. */
  IFF_NO_PI = 0x1000,
}

/** struct tun_filter: flags and count, two bytes each. All zero: no filter. */
const TUN_FILTER_BYTES = 4;
const NO_PROGRAM = Int32Array.of(-1);

/** Attaches `fd` to the interface that the `ifreq` at `request` names. Returns 0, or -1 and `errno`. */
export function attach(system: Libc, fd: number, request: number): number {
  return system.ioctl(fd, TunIoctl.TUNSETIFF, request);
}

/**
 * A persistent interface keeps what its last holder set through its descriptor, and TUNSETIFF does not take it back. With
 * offloads the kernel gives us checksums that are not finished and frames of 64 KiB without the header that says so; a filter
 * keeps frames from us. None of it can be seen from outside. So it is undone when we come, and again when we go.
 *
 * What need not be undone, on Linux 6.18: IFF_VNET_HDR and IFF_NAPI are flags of TUNSETIFF; a socket filter (TUNATTACHFILTER)
 * is left out for a holder with IFF_NO_PI, whose bit is also that of IFF_NOFILTER; the send buffer belongs to the descriptor; the
 * carrier is turned on, and the queue emptied, when a holder attaches.
 */
export function resetTun(system: Libc, fd: number): boolean {
  const filter = new Uint8Array(new ArrayBuffer(TUN_FILTER_BYTES));
  const program = new Uint8Array(NO_PROGRAM.slice().buffer);
  const done = system.ioctl(fd, TunIoctl.TUNSETOFFLOAD, 0) === 0;
  // A TUN interface has no address filter, and kernels before 4.16 have no programs: those calls fail, and may.
  system.ioctl(fd, TunIoctl.TUNSETTXFILTER, system.addressOf(filter));
  system.ioctl(fd, TunIoctl.TUNSETSTEERINGEBPF, system.addressOf(program));
  system.ioctl(fd, TunIoctl.TUNSETFILTEREBPF, system.addressOf(program));
  return done;
}

export function setPersistent(system: Libc, fd: number, interfaceName: string, persistent: boolean): void {
  if (system.ioctl(fd, TunIoctl.TUNSETPERSIST, persistent ? 1 : 0) === 0) return;
  throw systemError(
    system.errno(),
    `${interfaceName} cannot be made ${persistent ? '' : 'not '}persistent`,
    'Run as root',
  );
}
