import type { TcpOption } from '../../src/packetdrill/language/ast.js';

/** One thing that happens to a TCP: a call of its program, or a packet that arrives. Sequences of them are data, so that two can be given the same. */
export interface Step {
  /** After the step before. */
  readonly gapUs: number;
  readonly action: Action;
}

export type Action = CallAction | SegmentAction | IcmpAction;

/** Descriptors as the script has them: 3 is the socket, 4 what accept() gave. */
export type ScriptFd = 3 | 4;

/** `name` is a system call's, but for `nonblock`, which is the fcntl that every socket gets. */
export type CallAction = { readonly kind: 'call'; readonly fd: ScriptFd } & (
  | { readonly name: 'socket' | 'nonblock' | 'bind' | 'connect' | 'accept' | 'close' }
  | { readonly name: 'listen'; readonly backlog: number }
  | { readonly name: 'recv' | 'send'; readonly length: number; readonly flags: readonly string[] }
  | { readonly name: 'shutdown'; readonly how: 'SHUT_RD' | 'SHUT_WR' | 'SHUT_RDWR' }
  | { readonly name: 'ioctl'; readonly request: 'SIOCINQ' | 'SIOCOUTQ' | 'SIOCOUTQNSD' }
  | { readonly name: 'poll'; readonly events: readonly string[] }
  | ({ readonly name: 'setsockopt'; readonly value: readonly number[] } & OptionName)
  | ({ readonly name: 'getsockopt' } & OptionName)
);

export interface OptionName {
  readonly level: 'SOL_SOCKET' | 'SOL_TCP' | 'SOL_IP';
  readonly option: string;
}

/** Numbers count from the initial ones, as in scripts. The timestamp echoed is the last that the TCP sent. */
export interface SegmentAction {
  readonly kind: 'segment';
  readonly flags: number;
  readonly seq: number;
  readonly length: number;
  readonly ack: number | undefined;
  readonly window: number;
  readonly urgent: number | undefined;
  readonly options: readonly TcpOption[];
}

export interface IcmpAction {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
  readonly mtu: number | undefined;
  /** Of the segment that is quoted. */
  readonly seq: number;
}

/** What came of a step, or by itself. Times count from the beginning of the sequence. */
export type Happening = PacketSent | CallReturned;

export interface PacketSent {
  readonly kind: 'packet';
  readonly us: number;
  /** The steps that had been begun. */
  readonly step: number;
  /** In the notation of scripts, with timestamps that begin at 100. */
  readonly text: string;
  /** The same without what two clocks cannot have alike. */
  readonly compared: string;
  /** Milliseconds since the first timestamp; undefined without one. */
  readonly stamp: number | undefined;
}

export interface CallReturned {
  readonly kind: 'call';
  readonly us: number;
  readonly step: number;
  readonly result: number;
  readonly errno: number;
  /** What was asked for, as a script has it. */
  readonly value: string | undefined;
}

/** A step as it was done: when, and with which echo. */
export interface Done {
  readonly us: number;
  /** Of a segment with a timestamp: the echo, in the script's terms. */
  readonly echo: number;
  /** There was no descriptor for it. */
  readonly skipped: boolean;
}

export interface Recording {
  readonly steps: readonly Done[];
  readonly happenings: readonly Happening[];
  readonly endUs: number;
}

export interface Sequence {
  readonly seed: number;
  readonly steps: readonly Step[];
  /** How long is looked on after the last step. */
  readonly tailUs: number;
}
