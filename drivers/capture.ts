import { StackError } from '../stack/base/errors.js';
import type { FrameSlab } from '../stack/memory/frame-slab.js';
import { Medium } from '../stack/net/device.js';
import { type Direction, LinkType, PcapngWriter, wholeBlocks } from '../stack/wire/pcapng.js';
import type { Driver } from './driver.js';
import { type Describe, Observer } from './observer.js';
import type { Sink } from './sink.js';

export interface CaptureOptions {
  readonly sink: Sink;
  /** The file grows to this and no further. Default 256 MiB, which Wireshark still opens in seconds. */
  readonly maxBytes?: number;
  /** Each frame's comment. With it received frames are written once they are processed, because only then there is one. */
  readonly describe?: Describe;
  /** Added to the device's time to make it µs since 1970. Default 0: the capture begins in 1970, and is the same each time. */
  readonly epochUs?: number;
  /** Called once, at the moment the file ends early, with what `problem` says from then on. */
  readonly onProblem?: (problem: string) => void;
  /** Named in the file. */
  readonly application?: string;
}

const MAX_BYTES = 256 * 1024 * 1024;
/** The file's own blocks and a few frames. */
const MAX_BYTES_MIN = 4096;
/** Large enough that the cost of a write, about 2 µs, is spread over hundreds of frames. */
const BLOCK_BYTES = 256 * 1024;
/** Kept free for the statistics block that says how it ended. */
const CLOSING_BYTES = 512;
/** An enhanced packet block and its options, without the frame and the comment, rounded up. */
const PACKET_OVERHEAD_BYTES = 80;
const UTF8_BYTES_MAX = 3;

/**
 * Writes each frame to a pcapng file, with a comment. It never fails the device: when the file is full or the disk is, frames go
 * on unrecorded and are counted. `onProblem` is told at once, and the file's statistics block says it, as `problem` does. Where the
 * disk was full in the middle of a block the file is cut behind the one before, so that every reader takes what there is.
 */
export class CaptureDevice extends Observer {
  /** Frames written, and frames that are not in the file. */
  framesWritten = 0;
  framesMissing = 0;
  /** What keeps frames out of the file; empty as long as it is complete. */
  problem = '';

  readonly #sink: Sink;
  readonly #describe: Describe | undefined;
  readonly #epochUs: number;
  readonly #maxBytes: number;
  readonly #onProblem: (problem: string) => void;
  readonly #writer = new PcapngWriter(BLOCK_BYTES * 2);
  readonly #iface: number;
  /** Handed to the sink. */
  #bytesFlushed = 0;
  #framesBuffered = 0;
  #sinkFailed = false;
  #closed = false;

  constructor(inner: Driver, options: CaptureOptions) {
    super(inner, options.describe !== undefined);
    this.#sink = options.sink;
    this.#describe = options.describe;
    this.#epochUs = options.epochUs ?? 0;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    this.#onProblem = options.onProblem ?? (() => {});
    if (!(this.#maxBytes >= MAX_BYTES_MIN)) {
      throw new StackError('ERR_OUT_OF_RANGE', `maxBytes is ${this.#maxBytes}: allowed is ${MAX_BYTES_MIN} or more`);
    }
    this.#writer.section({ application: options.application ?? 'millrace' });
    this.#iface = this.#writer.addInterface({
      name: inner.name,
      linkType: inner.medium === Medium.ETHERNET ? LinkType.ETHERNET : LinkType.RAW,
    });
  }

  /** The file, with what is not yet flushed. */
  get bytes(): number {
    return this.#bytesFlushed + this.#writer.length;
  }
  /** Whether the file has reached its limit and ends early. */
  get truncated(): boolean {
    return this.problem !== '' && !this.#sinkFailed;
  }

  protected override see(direction: Direction, offset: number, length: number, slab: FrameSlab): void {
    if (this.problem !== '' || this.#closed) {
      this.framesMissing += 1;
      return;
    }
    const comment = this.#describe?.(slab, offset) ?? '';
    const needed = PACKET_OVERHEAD_BYTES + length + comment.length * UTF8_BYTES_MAX + CLOSING_BYTES;
    if (this.bytes + needed > this.#maxBytes) {
      this.framesMissing += 1;
      this.#end(`the capture reached its limit of ${this.#maxBytes} bytes`);
      return;
    }
    this.#writer.packet(this.#iface, this.#epochUs + this.now, slab.bytes, offset, length, direction, comment);
    this.framesWritten += 1;
    this.#framesBuffered += 1;
    if (this.#writer.length >= BLOCK_BYTES) this.#write();
  }

  override flush(): void {
    this.#write();
    super.flush();
  }

  override close(slab: FrameSlab): void {
    // First the devices below: what they do when they close belongs to them and not to the file.
    super.close(slab);
    if (this.#closed) return;
    this.#closed = true;
    const timeUs = this.#epochUs + this.now;
    const ending =
      this.problem === '' ? '' : `${this.problem}: ${this.framesMissing} later frames are not in this file`;
    this.#writer.statistics(this.#iface, timeUs, {
      endUs: timeUs,
      received: this.framesWritten + this.framesMissing,
      dropped: this.framesMissing,
      comment: ending,
    });
    // What was cut off may have left room for this block. Else the file goes without.
    if (this.#sinkFailed) {
      this.#append();
      this.#writer.clear();
    } else this.#write();
    try {
      this.#sink.close();
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #end(problem: string): void {
    if (this.problem !== '') return;
    this.problem = problem;
    this.#onProblem(problem);
  }

  #write(): void {
    if (this.#writer.length === 0) return;
    const cause = this.#sinkFailed ? undefined : this.#append();
    this.#writer.clear();
    this.#framesBuffered = 0;
    if (cause !== undefined) this.#fail(cause);
  }

  /** Gives the sink what is written, or as many whole blocks of it as it takes. Returns what went wrong, or undefined. */
  #append(): unknown {
    const sink = this.#sink;
    const before = sink.length ?? 0;
    const { written } = this.#writer;
    try {
      sink.write(written);
      this.#bytesFlushed += written.length;
      return undefined;
    } catch (cause) {
      const kept = wholeBlocks(written, (sink.length ?? 0) - before);
      try {
        sink.truncate?.(before + kept.bytes);
      } catch {
        // A device or a pipe: what it took cannot be taken back.
      }
      this.#bytesFlushed += kept.bytes;
      const lost = this.#framesBuffered - kept.packets;
      this.framesWritten -= lost;
      this.framesMissing += lost;
      return cause ?? new Error('unknown');
    }
  }

  #fail(cause: unknown): void {
    this.#sinkFailed = true;
    this.#end(`the capture could not be written (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}
