import { Ethernet, EtherType, emitEthernet } from '../wire/ethernet.js';
import { emitVlan } from '../wire/vlan.js';
import { Medium } from './device.js';
import type { Interface } from './interface.js';

/**
 * Puts the link's header before the packet at `at` and returns where the frame begins. The room for it was there from the
 * start: every frame is built behind the slab's headroom.
 */
export function emitLink(
  view: DataView,
  iface: Interface,
  at: number,
  destinationHi: number,
  destinationLo: number,
  type: number,
): number {
  if (iface.medium === Medium.IP) return at;
  const frame = at - iface.linkHeaderBytes;
  if (iface.vlan === 0) emitEthernet(view, frame, destinationHi, destinationLo, iface.macHi, iface.macLo, type);
  else {
    emitEthernet(view, frame, destinationHi, destinationLo, iface.macHi, iface.macLo, EtherType.VLAN);
    emitVlan(view, frame + Ethernet.HEADER_BYTES, 0, iface.vlan, type);
  }
  return frame;
}
