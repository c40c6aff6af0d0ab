import { formatIpv4Address } from '../../stack/wire/ipv4.js';
import { ScriptedWorld } from '../posix/scripted-world.js';
import type { Settings } from './run/settings.js';

/** The world that a script's settings ask for. Each segment for itself: a scripted one that is larger may stand for several, and a smaller one for just one. */
export function scriptWorld({ localAddress, mtu, mss, profile, asPacketdrill }: Settings): ScriptedWorld {
  return new ScriptedWorld({
    profile,
    mtu,
    joinedSegmentBytes: mss,
    localAddress: formatIpv4Address(localAddress),
    pushBursts: asPacketdrill && profile !== 'freebsd',
  });
}
