import type { Test } from 'tap';

/** As `t.same`, for many bytes: that one formats each of them, whether or not they differ. */
export function sameBytes(
  t: Pick<Test, 'equal' | 'same'>,
  got: Uint8Array | undefined,
  wanted: Uint8Array,
  message: string,
): void {
  if (got !== undefined && Buffer.compare(got, wanted) === 0) t.equal(got.length, wanted.length, message);
  else t.same(got, wanted, message);
}
