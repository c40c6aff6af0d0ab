import type { Address } from '../base/units.js';
import { Icmpv4 } from '../wire/icmpv4.js';
import {
  Ipv4Fragment,
  ipv4Destination,
  ipv4FragmentWord,
  ipv4HeaderBytes,
  ipv4Protocol,
  ipv4Source,
} from '../wire/ipv4.js';
import { Verdict } from '../wire/verdict.js';
import type { Context } from './context.js';
import { Local, type LocalAddresses } from './local-addresses.js';
import { type ErrorReport, PathError } from './transport.js';

/** Gives bad news about a datagram of ours to the transport that sent it, whoever brings the news. */
export class QuoteReader {
  readonly #ctx: Context;
  readonly #local: LocalAddresses;
  /** The one record, filled for each report. */
  readonly #report: ErrorReport;

  constructor(ctx: Context, local: LocalAddresses) {
    this.#ctx = ctx;
    this.#local = local;
    this.#report = {
      view: ctx.slab.view,
      at: 0,
      length: 0,
      source: 0 as Address,
      destination: 0 as Address,
      error: PathError.UNREACHABLE_NET,
      code: 0,
      mtu: 0,
      reporter: 0 as Address,
    };
  }

  /**
   * `at` is the IP header of the datagram, `length` what there is of it: the header, which has been checked to fit, and at
   * least 8 bytes more. RFC 1122 §3.2.2 has the transport chosen by the quoted protocol; what did not leave
   * from an address of ours, or is not the fragment with the ports in it, concerns no one.
   */
  deliver(
    view: DataView,
    at: number,
    length: number,
    error: PathError,
    code: number,
    mtu: number,
    reporter: number,
  ): Verdict {
    const headerBytes = ipv4HeaderBytes(view, at);
    if (length < headerBytes + Icmpv4.QUOTE_TRANSPORT_BYTES_MIN) return Verdict.ICMP_QUOTE_INVALID;
    if ((ipv4FragmentWord(view, at) & Ipv4Fragment.OFFSET_MASK) !== 0) return Verdict.ICMP_QUOTE_INVALID;
    const source = ipv4Source(view, at);
    if (this.#local.classify(source) !== Local.OWN) return Verdict.ICMP_QUOTE_INVALID;
    const transport = this.#ctx.transports[ipv4Protocol(view, at)];
    if (transport === undefined) return Verdict.ICMP_IMPLAUSIBLE;
    const report = this.#report;
    report.view = view;
    report.at = at + headerBytes;
    report.length = length - headerBytes;
    report.source = source as Address;
    report.destination = ipv4Destination(view, at) as Address;
    report.error = error;
    report.code = code;
    report.mtu = mtu;
    report.reporter = reporter as Address;
    return transport.error(report);
  }
}
