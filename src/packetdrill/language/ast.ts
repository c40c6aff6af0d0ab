import type { Place } from './script-error.js';

/** A script as it was read. Times are in µs, numbers as written; nothing has been looked up. */
export interface Script {
  readonly file: string;
  readonly options: readonly ScriptOption[];
  readonly events: readonly Event[];
}

/** `--name=value`; `value` is empty where none was written. */
export interface ScriptOption {
  readonly place: Place;
  readonly name: string;
  readonly value: string;
}

export type TimeKind = 'absolute' | 'relative' | 'any' | 'absolute-range' | 'relative-range' | 'none';

/** When: `0.1`, `+.1`, `*`, `0.1~0.2`, `+.1~+.2`; `none` is that of commands before the first event and after the last. */
export interface EventTime {
  readonly kind: TimeKind;
  readonly us: number;
  /** Of ranges: the latest instant. */
  readonly endUs: number;
}

interface EventBase {
  readonly place: Place;
  readonly time: EventTime;
  /** As it was written, on one line: what reports show. */
  readonly source: string;
}

export interface PacketEvent extends EventBase {
  readonly kind: 'packet';
  readonly direction: 'inbound' | 'outbound';
  readonly packet: ScriptPacket;
}

export interface CallEvent extends EventBase {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expression[];
  /** Undefined for `?`. */
  readonly result: Expression | undefined;
  readonly errno: string | undefined;
  /** Of a blocking call (`0...0.2 connect(…)`): when it returns, relative to the same instant as `time`. */
  readonly returnsUs: number | undefined;
}

export interface CommandEvent extends EventBase {
  readonly kind: 'command';
  readonly text: string;
}

export interface CodeEvent extends EventBase {
  readonly kind: 'code';
  readonly text: string;
  /** Where the text begins. */
  readonly textPlace: Place;
}

export type Event = PacketEvent | CallEvent | CommandEvent | CodeEvent;

export type EcnMark = 'noecn' | 'ect0' | 'ect1' | 'ect01' | 'ce';

/** What stands in `[…]` before a packet. */
export interface IpMarks {
  readonly ecn?: EcnMark;
  readonly tos?: number;
  readonly ttl?: number;
  readonly flowLabel?: number;
}

export interface Ports {
  readonly source: number;
  readonly destination: number;
}

export type ScriptPacket = TcpPacket | UdpPacket | IcmpPacket;

export interface SequenceRange {
  readonly start: number;
  readonly end: number;
  readonly length: number;
}

export interface TcpPacket {
  readonly protocol: 'tcp';
  readonly marks: IpMarks;
  readonly ports: Ports | undefined;
  /** `TcpFlag` bits. */
  readonly flags: number;
  readonly range: SequenceRange;
  readonly ack: number | undefined;
  readonly window: number | undefined;
  readonly urgent: number | undefined;
  /** Undefined for `<...>`: any. */
  readonly options: readonly TcpOption[] | undefined;
}

export interface UdpPacket {
  readonly protocol: 'udp';
  readonly marks: IpMarks;
  readonly ports: Ports | undefined;
  readonly length: number;
}

export interface IcmpPacket {
  readonly protocol: 'icmp';
  readonly version: 4 | 6;
  readonly marks: IpMarks;
  readonly type: number;
  readonly code: number;
  readonly mtu: number | undefined;
  readonly id: number;
  readonly seq: number;
  /** The packet that is complained of; undefined where none is quoted. */
  readonly quoted:
    | { readonly protocol: 'tcp'; readonly range: SequenceRange }
    | { readonly protocol: 'udp'; readonly length: number }
    | undefined;
}

export interface SackBlock {
  readonly left: number;
  readonly right: number;
}

export type TcpOption =
  | { readonly kind: 'mss'; readonly value: number }
  | { readonly kind: 'wscale'; readonly value: number }
  | { readonly kind: 'sackOK' }
  | { readonly kind: 'sack'; readonly blocks: readonly SackBlock[] }
  | { readonly kind: 'TS'; readonly val: number; readonly ecr: number }
  | { readonly kind: 'nop' }
  | { readonly kind: 'eol' }
  | { readonly kind: 'md5'; readonly digest: string }
  /** Fast Open; `experimental`: kind 254 with the magic of RFC 7413's forerunner. The cookie in hexadecimal digits. */
  | { readonly kind: 'FO'; readonly cookie: string; readonly experimental: boolean }
  /** RFC 9768; `first` tells the order: that of kind 172 or that of 174. Counters in the order sent, at most three. */
  | { readonly kind: 'ECN'; readonly first: 'e0b' | 'e1b'; readonly counters: readonly number[] }
  | { readonly kind: 'other'; readonly number: number; readonly data: string };

export type Expression =
  | { readonly kind: 'ellipsis'; readonly place: Place }
  | { readonly kind: 'integer'; readonly place: Place; readonly value: number }
  | { readonly kind: 'string'; readonly place: Place; readonly value: string }
  | { readonly kind: 'name'; readonly place: Place; readonly name: string }
  | { readonly kind: 'unary'; readonly place: Place; readonly operator: string; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly place: Place;
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  /** `htons(80)`, `inet_addr("…")`, `sizeof(…)`. */
  | { readonly kind: 'apply'; readonly place: Place; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'list'; readonly place: Place; readonly items: readonly Expression[] }
  | { readonly kind: 'struct'; readonly place: Place; readonly fields: readonly Field[] };

export interface Field {
  /** Empty for one that has no name, as in `{..., 1000}`. */
  readonly name: string;
  /** `msg_iov(2)`: what stands in the parentheses. */
  readonly count: Expression | undefined;
  readonly value: Expression;
}
