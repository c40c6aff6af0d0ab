import { Arp, ArpOperation, emitArp } from '../wire/arp.js';
import { EtherType, Mac } from '../wire/ethernet.js';
import { Verdict } from '../wire/verdict.js';
import type { Context } from './context.js';
import type { Interface } from './interface.js';
import { emitLink } from './link.js';
import { Cause, Note, NoteKind } from './note.js';

/** One ARP packet to the MAC given. Lost without complaint when no slot is free: whoever asks asks again. */
export function sendArp(
  ctx: Context,
  iface: Interface,
  operation: ArpOperation,
  cause: Cause,
  toHi: number,
  toLo: number,
  senderIp: number,
  targetMacHi: number,
  targetMacLo: number,
  targetIp: number,
): Verdict {
  const slab = ctx.slab;
  const slot = slab.take();
  if (slot < 0) return Verdict.NO_BUFFER;
  const at = slot + slab.headroom;
  emitArp(slab.view, at, operation, iface.macHi, iface.macLo, senderIp, targetMacHi, targetMacLo, targetIp);
  const frame = emitLink(slab.view, iface, at, toHi, toLo, EtherType.ARP);
  if (slab.notes !== null) {
    const row = slab.noteRow(slot);
    slab.notes[row + Note.KIND] = NoteKind.SENT;
    slab.notes[row + Note.REASON] = cause;
    slab.notes[row + Note.ROW] = -1;
  }
  return iface.enqueue(frame, iface.linkHeaderBytes + Arp.PACKET_BYTES);
}

/** "Who has `target`?", to everybody; or, where the MAC is known, to whom it belonged so far: is it still you? */
export function sendArpRequest(ctx: Context, iface: Interface, target: number, toHi: number, toLo: number): void {
  // RFC 1122 §3.2.1.3 lets nobody speak from 0.0.0.0 who has an address; without one a request would be an RFC 5227 probe.
  const source = iface.addressFor(target);
  ctx.stats.arpRequestsSent += 1;
  sendArp(ctx, iface, ArpOperation.REQUEST, Cause.ARP_REQUEST, toHi, toLo, source, 0, 0, target);
}

/** RFC 5227 §2.3: an announcement is a request whose sender and target are both our own address. */
export function sendArpAnnouncement(ctx: Context, iface: Interface, address: number): void {
  ctx.stats.arpAnnouncementsSent += 1;
  sendArp(
    ctx,
    iface,
    ArpOperation.REQUEST,
    Cause.ARP_ANNOUNCE,
    Mac.BROADCAST_HI,
    Mac.BROADCAST_LO,
    address,
    0,
    0,
    address,
  );
}
