/**
 * For stacks that a test makes by the hundred: the default lays out 64 MiB for datagrams that wait, which costs 10 ms of CPU each time, most
 * of it the garbage collector's.
 */
export const SMALL_UDP = { receiveBytesTotal: 1 << 20 } as const;
