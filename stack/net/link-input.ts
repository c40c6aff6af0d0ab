import {
  Ethernet,
  EtherType,
  ethernetDestinationHi,
  ethernetDestinationLo,
  ethernetType,
  isGroupMac,
  parseEthernet,
} from '../wire/ethernet.js';
import { Verdict } from '../wire/verdict.js';
import { parseVlan, Vlan, vlanId, vlanType } from '../wire/vlan.js';
import type { Arp } from './arp.js';
import type { Context } from './context.js';
import { Medium } from './device.js';
import type { Interface } from './interface.js';
import type { IpInput } from './ip-input.js';

/** Frames in: is it for us, for our VLAN, and what is in it? */
export class LinkInput {
  readonly #view: DataView;
  readonly #arp: Arp;
  readonly #ip: IpInput;

  constructor(ctx: Context, arp: Arp, ip: IpInput) {
    this.#view = ctx.slab.view;
    this.#arp = arp;
    this.#ip = ip;
  }

  input(iface: Interface, at: number, length: number): Verdict {
    if (iface.medium === Medium.IP) return this.#ip.input(iface.index, at, length, false);
    const view = this.#view;
    const verdict = parseEthernet(view, at, length);
    if (verdict !== Verdict.OK) return verdict;
    const hi = ethernetDestinationHi(view, at);
    const group = isGroupMac(hi);
    // Group addresses are sorted out by IP, which knows its groups; another host's frame comes by a bridge that floods.
    if (!group && (hi !== iface.macHi || ethernetDestinationLo(view, at) !== iface.macLo)) return Verdict.NOT_FOR_US;
    let type = ethernetType(view, at);
    let payload = at + Ethernet.HEADER_BYTES;
    let left = length - Ethernet.HEADER_BYTES;
    // IEEE 802.1Q: an untagged frame is not of our VLAN; a tag without an ID is a priority, and the frame as if untagged.
    let vlan = 0;
    if (type === EtherType.VLAN) {
      const tagged = parseVlan(view, payload, left);
      if (tagged !== Verdict.OK) return tagged;
      vlan = vlanId(view, payload);
      type = vlanType(view, payload);
      payload += Vlan.HEADER_BYTES;
      left -= Vlan.HEADER_BYTES;
    }
    if (vlan !== iface.vlan) return Verdict.VLAN_NOT_OURS;
    if (type === EtherType.IPV4) return this.#ip.input(iface.index, payload, left, group);
    if (type === EtherType.ARP) return this.#arp.input(iface, payload, left);
    return Verdict.ETHERTYPE_UNKNOWN;
  }
}
