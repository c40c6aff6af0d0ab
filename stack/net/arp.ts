import {
  ArpOperation,
  arpOperation,
  arpSenderIp,
  arpSenderMacHi,
  arpSenderMacLo,
  arpTargetIp,
  arpTargetMacHi,
  arpTargetMacLo,
  parseArp,
} from '../wire/arp.js';
import { Verdict } from '../wire/verdict.js';
import { isLoopback, isThisNetwork } from './address.js';
import { sendArp, sendArpAnnouncement } from './arp-output.js';
import type { Context } from './context.js';
import type { Interface } from './interface.js';
import { Local, type LocalAddresses } from './local-addresses.js';
import type { NeighborCache } from './neighbor.js';
import { Heard } from './neighbor-row.js';
import { Cause } from './note.js';
import { TokenBucket } from './token-bucket.js';

/** RFC 5227 §1.1: ANNOUNCE_NUM announcements, ANNOUNCE_INTERVAL apart. */
const ANNOUNCEMENTS = 2;
const ANNOUNCE_MS = 2_000;
/** RFC 5227 §1.1: DEFEND_INTERVAL. A second claim within it is not answered, or two hosts would shout for ever. */
const DEFEND_MS = 10_000;
/** Announcements that wait for their second time. An address added when the list is full is announced once. */
const PENDING_MAX = 64;

/** ARP packets in, and what we say unasked. */
export class Arp {
  readonly #ctx: Context;
  readonly #local: LocalAddresses;
  readonly #neighbors: NeighborCache;
  /** Due time, interface, address, times left; in order of due time, since all wait equally long. */
  readonly #pending = new Int32Array(PENDING_MAX * 4);
  /**
   * With this limit replies are few, so they go with what connections send: a neighbour that does not learn our MAC sends us nothing.
   */
  readonly #replies: TokenBucket;
  #pendingCount = 0;
  /** How many of them, at the end of the list, wait for the flush that sends the announcement before. */
  #unsent = 0;
  #defendedMs = 0;
  #defended = false;

  constructor(ctx: Context, local: LocalAddresses, neighbors: NeighborCache) {
    this.#ctx = ctx;
    this.#local = local;
    this.#neighbors = neighbors;
    this.#replies = new TokenBucket(ctx.clock, ctx.prng, ctx.limits.arpRepliesPerSecond, ctx.limits.arpRepliesBurst);
  }

  /** RFC 826, "Packet Reception", with RFC 5227 §2.4 for claims to our own addresses. */
  input(iface: Interface, at: number, length: number): Verdict {
    const view = this.#ctx.slab.view;
    const verdict = parseArp(view, at, length);
    if (verdict !== Verdict.OK) return verdict;
    const operation = arpOperation(view, at);
    const senderIp = arpSenderIp(view, at);
    const senderHi = arpSenderMacHi(view, at);
    const senderLo = arpSenderMacLo(view, at);
    const targetIp = arpTargetIp(view, at);
    if (operation === ArpOperation.REQUEST) this.#ctx.stats.arpRequestsReceived += 1;
    else if (operation === ArpOperation.REPLY) this.#ctx.stats.arpRepliesReceived += 1;
    else return Verdict.ARP_MALFORMED;

    // Our own frame, brought back by the link.
    if (senderHi === iface.macHi && senderLo === iface.macLo) return Verdict.ARP_NOT_FOR_US;
    if (!senderPlausible(senderIp, senderHi, senderLo)) return Verdict.ARP_MALFORMED;
    const sender = this.#local.classify(senderIp);
    if (sender === Local.OWN) {
      this.#conflict(iface, senderIp);
      return Verdict.ARP_NOT_FOR_US;
    }
    if (sender !== Local.NONE) return Verdict.ARP_MALFORMED;

    const forUs = this.#local.classify(targetIp) === Local.OWN && this.#local.ifaceOf(targetIp) === iface.index;
    if (operation === ArpOperation.REPLY) {
      const toHi = arpTargetMacHi(view, at);
      const toLo = arpTargetMacLo(view, at);
      const toUs = forUs && toHi === iface.macHi && toLo === iface.macLo;
      let how = toUs ? Heard.ANSWERING_US : Heard.OVERHEARD;
      // As Linux: a reply that announces names its sender as its target, by both addresses.
      if (senderIp === targetIp && toHi === senderHi && toLo === senderLo) how = Heard.ANNOUNCING;
      this.#neighbors.heard(iface, senderIp, senderHi, senderLo, how);
      return toUs ? Verdict.OK : Verdict.ARP_NOT_FOR_US;
    }
    // A probe (RFC 5227 §2.1.1) comes from 0.0.0.0: answered, so that the prober keeps away, and nothing to learn.
    if (senderIp !== 0) {
      const unasked = senderIp === targetIp ? Heard.ANNOUNCING : Heard.OVERHEARD;
      this.#neighbors.heard(iface, senderIp, senderHi, senderLo, forUs ? Heard.ASKING_US : unasked);
    }
    if (!forUs) return Verdict.ARP_NOT_FOR_US;
    if (!this.#replies.take()) {
      this.#ctx.stats.arpRepliesRateLimited += 1;
      return Verdict.ARP_RATE_LIMITED;
    }
    this.#ctx.stats.arpRepliesSent += 1;
    sendArp(
      this.#ctx,
      iface,
      ArpOperation.REPLY,
      Cause.ARP_REPLY,
      senderHi,
      senderLo,
      targetIp,
      senderHi,
      senderLo,
      senderIp,
    );
    return Verdict.OK;
  }

  /** Tells the link of a new address of ours, now and once more: caches that still hold another MAC are corrected. */
  announce(iface: Interface, address: number): void {
    sendArpAnnouncement(this.#ctx, iface, address);
    if (this.#pendingCount === PENDING_MAX) return;
    this.#pend(iface.index, address, ANNOUNCEMENTS - 1);
  }

  /** There is room. The time is that of the next flush. */
  #pend(iface: number, address: number, left: number): void {
    const p = this.#pendingCount * 4;
    this.#pending[p] = this.#ctx.clock.ms;
    this.#pending[p + 1] = iface;
    this.#pending[p + 2] = address;
    this.#pending[p + 3] = left;
    this.#pendingCount += 1;
    this.#unsent += 1;
  }

  /** The announcements of this flush are sent: the next ones follow an interval after them. */
  sent(): void {
    const due = (this.#ctx.clock.ms + ANNOUNCE_MS) | 0;
    for (; this.#unsent > 0; this.#unsent--) this.#pending[(this.#pendingCount - this.#unsent) * 4] = due;
  }

  advance(): void {
    const now = this.#ctx.clock.ms;
    while (this.#pendingCount > this.#unsent && ((this.#pending[0] - now) | 0) <= 0) {
      const iface = this.#ctx.interfaces[this.#pending[1]];
      const address = this.#pending[2];
      const left = this.#pending[3] - 1;
      this.#pending.copyWithin(0, 4, this.#pendingCount * 4);
      this.#pendingCount -= 1;
      // Taken away in the meantime.
      if (this.#local.classify(address) !== Local.OWN) continue;
      sendArpAnnouncement(this.#ctx, iface, address);
      if (left > 0) this.#pend(iface.index, address, left);
    }
  }
  msToNext(): number {
    return this.#pendingCount === this.#unsent ? Infinity : Math.max(0, (this.#pending[0] - this.#ctx.clock.ms) | 0);
  }

  /** RFC 5227 §2.4 (b): keep the address, defend it with one announcement, and not again for ten seconds. */
  #conflict(iface: Interface, address: number): void {
    this.#ctx.stats.arpConflicts += 1;
    const now = this.#ctx.clock.ms;
    if (this.#defended && ((now - this.#defendedMs) | 0) < DEFEND_MS) return;
    this.#defended = true;
    this.#defendedMs = now;
    sendArpAnnouncement(this.#ctx, iface, address);
  }
}

/** Group senders are refused by `parseArp`. A sender with no MAC, or from loopback or 0.0.0.0/8 but for the probe's 0.0.0.0, is forged. */
function senderPlausible(ip: number, macHi: number, macLo: number): boolean {
  if (macHi === 0 && macLo === 0) return false;
  return !isLoopback(ip) && (ip === 0 || !isThisNetwork(ip));
}
