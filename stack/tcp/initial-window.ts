import type { TcpContext } from './context.js';

/**
 * Segment path. The first receive window and the shift that goes with it, RFC 7323 §2.2 and §2.3. The shift is said once, in the SYN, and must do for
 * whatever the buffer may grow to.
 */

/** 2^30, the largest window that scaling can express. */
export const WINDOW_MAX = 0xffff << 14;
const SHIFT_MAX = 14;

/** The answer of `chooseWindow`: one record, read before the next call. */
export class WindowChoice {
  /** RCV.WND; what is beyond 65,535 cannot be said in a SYN and is not promised there. */
  window = 0;
  shift = 0;
  /** The receive window is never larger; zero: no limit but what the shift can express. */
  clamp = 0;
}

/** What of a receive buffer may be offered: the rest of it is for headers, and for segments smaller than their memory. */
export function windowSpace(tcp: TcpContext, bufferBytes: number): number {
  return Math.floor((bufferBytes * tcp.limits.receiveWindowShare) / 256);
}

/**
 * As Linux: a whole number of segments of `mss` bytes; the shift is for the largest buffer there may ever be, auto-tuned or asked for by a
 * program, unless this program has set the buffer (`fixed`) or the clamp itself.
 */
export function chooseWindow(
  tcp: TcpContext,
  into: WindowChoice,
  bufferBytes: number,
  fixed: boolean,
  clamp: number,
  mss: number,
  scaling: boolean,
): void {
  const { limits } = tcp;
  const buffer = windowSpace(tcp, bufferBytes);
  let max = clamp === 0 || clamp > WINDOW_MAX ? WINDOW_MAX : clamp;
  if (fixed && max > buffer) max = buffer;
  let space = buffer < max ? buffer : max;
  if (limits.windowInSegments && space > mss && mss > 0) space -= space % mss;
  into.window = space;
  into.shift = 0;
  if (scaling) {
    let largest = space;
    if (limits.receiveBytesMax > largest) largest = limits.receiveBytesMax;
    if (limits.receiveBytesCeiling > largest) largest = limits.receiveBytesCeiling;
    if (largest > max) largest = max;
    const shift = 31 - Math.clz32(largest) - 15;
    into.shift = shift < 0 ? 0 : shift > SHIFT_MAX ? SHIFT_MAX : shift;
  }
  const expressible = 0xffff << into.shift;
  into.clamp = max < expressible ? max : expressible;
}
