import { LinkType, PCAPNG_MAGIC, PcapngBlock, PcapngOption } from './pcapng.js';

/**
 * Reads a capture (draft-ietf-opsawg-pcapng) back, for replay and for tests. Control path. Either byte order, any number
 * of sections; unknown blocks are passed over. `next` fills the fields with one packet. A file that lies or ends early ends
 * the reading, with `problem` saying where and why; the packets before it are good.
 */
export class PcapngReader {
  readonly bytes: Uint8Array;
  /** Of the packet at hand: where its bytes begin in `bytes`, how many were kept, and how many there were. */
  at = 0;
  length = 0;
  originalLength = 0;
  iface = 0;
  /** Microseconds since 1970; finer digits are cut off. */
  timeUs = 0;
  /** As in the file: the lowest two bits are the `Direction`. */
  flags = 0;
  comment = '';
  /** Packets lost between the one before and this one. */
  drops = 0;
  /** Empty as long as the file is well-formed. */
  problem = '';
  /** Of the section at hand. */
  application = '';
  readonly linkTypes: LinkType[] = [];
  readonly names: string[] = [];
  /** What the last statistics block of each interface said; -1 where there was none. */
  readonly received: number[] = [];
  readonly dropped: number[] = [];

  readonly #view: DataView;
  #position = 0;
  #littleEndian = true;
  /** Units of time a second has, by interface. */
  readonly #unitsPerSecond: number[] = [];
  readonly #snapLengths: number[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** False at the end, and at the first thing that is wrong. */
  next(): boolean {
    while (this.problem === '' && this.#position < this.bytes.length) {
      const start = this.#position;
      const length = this.#blockLength(start);
      if (length === 0) return false;
      this.#position = start + length;
      // Body: between type and length in front and the length behind.
      if (this.#block(this.#u32(start), start + 8, start + length - 4)) return true;
    }
    return false;
  }

  /** The length of the block at `start`, or 0 with `problem` set. A section header decides the byte order first. */
  #blockLength(start: number): number {
    if (start === 0 && (this.bytes.length < 12 || this.#view.getUint32(0) !== PcapngBlock.SECTION_HEADER)) {
      return this.#fail(start, 'not a pcapng file');
    }
    if (start + 12 > this.bytes.length) return this.#fail(start, 'block cut off');
    if (this.#view.getUint32(start) === PcapngBlock.SECTION_HEADER) {
      if (this.#view.getUint32(start + 8, true) === PCAPNG_MAGIC) this.#littleEndian = true;
      else if (this.#view.getUint32(start + 8, false) === PCAPNG_MAGIC) this.#littleEndian = false;
      else return this.#fail(start, 'section header without the byte-order magic');
    }
    const length = this.#u32(start + 4);
    if (length < 12 || (length & 3) !== 0) return this.#fail(start, `block length ${length}`);
    if (start + length > this.bytes.length) return this.#fail(start, 'block cut off');
    if (this.#u32(start + length - 4) !== length) return this.#fail(start, 'block lengths differ');
    return length;
  }

  /** True when the block was a packet. */
  #block(type: number, at: number, end: number): boolean {
    switch (type) {
      case PcapngBlock.SECTION_HEADER:
        this.#section(at, end);
        return false;
      case PcapngBlock.INTERFACE_DESCRIPTION:
        this.#interface(at, end);
        return false;
      case PcapngBlock.ENHANCED_PACKET:
        return this.#enhancedPacket(at, end);
      case PcapngBlock.SIMPLE_PACKET:
        return this.#simplePacket(at, end);
      case PcapngBlock.INTERFACE_STATISTICS:
        this.#statistics(at, end);
        return false;
      default:
        return false;
    }
  }

  #section(at: number, end: number): void {
    if (end - at < 16) {
      this.#fail(at, 'section header too short');
      return;
    }
    if (this.#u16(at + 4) !== 1) {
      this.#fail(at, `version ${this.#u16(at + 4)}`);
      return;
    }
    for (const table of [this.linkTypes, this.names, this.received, this.dropped]) table.length = 0;
    this.#unitsPerSecond.length = 0;
    this.#snapLengths.length = 0;
    this.application = '';
    this.#options(at + 16, end, (code, valueAt, length) => {
      if (code === PcapngOption.SECTION_APPLICATION) this.application = this.#text(valueAt, length);
    });
  }

  #interface(at: number, end: number): void {
    if (end - at < 8) {
      this.#fail(at, 'interface description too short');
      return;
    }
    let name = '';
    let unitsPerSecond = 1e6;
    this.#options(at + 8, end, (code, valueAt, length) => {
      if (code === PcapngOption.INTERFACE_NAME) name = this.#text(valueAt, length);
      if (code === PcapngOption.INTERFACE_RESOLUTION && length >= 1) {
        // A negative power of 10, or of 2 when the highest bit is set.
        const exponent = this.#view.getUint8(valueAt);
        unitsPerSecond = (exponent & 0x80) !== 0 ? 2 ** (exponent & 0x7f) : 10 ** exponent;
      }
    });
    this.linkTypes.push(this.#u16(at));
    this.names.push(name);
    this.received.push(-1);
    this.dropped.push(-1);
    this.#unitsPerSecond.push(unitsPerSecond);
    this.#snapLengths.push(this.#u32(at + 4));
  }

  #enhancedPacket(at: number, end: number): boolean {
    if (end - at < 20) return this.#fail(at, 'packet block too short') !== 0;
    const length = this.#u32(at + 12);
    if (length > end - at - 20) return this.#fail(at, `packet of ${length} bytes in a shorter block`) !== 0;
    const iface = this.#u32(at);
    if (iface >= this.linkTypes.length) return this.#fail(at, `packet of interface ${iface}, never described`) !== 0;
    this.#fill(iface, at + 20, length, this.#u32(at + 16));
    this.timeUs = this.#time(iface, at + 4);
    this.#options(at + 20 + ((length + 3) & ~3), end, (code, valueAt, optionLength) => {
      if (code === PcapngOption.COMMENT) this.comment = this.#text(valueAt, optionLength);
      if (code === PcapngOption.PACKET_FLAGS && optionLength === 4) this.flags = this.#u32(valueAt);
      if (code === PcapngOption.PACKET_DROPS && optionLength === 8) this.drops = this.#u64(valueAt);
    });
    return this.problem === '';
  }

  /** Interface 0, no time, no options; its length is the block's, limited by the original and the snap length. */
  #simplePacket(at: number, end: number): boolean {
    if (end - at < 4) return this.#fail(at, 'packet block too short') !== 0;
    if (this.linkTypes.length === 0) return this.#fail(at, 'packet of interface 0, never described') !== 0;
    const original = this.#u32(at);
    const kept = this.#snapLengths[0] === 0 ? original : Math.min(original, this.#snapLengths[0]);
    if (kept > end - at - 4) return this.#fail(at, `packet of ${kept} bytes in a shorter block`) !== 0;
    this.#fill(0, at + 4, kept, original);
    return true;
  }

  #fill(iface: number, at: number, length: number, originalLength: number): void {
    this.iface = iface;
    this.at = at;
    this.length = length;
    this.originalLength = originalLength;
    this.timeUs = 0;
    this.flags = 0;
    this.comment = '';
    this.drops = 0;
  }

  #statistics(at: number, end: number): void {
    if (end - at < 12) {
      this.#fail(at, 'statistics block too short');
      return;
    }
    const iface = this.#u32(at);
    if (iface >= this.linkTypes.length) {
      this.#fail(at, `statistics of interface ${iface}, never described`);
      return;
    }
    this.#options(at + 12, end, (code, valueAt, length) => {
      if (length !== 8) return;
      if (code === PcapngOption.STATISTICS_RECEIVED) this.received[iface] = this.#u64(valueAt);
      if (code === PcapngOption.STATISTICS_DROPPED) this.dropped[iface] = this.#u64(valueAt);
    });
  }

  #options(at: number, end: number, visit: (code: number, valueAt: number, length: number) => void): void {
    let i = at;
    while (i + 4 <= end) {
      const code = this.#u16(i);
      const length = this.#u16(i + 2);
      if (code === PcapngOption.END) return;
      if (i + 4 + length > end) {
        this.#fail(i, `option ${code} of ${length} bytes passes the end of its block`);
        return;
      }
      visit(code, i + 4, length);
      i += 4 + ((length + 3) & ~3);
    }
  }

  #fail(at: number, why: string): 0 {
    this.problem = `at byte ${at}: ${why}`;
    return 0;
  }
  #u16(at: number): number {
    return this.#view.getUint16(at, this.#littleEndian);
  }
  #u32(at: number): number {
    return this.#view.getUint32(at, this.#littleEndian);
  }
  #u64(at: number): number {
    const first = this.#u32(at);
    const second = this.#u32(at + 4);
    return this.#littleEndian ? second * 0x1_0000_0000 + first : first * 0x1_0000_0000 + second;
  }
  /** The upper half stands first; divided apart, so that nanoseconds lose nothing above the microsecond. */
  #time(iface: number, at: number): number {
    const divisor = this.#unitsPerSecond[iface] / 1e6;
    const high = this.#u32(at);
    const low = this.#u32(at + 4);
    const wholeHigh = Math.floor(high / divisor);
    const restHigh = high - wholeHigh * divisor;
    return wholeHigh * 0x1_0000_0000 + Math.floor((restHigh * 0x1_0000_0000 + low) / divisor);
  }
  #text(at: number, length: number): string {
    return readUtf8(this.bytes, at, at + length);
  }
}

/** What is no UTF-8 reads as U+FFFD, a byte each. */
function readUtf8(bytes: Uint8Array, at: number, end: number): string {
  let text = '';
  let i = at;
  while (i < end) {
    const first = bytes[i];
    const extra = first < 0x80 ? 0 : first >>> 5 === 6 ? 1 : first >>> 4 === 14 ? 2 : first >>> 3 === 30 ? 3 : -1;
    let c = extra <= 0 ? first : first & (0x3f >>> extra);
    let valid = extra >= 0 && i + extra < end;
    for (let k = 1; valid && k <= extra; k++) {
      valid = (bytes[i + k] & 0xc0) === 0x80;
      c = (c << 6) | (bytes[i + k] & 0x3f);
    }
    if (valid && c <= 0x10ffff) {
      text += String.fromCodePoint(c);
      i += 1 + extra;
    } else {
      text += '\ufffd';
      i += 1;
    }
  }
  return text;
}
