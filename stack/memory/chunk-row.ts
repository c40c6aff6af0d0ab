/**
 * The row of a chunk. The last five describe the whole queue and mean something in its head only; `drop` moves them when the
 * head goes. LENGTH also tells what a chunk is: positive in a head (an empty queue has no head), 0 behind one, -1 when free.
 *
 * Two cursors remember where a reader was: one follows the sending of new data, the other a retransmission that works its way
 * through the middle. With one alone, loss recovery, which alternates between the two places, would walk the chain for
 * each segment. A place of 0 is no cursor; the offsets count from the front of the queue to the first byte of the chunk.
 */
export const enum Row {
  NEXT = 0,
  /** Where the chunk's bytes begin, and (high half) where they end. */
  SPAN = 1,
  LENGTH = 2,
  TAIL = 3,
  /** The cursor used last. */
  RECENT = 4,
  RECENT_OFFSET = 5,
  OTHER = 6,
  OTHER_OFFSET = 7,
  /** 32 bytes a row: two to a cache line, under 1 % of the chunk it describes. */
  SHIFT = 3,
  INTS = 8,
}

/** LENGTH of a free chunk, and of one that is cut into slices. */
export const FREE = -1;
export const SLICED = -2;
