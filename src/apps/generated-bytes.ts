/** Bytes at once: a stream's customary chunk. */
const CHUNK_BYTES = 65_536;
/** Prime, and no power of two divides it: a chunk put in the wrong place is seen. */
const PERIOD = 251;

const PATTERN = Buffer.alloc(CHUNK_BYTES + PERIOD);
for (let i = 0; i < PATTERN.length; i++) PATTERN[i] = i % PERIOD;

/** Bytes `from` to `to` (exclusive) of the endless sequence whose byte n is n modulo 251. Chunks are views of one buffer. */
export function* generateBytes(from: number, to: number): Generator<Buffer> {
  for (let at = from; at < to; at += CHUNK_BYTES) {
    const phase = at % PERIOD;
    yield PATTERN.subarray(phase, phase + Math.min(CHUNK_BYTES, to - at));
  }
}
