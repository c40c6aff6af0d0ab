import type { Script } from '../language/ast.js';
import { shellCommands, type Words } from './shell-lines.js';

/** RFC 791: every host takes 68 bytes; a datagram has no more than 65,535. */
const MTU_MIN = 68;
const MTU_MAX = 65_535;

/** The MTU that a script's first commands give its device, before anything uses it. */
export function mtuAtHead(script: Script): number | undefined {
  let mtu: number | undefined;
  for (const event of script.events) {
    if (event.kind !== 'command') break;
    for (const words of shellCommands(event.text)) mtu = mtuOf(words) ?? mtu;
  }
  return mtu;
}

/**
 * Of `ip link set dev tun0 mtu 9000`, `ifconfig tun0 mtu 9000`, and `ip route change default mtu 1400`, which to the one route there is means
 * the same; undefined for any other command, and for `mtu lock`, which forbids discovery as well.
 */
export function mtuOf(words: Words): number | undefined {
  const [program] = words;
  const at = words.indexOf('mtu');
  const ofDevice = program === 'ifconfig' || (program === 'ip' && words.includes('link') && words.includes('set'));
  const ofRoute = program === 'ip' && words.includes('route');
  if (!(ofDevice || ofRoute) || at === -1) return undefined;
  const mtu = /^\d{1,6}$/.test(words[at + 1] ?? '') ? Number(words[at + 1]) : Number.NaN;
  return mtu >= MTU_MIN && mtu <= MTU_MAX ? mtu : undefined;
}
