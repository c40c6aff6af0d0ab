import { StackError } from '../stack/base/errors.js';
import type { FrameSlab } from '../stack/memory/frame-slab.js';
import { Medium } from '../stack/net/device.js';
import { Note, NoteKind } from '../stack/net/note.js';
import { Direction } from '../stack/wire/pcapng.js';
import { type PrintOptions, printFrame, printPacket } from '../stack/wire/print.js';
import type { Driver } from './driver.js';
import { type Describe, Observer } from './observer.js';

export interface TraceOptions {
  /** Takes one line, without its end. */
  readonly write: (line: string) => void;
  /** What follows the frame on its line. With it received frames are printed once they are processed. */
  readonly describe?: Describe;
  /** For terminals. Default false. */
  readonly colour?: boolean;
  /** Lines written before it falls silent. Default 100,000: some 20 MB that nobody reads to the end. */
  readonly maxLines?: number;
}

const MAX_LINES = 100_000;
const ANSI_SENT = '\x1b[36m';
const ANSI_RECEIVED = '\x1b[32m';
const ANSI_COMMENT = '\x1b[2m';
const ANSI_RESET = '\x1b[0m';

/**
 * Prints each frame in one line:
 *
 *     0.010250 in  IP 10.0.0.1.5000 > 10.0.0.2.80: Flags [S], seq 0, …  # received: used · LISTEN → SYN-RECEIVED
 */
export class TraceDevice extends Observer {
  /** Frames printed, and frames that came after the limit. */
  framesPrinted = 0;
  framesHidden = 0;

  readonly #write: (line: string) => void;
  readonly #describe: Describe | undefined;
  readonly #colour: boolean;
  readonly #maxLines: number;
  #closed = false;

  constructor(inner: Driver, options: TraceOptions) {
    super(inner, options.describe !== undefined);
    this.#write = options.write;
    this.#describe = options.describe;
    this.#colour = options.colour ?? false;
    this.#maxLines = options.maxLines ?? MAX_LINES;
    if (!(this.#maxLines >= 1)) {
      throw new StackError('ERR_OUT_OF_RANGE', `maxLines is ${this.#maxLines}: allowed is 1 or more`);
    }
  }

  protected override see(direction: Direction, offset: number, length: number, slab: FrameSlab): void {
    if (this.#closed || this.framesPrinted >= this.#maxLines) {
      if (this.framesHidden === 0)
        this.#write(`trace: ${this.framesPrinted} frames printed, which is the limit; the rest is not shown`);
      this.framesHidden += 1;
      return;
    }
    this.framesPrinted += 1;
    const print = this.medium === Medium.ETHERNET ? printFrame : printPacket;
    const frame = print(slab.view, offset, length, sequenceBases(direction, slab, offset));
    const comment = this.#describe?.(slab, offset) ?? '';
    this.#write(this.#line(direction, frame, comment));
  }

  override close(slab: FrameSlab): void {
    super.close(slab);
    if (this.#closed) return;
    this.#closed = true;
    if (this.framesHidden > 0) this.#write(`trace: ${this.framesHidden} frames were not shown`);
  }

  #line(direction: Direction, frame: string, comment: string): string {
    const time = (this.now / 1e6).toFixed(6);
    const way = direction === Direction.OUTBOUND ? 'out' : 'in ';
    if (!this.#colour) return `${time} ${way} ${frame}${comment === '' ? '' : `  # ${comment}`}`;
    const colour = direction === Direction.OUTBOUND ? ANSI_SENT : ANSI_RECEIVED;
    const tail = comment === '' ? '' : `  ${ANSI_COMMENT}# ${comment}${ANSI_RESET}`;
    return `${time} ${colour}${way} ${frame}${ANSI_RESET}${tail}`;
  }
}

/** With notes, sequence numbers are printed from each side's initial one, as Wireshark does. */
function sequenceBases(direction: Direction, slab: FrameSlab, offset: number): PrintOptions {
  const { notes } = slab;
  if (notes === null || slab.noteInts < Note.SIZE) return {};
  const row = slab.noteRow(offset);
  const kind = notes[row + Note.KIND];
  if (kind !== NoteKind.RECEIVED_TCP && kind !== NoteKind.SENT_TCP) return {};
  const iss = notes[row + Note.ISS] as number;
  const irs = notes[row + Note.IRS] as number;
  return direction === Direction.OUTBOUND ? { seqBase: iss, ackBase: irs } : { seqBase: irs, ackBase: iss };
}
