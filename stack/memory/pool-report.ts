/** What a pool has to say of itself (docs/memory.md). Control path: a report is made when somebody asks for it. */
export interface PoolReport {
  /** Which pool: a short name, its layer first, as in `tcp.buffers`. */
  readonly name: string;
  /** What is counted. */
  readonly unit: 'chunks' | 'rows' | 'frames' | 'bytes' | 'datagrams' | 'records' | 'entries';
  /** Units in use now. */
  readonly used: number;
  /** The most that may be in use. */
  readonly limit: number;
  /** Units each holder can have whatever the others do; 0 where nothing is kept back. */
  readonly reserve: number;
  /** The most that were ever in use at once. */
  readonly highWater: number;
  /** How often somebody asked and got nothing. */
  readonly refused: number;
  /** How often something that was held was let go to make room. */
  readonly evicted: number;
}
