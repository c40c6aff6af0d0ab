import { IP, IPV6, SOCKET } from './constants.js';
import { intBytes, intValue } from './option-value.js';
import { PosixError } from './posix-error.js';

/** A socket as its IP options see it. */
export interface IpOptionTarget {
  readonly type: number;
  tos: number;
  ttl: number;
  /** Linux's IP_PMTUDISC_…: 0 to 5. */
  mtuDiscover: number;
  /** The path's MTU; undefined: not connected. */
  pathMtu(): number | undefined;
  /** Values that are told back as they were set. */
  readonly rememberedIp: Map<number, number>;
  /** One of these was set, and may have an effect. */
  ipOptionChanged?(option: number, value: number): void;
}

const TTL_DEFAULT = 64;
const ECN_MASK = 0x3;

/** On or off, without more to it here. */
const SWITCHES: ReadonlySet<number> = new Set([
  IP.IP_RECVERR,
  IP.IP_RECVTTL,
  IP.IP_RECVTOS,
  IP.IP_RECVOPTS,
  IP.IP_PKTINFO,
  IP.IP_FREEBIND,
  IP.IP_TRANSPARENT,
  IP.IP_BIND_ADDRESS_NO_PORT,
  IP.IP_MULTICAST_LOOP,
  IP.IP_NODEFRAG,
  IP.IP_HDRINCL,
]);

/** IPv6's name for an option of both. */
const SAME: ReadonlyMap<number, number> = new Map([
  [IPV6.IPV6_TCLASS, IP.IP_TOS],
  [IPV6.IPV6_UNICAST_HOPS, IP.IP_TTL],
  [IPV6.IPV6_MTU_DISCOVER, IP.IP_MTU_DISCOVER],
  [IPV6.IPV6_MTU, IP.IP_MTU],
  [IPV6.IPV6_RECVERR, IP.IP_RECVERR],
  [IPV6.IPV6_RECVTCLASS, IP.IP_RECVTOS],
]);

/** False: ENOPROTOOPT. */
export function setIpLevel(target: IpOptionTarget, level: number, option: number, bytes: Uint8Array): boolean {
  // As Linux: an int, or a single byte.
  const value = bytes.length >= 4 ? intValue(bytes) : bytes.length === 0 ? 0 : bytes[0];
  const own = ipOption(level, option);
  switch (own) {
    case IP.IP_TOS: {
      if (value < -1 || value > 255) throw new PosixError('EINVAL', `a type of service is 0 to 255, not ${value}`);
      const tos = value < 0 ? 0 : value;
      // ECN's bits are TCP's own.
      target.tos = target.type === SOCKET.SOCK_STREAM ? (tos & ~ECN_MASK) | (target.tos & ECN_MASK) : tos;
      return true;
    }
    case IP.IP_TTL:
      if (value !== -1 && (value < 1 || value > 255)) throw new PosixError('EINVAL', `a TTL is 1 to 255, not ${value}`);
      target.ttl = value === -1 ? TTL_DEFAULT : value;
      return true;
    case IP.IP_MTU_DISCOVER:
      if (value < IP.IP_PMTUDISC_DONT || value > IP.IP_PMTUDISC_OMIT) {
        throw new PosixError('EINVAL', `IP_MTU_DISCOVER is 0 to 5, not ${value}`);
      }
      target.mtuDiscover = value;
      return true;
    case IP.IP_MINTTL:
      if (value < 0 || value > 255) throw new PosixError('EINVAL', `a TTL is 0 to 255, not ${value}`);
      target.rememberedIp.set(own, value);
      target.ipOptionChanged?.(own, value);
      return true;
    case IPV6.IPV6_V6ONLY + IPV6_OFFSET:
      target.rememberedIp.set(own, value === 0 ? 0 : 1);
      return true;
    case IP.IP_MULTICAST_TTL:
      if (value < -1 || value > 255) throw new PosixError('EINVAL', `a TTL is 0 to 255, not ${value}`);
      target.rememberedIp.set(own, value === -1 ? 1 : value);
      return true;
  }
  if (!SWITCHES.has(own)) return false;
  target.rememberedIp.set(own, value === 0 ? 0 : 1);
  target.ipOptionChanged?.(own, value === 0 ? 0 : 1);
  return true;
}

export function getIpLevel(target: IpOptionTarget, level: number, option: number): Uint8Array | undefined {
  const own = ipOption(level, option);
  switch (own) {
    case IP.IP_TOS:
      return intBytes(target.tos);
    case IP.IP_TTL:
      return intBytes(target.ttl);
    case IP.IP_MTU_DISCOVER:
      return intBytes(target.mtuDiscover);
    case IP.IP_MTU: {
      const mtu = target.pathMtu();
      if (mtu === undefined) throw new PosixError('ENOTCONN', 'only a connected socket has a path');
      return intBytes(mtu);
    }
    case IP.IP_MINTTL:
    case IPV6.IPV6_V6ONLY + IPV6_OFFSET:
      return intBytes(target.rememberedIp.get(own) ?? 0);
    case IP.IP_MULTICAST_TTL:
      return intBytes(target.rememberedIp.get(own) ?? 1);
  }
  return SWITCHES.has(own) ? intBytes(target.rememberedIp.get(own) ?? 0) : undefined;
}

/** So that options of IPv6 alone do not meet those of IPv4. */
const IPV6_OFFSET = 1000;

function ipOption(level: number, option: number): number {
  return level === IPV6.SOL_IPV6 ? (SAME.get(option) ?? option + IPV6_OFFSET) : option;
}
