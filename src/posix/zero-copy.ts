import { IP, MESSAGE } from './constants.js';
import { failed, succeeded } from './outcome.js';
import type { Outcome } from './socket-calls.js';

/** linux/errqueue.h. */
export const SO_EE_ORIGIN_ZEROCOPY = 5;
export const SO_EE_CODE_ZEROCOPY_COPIED = 1;

/**
 * MSG_ZEROCOPY: a program that lends its buffer is told when it may use it again. This stack copies, as Linux does towards a device that cannot gather, and says
 * so (SO_EE_CODE_ZEROCOPY_COPIED); the notice comes with the acknowledgment nevertheless, when Linux would let the buffer go. Sends are numbered from 0; neighbours
 * are told of in one notice.
 */
export class ZeroCopyNotices {
  /** The number of the next send. */
  #next = 0;
  /** The number of the last send that `news` has told of. */
  #told = -1;
  /** Sends that were not told of, oldest first, each with how many bytes must be acknowledged. */
  readonly #sends: { number: number; end: number }[] = [];

  add(end: number): void {
    this.#sends.push({ number: this.#next, end });
    this.#next = (this.#next + 1) >>> 0;
  }

  /** True when one has become ready since the last time. */
  news(acknowledged: number): boolean {
    const ready = this.#sends.findLast((send) => send.end <= acknowledged)?.number;
    if (ready === undefined || ready === this.#told) return false;
    this.#told = ready;
    return true;
  }

  /** Some are not ready yet. */
  expects(acknowledged: number): boolean {
    return this.#sends.some((send) => send.end > acknowledged);
  }

  ready(acknowledged: number): boolean {
    return this.#sends.length > 0 && this.#sends[0].end <= acknowledged;
  }

  /** recvmsg(MSG_ERRQUEUE). */
  take(acknowledged: number): Outcome {
    if (!this.ready(acknowledged)) return failed('EAGAIN');
    const first = this.#sends[0].number;
    let last = first;
    while (this.ready(acknowledged)) last = this.#sends.shift()?.number ?? last;
    return succeeded(0, {
      data: new Uint8Array(0),
      messageFlags: MESSAGE.MSG_ERRQUEUE,
      control: [{ level: IP.SOL_IP, type: IP.IP_RECVERR, data: extendedError(first, last) }],
    });
  }
}

/** `struct sock_extended_err`: errno, origin, type, code, pad, info, data. */
function extendedError(info: number, data: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint8(4, SO_EE_ORIGIN_ZEROCOPY);
  view.setUint8(6, SO_EE_CODE_ZEROCOPY_COPIED);
  view.setUint32(8, info, true);
  view.setUint32(12, data, true);
  return bytes;
}
