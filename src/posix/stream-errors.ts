import type { ConnectionId } from '../../stack/base/units.js';
import { errorCode } from '../../stack/tcp/errors.js';
import { takeIcmpReport, takeSoftError } from '../../stack/tcp/icmp-errors.js';
import { State } from '../../stack/tcp/state.js';
import { Tcb } from '../../stack/tcp/tcb.js';
import type { Tcp } from '../../stack/tcp/tcp.js';
import { IP, MESSAGE, SOCKET } from './constants.js';
import { ERRNO } from './errno.js';
import { succeeded } from './outcome.js';
import type { Outcome, SocketAddress } from './socket-calls.js';

/** linux/errqueue.h. */
const SO_EE_ORIGIN_ICMP = 2;
const EXTENDED_ERROR_BYTES = 16;
const SOCKADDR_IN_BYTES = 16;

interface Report {
  readonly errno: number;
  readonly quote: Uint8Array;
  /** `struct sock_extended_err`, and the offender behind it. */
  readonly control: Uint8Array;
  /** Whom the segment was for. */
  readonly address: SocketAddress;
}

/** sk_err of a stream, and what ICMP has put into its error queue: it does so where it ends an attempt to connect, and with or without IP_RECVERR. */
export class StreamErrors {
  /** sk_err: told once. */
  #errno = 0;
  readonly #reports: Report[] = [];

  constructor(
    readonly tcp: Tcp,
    /** The peer's address as the socket's family has it. */
    readonly remote: (connection: ConnectionId) => SocketAddress,
  ) {}

  get pending(): boolean {
    return this.#errno !== 0 || this.#reports.length > 0;
  }
  get errno(): number {
    return this.#errno;
  }

  forget(): void {
    this.#errno = 0;
  }
  /** The program itself ends the connection: a reset, unless both sides had closed (tcp_disconnect of Linux). */
  disconnected(state: State): void {
    this.#errno = state >= State.SYN_SENT && state <= State.CLOSE_WAIT ? ERRNO.ECONNRESET : 0;
  }
  take(): number {
    const errno = this.#errno;
    this.#errno = 0;
    return errno;
  }

  /** SO_ERROR: that, or what ICMP has said of a connection that goes on (sk_err_soft); each is forgotten. */
  takeAny(connection: ConnectionId): number {
    if (this.#errno !== 0 || connection === 0) return this.take();
    return errnoFor(errorCode(takeSoftError(this.tcp.context, this.#row(connection))));
  }

  /** The stack has told of a failure, or of a notice. */
  happened(connection: ConnectionId): void {
    const errno = errnoFor(this.tcp.takeNotice(connection) ?? this.tcp.takeError(connection));
    if (errno !== 0) this.#errno = errno;
    const report = takeIcmpReport(this.tcp.context, this.#row(connection));
    if (report === undefined) return;
    const control = new Uint8Array(EXTENDED_ERROR_BYTES + SOCKADDR_IN_BYTES);
    const view = new DataView(control.buffer);
    view.setUint32(0, errno, true);
    view.setUint8(4, SO_EE_ORIGIN_ICMP);
    view.setUint8(5, report.type);
    view.setUint8(6, report.code);
    view.setUint16(16, SOCKET.AF_INET, true);
    const { net } = this.tcp.context;
    control.set(net.formatAddress(report.reporter).split('.').map(Number), 20);
    this.#reports.push({ errno, quote: report.quote, control, address: this.remote(connection) });
  }

  #row(connection: ConnectionId): number {
    return this.tcp.rowOf(connection) << Tcb.SHIFT;
  }

  /** recvmsg(MSG_ERRQUEUE); undefined: ICMP has put nothing there. As Linux what is read there is no error of the socket any more, but the next is. */
  read(length: number): Outcome | undefined {
    const report = this.#reports.shift();
    if (report === undefined) return undefined;
    this.#errno = this.#reports[0]?.errno ?? 0;
    const data = report.quote.subarray(0, length);
    return succeeded(data.length, {
      data,
      address: report.address,
      messageFlags: MESSAGE.MSG_ERRQUEUE | (data.length < report.quote.length ? MESSAGE.MSG_TRUNC : 0),
      control: [{ level: IP.SOL_IP, type: IP.IP_RECVERR, data: report.control }],
    });
  }
}

function errnoFor(code: string | undefined): number {
  return code !== undefined && code in ERRNO ? ERRNO[code as keyof typeof ERRNO] : 0;
}
