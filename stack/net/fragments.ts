import { KeyHash } from '../base/keyed-hash.js';
import { ByteArena } from '../memory/byte-arena.js';
import { copyBytes } from '../memory/copy.js';
import { HashIndex } from '../memory/hash-index.js';
import type { PoolReport } from '../memory/pool-report.js';
import { RowPool } from '../memory/row-pool.js';
import {
  Ecn,
  finishIpv4Checksum,
  Ipv4,
  Ipv4Fragment,
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderBytes,
  ipv4Id,
  ipv4MoreFragments,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
} from '../wire/ipv4.js';
import { Verdict } from '../wire/verdict.js';
import type { Context } from './context.js';
import { FragmentShares } from './fragment-shares.js';

/** RFC 1122 §3.3.2: between 60 and 120 s. Deviation: 30 s as Linux: with 16-bit IDs a minute is long enough to mix two datagrams up (RFC 4963). */
const TIMEOUT_MS = 30_000;
/** Small enough that a flood of 8-byte fragments wastes little, large enough that a full fragment is three. */
const CHUNK_BYTES = 512;

/** Columns of a datagram being put together. The first three are the key: RFC 791 §3.2. */
const enum Datagram {
  SOURCE = 0,
  DESTINATION = 1,
  /** Protocol and identification. */
  PROTOCOL_ID = 2,
  /** First and last fragment by offset; row + 1, 0 for none. */
  HEAD = 3,
  TAIL = 4,
  FRAGMENTS = 5,
  /** Payload bytes here. */
  BYTES = 6,
  /** Payload bytes in all, -1 until the last fragment has come. */
  TOTAL = 7,
  DEADLINE_MS = 8,
  /** Neighbours in the list by age; row + 1. */
  OLDER = 9,
  YOUNGER = 10,
  /** Of the first fragment, 0 until it has come. */
  HEADER_BYTES = 11,
  /** Overlapped: what still comes of it is thrown away until the timer ends it. */
  REFUSED = 12,
  /** One bit for each ECN codepoint seen. */
  ECN_SEEN = 13,
  /** 1: any fragment came as a link-layer or IP broadcast. */
  BROADCAST = 14,
  STRIDE = 16,
}

/** Columns of a fragment. */
const enum Piece {
  START = 0,
  END = 1,
  /** Its bytes in the arena. */
  QUEUE = 2,
  /** Row + 1. */
  NEXT = 3,
  STRIDE = 4,
}

/** Told when a datagram's time is up and its first fragment is known: `view` at `at` has header and data, `length` bytes. */
export type ReassemblyTimeout = (view: DataView, at: number, length: number, broadcast: boolean) => void;

/**
 * Reassembly, RFC 791 §3.2 and RFC 815's bookkeeping turned round: a list of what has come, by offset, instead of holes.
 *
 * Fragments are where attacks on hosts used to begin, so everything is bounded: bytes, datagrams, fragments of one
 * datagram, time. A fragment that brings something new and overlaps what is here refuses the whole datagram (RFC 5722 for
 * IPv6; Linux since 4.19 for both; the attacks are RFC 1858's): no honest sender makes such. One that lies inside what is
 * here brings nothing: the network has duplicated it, and it is dropped (RFC 8200 §4.5; so does Linux). The bytes that came
 * first stay, so nothing can be rewritten. RFC 1858 §3 and RFC 3128 would drop TCP at offset 8 for that reason: that is for
 * routers that filter and see each fragment alone, and a path whose MTU is small may send it.
 * When there is no room the source that holds most gives its oldest datagram; where nobody has more than his reserve, the oldest of all gives
 * way: under a flood of fragments from forged sources a real datagram, whose pieces come together, still has a chance.
 */
export class Reassembly {
  /** The datagram that the last `input` completed: header, without options copied only into the first fragment, and payload. */
  readonly bytes = new Uint8Array(Ipv4.HEADER_BYTES_MAX + Ipv4.DATAGRAM_BYTES_MAX);
  readonly view = new DataView(this.bytes.buffer);
  length = 0;
  broadcast = false;

  readonly #ctx: Context;
  readonly #t: Int32Array;
  readonly #rows: RowPool;
  readonly #index: HashIndex;
  readonly #headers: Uint8Array;
  readonly #pieces: Int32Array;
  readonly #pieceRows: RowPool;
  readonly #arena: ByteArena;
  readonly #onTimeout: ReassemblyTimeout;
  readonly #shares: FragmentShares;
  readonly #chunks: number;
  #chunksHighWater = 0;
  #refused = 0;
  #evicted = 0;
  /** Rows + 1. */
  #oldest = 0;
  #youngest = 0;

  constructor(ctx: Context, onTimeout: ReassemblyTimeout) {
    this.#ctx = ctx;
    this.#onTimeout = onTimeout;
    const datagrams = ctx.limits.reassembliesMax;
    const chunks = Math.max(1, Math.floor(ctx.limits.fragmentBytesMax / CHUNK_BYTES));
    this.#t = new Int32Array(datagrams * Datagram.STRIDE);
    this.#rows = new RowPool(datagrams);
    const secret0 = ctx.prng.next();
    const secret1 = ctx.prng.next();
    this.#index = new HashIndex(this.#t, Datagram.STRIDE, new KeyHash(secret0, secret1));
    this.#shares = new FragmentShares(datagrams, chunks, secret0, secret1);
    this.#chunks = chunks;
    this.#headers = new Uint8Array(datagrams * Ipv4.HEADER_BYTES_MAX);
    this.#pieces = new Int32Array(chunks * Piece.STRIDE);
    this.#pieceRows = new RowPool(chunks);
    this.#arena = new ByteArena({ chunkBytes: CHUNK_BYTES, chunksMax: chunks });
  }

  /** Datagrams in the making, the refused ones included. */
  get size(): number {
    return this.#rows.used;
  }
  /** Control path. */
  reports(): readonly PoolReport[] {
    const { reserve } = this.#shares;
    return [
      {
        name: 'net.reassemblies',
        unit: 'datagrams',
        used: this.#rows.used,
        limit: this.#rows.max,
        reserve: Math.floor(reserve / 2 / Math.max(1, Math.floor(this.#chunks / this.#rows.max))),
        highWater: this.#rows.highWater,
        refused: this.#refused,
        evicted: this.#evicted,
      },
      {
        name: 'net.fragments',
        unit: 'chunks',
        used: this.#chunks - this.#arena.chunksFree,
        limit: this.#chunks,
        reserve: Math.floor(reserve / 2),
        highWater: this.#chunksHighWater,
        refused: this.#refused,
        evicted: this.#evicted,
      },
    ];
  }

  /** One fragment whose header has been checked. OK: the datagram is complete, and in `bytes`. */
  input(bytes: Uint8Array, view: DataView, at: number, broadcast: boolean): Verdict {
    const headerBytes = ipv4HeaderBytes(view, at);
    const count = ipv4TotalLength(view, at) - headerBytes;
    const start = ipv4FragmentOffset(view, at);
    const end = start + count;
    const more = ipv4MoreFragments(view, at);
    const protocol = ipv4Protocol(view, at);
    this.#ctx.stats.ipReasmReqds += 1;
    // RFC 791 §3.2: all but the last are multiples of 8 bytes, and none is empty.
    if (count === 0 || (more && (count & 7) !== 0)) return this.#fail(Verdict.FRAGMENT_MALFORMED);
    // The "ping of death": an end beyond what a total length can say.
    if (end > Ipv4.DATAGRAM_BYTES_MAX - Ipv4.HEADER_BYTES) return this.#fail(Verdict.FRAGMENT_TOO_BIG);

    const source = ipv4Source(view, at);
    const destination = ipv4Destination(view, at);
    const protocolId = (protocol << 16) | ipv4Id(view, at);
    let row = this.#index.find(source, destination, protocolId);
    if (row < 0) row = this.#create(source, destination, protocolId);
    const t = this.#t;
    const d = row * Datagram.STRIDE;
    if (t[d + Datagram.REFUSED] !== 0) return Verdict.FRAGMENT_OVERLAP;

    const total = t[d + Datagram.TOTAL];
    // Two ends, or data behind the end.
    if (total >= 0 && (end > total || (!more && end !== total))) return this.#refuse(row);
    if (!more && total < 0 && t[d + Datagram.TAIL] !== 0 && this.#endOf(t[d + Datagram.TAIL] - 1) > end)
      return this.#refuse(row);
    const before = this.#before(row, start);
    const fit = this.#fit(row, before, start, end);
    if (fit !== Verdict.OK) return fit === Verdict.FRAGMENT_OVERLAP ? this.#refuse(row) : fit;
    if (t[d + Datagram.FRAGMENTS] >= this.#ctx.limits.fragmentsPerDatagram) {
      this.#remove(row);
      return this.#fail(Verdict.FRAGMENT_LIMIT);
    }
    if (!this.#store(row, before, bytes, at + headerBytes, start, end)) {
      this.#refused += 1;
      this.#remove(row);
      return this.#fail(Verdict.FRAGMENT_LIMIT);
    }
    if (!more) t[d + Datagram.TOTAL] = end;
    if (start === 0) {
      t[d + Datagram.HEADER_BYTES] = headerBytes;
      copyBytes(bytes, at, this.#headers, row * Ipv4.HEADER_BYTES_MAX, headerBytes);
    }
    t[d + Datagram.ECN_SEEN] |= 1 << (view.getUint8(at + Ipv4.TOS) & Ecn.MASK);
    if (broadcast) t[d + Datagram.BROADCAST] = 1;
    if (t[d + Datagram.BYTES] !== t[d + Datagram.TOTAL]) return Verdict.FRAGMENT_KEPT;
    return this.#complete(row);
  }

  /** Ends what has waited too long. RFC 792: "time exceeded" only where the first fragment has come. */
  advance(): void {
    const now = this.#ctx.clock.ms;
    while (this.#oldest !== 0) {
      const row = this.#oldest - 1;
      const d = row * Datagram.STRIDE;
      if (((this.#t[d + Datagram.DEADLINE_MS] - now) | 0) > 0) return;
      const refused = this.#t[d + Datagram.REFUSED] !== 0;
      const broadcast = this.#t[d + Datagram.BROADCAST] !== 0;
      const quotable = !refused && this.#t[d + Datagram.HEADER_BYTES] !== 0;
      const length = quotable ? this.#lay(row, this.#t[d + Datagram.HEAD] - 1) : 0;
      if (!refused) {
        this.#ctx.stats.ipReasmTimeout += 1;
        this.#ctx.stats.ipReasmFails += 1;
        this.#ctx.stats.verdicts[Verdict.FRAGMENT_TIMEOUT] += 1;
      }
      this.#remove(row);
      if (quotable) this.#onTimeout(this.view, 0, length, broadcast);
    }
  }
  msToNext(): number {
    if (this.#oldest === 0) return Infinity;
    return Math.max(0, (this.#t[(this.#oldest - 1) * Datagram.STRIDE + Datagram.DEADLINE_MS] - this.#ctx.clock.ms) | 0);
  }

  #fail(verdict: Verdict): Verdict {
    this.#ctx.stats.ipReasmFails += 1;
    return verdict;
  }

  #endOf(piece: number): number {
    return this.#pieces[piece * Piece.STRIDE + Piece.END];
  }

  /** The last fragment that begins at or before `start`; row + 1, 0 for none. In order, which is usual, it is the tail. */
  #before(row: number, start: number): number {
    const d = row * Datagram.STRIDE;
    const tail = this.#t[d + Datagram.TAIL];
    if (tail === 0 || this.#pieces[(tail - 1) * Piece.STRIDE + Piece.START] <= start) return tail;
    let before = 0;
    for (let next = this.#t[d + Datagram.HEAD]; next !== 0; ) {
      const p = (next - 1) * Piece.STRIDE;
      if (this.#pieces[p + Piece.START] > start) break;
      before = next;
      next = this.#pieces[p + Piece.NEXT];
    }
    return before;
  }

  /** OK; FRAGMENT_DUPLICATE where all of it is here already, in one fragment or in several without a gap; FRAGMENT_OVERLAP. */
  #fit(row: number, before: number, start: number, end: number): Verdict {
    const pieces = this.#pieces;
    let next = this.#t[row * Datagram.STRIDE + Datagram.HEAD];
    if (before !== 0) {
      const p = (before - 1) * Piece.STRIDE;
      let covered = pieces[p + Piece.END];
      next = pieces[p + Piece.NEXT];
      if (covered > start) {
        while (covered < end && next !== 0 && pieces[(next - 1) * Piece.STRIDE + Piece.START] === covered) {
          covered = pieces[(next - 1) * Piece.STRIDE + Piece.END];
          next = pieces[(next - 1) * Piece.STRIDE + Piece.NEXT];
        }
        return covered >= end ? Verdict.FRAGMENT_DUPLICATE : Verdict.FRAGMENT_OVERLAP;
      }
    }
    return next !== 0 && pieces[(next - 1) * Piece.STRIDE + Piece.START] < end ? Verdict.FRAGMENT_OVERLAP : Verdict.OK;
  }

  /** False when there is no memory, even after older datagrams gave way. */
  #store(row: number, before: number, bytes: Uint8Array, from: number, start: number, end: number): boolean {
    const count = end - start;
    const chunks = Math.ceil(count / CHUNK_BYTES);
    while (this.#arena.chunksFree < chunks || this.#pieceRows.used === this.#pieceRows.max) {
      if (!this.#evict(row)) return false;
    }
    const piece = this.#pieceRows.take();
    const p = piece * Piece.STRIDE;
    const t = this.#t;
    const d = row * Datagram.STRIDE;
    this.#pieces[p + Piece.START] = start;
    this.#pieces[p + Piece.END] = end;
    this.#pieces[p + Piece.QUEUE] = this.#arena.append(0, bytes, from, count);
    this.#shares.charge(row, chunks);
    const used = this.#chunks - this.#arena.chunksFree;
    if (used > this.#chunksHighWater) this.#chunksHighWater = used;
    if (before === 0) {
      this.#pieces[p + Piece.NEXT] = t[d + Datagram.HEAD];
      t[d + Datagram.HEAD] = piece + 1;
    } else {
      const b = (before - 1) * Piece.STRIDE;
      this.#pieces[p + Piece.NEXT] = this.#pieces[b + Piece.NEXT];
      this.#pieces[b + Piece.NEXT] = piece + 1;
    }
    if (t[d + Datagram.TAIL] === before) t[d + Datagram.TAIL] = piece + 1;
    t[d + Datagram.FRAGMENTS] += 1;
    t[d + Datagram.BYTES] += count;
    return true;
  }

  /** Writes the header and the fragments from `first` on, as far as they are without a gap, into `bytes`; returns the length. */
  #lay(row: number, first: number): number {
    const headerBytes = this.#t[row * Datagram.STRIDE + Datagram.HEADER_BYTES];
    copyBytes(this.#headers, row * Ipv4.HEADER_BYTES_MAX, this.bytes, 0, headerBytes);
    let end = 0;
    for (let next = first + 1; next !== 0; ) {
      const p = (next - 1) * Piece.STRIDE;
      if (this.#pieces[p + Piece.START] !== end) break;
      const count = this.#pieces[p + Piece.END] - end;
      this.#arena.copyOut(this.#pieces[p + Piece.QUEUE], 0, this.bytes, headerBytes + end, count);
      end += count;
      next = this.#pieces[p + Piece.NEXT];
    }
    return headerBytes + end;
  }

  #complete(row: number): Verdict {
    const t = this.#t;
    const d = row * Datagram.STRIDE;
    const headerBytes = t[d + Datagram.HEADER_BYTES];
    this.length = this.#lay(row, t[d + Datagram.HEAD] - 1);
    this.broadcast = t[d + Datagram.BROADCAST] !== 0;
    const seen = t[d + Datagram.ECN_SEEN];
    this.#remove(row);
    // Options can make a payload that fits alone too long for a total length.
    if (this.length > Ipv4.DATAGRAM_BYTES_MAX) return this.#fail(Verdict.FRAGMENT_TOO_BIG);
    // RFC 3168 §5.3: congestion marked on any fragment is the datagram's; together with "not ECN-capable" it is nonsense.
    if ((seen & (1 << Ecn.CE)) !== 0) {
      if ((seen & (1 << Ecn.NOT_ECT)) !== 0) return this.#fail(Verdict.FRAGMENT_MALFORMED);
      this.bytes[Ipv4.TOS] |= Ecn.CE;
    }
    this.view.setUint16(Ipv4.TOTAL_LENGTH, this.length);
    this.view.setUint16(
      Ipv4.FRAGMENT,
      this.view.getUint16(Ipv4.FRAGMENT) & ~(Ipv4Fragment.MF | Ipv4Fragment.OFFSET_MASK),
    );
    if (headerBytes >= Ipv4.HEADER_BYTES) finishIpv4Checksum(this.view, 0);
    this.#ctx.stats.ipReasmOKs += 1;
    return Verdict.OK;
  }

  /** RFC 5722 §4: all of it goes, "including those not yet received". The row stays, empty, to know them by. */
  #refuse(row: number): Verdict {
    this.#freePieces(row);
    this.#t[row * Datagram.STRIDE + Datagram.REFUSED] = 1;
    this.#ctx.stats.ipReasmOverlaps += 1;
    return this.#fail(Verdict.FRAGMENT_OVERLAP);
  }

  #create(source: number, destination: number, protocolId: number): number {
    let row = this.#rows.take();
    if (row < 0) {
      this.#evict(-1);
      row = this.#rows.take();
    }
    const t = this.#t;
    const d = row * Datagram.STRIDE;
    t.fill(0, d, d + Datagram.STRIDE);
    t[d + Datagram.SOURCE] = source;
    t[d + Datagram.DESTINATION] = destination;
    t[d + Datagram.PROTOCOL_ID] = protocolId;
    t[d + Datagram.TOTAL] = -1;
    t[d + Datagram.DEADLINE_MS] = (this.#ctx.clock.ms + TIMEOUT_MS) | 0;
    t[d + Datagram.OLDER] = this.#youngest;
    if (this.#youngest !== 0) t[(this.#youngest - 1) * Datagram.STRIDE + Datagram.YOUNGER] = row + 1;
    else this.#oldest = row + 1;
    this.#youngest = row + 1;
    this.#index.insert(row);
    this.#shares.add(row, source);
    return row;
  }

  /** One datagram gives way. False when it would be the one that needs the room: its source is over its share, or it is the oldest of all. */
  #evict(forRow: number): boolean {
    const largest = this.#shares.oldestOfLargest();
    const victim = largest >= 0 ? largest : this.#oldest - 1;
    if (victim < 0 || victim === forRow) return false;
    if (this.#t[victim * Datagram.STRIDE + Datagram.REFUSED] === 0) this.#ctx.stats.ipReasmFails += 1;
    this.#evicted += 1;
    this.#remove(victim);
    return true;
  }

  #freePieces(row: number): void {
    const t = this.#t;
    const d = row * Datagram.STRIDE;
    for (let next = t[d + Datagram.HEAD]; next !== 0; ) {
      const p = (next - 1) * Piece.STRIDE;
      this.#shares.charge(row, -Math.ceil((this.#pieces[p + Piece.END] - this.#pieces[p + Piece.START]) / CHUNK_BYTES));
      this.#arena.free(this.#pieces[p + Piece.QUEUE]);
      this.#pieceRows.give(next - 1);
      next = this.#pieces[p + Piece.NEXT];
    }
    t[d + Datagram.HEAD] = 0;
    t[d + Datagram.TAIL] = 0;
    t[d + Datagram.FRAGMENTS] = 0;
    t[d + Datagram.BYTES] = 0;
  }

  #remove(row: number): void {
    this.#freePieces(row);
    this.#shares.remove(row);
    this.#index.remove(row);
    const t = this.#t;
    const d = row * Datagram.STRIDE;
    const older = t[d + Datagram.OLDER];
    const younger = t[d + Datagram.YOUNGER];
    if (older !== 0) t[(older - 1) * Datagram.STRIDE + Datagram.YOUNGER] = younger;
    else this.#oldest = younger;
    if (younger !== 0) t[(younger - 1) * Datagram.STRIDE + Datagram.OLDER] = older;
    else this.#youngest = older;
    this.#rows.give(row);
  }
}
