import { Verdict } from './verdict.js';

/** The tag of IEEE 802.1Q, seen from behind the Ethernet type 0x8100: two bytes of control, then the type of what follows. */
export const enum Vlan {
  CONTROL = 0,
  TYPE = 2,
  HEADER_BYTES = 4,
  ID_MASK = 0x0fff,
  /** Drop eligible. */
  DEI = 0x1000,
  PRIORITY_SHIFT = 13,
  /** A tag that carries a priority and names no VLAN. */
  ID_PRIORITY_ONLY = 0,
  /** Reserved: never on a wire. */
  ID_RESERVED = 0xfff,
}

export function vlanId(view: DataView, at: number): number {
  return view.getUint16(at + Vlan.CONTROL) & Vlan.ID_MASK;
}
export function vlanPriority(view: DataView, at: number): number {
  return view.getUint16(at + Vlan.CONTROL) >>> Vlan.PRIORITY_SHIFT;
}
export function vlanDropEligible(view: DataView, at: number): boolean {
  return (view.getUint16(at + Vlan.CONTROL) & Vlan.DEI) !== 0;
}
/** The Ethernet type of what stands behind the tag. */
export function vlanType(view: DataView, at: number): number {
  return view.getUint16(at + Vlan.TYPE);
}

/** `at` is behind the Ethernet header; `length` counts from there. */
export function parseVlan(view: DataView, at: number, length: number): Verdict {
  if (length < Vlan.HEADER_BYTES) return Verdict.FRAME_TOO_SHORT;
  return vlanId(view, at) === Vlan.ID_RESERVED ? Verdict.VLAN_NOT_OURS : Verdict.OK;
}

export function emitVlan(view: DataView, at: number, priority: number, id: number, type: number): void {
  view.setUint16(at + Vlan.CONTROL, (priority << Vlan.PRIORITY_SHIFT) | (id & Vlan.ID_MASK));
  view.setUint16(at + Vlan.TYPE, type);
}

export function printVlan(view: DataView, at: number): string {
  const dei = vlanDropEligible(view, at) ? ', DEI' : '';
  return `vlan ${vlanId(view, at)}, p ${vlanPriority(view, at)}${dei}`;
}
