/**
 * Capture files in pcapng (draft-ietf-opsawg-pcapng): blocks, each framed by its length on both sides. Bytes only; whoever
 * writes them to a file takes them from here. Wireshark shows a packet's comment with the packet.
 *
 * Control path. A capture that is switched off costs nothing, as nothing here is called.
 */

export const enum PcapngBlock {
  SECTION_HEADER = 0x0a0d0d0a,
  INTERFACE_DESCRIPTION = 1,
  SIMPLE_PACKET = 3,
  INTERFACE_STATISTICS = 5,
  ENHANCED_PACKET = 6,
}

export const enum PcapngOption {
  END = 0,
  COMMENT = 1,
  // Section header
  SECTION_HARDWARE = 2,
  SECTION_OS = 3,
  SECTION_APPLICATION = 4,
  // Interface description
  INTERFACE_NAME = 2,
  INTERFACE_DESCRIPTION = 3,
  INTERFACE_RESOLUTION = 9,
  // Enhanced packet
  PACKET_FLAGS = 2,
  PACKET_DROPS = 4,
  // Interface statistics
  STATISTICS_START = 2,
  STATISTICS_END = 3,
  STATISTICS_RECEIVED = 4,
  STATISTICS_DROPPED = 5,
}

/** Read in the writer's byte order, it says which that is. */
export const PCAPNG_MAGIC = 0x1a2b3c4d;

/** The registry of link types at tcpdump.org. */
export const enum LinkType {
  ETHERNET = 1,
  /** Begins with an IPv4 or IPv6 header. */
  RAW = 101,
}

/** The lowest two bits of the packet flags. */
export const enum Direction {
  UNKNOWN = 0,
  INBOUND = 1,
  OUTBOUND = 2,
}

/** Blocks at the beginning of a stretch of a file. */
export interface WholeBlocks {
  bytes: number;
  packets: number;
}

/** Those of the blocks in `written`, a writer's, that end within its first `limit` bytes. Control path. */
export function wholeBlocks(written: Uint8Array, limit: number): WholeBlocks {
  const view = new DataView(written.buffer, written.byteOffset, written.byteLength);
  const whole = { bytes: 0, packets: 0 };
  while (whole.bytes + BLOCK_BYTES_MIN <= limit) {
    const length = view.getUint32(whole.bytes + 4, true);
    if (whole.bytes + length > limit) break;
    if (view.getUint32(whole.bytes, true) === PcapngBlock.ENHANCED_PACKET) whole.packets += 1;
    whole.bytes += length;
  }
  return whole;
}
/** Type, and the length on both sides. */
const BLOCK_BYTES_MIN = 12;

/** An option's length is 16 bits; what is longer is cut. */
const OPTION_BYTES_MAX = 65532;

/** What `snapLength` 0 means, and the most that Wireshark takes for Ethernet. */
const SNAP_LENGTH_MAX = 262144;

export interface PcapngSection {
  readonly hardware?: string;
  readonly os?: string;
  readonly application?: string;
  readonly comment?: string;
}

export interface PcapngInterface {
  readonly name?: string;
  readonly description?: string;
  readonly linkType: LinkType;
  /** Bytes kept of each packet; 0, the default, keeps all. */
  readonly snapLength?: number;
  /** Unit of the timestamps in the file; the arguments are microseconds either way. */
  readonly resolution?: 'microseconds' | 'nanoseconds';
}

export interface PcapngStatistics {
  readonly startUs?: number;
  readonly endUs?: number;
  readonly received?: number;
  readonly dropped?: number;
  readonly comment?: string;
}

/** Blocks, one behind the other, in bytes that grow with them. Little-endian, as the machines are that read it. */
export class PcapngWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;
  /** Of the interfaces of this section, by number: units a microsecond has, and bytes kept. */
  #units: number[] = [];
  #snapLengths: number[] = [];

  constructor(capacityBytes = 65536) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written since the last `clear`. */
  get length(): number {
    return this.#length;
  }
  /** What was written, not copied: good until the next call. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
  /** Forgets the bytes, not the section: the blocks that follow continue the file. */
  clear(): void {
    this.#length = 0;
  }

  /** Comes first in a file, and once more wherever another begins: interfaces are numbered from 0 again. */
  section(section: PcapngSection = {}): void {
    const start = this.#open(PcapngBlock.SECTION_HEADER);
    this.#u32(PCAPNG_MAGIC);
    // Version 1.0; the section's length is not given, as it is not known yet.
    this.#u32(1);
    this.#u32(0xffffffff);
    this.#u32(0xffffffff);
    this.#textOption(PcapngOption.SECTION_HARDWARE, section.hardware);
    this.#textOption(PcapngOption.SECTION_OS, section.os);
    this.#textOption(PcapngOption.SECTION_APPLICATION, section.application);
    this.#textOption(PcapngOption.COMMENT, section.comment);
    this.#close(start);
    this.#units = [];
    this.#snapLengths = [];
  }

  /** Returns the interface's number, for `packet` and `statistics`. */
  addInterface(options: PcapngInterface): number {
    const nanoseconds = options.resolution === 'nanoseconds';
    const snapLength = options.snapLength ?? 0;
    const start = this.#open(PcapngBlock.INTERFACE_DESCRIPTION);
    this.#u32(options.linkType);
    this.#u32(snapLength);
    this.#textOption(PcapngOption.INTERFACE_NAME, options.name);
    this.#textOption(PcapngOption.INTERFACE_DESCRIPTION, options.description);
    this.#u32(PcapngOption.INTERFACE_RESOLUTION | (1 << 16));
    this.#u32(nanoseconds ? 9 : 6);
    this.#close(start);
    this.#units.push(nanoseconds ? 1000 : 1);
    this.#snapLengths.push(snapLength === 0 ? SNAP_LENGTH_MAX : snapLength);
    return this.#units.length - 1;
  }

  /** `length` bytes from `at`, cut to the interface's snap length. `timeUs` is an integer, µs since 1970. */
  packet(
    iface: number,
    timeUs: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    direction: Direction,
    comment = '',
    dropsBefore = 0,
  ): void {
    const captured = Math.min(length, this.#snapLengths[iface] ?? SNAP_LENGTH_MAX);
    const start = this.#open(PcapngBlock.ENHANCED_PACKET);
    this.#u32(iface);
    this.#time(iface, timeUs);
    this.#u32(captured);
    this.#u32(length);
    this.#reserve(captured + 4);
    this.#bytes.set(bytes.subarray(at, at + captured), this.#length);
    this.#length += captured;
    this.#pad();
    if (comment !== '') this.#textOption(PcapngOption.COMMENT, comment);
    if (direction !== Direction.UNKNOWN) {
      this.#u32(PcapngOption.PACKET_FLAGS | (4 << 16));
      this.#u32(direction);
    }
    if (dropsBefore > 0) this.#counterOption(PcapngOption.PACKET_DROPS, dropsBefore);
    this.#close(start);
  }

  /** Usually at the end: what was lost between the wire and the file. */
  statistics(iface: number, timeUs: number, statistics: PcapngStatistics): void {
    const start = this.#open(PcapngBlock.INTERFACE_STATISTICS);
    this.#u32(iface);
    this.#time(iface, timeUs);
    this.#textOption(PcapngOption.COMMENT, statistics.comment);
    this.#timeOption(PcapngOption.STATISTICS_START, iface, statistics.startUs);
    this.#timeOption(PcapngOption.STATISTICS_END, iface, statistics.endUs);
    this.#counterOption(PcapngOption.STATISTICS_RECEIVED, statistics.received);
    this.#counterOption(PcapngOption.STATISTICS_DROPPED, statistics.dropped);
    this.#close(start);
  }

  #open(type: PcapngBlock): number {
    const start = this.#length;
    this.#u32(type);
    this.#u32(0);
    return start;
  }

  /** Ends the options and writes the block's length on both sides. */
  #close(start: number): void {
    this.#u32(PcapngOption.END);
    const length = this.#length + 4 - start;
    this.#u32(length);
    this.#view.setUint32(start + 4, length, true);
  }

  #u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** 64 bits, the upper half first whatever the byte order. */
  #time(iface: number, timeUs: number): void {
    // Nanoseconds since 1970 do not fit a double's 53 bits: multiplied in halves.
    const units = this.#units[iface] ?? 1;
    const low = (timeUs % 0x1_0000_0000) * units;
    const carry = Math.floor(low / 0x1_0000_0000);
    this.#u32(Math.floor(timeUs / 0x1_0000_0000) * units + carry);
    this.#u32(low % 0x1_0000_0000);
  }

  #timeOption(code: PcapngOption, iface: number, timeUs: number | undefined): void {
    if (timeUs === undefined) return;
    this.#u32(code | (8 << 16));
    this.#time(iface, timeUs);
  }

  /** 64 bits in the section's byte order. */
  #counterOption(code: PcapngOption, value: number | undefined): void {
    if (value === undefined) return;
    this.#u32(code | (8 << 16));
    this.#u32(value % 0x1_0000_0000);
    this.#u32(Math.floor(value / 0x1_0000_0000));
  }

  #textOption(code: PcapngOption, text: string | undefined): void {
    if (text === undefined || text === '') return;
    const header = this.#length;
    this.#u32(code);
    // Three bytes a UTF-16 unit at most.
    this.#reserve(Math.min(text.length * 3, OPTION_BYTES_MAX) + 4);
    const from = this.#length;
    this.#length = writeUtf8(text, this.#bytes, from, from + OPTION_BYTES_MAX);
    this.#view.setUint16(header + 2, this.#length - from, true);
    this.#pad();
  }

  /** Zeros up to a multiple of four. Whoever calls has reserved them. */
  #pad(): void {
    while ((this.#length & 3) !== 0) {
      this.#bytes[this.#length] = 0;
      this.#length += 1;
    }
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/**
 * UTF-8 from `at`, never past `end`, which falls between characters. Returns where it stopped. Written out because the
 * stack knows no globals but the language's, and TextEncoder is not the language's.
 */
function writeUtf8(text: string, into: Uint8Array, at: number, end: number): number {
  for (let i = 0; i < text.length; i++) {
    let c = text.codePointAt(i) ?? 0;
    // Half of a pair that lacks the other half has no encoding.
    if (c >= 0xd800 && c <= 0xdfff) c = 0xfffd;
    if (c > 0xffff) i += 1;
    const bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (at + bytes > end) break;
    if (bytes === 1) {
      into[at] = c;
    } else {
      // The first byte's leading ones count the bytes; six bits in each of the others.
      into[at] = ((0xf00 >>> bytes) & 0xff) | (c >>> (6 * (bytes - 1)));
      for (let k = 1; k < bytes; k++) into[at + k] = 0x80 | ((c >>> (6 * (bytes - 1 - k))) & 0x3f);
    }
    at += bytes;
  }
  return at;
}
